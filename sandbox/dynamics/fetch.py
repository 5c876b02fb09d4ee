"""FetchXML in its simple form: what a `<fetch>` asks for, resolved against the tables.

One entity, its attributes, filters, orders, and links one level deep. Aggregates, deeper links,
the operators that know dates relative to now and whatever else is 501. Source:
learn.microsoft.com/power-apps/developer/data-platform/fetchxml/reference.
"""

import dataclasses
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.conditions import condition
from sandbox.dynamics.filters import Sees, Test
from sandbox.dynamics.query import Order
from sandbox.dynamics.schema import Column, Schema, Table
from sandbox.dynamics.xml import tree

IGNORED = ("version", "mapping", "output-format", "no-lock", "latematerialize", "datasource")
FETCH = ("top", "count", "page", "paging-cookie", "returntotalrecordcount", "distinct")
MOST = 5000


@dataclasses.dataclass(frozen=True)
class Selected:
    """One column of the answer, under an alias where it has one."""

    column: Column
    alias: str | None


@dataclasses.dataclass(frozen=True)
class Link:
    """A link-entity: rows of `table` whose `source` equals `to` of the row."""

    table: Table
    source: Column
    to: Column
    alias: str
    outer: bool
    columns: tuple[Selected, ...]
    test: Test


@dataclasses.dataclass(frozen=True)
class Fetch:
    """A whole query."""

    table: Table
    columns: tuple[Selected, ...] | None
    test: Test
    orders: tuple[Order, ...]
    links: tuple[Link, ...]
    top: int | None
    count: int
    page: int
    cookie: str | None
    total: bool


def parse(text: str, table: Table, schema: Schema, sees: Sees) -> Fetch:
    """Resolve a `<fetch>`; raises for what can't be, and 501 for what isn't played."""
    try:
        root = tree(text)
    except ValueError:
        raise errors.bad_fetch("Invalid XML.") from None
    if root.tag != "fetch" or [each.tag for each in root] != ["entity"]:
        raise errors.bad_fetch("A fetch has one entity.")
    _only(root, FETCH)
    entity = root[0]
    if entity.get("name") != table.name:
        raise errors.bad_fetch(f"The entity is not '{table.name}', which the URL names.")
    if root.get("distinct") == "true":
        raise errors.not_played("distinct in FetchXML")
    tags: tuple[str, ...] = ("attribute", "all-attributes", "filter", "order", "link-entity")
    _known(entity, tags)
    top = _number(root, "top")
    if top is not None and (root.get("count") or root.get("page")):
        raise errors.bad_fetch("top can't go with count or page.")
    return Fetch(
        table=table,
        columns=_columns(entity, table),
        test=_filters(entity, table, sees),
        orders=tuple(_orders(entity, table)),
        links=tuple(_link(each, table, schema, sees, n) for n, each in _links(entity)),
        top=top,
        count=min(_number(root, "count") or MOST, MOST),
        page=_number(root, "page") or 1,
        cookie=root.get("paging-cookie"),
        total=root.get("returntotalrecordcount") == "true",
    )


def _only(element: ET.Element, known: tuple[str, ...]) -> None:
    for name in element.attrib:
        if name not in known and name not in IGNORED:
            raise errors.not_played(f"'{name}' of {element.tag} in FetchXML")


def _known(element: ET.Element, tags: tuple[str, ...]) -> None:
    for each in element:
        if each.tag not in tags:
            raise errors.not_played(f"'{each.tag}' in FetchXML")


def _number(element: ET.Element, name: str) -> int | None:
    text = element.get(name)
    if text is None:
        return None
    if not text.isdecimal() or int(text) < 1:
        raise errors.bad_fetch(f"{name} must be a positive number.")
    return int(text)


def _column(table: Table, name: str | None) -> Column:
    if name not in table.columns:
        raise errors.no_fetch_attribute(str(name), table)
    return table.columns[name]


def _columns(entity: ET.Element, table: Table) -> tuple[Selected, ...] | None:
    """None for all of them, which is also what no attribute at all means."""
    found = []
    for each in entity.findall("attribute"):
        _only(each, ("name", "alias"))
        found.append(Selected(_column(table, each.get("name")), each.get("alias")))
    if entity.find("all-attributes") is not None or not found:
        return None
    return tuple(found)


def _filters(entity: ET.Element, table: Table, sees: Sees) -> Test:
    tests = [_filter(each, table, sees) for each in entity.findall("filter")]
    return lambda row: all(test(row) for test in tests)


def _filter(element: ET.Element, table: Table, sees: Sees) -> Test:
    _only(element, ("type",))
    _known(element, ("condition", "filter"))
    together: Callable[[Any], bool] = all
    if element.get("type", "and") == "or":
        together = any
    elif element.get("type", "and") != "and":
        raise errors.bad_fetch("A filter is of type and, or or.")
    tests = [
        _filter(each, table, sees) if each.tag == "filter" else _condition(each, table, sees)
        for each in element
    ]
    return lambda row: not tests or together(test(row) for test in tests)


def _condition(element: ET.Element, table: Table, sees: Sees) -> Test:
    _only(element, ("attribute", "operator", "value", "uitype", "uiname"))
    _known(element, ("value",))
    column = _column(table, element.get("attribute"))
    values = [each.text or "" for each in element]
    if element.get("value") is not None:
        values.insert(0, str(element.get("value")))
    return condition(column, str(element.get("operator")), values, sees)


def _orders(entity: ET.Element, table: Table) -> list[Order]:
    found = []
    for each in entity.findall("order"):
        _only(each, ("attribute", "descending"))
        descending = each.get("descending", "false") == "true"
        found.append(Order(_column(table, each.get("attribute")), descending))
    return found


def _links(entity: ET.Element) -> list[tuple[int, ET.Element]]:
    return list(enumerate(entity.findall("link-entity"), start=1))


def _link(element: ET.Element, table: Table, schema: Schema, sees: Sees, number: int) -> Link:
    _only(element, ("name", "from", "to", "link-type", "alias", "visible", "intersect"))
    _known(element, ("attribute", "filter"))
    name = element.get("name") or ""
    if name not in schema.tables:
        raise errors.not_played(f"a link to '{name}'")
    target = schema.tables[name]
    kind = element.get("link-type", "inner")
    if kind not in ("inner", "outer"):
        raise errors.not_played(f"links of type {kind}")
    columns = tuple(
        Selected(_column(target, each.get("name")), each.get("alias"))
        for each in element.findall("attribute")
    )
    return Link(
        table=target,
        source=_column(target, element.get("from")),
        to=_column(table, element.get("to")),
        alias=element.get("alias") or f"{name}{number}",
        outer=kind == "outer",
        columns=columns,
        test=_filters(element, target, sees),
    )
