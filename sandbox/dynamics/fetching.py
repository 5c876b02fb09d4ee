"""Running a FetchXML query and showing its rows; what it asks is read in `fetch.py`."""

import itertools
import re
import urllib.parse
from collections.abc import Iterator
from typing import Any

from sandbox.dynamics import errors, paging, values
from sandbox.dynamics.fetch import Fetch, Link, Selected
from sandbox.dynamics.filters import comparable
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.query import Options
from sandbox.dynamics.render import FORMATTED, Renderer
from sandbox.dynamics.store import Row, Store

SPACE = "Microsoft.Dynamics.CRM."
Joined = tuple[Row, tuple[Row | None, ...]]


def listed(request: Request, fetch: Fetch, store: Store, renderer: Renderer) -> Reply:
    """One page. There is no nextLink; the next page is asked for by its number and cookie."""
    rows = paging.ordered(fetch.orders, [r for r in store.rows(fetch.table) if fetch.test(r)])
    joined = [each for row in rows for each in _joined(row, fetch.links, store)]
    total = len(joined)
    if fetch.top is not None:
        joined = joined[: min(fetch.top, paging.MOST_ROWS)]
    page, more = _page(fetch, joined)
    shown = [_shown(each, fetch, renderer) for each in page]
    document: dict[str, Any] = {"@odata.context": f"{request.base}$metadata#{fetch.table.set}"}
    if fetch.total:
        document[f"@{SPACE}totalrecordcount"] = min(total, paging.MOST_ROWS)
        document[f"@{SPACE}totalrecordcountlimitexceeded"] = total > paging.MOST_ROWS
    if more and request.prefer.wants(f"{SPACE}fetchxmlpagingcookie"):
        token = paging.token(fetch.orders, fetch.page + 1, page[-1][0])
        document[f"@{SPACE}fetchxmlpagingcookie"] = urllib.parse.unquote(token)
    if request.prefer.wants(f"{SPACE}morerecords"):
        document[f"@{SPACE}morerecords"] = more
    return json_reply(200, document | {"value": shown})


def _joined(row: Row, links: tuple[Link, ...], store: Store) -> Iterator[Joined]:
    found: list[list[Row | None]] = []
    for link in links:
        value = comparable(link.to, row)
        matching: list[Row | None] = [
            other
            for other in store.rows(link.table)
            if value is not None and comparable(link.source, other) == value and link.test(other)
        ]
        found.append(matching or ([None] if link.outer else []))
    for combination in itertools.product(*found):
        yield row, combination


def _page(fetch: Fetch, joined: list[Joined]) -> tuple[list[Joined], bool]:
    if fetch.cookie is not None and not fetch.links:
        match = re.fullmatch(r"<cookie page=\"\d+\">(.*)</cookie>", fetch.cookie, re.DOTALL)
        if match is None:
            raise errors.bad_fetch("Malformed XML in the paging cookie.")
        after = paging.after(fetch.orders, fetch.cookie)
        joined = [
            each
            for each in joined
            if paging.sort_key(fetch.orders, paging.sort_values(fetch.orders, each[0])) > after
        ]
    else:
        joined = joined[(fetch.page - 1) * fetch.count :]
    return joined[: fetch.count], len(joined) > fetch.count


def _shown(joined: Joined, fetch: Fetch, renderer: Renderer) -> dict[str, Any]:
    row, others = joined
    plain = [each.column for each in fetch.columns or () if each.alias is None]
    select = None if fetch.columns is None else tuple(plain)
    shown = renderer.row(row, Options(select=select))
    for each in fetch.columns or ():
        if each.alias is not None:
            _add(shown, row, each, each.alias, renderer)
    for link, other in zip(fetch.links, others, strict=True):
        for each in link.columns:
            _add(shown, other, each, each.alias or f"{link.alias}.{each.column.name}", renderer)
    return shown


def _add(
    shown: dict[str, Any], row: Row | None, selected: Selected, name: str, renderer: Renderer
) -> None:
    """A column under another name; null is left out, as linked columns are."""
    column = selected.column
    value = row.values.get(column.name) if row is not None and renderer.sees(column) else None
    if value is None:
        return
    text = values.formatted(column, value)
    if text is not None and renderer.prefer.wants(FORMATTED):
        shown[f"{name}@{FORMATTED}"] = text
    shown[name] = values.shown(column, value)
