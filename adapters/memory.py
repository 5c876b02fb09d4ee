"""The reference adapter: a CRM in this process. For unit and conformance tests only; it refuses to
be configured in production (`config`).

It keeps what a CRM would, the values as its mapping writes them, under one lock.
"""

import copy
import json
import threading
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapters import asked
from adapters.base import (
    Adapter,
    Criterion,
    Description,
    Found,
    Operation,
    Page,
    Record,
    Remote,
    Trace,
)
from adapters.capabilities import Capabilities
from adapters.errors import Conflict, Malformed, NotFound, StaleVersion
from mappings.binding import FieldBinding, KindBinding, nested
from mappings.converters import NotDecodable
from mappings.loader import Mapping


@dataclass
class Row:
    """One record: its version and its columns."""

    version: int
    columns: dict[str, Any] = field(repr=False)


@dataclass
class Store:
    """What the CRM holds. Adapters that are given the same one see the same records."""

    rows: dict[str, dict[str, Row]] = field(default_factory=dict, repr=False)
    version: int = 0
    lock: threading.RLock = field(default_factory=threading.RLock, repr=False)


class Memory(Adapter):
    """Option `store`: a Store to share between a reader and a writer."""

    capabilities = Capabilities(
        versioned_update="yes",
        create_with_our_id=True,
        atomic_batch=True,
        expands=True,
        clears_with_null=True,
        finds_by_key=True,
        pages_with_cursor=True,
        hides_values=True,
        any_text=True,
    )

    def __init__(self, mapping: Mapping, remote: Remote) -> None:
        self._mapping = mapping
        self._remote = remote
        self.store: Store = remote.options.get("store") or Store()

    @classmethod
    def check_options(
        cls, options: Dict[str, Any], credential: Dict[str, str] | None = None
    ) -> list[str]:
        """Only `store` is known."""
        return [f"crm.options.{name} is unknown" for name in options if name != "store"]

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        wanted = asked.split(self._mapping, kind, fields)
        self._take()
        with self.store.lock:
            return self._found(wanted, id.lower(), self._row(kind, id))

    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        page = self.query(kind, [Criterion(key, "eq", value)], fields, limit=2)
        if not page.rows:
            raise NotFound
        if len(page.rows) > 1:
            raise Conflict
        return page.rows[0]

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
        wanted = asked.split(self._mapping, kind, fields)
        tests = [
            (criterion.op, *asked.condition(wanted.binding, criterion)) for criterion in criteria
        ]
        after = "" if cursor is None else asked.uuid_of(cursor)
        self._take()
        with self.store.lock:
            ids = sorted(
                id
                for id, row in self.store.rows.get(kind, {}).items()
                if id > after and all(_meets(row, *test) for test in tests)
            )
            rows = tuple(self._found(wanted, id, self.store.rows[kind][id]) for id in ids[:limit])
        return Page(rows, ids[limit - 1] if len(ids) > limit else None)

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        (found,) = self.apply([Operation("create", kind, id, record)])
        assert found is not None  # noqa: S101 - only an erase has no answer
        return found

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
        wanted = asked.split(self._mapping, kind, returning)
        with self.store.lock:
            self.apply([Operation("update", kind, id, changes, version)])
            return self._found(wanted, id.lower(), self._row(kind, id))

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        self.apply([Operation("erase", kind, id, version=version)])

    def apply(
        self, operations: Iterable[Operation], *, trace: Trace | None = None
    ) -> tuple[Found | None, ...]:
        given = asked.checked(operations)
        self._take()
        with self.store.lock:
            before = copy.deepcopy(self.store.rows)
            try:
                return tuple(self._do(operation) for operation in given)
            except BaseException:
                self.store.rows = before
                raise

    def describe(self) -> Description:
        kinds = self._mapping.kinds.values()
        return Description(
            tables={
                kind.table: {kind.id_column: "id"}
                | {field.column: type(field.converter).__name__ for field in kind.fields.values()}
                for kind in kinds
            },
            keys={
                kind.table: {key: (kind.fields[name].column,) for name, key in kind.keys.items()}
                for kind in kinds
            },
        )

    def ping(self) -> None:
        self._take()

    def close(self) -> None:
        """Nothing is open."""

    def _take(self) -> None:
        self._remote.budget.take(self._remote.lane)
        self._remote.budget.done(ok=True, seconds=0.0)

    def _do(self, operation: Operation) -> Found | None:
        binding = asked.kind_of(self._mapping, operation.kind)
        id = operation.id.lower()
        if operation.verb == "create":
            id = asked.uuid_of(id)
            born = {"state": "active"} if "state" in binding.fields else {}
            columns = self._written(binding, born | operation.record)
            rows = self.store.rows.setdefault(operation.kind, {})
            if id in rows:
                raise Conflict
            row = rows[id] = Row(0, {})
            return self._write(binding, id, row, columns)
        row = self._row(operation.kind, id)
        if operation.version is not None and operation.version != str(row.version):
            raise StaleVersion
        if operation.verb == "update":
            return self._write(binding, id, row, self._written(binding, operation.record))
        del self.store.rows[operation.kind][id]
        self._let_go(operation.kind, id)
        return None

    def _written(self, binding: KindBinding, record: Record) -> dict[str, Any]:
        columns = {}
        for bound, value in asked.dumped(binding, record):
            if bound.name in binding.lookups and value is not None:
                self._row(binding.lookups[bound.name], value)
            # As through a wire: nothing is shared with the caller, and only JSON passes.
            columns[bound.column] = json.loads(json.dumps(value), parse_float=Decimal)
        return columns

    def _write(self, binding: KindBinding, id: str, row: Row, columns: dict[str, Any]) -> Found:
        for key in binding.keys:
            column = binding.fields[key].column
            value = columns.get(column)
            others = (r for i, r in self.store.rows[binding.kind].items() if i != id)
            if value is not None and any(r.columns.get(column) == value for r in others):
                raise Conflict
        self.store.version += 1
        row.version = self.store.version
        row.columns |= columns
        return Found(binding.kind, id, str(row.version), {})

    def _let_go(self, kind: str, id: str) -> None:
        """Lookups of an erased record are emptied, as Dataverse does by default."""
        for other in self._mapping.kinds.values():
            for name, to in other.lookups.items():
                column = other.fields[name].column if to == kind and name in other.fields else ""
                for row in self.store.rows.get(other.kind, {}).values():
                    if column and row.columns.get(column) == id:
                        row.columns[column] = None

    def _row(self, kind: str, id: str) -> Row:
        try:
            return self.store.rows[kind][id.lower()]
        except KeyError:
            raise NotFound from None

    def _found(self, wanted: asked.Asked, id: str, row: Row) -> Found:
        binding = wanted.binding
        values = {bound.name: _loaded(row, bound) for bound in wanted.own}
        values |= dict.fromkeys(wanted.empty)
        lookups: dict[str, Found | None] = {}
        for name, onward in wanted.lookups.items():
            target = _loaded(row, binding.fields[name])
            known = self.store.rows.get(onward.binding.kind, {}).get(target or "")
            lookups[name] = self._found(onward, target, known) if known else None
        collections: dict[str, tuple[Found, ...]] = dict.fromkeys(wanted.not_held, ())
        for name, onward in wanted.collections.items():
            way = binding.collections[name]
            column = onward.binding.fields[way.lookup].column
            collections[name] = tuple(
                self._found(onward, other, candidate)
                for other, candidate in sorted(self.store.rows.get(way.kind, {}).items())
                if candidate.columns.get(column) == id
            )
        return Found(binding.kind, id, str(row.version), nested(values), lookups, collections)


def _loaded(row: Row, bound: FieldBinding) -> Any:
    try:
        return bound.converter.load(row.columns.get(bound.column))
    except NotDecodable:
        raise Malformed from None


def _meets(row: Row, op: str, bound: FieldBinding, value: Any) -> bool:
    held = row.columns.get(bound.column)
    if op == "in":
        return held in value
    if op in ("eq", "ne"):
        return bool((held == value) == (op == "eq"))
    if held is None:
        return False
    compared = {"gt": held > value, "ge": held >= value, "lt": held < value, "le": held <= value}
    return bool(compared[op])
