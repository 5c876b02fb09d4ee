"""What Dataverse does when a record is created, changed, deleted or merged.

Computed names, timestamps, state with its status, one branch of a polymorphic lookup, what
happens to rows that lead to a deleted one. Always called inside a transaction of the store.
"""

import uuid
from collections.abc import Callable
from typing import Any

from sandbox.dynamics import errors, values
from sandbox.dynamics.schema import Table
from sandbox.dynamics.security import User
from sandbox.dynamics.store import Row, Store, normal
from sandbox.kit.clock import Clock

Check = Callable[[dict[str, Any]], None]


class Records:
    """Writes to the store by Dataverse's rules. `checks`: what rows of a table must fulfil."""

    def __init__(self, store: Store, clock: Clock, checks: dict[str, Check]) -> None:
        self._store = store
        self._clock = clock
        self._checks = checks

    def create(
        self, table: Table, changes: dict[str, Any], owner: User | None, row_id: str | None = None
    ) -> Row:
        """A new record, under our own id where the payload or the URL names one."""
        row_id = changes.get(table.key) or row_id or str(uuid.uuid4())
        if self._store.get(table, row_id) is not None:
            raise errors.exists()
        now = values.moment_text(self._clock.now())
        kept = {c.name: c.default for c in table.columns.values() if c.default is not None}
        kept |= {"createdon": now, "modifiedon": now}
        if owner is not None and "ownerid" in table.columns:
            kept["ownerid"] = ("systemuser", owner.id)
        kept |= _with_state(table, changes, kept)
        kept[table.key] = row_id
        if owner is not None:
            self._check(table, kept)
        return self._store.put(table, row_id, _computed(table, kept))

    def _check(self, table: Table, kept: dict[str, Any]) -> None:
        if table.name in self._checks:
            self._checks[table.name](kept)
        for column in table.unique:
            taken = {normal(row.values.get(column)) for row in self._store.rows(table)}
            if normal(kept.get(column)) in taken:
                raise errors.exists()

    def update(self, row: Row, changes: dict[str, Any]) -> Row:
        """The record with these columns changed, and a new version of it."""
        key = row.table.key
        if changes.get(key, row.id) != row.id:
            raise errors.bad_payload("The primary key of a record can't be changed.")
        kept = dict(row.values)
        kept["modifiedon"] = values.moment_text(self._clock.now())
        kept |= _with_state(row.table, changes, kept)
        return self._store.put(row.table, row.id, _computed(row.table, kept))

    def delete(self, row: Row) -> None:
        """Gone, and what leads to it treated as its relationship says."""
        self._store.remove(row)
        for relationship in list(row.table.collections.values()):
            table = self._store.schema.tables[relationship.table]
            children = [
                child
                for child in self._store.pointing(table, relationship.column, row.id)
                if child.values.get(relationship.column) == (row.table.name, row.id)
            ]
            if children and relationship.on_delete == "Restrict":
                raise errors.still_referenced(row.table, table)
            for child in children:
                if relationship.on_delete == "Cascade":
                    self.delete(child)
                elif relationship.on_delete == "RemoveLink":
                    self.update(child, {relationship.column: None})

    def merge(self, subordinate: Row, master: Row) -> Row:
        """As the Merge message: related rows move to the master, the other one is closed."""
        for relationship in subordinate.table.collections.values():
            table, column = self._store.schema.tables[relationship.table], relationship.column
            for child in self._store.pointing(table, column, subordinate.id):
                self.update(child, {column: (master.table.name, master.id)})
        closed = {"statecode": 1, "merged": True, "masterid": (master.table.name, master.id)}
        current = self._store.get(subordinate.table, subordinate.id) or subordinate
        return self.update(current, closed)


def _computed(table: Table, kept: dict[str, Any]) -> dict[str, Any]:
    for column in table.columns.values():
        if column.computed:
            parts = (kept.get(name) for name in column.computed)
            kept[column.name] = " ".join(part for part in parts if part) or None
    return kept


def _with_state(table: Table, changes: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """A changed state brings its first status along; a status that isn't of the state fails."""
    if not {"statecode", "statuscode"} & set(changes):
        return changes
    states = table.columns["statuscode"].states
    state = changes.get("statecode", kept.get("statecode"))
    first = next(status for status, of in states.items() if of == state)
    status = changes.get("statuscode", first)
    if states[status] != state:
        message = f"{status} is not a valid status code for state code {state}."
        raise errors.DataverseError(400, "0x80048408", message)
    return changes | {"statecode": state, "statuscode": status}
