"""The verbs of a CRM that has no transaction, no versions of its own worth the name and brings no
related record along: each verb as a few small requests. Not for: any CRM's notation, which is what
a subclass gives.

An update compares just before it writes (`versioned_update: best_effort`), leaves a stamp of its
own, and looks at what became of it: what didn't stick is undone and told as Invalid, never as done.
"""

import secrets
from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import lru_cache
from typing import Any

from adapters import asked as shared
from adapters.base import Adapter, Criterion, Description, Found, Page, Record, Trace
from adapters.errors import (
    BadMapping,
    Conflict,
    CrmError,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Unsupported,
)
from adapters.turns import Turn, TurnClient
from mappings.binding import FieldBinding, KindBinding, nested
from mappings.converters import NotDecodable, Text
from mappings.loader import Mapping

Row = dict[str, Any]
"""{column: as it came}, with `id`: the canonical one."""
Changes = list[tuple[FieldBinding, Any]]
"""Fields and what their converters dumped."""
Condition = tuple[str, FieldBinding, Any]
MODIFIED = "date_modified"
_MOST_PAGES = 20
_NOT_IN_A_HEADER = dict.fromkeys([*range(0x21), ord("*"), 0x7F], "_")


class Stepwise(Adapter):
    """Subclasses give the requests (`_read`, `_page`, `_insert`, `_change`, `_remove`) and the way
    a value is written in a row (`native`, `same`)."""

    largest_page = 200

    def __init__(self, mapping: Mapping, client: TurnClient, stamp: str = "") -> None:
        """`stamp`: the text column that says which write was the last, where the mapping names
        none for a kind (`version`); "" for none, and then two writes within one tick of the CRM's
        clock look the same."""
        self._mapping, self._client, self._stamp = mapping, client, stamp
        if not all(binding.version or stamp for binding in mapping.kinds.values()):
            self.capabilities = replace(self.capabilities, versioned_update="no")
        # The same few sets of fields are asked for again and again.
        self._split = lru_cache(512)(lambda kind, fields: shared.split(mapping, kind, fields))

    # -- what a subclass gives ------------------------------------------------------------

    @abstractmethod
    def _read(self, binding: KindBinding, id: str, columns: Iterable[str], turn: Turn) -> Row:
        """The row with these columns and those of the version. Raises NotFound."""

    @abstractmethod
    def _page(
        self,
        asked: shared.Asked,
        conditions: Iterable[Condition],
        after: str | None,
        size: int,
        turn: Turn,
    ) -> tuple[list[Row], str | None]:
        """Rows that meet the conditions in the CRM's eyes, in the order of its ids, and where the
        next page begins. What is compared comes along."""

    @abstractmethod
    def _insert(self, binding: KindBinding, id: str, changes: Changes, turn: Turn) -> Row | None:
        """Make the record, under a new stamp. Gives the row as it now is, with the columns that
        were sent; None where it must be read. Raises Conflict."""

    @abstractmethod
    def _change(
        self,
        binding: KindBinding,
        before: Row,
        changes: Changes,
        stamp: str,
        columns: list[str],
        turn: Turn,
    ) -> Row | None:
        """Write, under the stamp. Gives the row as it now is, with `columns`; None where it must be
        read. Raises StaleVersion where the CRM itself compares."""

    @abstractmethod
    def _remove(self, binding: KindBinding, id: str, row: Row | None, turn: Turn) -> None:
        """Erase the record; `row` where it was read before."""

    @abstractmethod
    def native(self, field: FieldBinding, raw: Any) -> Any:
        """A row's value as the field's converter reads it."""

    @abstractmethod
    def _columns(self, table: str, turn: Turn) -> dict[str, Any] | None:
        """The CRM's own metadata of a table's columns; None where it isn't there."""

    # -- verbs ----------------------------------------------------------------------------

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        asked: shared.Asked = self._split(kind, tuple(fields))
        turn = self._client.turn(trace)
        try:
            row = self._read(asked.binding, id, columns_of(asked), turn)
        except NotFound:
            self._take_as_long(asked, id, turn)
            raise
        return self._found(asked, row, turn)

    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        criterion = Criterion(key, "eq", value)
        field, dumped = shared.condition(shared.kind_of(self._mapping, kind), criterion)
        if not isinstance(field.converter, Text) or dumped is None:
            raise Invalid(fields=(field.name,))
        names = tuple(fields)
        return the_only(
            lambda cursor: self.query(
                kind, [criterion], names, cursor=cursor, limit=20, trace=trace
            )
        )

    def query(
        self,
        kind: str,
        criteria: Iterable[Criterion],
        fields: Iterable[str],
        *,
        cursor: str | None = None,
        limit: int = 100,
        trace: Trace | None = None,
    ) -> Page:
        asked: shared.Asked = self._split(kind, tuple(fields))
        conditions = [(each.op, *shared.condition(asked.binding, each)) for each in criteria]
        after = None if cursor is None else shared.uuid_of(cursor)
        size = max(1, min(limit, self.largest_page))
        turn = self._client.turn(trace)
        found, more = self._page(asked, conditions, after, size, turn)
        met = [row for row in found if all(self.meets(row, *each) for each in conditions)]
        return Page(tuple(self._found(asked, row, turn) for row in met), more)

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        binding = shared.kind_of(self._mapping, kind)
        own = shared.uuid_of(id)
        changes = [each for each in shared.dumped(binding, record) if each[1] is not None]
        turn = self._client.turn(trace)
        row = self._insert(binding, own, changes, turn)
        error: CrmError | None
        try:
            row = row or self._read(binding, own, [field.column for field, _ in changes], turn)
            error = self._failed(changes, row)
        except BadMapping as wrong:
            error = wrong
        except NotFound:  # made, and not there
            raise Malformed from None
        if error or row is None:
            self._remove(binding, own, row, turn)
            raise error or Malformed()
        return Found(kind, own, self.version(binding, row), {})

    def update(
        self,
        kind: str,
        id: str,
        changes: Record,
        version: str,
        *,
        returning: Iterable[str] = (),
        trace: Trace | None = None,
    ) -> Found:
        asked: shared.Asked = self._split(kind, tuple(returning))
        if asked.lookups or asked.collections:
            raise Unsupported
        binding = asked.binding
        given = shared.dumped(binding, changes)
        columns = [field.column for field, _ in given]
        wanted = shared.concrete(version)
        turn = self._client.turn(trace)
        before = self._read(binding, id, columns, turn)
        if self.version(binding, before) != wanted:
            raise StaleVersion
        stamp, columns = new_stamp(), [*columns, *columns_of(asked)]
        after = self._change(binding, before, given, stamp, columns, turn)
        after = after or self._read(binding, id, columns, turn)
        column = self._stamped(binding)
        if column and after.get(column) != stamp:
            raise Malformed  # somebody wrote at the same time: what became of ours can't be told
        error = self._failed(given, after)
        if error:
            self._undo(binding, before, after, given, turn)
            raise error
        return self._found(asked, after, turn)

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        binding = shared.kind_of(self._mapping, kind)
        turn = self._client.turn(trace)
        row = None
        if version is not None:
            wanted = shared.concrete(version)
            row = self._read(binding, id, (), turn)
            if self.version(binding, row) != wanted:
                raise StaleVersion
        self._remove(binding, id, row, turn)

    def describe(self) -> Description:
        turn = self._client.turn()
        tables: dict[str, dict[str, str]] = {}
        lengths: dict[str, dict[str, int]] = {}
        for binding in self._mapping.kinds.values():
            columns = self._columns(binding.table, turn)
            if columns is not None:
                tables[binding.table], lengths[binding.table] = described(columns)
        return Description(tables, {name: {} for name in tables}, lengths=lengths)

    def close(self) -> None:
        self._client.close()

    # -- values ---------------------------------------------------------------------------

    def value(self, field: FieldBinding, row: Row) -> Any:
        """The canonical value. Raises Malformed where the column isn't there or holds no such."""
        try:
            return field.converter.load(self.native(field, row[field.column]))
        except (KeyError, NotDecodable):
            raise Malformed from None

    def same(self, field: FieldBinding, held: Any, dumped: Any) -> bool:
        """Is what the CRM holds (canonical) what was sent?"""
        return bool(held == field.converter.load(shared.exact(dumped)))

    def meets(self, row: Row, op: str, field: FieldBinding, dumped: Any) -> bool:
        """Does a row that came meet the condition? `gt` and its like were the CRM's to compare."""
        held = self.value(field, row)
        if op == "in":
            return any(self.same(field, held, each) for each in dumped)
        if op in ("eq", "ne"):
            return self.same(field, held, dumped) is (op == "eq")
        return held is not None

    def moment(self, row: Row) -> str:
        """When the row was changed, as a part of its version. Raises Malformed."""
        given = row.get(MODIFIED)
        return given if isinstance(given, str) else _malformed()

    def version(self, binding: KindBinding, row: Row) -> str:
        """When the row was changed, and by which write; it may stand in a header."""
        column = self._stamped(binding)
        token = row.get(column, "") if column else ""
        if token is None:
            token = ""
        if not isinstance(token, str):
            raise Malformed
        text = f"{self.moment(row)}~{token}".translate(_NOT_IN_A_HEADER)
        return text.encode("ascii", "replace").decode().replace("?", "_")

    def _stamped(self, binding: KindBinding) -> str:
        return binding.version or self._stamp

    def _always(self, binding: KindBinding) -> list[str]:
        """What every read asks for: the columns of the version."""
        column = self._stamped(binding)
        return [MODIFIED, column] if column else [MODIFIED]

    # -- steps ----------------------------------------------------------------------------

    def _failed(self, changes: Changes, row: Row) -> CrmError | None:
        """What to tell where the record doesn't hold what was sent."""
        dropped = tuple(
            field.name
            for field, dumped in changes
            if not self.same(field, self.value(field, row), dumped)
        )
        return Invalid("dropped", fields=dropped) if dropped else None

    def _undo(
        self, binding: KindBinding, before: Row, after: Row, given: Changes, turn: Turn
    ) -> None:
        """Put back what stuck of a write of which something didn't. Raises what the way there
        raises: then it isn't known what the record holds."""
        stuck = [field for field, dumped in given if not self._failed([(field, dumped)], after)]
        earlier = [(field, field.converter.dump(self.value(field, before))) for field in stuck]
        columns = [field.column for field in stuck]
        row = self._change(binding, after, earlier, new_stamp(), columns, turn)
        if self._failed(earlier, row or self._read(binding, before["id"], columns, turn)):
            raise Malformed

    def _found(self, asked: shared.Asked, row: Row, turn: Turn) -> Found:
        """The row as canonical values, with a request more for each step onward."""
        values = {field.name: self.value(field, row) for field in asked.own}
        values |= dict.fromkeys(asked.empty)
        lookups: dict[str, Found | None] = {}
        for name, inner in asked.lookups.items():
            id = self.value(asked.binding.fields[name], row)
            lookups[name] = None if id is None else self._onward(inner, id, turn)
        collections: dict[str, tuple[Found, ...]] = dict.fromkeys(asked.not_held, ())
        for name, inner in asked.collections.items():
            lookup = inner.binding.fields[asked.binding.collections[name].lookup]
            collections[name] = self._members(inner, lookup, row["id"], turn)
        version = self.version(asked.binding, row)
        return Found(asked.binding.kind, row["id"], version, nested(values), lookups, collections)

    def _onward(self, asked: shared.Asked, id: str, turn: Turn) -> Found | None:
        """The record that a lookup names; None where it was deleted."""
        try:
            row = self._read(asked.binding, id, columns_of(asked), turn)
        except NotFound:
            return None
        return self._found(asked, row, turn)

    def _take_as_long(self, asked: shared.Asked, id: str, turn: Turn) -> None:
        """The steps onward from a row that isn't there, for nothing: else the time of a sign-in
        would tell who is a member."""
        for inner in asked.lookups.values():
            self._onward(inner, id, turn)

    def _members(
        self, asked: shared.Asked, lookup: FieldBinding, id: str, turn: Turn
    ) -> tuple[Found, ...]:
        """All rows whose lookup names this record; more than are worth waiting for: Malformed."""
        found: list[Row] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page, after = self._page(asked, [("eq", lookup, id)], after, self.largest_page, turn)
            found += page
            if after is None:
                return tuple(self._found(asked, row, turn) for row in found)
        raise Malformed


