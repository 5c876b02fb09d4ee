"""The adapter for SuiteCRM 7.14 (V8 JSON:API): each verb as requests.

Not for: notation (`query`, `rows`), the call itself (`client`), tokens (`tokens`).
V8 answers 201 to changes that it drops, so every write is read back, and what didn't stick is
undone and told as Invalid: never as done.
"""

import secrets
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import replace
from functools import lru_cache
from typing import Any

from adapters import asked as shared
from adapters.base import Adapter, Criterion, Description, Found, Page, Record, Remote, Table, Trace
from adapters.capabilities import Capabilities
from adapters.errors import (
    BadMapping,
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Unsupported,
)
from adapters.suitecrm import options as option_rules
from adapters.suitecrm import query, rows
from adapters.suitecrm.client import Client, Turn
from adapters.suitecrm.guide import GUIDE
from adapters.suitecrm.query import Condition
from mappings.binding import FieldBinding, KindBinding, nested
from mappings.converters import Text
from mappings.loader import Mapping

_MOST_PAGES = 20
LARGEST_PAGE = 200
Changes = list[tuple[FieldBinding, Any]]


class SuiteCrm(Adapter):
    """One server, as one CRM user."""

    capabilities = Capabilities(
        versioned_update="best_effort",
        create_with_our_id=True,
        expands=True,
        clears_with_null=True,
        pages_with_cursor=True,
    )
    guide = GUIDE

    def __init__(self, mapping: Mapping, remote: Remote) -> None:
        if self.check_options(remote.options, remote.credential):
            raise BadMapping
        self._mapping = mapping
        options = option_rules.read(remote.options, remote.credential)
        self._stamp = options.version_column
        if not self._stamp:  # the time of the last change alone, to the minute, is no version
            self.capabilities = replace(self.capabilities, versioned_update="no")
        self._client = Client(options, remote)
        # The same few sets of fields are asked for again and again.
        self._split = lru_cache(512)(lambda kind, fields: shared.split(mapping, kind, fields))

    @classmethod
    def check_options(
        cls, options: Dict[str, Any], credential: Dict[str, str] | None = None
    ) -> list[str]:
        """See `adapters/suitecrm/options.py`."""
        return option_rules.problems(options, credential)

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        asked: shared.Asked = self._split(kind, tuple(fields))
        turn = self._client.turn(trace)
        row = self._read(asked.binding, id, _columns(asked), turn)
        return self._found(asked, row, turn)

    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        names = tuple(fields)
        criterion = Criterion(key, "eq", value)
        field, dumped = shared.condition(shared.kind_of(self._mapping, kind), criterion)
        if not isinstance(field.converter, Text) or not isinstance(dumped, str):
            raise Invalid(fields=(field.name,))
        hits: list[Found] = []
        cursor: str | None = None
        for _ in range(_MOST_PAGES):
            page = self.query(kind, [criterion], names, cursor=cursor, limit=20, trace=trace)
            hits += page.rows
            if len(hits) > 1:
                raise Conflict
            cursor = page.cursor
            if cursor is None:
                break
        if not hits:
            raise NotFound
        return hits[0]

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
        size = max(1, min(limit, LARGEST_PAGE))
        turn = self._client.turn(trace)
        found = self._page(asked, conditions, after, size, turn)
        met = [row for row in found if all(query.meets(row, *each) for each in conditions)]
        more = found[-1]["id"] if len(found) == size else None
        return Page(tuple(self._found(asked, row, turn) for row in met), more)

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        binding = shared.kind_of(self._mapping, kind)
        own = shared.uuid_of(id)
        changes = [each for each in shared.dumped(binding, record) if each[1] is not None]
        turn = self._client.turn(trace)
        self._send("POST", binding, own, changes, turn)
        row = self._read(binding, own, [field.column for field, _ in changes], turn)
        dropped = _dropped(changes, row)
        if dropped:
            turn.call("DELETE", query.record(binding, own))
            raise Invalid("dropped", fields=dropped)
        return Found(kind, own, rows.version(row, self._stamp), {})

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
        if rows.version(before, self._stamp) != wanted:
            raise StaleVersion
        stamp = self._send("PATCH", binding, id, given, turn)
        after = self._read(binding, id, [*columns, *_columns(asked)], turn)
        if self._stamp and after.get(self._stamp) != stamp:
            raise Malformed  # somebody wrote at the same time: what became of ours can't be told
        dropped = _dropped(given, after)
        if dropped:
            kept = [field for field, _ in given if field.name not in dropped]
            self._undo(binding, id, kept, before, turn)
            raise Invalid("dropped", fields=dropped)
        return self._found(asked, after, turn)

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        binding = shared.kind_of(self._mapping, kind)
        turn = self._client.turn(trace)
        if version is not None:
            wanted = shared.concrete(version)
            if rows.version(self._read(binding, id, (), turn), self._stamp) != wanted:
                raise StaleVersion
        turn.call("DELETE", query.record(binding, id))

    def describe(self) -> Description:
        turn = self._client.turn()
        held = _attributes(turn.call("GET", "meta/modules"))
        tables: dict[str, dict[str, str]] = {}
        lengths: dict[str, dict[str, int]] = {}
        for binding in self._mapping.kinds.values():
            if binding.table not in held:
                continue
            target = f"meta/fields/{binding.table}"
            columns = _attributes(turn.call("GET", target))
            known = {name: each for name, each in columns.items() if isinstance(each, dict)}
            tables[binding.table] = {name: str(each.get("type")) for name, each in known.items()}
            lengths[binding.table] = {
                name: int(each["len"])
                for name, each in known.items()
                if each.get("type") == "varchar" and str(each.get("len")).isdigit()
            }
        return Description(tables, {name: {} for name in tables}, lengths=lengths)

    def tables(self) -> tuple[Table, ...]:
        held = _attributes(self._client.turn().call("GET", "meta/modules"))
        return tuple(Table(name, name, "id") for name in held)

    def ping(self) -> None:
        self._client.turn().call("GET", "meta/modules")

    def close(self) -> None:
        self._client.close()

    @property
    def _always(self) -> list[str]:
        """What every read asks for: the columns of the version."""
        return [rows.MODIFIED, self._stamp] if self._stamp else [rows.MODIFIED]

    def _read(self, binding: KindBinding, id: str, columns: Iterable[str], turn: Turn) -> rows.Row:
        names = query.fields(binding, [*self._always, *columns])
        target = f"{query.record(binding, id)}?{names}"
        row = rows.row_of(turn.call("GET", target))
        if row["id"] != shared.uuid_of(id):
            raise Malformed
        return row

    def _page(
        self,
        asked: shared.Asked,
        conditions: Iterable[Condition],
        after: str | None,
        size: int,
        turn: Turn,
    ) -> list[rows.Row]:
        """Rows in the order of their ids; what is compared comes along."""
        binding = asked.binding
        columns = [*self._always, *_columns(asked), *(f.column for _, f, _ in conditions)]
        parts = query.fields(binding, columns), query.listing(conditions, after, size)
        target = f"module/{binding.entity_set}?{'&'.join(parts)}"
        data = turn.call("GET", target)
        if not isinstance(data, list):
            raise Malformed
        return [rows.row_of(each) for each in data]

    def _send(
        self, method: str, binding: KindBinding, id: str, changes: Changes, turn: Turn
    ) -> str:
        """One write, under a stamp of its own, which is given back."""
        stamp = secrets.token_urlsafe(16)
        attributes = {field.column: rows.wire(field, dumped) for field, dumped in changes}
        if self._stamp:
            attributes[self._stamp] = stamp
        data = {"type": binding.entity_set, "id": shared.uuid_of(id), "attributes": attributes}
        turn.call(method, "module", data)
        return stamp

    def _undo(
        self,
        binding: KindBinding,
        id: str,
        fields: list[FieldBinding],
        before: rows.Row,
        turn: Turn,
    ) -> None:
        """Put back what stuck of a write of which something didn't. Raises what the way there
        raises: then it isn't known what the record holds."""
        earlier = [(field, field.converter.dump(rows.value(field, before))) for field in fields]
        self._send("PATCH", binding, id, earlier, turn)
        row = self._read(binding, id, [field.column for field in fields], turn)
        if _dropped(earlier, row):
            raise Malformed

    def _found(self, asked: shared.Asked, row: rows.Row, turn: Turn) -> Found:
        """The row as canonical values, with a request more for each step onward: V8 brings no
        related record's fields along."""
        values = {field.name: rows.value(field, row) for field in asked.own}
        values |= dict.fromkeys(asked.empty)
        lookups: dict[str, Found | None] = {}
        for name, inner in asked.lookups.items():
            id = rows.value(asked.binding.fields[name], row)
            lookups[name] = None if id is None else self._onward(inner, id, turn)
        collections: dict[str, tuple[Found, ...]] = dict.fromkeys(asked.not_held, ())
        for name, inner in asked.collections.items():
            lookup = inner.binding.fields[asked.binding.collections[name].lookup]
            collections[name] = self._members(inner, lookup, row["id"], turn)
        version = rows.version(row, self._stamp)
        return Found(asked.binding.kind, row["id"], version, nested(values), lookups, collections)

    def _onward(self, asked: shared.Asked, id: str, turn: Turn) -> Found | None:
        """The record that a lookup names; None where it was deleted, which V8 lets happen."""
        try:
            row = self._read(asked.binding, id, _columns(asked), turn)
        except NotFound:
            return None
        return self._found(asked, row, turn)

    def _members(
        self, asked: shared.Asked, lookup: FieldBinding, id: str, turn: Turn
    ) -> tuple[Found, ...]:
        """All rows whose lookup names this record; more than are worth waiting for: Malformed."""
        found: list[rows.Row] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._page(asked, [("eq", lookup, id)], after, LARGEST_PAGE, turn)
            found += page
            if len(page) < LARGEST_PAGE:
                return tuple(self._found(asked, row, turn) for row in found)
            after = page[-1]["id"]
        raise Malformed


def _columns(asked: shared.Asked) -> list[str]:
    """Of the fields asked for, and of the lookups that lead on."""
    onward = [asked.binding.fields[name].column for name in asked.lookups]
    return [*(field.column for field in asked.own), *onward]


def _dropped(changes: Changes, row: rows.Row) -> tuple[str, ...]:
    """Names of the fields that don't hold what was sent."""
    return tuple(
        field.name
        for field, dumped in changes
        if not rows.same(field, rows.value(field, row), dumped)
    )


def _attributes(data: Any) -> dict[str, Any]:
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        raise Malformed
    return attributes
