"""EntityDefinitions and RelationshipDefinitions: what a URL names, and which verb does what."""

import re
from typing import Any

from sandbox.dynamics import errors, url
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.metadata import definitions, queries
from sandbox.dynamics.metadata.definitions import PARTS, SPACE, Document
from sandbox.dynamics.metadata.writing import Writing
from sandbox.dynamics.schema import Association, Column, Key, Relationship, Schema, Table

SETS = ("EntityDefinitions", "RelationshipDefinitions")
NAMED = re.compile(r"(\w+)\((?:(?:MetadataId=)?([0-9a-fA-F-]{36})|(\w+)='((?:[^']|'')+)')\)")
Part = Column | Key | Relationship | Association


class Resources:
    """Answers requests to the metadata sets."""

    def __init__(self, schema: Schema, writing: Writing) -> None:
        self._schema = schema
        self._writing = writing

    def answer(self, request: Request) -> Reply:
        """One request on a metadata set or below it."""
        first, *rest = url.segments(request.path)
        context = f"{request.base}$metadata#{first}"
        if first in SETS:
            return self._on_set(request, first, rest, context)
        if first.startswith("RelationshipDefinitions"):
            return self._on_one(request, None, self._relationship(first), rest, context)
        table = self._table(first)
        if not rest:
            return self._on_one(request, table, table, rest, context)
        return self._below(request, table, rest, context)

    # -- sets -----------------------------------------------------------------------------

    def _on_set(self, request: Request, name: str, rest: list[str], context: str) -> Reply:
        if request.method == "POST" and not rest:
            return self._writing.create(request, None, name)
        _only_read(request)
        if name == "EntityDefinitions":
            tables = self._schema.tables.values()
            found = [definitions.definition(self._schema, table) for table in tables]
        else:
            ones = [*self._schema.relationships.values(), *self._schema.associations.values()]
            found = [definitions.relationship(self._schema, one) for one in ones]
        return _listed(request, found, rest, context)

    def _below(self, request: Request, table: Table, rest: list[str], context: str) -> Reply:
        name = rest[0].partition("(")[0]
        if name not in PARTS:
            return self._property(request, table, rest, context)
        context = f"{context}/{name}"
        if "(" in rest[0]:
            part = self._part(table, rest[0])
            return self._on_one(request, table, part, rest[1:], context)
        if request.method == "POST" and len(rest) == 1:
            return self._writing.create(request, table, name)
        _only_read(request)
        return _listed(request, PARTS[name](self._schema, table), rest[1:], context)

    def _property(self, request: Request, table: Table, rest: list[str], context: str) -> Reply:
        _only_read(request)
        document = definitions.definition(self._schema, table)
        if len(rest) > 1 or rest[0] not in document:
            raise errors.no_segment(rest[0])
        return json_reply(200, {"@odata.context": context, "value": document[rest[0]]})

    # -- one ------------------------------------------------------------------------------

    def _on_one(
        self, request: Request, table: Table | None, found: Any, rest: list[str], context: str
    ) -> Reply:
        if request.method == "DELETE" and not rest:
            return self._writing.remove(request, table, found)
        if request.method == "PUT" and not rest and table is not None:
            return self._writing.replace(request, table, found)
        _only_read(request)
        document = self._document(table, found)
        if rest and rest[0].startswith(SPACE):
            if document.get("@odata.type") != f"#{rest[0]}":
                raise errors.no_metadata(rest[0])
            rest = rest[1:]
        pairs = url.query_pairs(request.query)
        if rest:
            if len(rest) > 1 or rest[0] not in ("OptionSet", "GlobalOptionSet", *document):
                raise errors.no_segment(rest[0])
            return self._nested(document, rest[0], pairs, context)
        shown = queries.shaped(document, pairs)
        return json_reply(200, {"@odata.context": f"{context}/$entity"} | shown)

    def _nested(self, document: Document, name: str, pairs: dict[str, str], context: str) -> Reply:
        value = document.get(name)
        if name not in definitions.NESTED:
            return json_reply(200, {"@odata.context": f"{context}/{name}", "value": value})
        found = value() if value is not None else None
        if found is None:
            raise errors.no_metadata(name)
        shown = queries.shaped(found, pairs)
        return json_reply(200, {"@odata.context": f"{context}/{name}/$entity"} | shown)

    def _document(self, table: Table | None, found: Any) -> Document:
        if isinstance(found, Table):
            return definitions.definition(self._schema, found)
        if table is not None and isinstance(found, Column):
            return definitions.attribute(table, found)
        if isinstance(found, Key):
            return definitions.key(found)
        return definitions.relationship(self._schema, found)

    # -- names ----------------------------------------------------------------------------

    def _table(self, segment: str) -> Table:
        """`EntityDefinitions(LogicalName='contact')` or by MetadataId."""
        for table in self._schema.tables.values():
            if _named(segment, "EntityDefinitions", {"LogicalName": table.name}, table):
                return table
        raise errors.no_metadata(segment)

    def _relationship(self, segment: str) -> Relationship | Association:
        for one in (*self._schema.relationships.values(), *self._schema.associations.values()):
            if _named(segment, "RelationshipDefinitions", {"SchemaName": one.name}, one):
                return one
        raise errors.no_metadata(segment)

    def _part(self, table: Table, segment: str) -> Part:
        name = segment.partition("(")[0]
        parts: list[Any] = []
        if name == "Attributes":
            parts = list(table.columns.values())
        elif name == "Keys":
            parts = list(table.keys.values())
        else:
            shown = [document["SchemaName"] for document in PARTS[name](self._schema, table)]
            known = self._schema.relationships | self._schema.associations
            parts = [known[each] for each in shown]
        for part in parts:
            if _named(segment, name, _names(part), part):
                return part
        raise errors.no_metadata(segment)


def _names(part: Any) -> dict[str, str]:
    if isinstance(part, (Column, Key)):
        return {"LogicalName": part.name, "SchemaName": part.schema_name}
    return {"SchemaName": part.name}


def _named(segment: str, kind: str, names: dict[str, str], one: Any) -> bool:
    match = NAMED.fullmatch(segment)
    if match is None or match[1] != kind:
        raise errors.no_metadata(segment)
    if match[2]:
        return bool(match[2].lower() == one.metadata_id)
    return names.get(match[3]) == match[4].replace("''", "'")


def _only_read(request: Request) -> None:
    if request.method != "GET":
        raise errors.wrong_method(request.method)


def _listed(request: Request, found: list[Document], rest: list[str], context: str) -> Reply:
    if rest and (len(rest) > 1 or not rest[0].startswith(SPACE)):
        raise errors.no_segment(rest[0])
    if rest:
        found = [document for document in found if document.get("@odata.type") == f"#{rest[0]}"]
        context = f"{context}/{rest[0]}"
    pairs = url.query_pairs(request.query)
    value = queries.listed(found, pairs, cast=bool(rest))
    return json_reply(200, {"@odata.context": context, "value": value})