def new_stamp() -> str:
    """What says which write was the last."""
    return secrets.token_urlsafe(16)


def columns_of(asked: shared.Asked) -> list[str]:
    """Of the fields asked for, and of the lookups that lead on."""
    onward = [asked.binding.fields[name].column for name in asked.lookups]
    return [*(field.column for field in asked.own), *onward]


def described(columns: dict[str, Any]) -> tuple[dict[str, str], dict[str, int]]:
    """{column: type} and {text column: characters} of the metadata that Sugar and its relatives
    give of a module's fields."""
    known = {name: each for name, each in columns.items() if isinstance(each, dict)}
    types = {name: str(each.get("type")) for name, each in known.items()}
    lengths = {
        name: int(each["len"])
        for name, each in known.items()
        if each.get("type") == "varchar" and str(each.get("len")).isdigit()
    }
    return types, lengths


def the_only(page_at: Callable[[str | None], Page]) -> Found:
    """The one row of all pages. Raises NotFound; Conflict where there is more than one."""
    hits: list[Found] = []
    cursor: str | None = None
    for _ in range(_MOST_PAGES):
        page = page_at(cursor)
        hits += page.rows
        if len(hits) > 1:
            raise Conflict
        cursor = page.cursor
        if cursor is None:
            break
    if not hits:
        raise NotFound
    return hits[0]


def _malformed() -> Any:
    raise Malformed
