"""The rows in memory: versions, unique keys, references, and transactions that roll back.

Not for what Dataverse does by itself when a row changes; that is `records.py`.
"""

import contextlib
import dataclasses
import threading
from collections.abc import Iterator, Mapping
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.schema import Schema, Table

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
        self._version = 1_000_000
        self.clear()

    def clear(self) -> None:
        """Forget every row; versions go on growing."""
        with self._lock:
            self._rows: dict[str, dict[str, Row]] = {name: {} for name in self.schema.tables}
            self._unique: dict[tuple[str, str], dict[tuple[Any, ...], str]] = {}
            self._pointing: dict[tuple[str, str, str], dict[str, None]] = {}
            self._journal: list[tuple[Table, str, Row | None]] = []

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is done inside, or nothing of it when an exception leaves it."""
        with self._lock:
            mark = len(self._journal)
            self._depth += 1
            try:
                yield
            except BaseException:
                for table, row_id, old in reversed(self._journal[mark:]):
                    self._set(table, row_id, old)
                del self._journal[mark:]
                raise
            finally:
                self._depth -= 1
                if self._depth == 0:
                    self._journal.clear()

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

    def put(self, table: Table, row_id: str, values: Mapping[str, Any]) -> Row:
        """Insert or replace, inside a transaction; a taken alternate key raises."""
        for key, columns in table.keys.items():
            wanted = _key_of(values, columns)
            taken = self._unique.get((table.name, key), {}).get(wanted) if wanted else None
            if taken not in (None, row_id):
                raise errors.duplicate_key(key)
        self._version += 1
        row = Row(table, row_id, self._version, values)
        self._journal.append((table, row_id, self.get(table, row_id)))
        self._set(table, row_id, row)
        return row

    def remove(self, row: Row) -> None:
        """Delete, inside a transaction."""
        self._journal.append((row.table, row.id, row))
        self._set(row.table, row.id, None)

    def _set(self, table: Table, row_id: str, row: Row | None) -> None:
        old = self._rows[table.name].pop(row_id, None)
        if old is not None:
            self._index(old, add=False)
        if row is not None:
            self._rows[table.name][row_id] = row
            self._index(row, add=True)

    def _index(self, row: Row, *, add: bool) -> None:
        table = row.table
        for key, columns in table.keys.items():
            unique = self._unique.setdefault((table.name, key), {})
            values = _key_of(row.values, columns)
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


def _lookups(table: Table) -> list[str]:
    return [column.name for column in table.columns.values() if column.type == "lookup"]


def _key_of(values: Mapping[str, Any], columns: tuple[str, ...]) -> tuple[Any, ...] | None:
    """The key's values as compared; None where one is null, since nulls are not unique."""
    found = tuple(normal(values.get(column)) for column in columns)
    return None if None in found else found
