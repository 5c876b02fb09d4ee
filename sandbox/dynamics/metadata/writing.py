"""POST, PUT and DELETE on definitions, and the actions that change them.

Sources: learn.microsoft.com/power-apps/developer/data-platform/webapi/
create-update-entity-definitions-using-web-api, -column-definitions-, -entity-relationships-.
Not in a change set: whether Dataverse allows that isn't said there (501).
"""

import dataclasses
from typing import Any

from sandbox.dynamics import errors, payload
from sandbox.dynamics.catalog import Catalog
from sandbox.dynamics.keys import Keys
from sandbox.dynamics.message import Reply, Request
from sandbox.dynamics.metadata import properties
from sandbox.dynamics.metadata.forms import Document, Forms, kind, label
from sandbox.dynamics.schema import Association, Column, Key, Relationship, Schema, Table
from sandbox.dynamics.solutions import COMPONENTS, Solutions
from sandbox.dynamics.store import Row, Store


class Writing:
    """Changes the schema, with the privileges, components and indexes that go with it."""

    def __init__(
        self, schema: Schema, store: Store, keys: Keys, catalog: Catalog, solutions: Solutions
    ) -> None:
        self._schema = schema
        self._store = store
        self._keys = keys
        self._catalog = catalog
        self._solutions = solutions
        self._forms = Forms(schema, solutions)

    def create(self, request: Request, table: Table | None, part: str) -> Reply:
        """POST to EntityDefinitions, RelationshipDefinitions or a part of a table."""
        document = payload.document(request.body)
        solution = self._solutions.named_in(request)
        if part == "EntityDefinitions":
            made = self.make_table(request, document, solution)
            return _made(request, f"EntityDefinitions({made.metadata_id})")
        if part == "RelationshipDefinitions":
            named = self._make_relationship(request, document, solution)
            return _made(request, f"RelationshipDefinitions({named})")
        if table is None or part not in ("Attributes", "Keys"):
            raise errors.wrong_method(request.method)
        make = self._make_column if part == "Attributes" else self._make_key
        named = make(request, table, document, solution)
        return _made(request, f"EntityDefinitions(LogicalName='{table.name}')/{part}({named})")

    def make_table(self, request: Request, document: Document, solution: Row | None) -> Table:
        """A new table with its columns and its privileges."""
        self._allowed(request, "prvCreateEntity")
        name, entry = self._forms.table(document)
        table = self._schema.add_table(name, entry)
        if any(column.type == "money" for column in table.columns.values()):
            self._add_currency(table)
        self._catalog.add(table)
        self._solutions.add(solution, COMPONENTS["entity"], table.metadata_id)
        return table

    def _make_column(
        self, request: Request, table: Table, document: Document, solution: Row | None
    ) -> str:
        self._allowed(request, "prvCreateAttribute")
        if document.get("IsPrimaryName"):
            raise errors.bad_metadata("The table has its primary name column.")
        name, entry = self._forms.column(document)
        self._free(table, name)
        column = self._schema.add_column(table, name, entry)
        if column.type == "money":
            self._add_currency(table)
        self._solutions.add(solution, COMPONENTS["attribute"], column.metadata_id)
        return column.metadata_id

    def _free(self, table: Table, name: str) -> None:
        if name in table.columns:
            raise errors.column_exists(name, table)

    def _add_currency(self, table: Table) -> None:
        """A table with a money column has a currency."""
        name = "transactioncurrencyid"
        if name not in table.columns:
            entry = {"schema": "TransactionCurrencyId", "type": "lookup"}
            entry |= {"navigations": {name: "transactioncurrency"}}
            self._schema.add_column(table, name, entry, custom=False)

    def _make_key(
        self, request: Request, table: Table, document: Document, solution: Row | None
    ) -> str:
        self._allowed(request, "prvWriteEntity")
        schema_name = self._solutions.check_name(document.get("SchemaName"))
        key = self._keys.add(table, schema_name, document.get("KeyAttributes"))
        self._solutions.add(solution, COMPONENTS["key"], key.metadata_id)
        return key.metadata_id

    def _make_relationship(self, request: Request, document: Document, solution: Row | None) -> str:
        self._allowed(request, "prvCreateRelationship")
        if kind(document, "RelationshipMetadata") == "ManyToMany":
            made: Association | Relationship = self._many_to_many(document)
        else:
            self._allowed(request, "prvCreateAttribute")
            referencing, name, entry = self._forms.lookup(document)
            table = self._schema.tables[referencing]
            self._free(table, name)
            column = self._schema.add_column(table, name, entry)
            (made,) = self._schema.relationships_of(column)
            self._solutions.add(solution, COMPONENTS["attribute"], column.metadata_id)
        self._solutions.add(solution, COMPONENTS["relationship"], made.metadata_id)
        return made.metadata_id

    def _many_to_many(self, document: Document) -> Association:
        name = self._solutions.check_relationship(document.get("SchemaName"))
        taken = (self._schema.relationships, self._schema.associations)
        if any(name in known for known in taken):
            raise errors.relationship_exists()
        sides = [document.get(f"Entity{n}LogicalName") for n in (1, 2)]
        if not all(side in self._schema.tables for side in sides):
            raise errors.bad_metadata("Both tables of a many to many must be there.")
        if sides[0] == sides[1]:
            raise errors.not_played("a many to many of a table with itself")
        intersect = document.get("IntersectEntityName") or name
        made = Association(name, str(sides[0]), str(sides[1]), intersect.lower(), custom=True)
        self._schema.add_association(made)
        return made

    # -- changing -------------------------------------------------------------------------

    def replace(self, request: Request, table: Table, found: Table | Column | Key) -> Reply:
        """PUT: the definition as sent takes the place of the one that is there."""
        document = payload.document(request.body)
        if isinstance(found, Table):
            self._allowed(request, "prvWriteEntity")
            properties.check(document, "Entity", properties.TABLE)
            self._replace_table(table, document)
        elif isinstance(found, Column):
            self._allowed(request, "prvWriteAttribute")
            self._replace_column(table, found, document)
        else:
            raise errors.wrong_method(request.method)
        return Reply(204)

    def _replace_table(self, table: Table, document: Document) -> None:
        table.label = label(document) or table.label
        table.collection_label = label(document, "DisplayCollectionName") or table.collection_label
        table.tracked = table.tracked or bool(document.get("ChangeTrackingEnabled"))
        table.told = properties.told(document, properties.TABLE_TOLD)

    def _replace_column(self, table: Table, column: Column, document: Document) -> None:
        if column.type in ("lookup", "state", "status", "key", "guid"):
            raise errors.not_played(f"changing a column of type {column.type}")
        entry = self._forms.column(document, named=column.schema_name)[1]
        if entry["type"] != column.type:
            raise errors.bad_metadata("The type of a column can't be changed.")
        secured = entry["secured"]
        if secured and any(column.name in key.columns for key in table.keys.values()):
            raise errors.bad_metadata("A column of an alternate key can't be secured.")
        changed = dataclasses.replace(
            column,
            maximum=entry.get("max"),
            minimum=entry.get("min"),
            precision=entry.get("precision", 0),
            secured=secured,
            label=entry["label"],
            told=entry["told"],
        )
        self._schema.put_column(table, changed)

    def insert_option(self, request: Request) -> int:
        """InsertOptionValue: one more option of a choice; gives its value."""
        self._allowed(request, "prvWriteAttribute")
        sent = payload.document(request.body)
        table = self._schema.tables.get(sent.get("EntityLogicalName") or "")
        if table is None:
            raise errors.not_played("options of a global choice")
        column = table.columns.get(sent.get("AttributeLogicalName") or "")
        if column is None or column.type != "choice":
            raise errors.no_attribute(str(sent.get("AttributeLogicalName")), table)
        first = self._solutions.first_option(column.schema_name)
        value = sent.get("Value")
        if value is None:
            value = max([first - 1, *column.options]) + 1
        if value in column.options:
            raise errors.bad_metadata(f"The option value {value} is there already.")
        column.options[int(value)] = label(sent, "Label") or str(value)
        return int(value)

    # -- removing -------------------------------------------------------------------------

    def remove(self, request: Request, table: Table | None, found: Any) -> Reply:
        """DELETE of a definition that somebody made."""
        if not isinstance(found, Key) and not found.custom:
            raise errors.bad_metadata("What the system brings can't be deleted.")
        if isinstance(found, Association):
            self._allowed(request, "prvDeleteRelationship")
            self._schema.drop_association(found)
        elif isinstance(found, Relationship):
            self._allowed(request, "prvDeleteRelationship")
            owner = self._schema.tables[found.table]
            self._drop_column(owner, owner.columns[found.column])
        elif isinstance(found, Table):
            self._allowed(request, "prvDeleteEntity")
            self._drop_table(found)
        elif table is not None and isinstance(found, Key):
            self._allowed(request, "prvWriteEntity")
            del table.keys[found.name]
        elif table is not None:
            self._allowed(request, "prvDeleteAttribute")
            if found.type == "lookup" or found.name in (table.key, table.name_column):
                raise errors.component_in_use(f"Attribute({found.name})")
            self._drop_column(table, found)
        return Reply(204)

    def _drop_table(self, table: Table) -> None:
        others = [r for r in table.collections.values() if r.table != table.name]
        if others:
            raise errors.component_in_use(f"Entity({table.name})")
        self._store.forget(table)
        self._catalog.drop(table)
        self._schema.drop_table(table)

    def _drop_column(self, table: Table, column: Column) -> None:
        if any(column.name in key.columns for key in table.keys.values()):
            raise errors.component_in_use(f"Attribute({column.name})")
        self._store.strip(table, column.name)
        self._schema.drop_column(table, column)

    def _allowed(self, request: Request, privilege: str) -> None:
        request.user.need_right(privilege)
        if request.in_change_set:
            raise errors.not_played("changes to the schema in a change set")


def _made(request: Request, where: str) -> Reply:
    return Reply(204, {"OData-EntityId": f"{request.base}{where}"})
