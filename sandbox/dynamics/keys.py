"""Alternate keys: what may be one, and the job that builds its index by the sandbox clock.

Rules: learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity. How
long a job takes isn't said there; the control plane sets it.
"""

from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.schema import Column, Key, Schema, Table
from sandbox.dynamics.store import Store
from sandbox.kit.clock import Clock

MOST_KEYS = 10
MOST_COLUMNS = 16
MOST_BYTES = 900
TYPES = ("string", "integer", "decimal", "date", "datetime", "lookup", "choice")
SECONDS = 4.0


class Keys:
    """The keys that are still to be built, looked after at the start of each request."""

    def __init__(self, schema: Schema, store: Store, clock: Clock) -> None:
        self._schema = schema
        self._store = store
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """Nothing under way."""
        self._waiting: list[Key] = []
        self.seconds = SECONDS

    def add(self, table: Table, schema_name: str, names: Any) -> Key:
        """Ask for a key; its status is Pending now, InProgress after half of the time."""
        name = schema_name.lower()
        if name in table.keys:
            raise errors.key_exists(schema_name, table)
        columns = _columns(table, names)
        if any(set(key.columns) == set(columns) for key in table.keys.values()):
            raise errors.same_key_exists()
        if len(table.keys) >= MOST_KEYS:
            raise errors.bad_metadata(f"A table has at most {MOST_KEYS} alternate keys.")
        key = Key(table.name, name, schema_name, columns)
        table.keys[name] = key
        self.start(key)
        return key

    def start(self, key: Key) -> None:
        """Begin to build, or build again what failed."""
        key.status, key.asked_at = "Pending", self._clock.now()
        self._waiting.append(key)
        self.settle()

    def settle(self) -> None:
        """Bring every status to where the clock says it is."""
        for key in list(self._waiting):
            table = self._schema.tables.get(key.table)
            if table is None or table.keys.get(key.name) is not key:
                self._waiting.remove(key)
                continue
            passed = self._clock.now() - key.asked_at
            if passed >= self.seconds:
                self._waiting.remove(key)
                key.status = "Active" if self._store.build(key) else "Failed"
            elif passed >= self.seconds / 2:
                key.status = "InProgress"


def _columns(table: Table, names: Any) -> tuple[str, ...]:
    if not isinstance(names, list) or not names or len(names) > MOST_COLUMNS:
        raise errors.bad_metadata(f"A key has 1 to {MOST_COLUMNS} columns.")
    found = []
    for name in names:
        column = table.columns.get(str(name))
        if column is None:
            raise errors.no_attribute(str(name), table)
        if column.type not in TYPES or column.secured or column.readonly:
            raise errors.bad_metadata(f"The column '{name}' can't be part of an alternate key.")
        found.append(column)
    if len(set(names)) != len(names) or sum(map(_bytes, found)) > MOST_BYTES:
        raise errors.bad_metadata(f"A key has different columns, {MOST_BYTES} bytes in all.")
    return tuple(column.name for column in found)


def _bytes(column: Column) -> int:
    return 2 * (column.maximum or 0) if column.type == "string" else 16
