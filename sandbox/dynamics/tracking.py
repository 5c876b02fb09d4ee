"""Change tracking: the rows once, then what has changed and gone since, by delta links.

Source: learn.microsoft.com/power-apps/developer/data-platform/
use-change-tracking-synchronize-data-external-systems. A token is a version and the time it was
given; it lives for seven days, the default of an organization.
"""

import datetime
import re
import urllib.parse
from typing import Any

from sandbox.dynamics import errors, url
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.paging import MOST_ROWS
from sandbox.dynamics.query import Options
from sandbox.dynamics.render import Renderer
from sandbox.dynamics.schema import Table
from sandbox.dynamics.store import Row, Store
from sandbox.kit.clock import Clock

TOKEN = re.compile(r"(\d+)!(\d\d/\d\d/\d{4} \d\d:\d\d:\d\d)")
COOKIE = re.compile(r'<cookie pagenumber="(\d+)" pagingcookie="([^"]+)" istracking="True" />')
FORMAT = "%m/%d/%Y %H:%M:%S"
LIFETIME = datetime.timedelta(days=7)
ALLOWED = ("$select", "$deltatoken", "$skiptoken", "tag")


def asked(request: Request) -> bool:
    """Whether a request is about changes."""
    return request.prefer.track_changes or "$deltatoken" in url.query_pairs(request.query)


class Tracking:
    """Answers reads of a set that track changes."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def listed(self, request: Request, table: Table, options: Options, renderer: Renderer) -> Reply:
        """One page: all rows at first, with a token what came after it."""
        pairs = url.query_pairs(request.query)
        for name in pairs:
            if name not in ALLOWED:
                raise errors.bad_query(f"The query parameter {name} can't go with change tracking.")
        if not table.tracked:
            raise errors.bad_query(f"Change tracking is not enabled for '{table.name}'.")
        since = self._since(pairs["$deltatoken"]) if "$deltatoken" in pairs else None
        page, after, version = self._place(pairs.get("$skiptoken"))
        found = self._changes(table, since)
        left = [each for each in found if each[0] > after]
        size = request.prefer.page_size or MOST_ROWS
        context = renderer.context(table, options, single=False)
        document: dict[str, Any] = {
            "@odata.context": context if since is None else f"{context}/$delta",
            "value": [_shown(request, table, options, renderer, each) for _, each in left[:size]],
        }
        if len(left) > size:
            cookie = f"{left[size - 1][0]}!{version}"
            token = f'<cookie pagenumber="{page + 1}" pagingcookie="{cookie}" istracking="True" />'
            document["@odata.nextLink"] = _link(request, "$skiptoken", token)
        else:
            now = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
            token = f"{version}!{now.strftime(FORMAT)}"
            document["@odata.deltaLink"] = _link(request, "$deltatoken", token)
        return json_reply(200, document)

    def _changes(self, table: Table, since: int | None) -> list[tuple[int, Row | str]]:
        """Rows, and ids of rows that went, in the order of their versions."""
        rows: list[tuple[int, Row | str]] = [
            (row.version, row)
            for row in self._store.rows(table)
            if since is None or row.version > since
        ]
        if since is not None:
            gone = self._store.deleted_since(table, since)
            rows += [(at, row_id) for at, row_id in gone if self._store.get(table, row_id) is None]
        return sorted(rows, key=lambda each: each[0])

    def _since(self, text: str) -> int:
        match = TOKEN.fullmatch(text)
        if match is None:
            raise errors.bad_query("The delta token is not valid.")
        given = datetime.datetime.strptime(match[2], FORMAT).replace(tzinfo=datetime.UTC)
        now = datetime.datetime.fromtimestamp(self._clock.now(), datetime.UTC)
        if now - given > LIFETIME:
            raise errors.expired_token()
        return int(match[1])

    def _place(self, text: str | None) -> tuple[int, int, int]:
        """Page number, version of the last row before it, version that the token will have."""
        if text is None:
            return 1, 0, self._store.version
        match = COOKIE.fullmatch(text)
        last, _, version = match[2].partition("!") if match else ("", "", "")
        if match is None or not last.isdecimal() or not version.isdecimal():
            raise errors.bad_query("Malformed XML in the paging cookie.")
        return int(match[1]), int(last), int(version)


def _shown(
    request: Request, table: Table, options: Options, renderer: Renderer, found: Row | str
) -> dict[str, Any]:
    if isinstance(found, Row):
        return renderer.row(found, options)
    context = f"{request.base}$metadata#{table.set}/$deletedEntity"
    return {"@odata.context": context, "id": found, "reason": "deleted"}


def _link(request: Request, name: str, token: str) -> str:
    replaced = ("$skiptoken", "$deltatoken") if name == "$deltatoken" else ("$skiptoken",)
    parts = [part for part in request.query.split("&") if part]
    kept = [part for part in parts if urllib.parse.unquote(part.partition("=")[0]) not in replaced]
    asked_for = "&".join([*kept, f"{name}={urllib.parse.quote(token, safe='')}"])
    return f"{request.base}{request.path}?{asked_for}"
