"""The rows in memory: versions, unique keys, references, and transactions that roll back.

Not for what Dataverse does by itself when a row changes; that is `records.py`.
"""

import collections
import contextlib
import dataclasses
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.schema import Association, Key, Schema, Table

Reference = tuple[str, str]  # what a lookup holds: (table, id)


@dataclasses.dataclass(frozen=True)
class Row:
    """One version of one record. It never changes; a change makes a new one."""

    table: Table
    id: str
    version: int
    values: Mapping[str, Any]

    @property
    def etag(self) -> str:
        """Dataverse's weak ETag."""
        return f'W/"{self.version}"'

    @property
    def name(self) -> str | None:
        """The value of the primary name column."""
        return self.values.get(self.table.name_column)


def normal(value: Any) -> Any:
    """As a unique key compares: case-insensitive, trailing blanks don't count."""
    return value.casefold().rstrip(" ") if isinstance(value, str) else value


class Store:
    """All rows of the environment, under one lock."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self._lock = threading.RLock()
        self._depth = 0
        self.version = 1_000_000
        self.clear()

    def clear(self) -> None:
        """Forget every row; versions go on growing."""
        with self._lock:
            self._rows: dict[str, dict[str, Row]] = collections.defaultdict(dict)
            self._unique: dict[tuple[str, str], dict[tuple[Any, ...], str]] = {}
            self._pointing: dict[tuple[str, str, str], dict[str, None]] = {}
            self._links: dict[tuple[str, str], dict[str, None]] = collections.defaultdict(dict)
            self._deleted: dict[str, list[tuple[int, str]]] = collections.defaultdict(list)
            self._undo: list[Callable[[], None]] = []

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside, or nothing of it when an exception leaves it."""
        with self._lock:
            mark = len(self._undo)
            self._depth += 1
            try:
                yield
            except BaseException:
                for undo in reversed(self._undo[mark:]):
                    undo()
                del self._undo[mark:]
                raise
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._undo.clear()

    def get(self, table: Table, row_id: str) -> Row | None:
        """The row with this primary key."""
        return self._rows[table.name].get(row_id)

    def by_key(self, table: Table, key: str, values: tuple[Any, ...]) -> Row | None:
        """The row with these values of an alternate key, in the key's order."""
        with self._lock:
            index = self._unique.get((table.name, key), {})
            row_id = index.get(tuple(map(normal, values)))
            return None if row_id is None else self.get(table, row_id)

    def rows(self, table: Table) -> list[Row]:
        """Every row of the table as it is now."""
        with self._lock:
            return list(self._rows[table.name].values())

    def pointing(self, table: Table, column: str, row_id: str) -> list[Row]:
        """The rows of `table` whose lookup `column` holds this id."""
        with self._lock:
            rows = self._rows[table.name]
            return [rows[i] for i in self._pointing.get((table.name, column, row_id), {})]

    def related(self, row: Row, name: str) -> tuple[Table, list[Row]]:
        """The rows of a collection-valued navigation property, and their table."""
        if name in row.table.collections:
            relationship = row.table.collections[name]
            table = self.schema.tables[relationship.table]
            return table, self.pointing(table, relationship.column, row.id)
        association = row.table.associations[name]
        table = self.schema.tables[association.other(row.table.name)]
        found = (self.get(table, other) for other in self.linked(association, row.id))
        return table, [each for each in found if each is not None]

    def deleted_since(self, table: Table, version: int) -> list[tuple[int, str]]:
        """Versions and ids of rows that went after a version, the oldest first."""
        with self._lock:
            return [gone for gone in self._deleted[table.name] if gone[0] > version]

    def put(self, table: Table, row_id: str, values: Mapping[str, Any]) -> Row:
        """Insert or replace, inside a transaction; a taken alternate key raises."""
        for key in _built(table):
            wanted = key_values(values, key.columns)
            taken = self._unique.get((table.name, key.name), {}).get(wanted) if wanted else None
            if taken not in (None, row_id):
                raise errors.duplicate_key(key.name)
        self.version += 1
        row = Row(table, row_id, self.version, values)
        old = self.get(table, row_id)
        self._undo.append(lambda: self._set(table, row_id, old))
        self._set(table, row_id, row)
        return row

    def remove(self, row: Row) -> None:
        """Delete with its links, inside a transaction."""
        for association in row.table.associations.values():
            for other in self.linked(association, row.id):
                self.unlink(association, row.id, other)
        self.version += 1
        self._deleted[row.table.name].append((self.version, row.id))
        self._undo.append(lambda: self._restore(row))
        self._set(row.table, row.id, None)

    def _restore(self, row: Row) -> None:
        self._deleted[row.table.name].pop()
        self._set(row.table, row.id, row)

    # -- many to many ---------------------------------------------------------------------

    def linked(self, association: Association, row_id: str) -> list[str]:
        """The ids on the other side."""
        with self._lock:
            return list(self._links.get((association.name, row_id), ()))

    def tied(self, association: Association, one: str, other: str) -> bool:
        """Whether these two rows belong together."""
        return other in self._links.get((association.name, one), ())

    def link(self, association: Association, one: str, other: str) -> bool:
        """Tie two rows, inside a transaction; False where they were tied already."""
        if self.tied(association, one, other):
            return False
        self._undo.append(lambda: self._tie(association, one, other, tied=False))
        self._tie(association, one, other, tied=True)
        return True

    def unlink(self, association: Association, one: str, other: str) -> bool:
        """Untie two rows, inside a transaction; False where they weren't tied."""
        if not self.tied(association, one, other):
            return False
        self._undo.append(lambda: self._tie(association, one, other, tied=True))
        self._tie(association, one, other, tied=False)
        return True

    def _tie(self, association: Association, one: str, other: str, *, tied: bool) -> None:
        for mine, theirs in ((one, other), (other, one)):
            links = self._links[(association.name, mine)]
            if tied:
                links[theirs] = None
            else:
                links.pop(theirs, None)

    # -- indexes --------------------------------------------------------------------------

    def build(self, key: Key) -> bool:
        """Index the rows by a new key; False where two rows have the same values."""
        index: dict[tuple[Any, ...], str] = {}
        for row in self.rows(self.schema.tables[key.table]):
            values = key_values(row.values, key.columns)
            if values is not None and index.setdefault(values, row.id) != row.id:
                return False
        self._unique[(key.table, key.name)] = index
        return True

    def forget(self, table: Table) -> None:
        """Drop the rows of a table that is dropped."""
        with self._lock:
            for row in self.rows(table):
                self._set(table, row.id, None)

    def strip(self, table: Table, column: str) -> None:
        """Drop a column's values with the column; versions stay."""
        with self._lock:
            for row in self.rows(table):
                values = {name: value for name, value in row.values.items() if name != column}
                self._set(table, row.id, dataclasses.replace(row, values=values))

    def _set(self, table: Table, row_id: str, row: Row | None) -> None:
        old = self._rows[table.name].pop(row_id, None)
        if old is not None:
            self._index(old, add=False)
        if row is not None:
            self._rows[table.name][row_id] = row
            self._index(row, add=True)

    def _index(self, row: Row, *, add: bool) -> None:
        table = row.table
        for key in _built(table):
            unique = self._unique.setdefault((table.name, key.name), {})
            values = key_values(row.values, key.columns)
            if values is not None and add:
                unique[values] = row.id
            elif values is not None and unique.get(values) == row.id:
                del unique[values]
        for column in _lookups(table):
            reference = row.values.get(column)
            if reference is None:
                continue
            pointing = self._pointing.setdefault((table.name, column, reference[1]), {})
            if add:
                pointing[row.id] = None
            else:
                pointing.pop(row.id, None)


def _built(table: Table) -> list[Key]:
    return [key for key in table.keys.values() if key.status == "Active"]


def _lookups(table: Table) -> list[str]:
    return [column.name for column in table.columns.values() if column.type == "lookup"]


def key_values(values: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The key's values as compared; None where one is null, since nulls are not unique."""
    found = tuple(normal(values.get(column)) for column in columns)
    return None if None in found else found
