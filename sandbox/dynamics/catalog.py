"""The rows in which an environment says what it can do: privileges, messages of each table.

Clients ask `sdkmessagefilters` whether a table takes CreateMultiple and the like before they use
it: learn.microsoft.com/power-apps/developer/data-platform/bulk-operations ("Availability").
"""

from typing import Any

from sandbox.dynamics.schema import Schema, Table, metadata_id
from sandbox.dynamics.security import GENERAL, RIGHTS, privilege_id, privilege_name
from sandbox.dynamics.store import Store

MESSAGES = (
    "Create",
    "Retrieve",
    "RetrieveMultiple",
    "Update",
    "Upsert",
    "Delete",
    "CreateMultiple",
    "UpdateMultiple",
    "UpsertMultiple",
)


class Catalog:
    """Adds and drops these rows with the tables; inside a transaction."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store

    def begin(self) -> None:
        """What isn't about one table."""
        for name in GENERAL:
            row = {"name": name, "accessright": 0, "canbeglobal": True}
            self._put("privilege", privilege_id(name), row)
        for name in MESSAGES:
            self._put("sdkmessage", metadata_id("message", name), {"name": name})

    def add(self, table: Table) -> None:
        """A new table's privileges and messages."""
        for verb, right in RIGHTS.items():
            name = privilege_name(verb, table)
            row = {"name": name, "accessright": right, "canbeglobal": True}
            self._put("privilege", privilege_id(name), row)
        if table.by_system:
            return
        for name in MESSAGES:
            message = ("sdkmessage", metadata_id("message", name))
            row_id = metadata_id("messagefilter", name, table.name)
            row = {"primaryobjecttypecode": table.name, "sdkmessageid": message}
            self._put("sdkmessagefilter", row_id, row)

    def drop(self, table: Table) -> None:
        """The same when a table goes."""
        for verb in RIGHTS:
            self._remove("privilege", privilege_id(privilege_name(verb, table)))
        for name in MESSAGES:
            self._remove("sdkmessagefilter", metadata_id("messagefilter", name, table.name))

    def _put(self, name: str, row_id: str, values: dict[str, Any]) -> None:
        table = self._schema.tables[name]
        self._store.put(table, row_id, values | {table.key: row_id})

    def _remove(self, name: str, row_id: str) -> None:
        row = self._store.get(self._schema.tables[name], row_id)
        if row is not None:
            self._store.remove(row)
