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
from adapters.base import Adapter, Criterion, Description, Found, Page, Record, Remote, Trace
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
from adapters.suitecrm.client import Client
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
        end = self._client.deadline()
        row = self._read(asked.binding, id, _columns(asked), trace, end)
        return self._found(asked, row, trace, end)

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
        end = self._client.deadline()
        found = self._page(asked, conditions, after, size, trace, end)
        met = [row for row in found if all(query.meets(row, *each) for each in conditions)]
        more = found[-1]["id"] if len(found) == size else None
        return Page(tuple(self._found(asked, row, trace, end) for row in met), more)

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        binding = shared.kind_of(self._mapping, kind)
        own = shared.uuid_of(id)
        changes = [each for each in shared.dumped(binding, record) if each[1] is not None]
        end = self._client.deadline()
        self._send("POST", binding, own, changes, trace, end)
        row = self._read(binding, own, [field.column for field, _ in changes], trace, end)
        dropped = _dropped(changes, row)
        if dropped:
            self._client.call("DELETE", query.record(binding, own), None, trace, end)
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
        end = self._client.deadline()
        before = self._read(binding, id, columns, trace, end)
        if rows.version(before, self._stamp) != wanted:
            raise StaleVersion
        stamp = self._send("PATCH", binding, id, given, trace, end)
        after = self._read(binding, id, [*columns, *_columns(asked)], trace, end)
        if self._stamp and after.get(self._stamp) != stamp:
            raise Malformed  # somebody wrote at the same time: what became of ours can't be told
        dropped = _dropped(given, after)
        if dropped:
            kept = [field for field, _ in given if field.name not in dropped]
            self._undo(binding, id, kept, before, trace, end)
            raise Invalid("dropped", fields=dropped)
        return self._found(asked, after, trace, end)

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        binding = shared.kind_of(self._mapping, kind)
        end = self._client.deadline()
        if version is not None:
            wanted = shared.concrete(version)
            if rows.version(self._read(binding, id, (), trace, end), self._stamp) != wanted:
                raise StaleVersion
        self._client.call("DELETE", query.record(binding, id), None, trace, end)

    def describe(self) -> Description:
        end = self._client.deadline()
        held = _attributes(self._client.call("GET", "meta/modules", None, None, end))
        tables: dict[str, dict[str, str]] = {}
        lengths: dict[str, dict[str, int]] = {}
        for binding in self._mapping.kinds.values():
            if binding.table not in held:
                continue
            target = f"meta/fields/{binding.table}"
            columns = _attributes(self._client.call("GET", target, None, None, end))
            known = {name: each for name, each in columns.items() if isinstance(each, dict)}
            tables[binding.table] = {name: str(each.get("type")) for name, each in known.items()}
            lengths[binding.table] = {
                name: int(each["len"])
                for name, each in known.items()
                if each.get("type") == "varchar" and str(each.get("len")).isdigit()
            }
        return Description(tables, {name: {} for name in tables}, lengths=lengths)

    def ping(self) -> None:
        self._client.call("GET", "meta/modules", None, None, self._client.deadline())

    def close(self) -> None:
        self._client.close()

    @property
    def _always(self) -> list[str]:
        """What every read asks for: the columns of the version."""
        return [rows.MODIFIED, self._stamp] if self._stamp else [rows.MODIFIED]

    def _read(
        self,
        binding: KindBinding,
        id: str,
        columns: Iterable[str],
        trace: Trace | None,
        end: float,
    ) -> rows.Row:
        names = query.fields(binding, [*self._always, *columns])
        target = f"{query.record(binding, id)}?{names}"
        row = rows.row_of(self._client.call("GET", target, None, trace, end)["data"])
        if row["id"] != shared.uuid_of(id):
            raise Malformed
        return row

    def _page(
        self,
        asked: shared.Asked,
        conditions: Iterable[Condition],
        after: str | None,
        size: int,
        trace: Trace | None,
        end: float,
    ) -> list[rows.Row]:
        """Rows in the order of their ids; what is compared comes along."""
        binding = asked.binding
        columns = [*self._always, *_columns(asked), *(f.column for _, f, _ in conditions)]
        parts = query.fields(binding, columns), query.listing(conditions, after, size)
        target = f"module/{binding.entity_set}?{'&'.join(parts)}"
        data = self._client.call("GET", target, None, trace, end)["data"]
        if not isinstance(data, list):
            raise Malformed
        return [rows.row_of(each) for each in data]

    def _send(
        self,
        method: str,
        binding: KindBinding,
        id: str,
        changes: Changes,
        trace: Trace | None,
        end: float,
    ) -> str:
        """One write, under a stamp of its own, which is given back."""
        stamp = secrets.token_urlsafe(16)
        attributes = {field.column: rows.wire(field, dumped) for field, dumped in changes}
        if self._stamp:
            attributes[self._stamp] = stamp
        data = {
            "type": binding.entity_set,
            "id": shared.uuid_of(id),
            "attributes": attributes,
        }
        self._client.call(method, "module", {"data": data}, trace, end)
        return stamp

    def _undo(
        self,
        binding: KindBinding,
        id: str,
        fields: list[FieldBinding],
        before: rows.Row,
        trace: Trace | None,
        end: float,
    ) -> None:
        """Put back what stuck of a write of which something didn't. Raises what the way there
        raises: then it isn't known what the record holds."""
        earlier = [(field, field.converter.dump(rows.value(field, before))) for field in fields]
        self._send("PATCH", binding, id, earlier, trace, end)
        row = self._read(binding, id, [field.column for field in fields], trace, end)
        if _dropped(earlier, row):
            raise Malformed

    def _found(self, asked: shared.Asked, row: rows.Row, trace: Trace | None, end: float) -> Found:
        """The row as canonical values, with a request more for each step onward: V8 brings no
        related record's fields along."""
        values = {field.name: rows.value(field, row) for field in asked.own}
        values |= dict.fromkeys(asked.empty)
        lookups: dict[str, Found | None] = {}
        for name, inner in asked.lookups.items():
            id = rows.value(asked.binding.fields[name], row)
            lookups[name] = None if id is None else self._onward(inner, id, trace, end)
        collections: dict[str, tuple[Found, ...]] = dict.fromkeys(asked.not_held, ())
        for name, inner in asked.collections.items():
            lookup = inner.binding.fields[asked.binding.collections[name].lookup]
            collections[name] = self._members(inner, lookup, row["id"], trace, end)
        version = rows.version(row, self._stamp)
        return Found(asked.binding.kind, row["id"], version, nested(values), lookups, collections)

    def _onward(
        self, asked: shared.Asked, id: str, trace: Trace | None, end: float
    ) -> Found | None:
        """The record that a lookup names; None where it was deleted, which V8 lets happen."""
        try:
            row = self._read(asked.binding, id, _columns(asked), trace, end)
        except NotFound:
            return None
        return self._found(asked, row, trace, end)

    def _members(
        self, asked: shared.Asked, lookup: FieldBinding, id: str, trace: Trace | None, end: float
    ) -> tuple[Found, ...]:
        """All rows whose lookup names this record; more than are worth waiting for: Malformed."""
        found: list[rows.Row] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            page = self._page(asked, [("eq", lookup, id)], after, LARGEST_PAGE, trace, end)
            found += page
            if len(page) < LARGEST_PAGE:
                return tuple(self._found(asked, row, trace, end) for row in found)
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


def _attributes(document: dict[str, Any]) -> dict[str, Any]:
    data = document["data"]
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        raise Malformed
    return attributes
