"""The query options of one request: `$select $filter $orderby $top $count $expand`.

What Dataverse documents as unsupported (`$skip`, `$search`, `$format`) is refused as it does;
what it supports and the sandbox doesn't is refused with 501.
"""

import dataclasses
import re
from collections.abc import Iterator

from sandbox.dynamics import errors
from sandbox.dynamics.filters import Sees, Test, compile_filter
from sandbox.dynamics.schema import Column, Table
from sandbox.dynamics.store import Store

UNSUPPORTED = ("$skip", "$search", "$format")
NOT_PLAYED = ("$apply", "fetchXml", "savedQuery", "userQuery", "sql", "$compute")
KNOWN = ("$select", "$filter", "$orderby", "$top", "$count", "$expand", "$skiptoken", "$deltatoken")
MOST_EXPANDS = 15


@dataclasses.dataclass(frozen=True)
class Order:
    """One term of `$orderby`."""

    column: Column
    descending: bool


@dataclasses.dataclass(frozen=True)
class Expand:
    """One navigation property to follow, with the options inside its parentheses."""

    navigation: str
    collection: bool
    table: Table
    column: str
    options: "Options"


@dataclasses.dataclass(frozen=True)
class Options:
    """Everything a query asks for, resolved against the table."""

    select: tuple[Column, ...] | None = None
    selected: tuple[str, ...] = ()
    test: Test | None = None
    order: tuple[Order, ...] = ()
    top: int | None = None
    count: bool = False
    expands: tuple[Expand, ...] = ()
    skip_token: str | None = None


@dataclasses.dataclass(frozen=True)
class Parser:
    """Parses options for one caller."""

    store: Store
    sees: Sees

    def options(self, table: Table, pairs: dict[str, str], *, nested: bool = False) -> Options:
        """Resolve decoded options; raises for whatever isn't known."""
        for name in pairs:
            _check_name(name)
        aliases = {name: value for name, value in pairs.items() if name.startswith("@")}
        select = _names(pairs["$select"]) if "$select" in pairs else None
        test = None
        if "$filter" in pairs:
            test = compile_filter(pairs["$filter"], table, self.store, aliases, self.sees)
        return Options(
            select=None if select is None else tuple(_column(table, name) for name in select),
            selected=tuple(select or ()),
            test=test,
            order=tuple(_orders(table, pairs.get("$orderby", ""))),
            top=_number(pairs["$top"]) if "$top" in pairs else None,
            count=_truth(pairs.get("$count", "false")),
            expands=self._expands(table, pairs.get("$expand", ""), nested),
            skip_token=pairs.get("$skiptoken"),
        )

    def _expands(self, table: Table, text: str, nested: bool) -> tuple[Expand, ...]:
        found = tuple(self._expand(table, item, nested) for item in split(text, ","))
        if sum(map(_count, found)) > MOST_EXPANDS:
            raise errors.bad_query("The number of expands exceeds the limit of 15.")
        return found

    def _expand(self, table: Table, text: str, nested: bool) -> Expand:
        match = re.fullmatch(r"\s*([\w/$]+)\s*(?:\((.*)\))?\s*", text, re.DOTALL)
        if match is None:
            raise errors.bad_query("Syntax error in $expand.")
        name, inner = match[1], match[2] or ""
        if "/" in name:
            raise errors.not_played("a path in $expand")
        pairs = dict(_pair(option) for option in split(inner, ";"))
        if name in table.collections:
            collection = table.collections[name]
            target = self.store.schema.tables[collection.table]
            return Expand(name, True, target, "", self.options(target, pairs, nested=True))
        if name in table.associations:
            if nested:
                raise errors.bad_query("A many to many can't be expanded inside another $expand.")
            target = self.store.schema.tables[table.associations[name].other(table.name)]
            return Expand(name, True, target, "", self.options(target, pairs, nested=True))
        if name not in table.navigations:
            raise errors.unknown_property(name, table)
        column = table.navigations[name]
        target = self.store.schema.target(column, name)
        if set(pairs) - {"$select", "$expand"}:
            raise errors.bad_query("A single-valued navigation takes only $select and $expand.")
        options = self.options(target, pairs, nested=True)
        return Expand(name, False, target, column.name, options)


def _count(expand: Expand) -> int:
    """An expand and those inside it."""
    return 1 + sum(map(_count, expand.options.expands))


def _check_name(name: str) -> None:
    if name in UNSUPPORTED:
        raise errors.bad_query(f"The query parameter {name} is not supported.")
    if name in NOT_PLAYED:
        raise errors.not_played(name)
    if name not in KNOWN and name != "tag" and not name.startswith("@"):
        raise errors.bad_query(f"The query parameter {name} is not supported.")


def split(text: str, separator: str) -> list[str]:
    """Split at the separator where it is neither quoted nor inside parentheses."""
    parts, depth, quoted = [""], 0, False
    for char in text:
        quoted ^= char == "'"
        if not quoted:
            depth += (char == "(") - (char == ")")
        if char == separator and depth == 0 and not quoted:
            parts.append("")
        else:
            parts[-1] += char
    if depth or quoted:
        raise errors.bad_query("Parentheses or quotes don't match.")
    return [part for part in parts if part.strip()]


def _pair(text: str) -> tuple[str, str]:
    name, _, value = text.partition("=")
    return name.strip(), value


def _names(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _column(table: Table, name: str) -> Column:
    if name not in table.wire:
        raise errors.unknown_property(name, table)
    return table.wire[name]


def _orders(table: Table, text: str) -> Iterator[Order]:
    for term in _names(text):
        name, _, direction = term.partition(" ")
        if direction.strip() not in ("", "asc", "desc"):
            raise errors.bad_query("Syntax error in $orderby.")
        if "/" in name:
            raise errors.not_played("a path in $orderby")
        yield Order(_column(table, name), direction.strip() == "desc")


def _number(text: str) -> int:
    if not text.strip().isdecimal():
        raise errors.bad_query("$top must be a whole number.")
    return int(text)


def _truth(text: str) -> bool:
    if text not in ("true", "false"):
        raise errors.bad_query("$count must be true or false.")
    return text == "true"
