"""Creating and changing one record for a caller, with deep insert. Not for the HTTP around it.

Deep insert: learn.microsoft.com/power-apps/developer/data-platform/webapi/create-entity-web-api.
"""

from typing import Any

from sandbox.dynamics import errors, url
from sandbox.dynamics.changes import Changes, References
from sandbox.dynamics.message import Request
from sandbox.dynamics.schema import Table
from sandbox.dynamics.solutions import ROW_COMPONENTS
from sandbox.dynamics.store import Row
from sandbox.dynamics.tenant import Tenant

Sent = dict[str, Any]


class Writes:
    """Rights, references and rules of a write, then the write itself; inside a transaction."""

    def __init__(self, tenant: Tenant, changes: Changes) -> None:
        self._tenant = tenant
        self._changes = changes

    def create(
        self,
        request: Request,
        table: Table,
        sent: Sent,
        references: References,
        key: url.Key | None = None,
        given: Sent | None = None,
    ) -> Row:
        """A new record, and those nested in it. `given`: columns that the caller doesn't say."""
        request.user.need("Create", table)
        if table.by_system:
            raise errors.not_supported(table)
        plain, parents, children = _parted(table, sent)
        changes = self._changes.read(request, table, plain, references, creating=True)
        changes |= given or {}
        for name, nested in parents.items():
            column = table.navigations[name]
            parent = self._tenant.schema.target(column, name)
            row = self.create(request, parent, nested, references)
            changes[column.name] = (parent.name, row.id)
        if key is not None and key.name is not None:
            changes = dict(zip(key.columns, key.values, strict=True)) | changes
        row_id = key.id if key is not None else None
        row = self._tenant.records.create(table, changes, request.user, row_id)
        for name, many in children.items():
            self._create_below(request, row, name, many, references)
        if table.name in ROW_COMPONENTS:
            solution = self._tenant.solutions.named_in(request)
            self._tenant.solutions.add(solution, ROW_COMPONENTS[table.name], row.id)
        return row

    def _create_below(
        self, request: Request, row: Row, name: str, many: list[Sent], references: References
    ) -> None:
        schema, table = self._tenant.schema, row.table
        for nested in many:
            if name in table.collections:
                relationship = table.collections[name]
                given = {relationship.column: (table.name, row.id)}
                child = schema.tables[relationship.table]
                self.create(request, child, nested, references, given=given)
            else:
                association = table.associations[name]
                other = schema.tables[association.other(table.name)]
                made = self.create(request, other, nested, references)
                self._tenant.store.link(association, row.id, made.id)

    def update(
        self, request: Request, row: Row, sent: Sent, references: References, key: url.Key
    ) -> Row:
        """The record with what was sent, but for the columns that its URL names already."""
        request.user.need("Write", row.table)
        plain = {name: value for name, value in sent.items() if name not in key.columns}
        changes = self._changes.read(request, row.table, plain, references)
        return self._tenant.records.update(row, changes)


def _parted(table: Table, sent: Sent) -> tuple[Sent, dict[str, Sent], dict[str, list[Sent]]]:
    """What was sent as plain columns, records to make before, and records to make after."""
    plain: Sent = {}
    parents: dict[str, Sent] = {}
    children: dict[str, list[Sent]] = {}
    for name, value in sent.items():
        if name in table.navigations and isinstance(value, dict):
            parents[name] = value
        elif name in (*table.collections, *table.associations) and isinstance(value, list):
            if not all(isinstance(each, dict) for each in value):
                raise errors.bad_payload(f"'{name}' is a list of records.")
            children[name] = value
        else:
            plain[name] = value
    return plain, parents, children
