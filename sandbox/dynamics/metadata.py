"""EntityDefinitions: tables, columns, keys and relationships, as far as a check of them needs.

Read only. Metadata sets compare with case and know no string functions (501, as the real ones).
"""

import uuid
from collections.abc import Callable
from typing import Any

from odata_query import ast

from sandbox.dynamics import errors, query, url
from sandbox.dynamics.filters import parse, substitute
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.schema import Column, Schema, Table

SPACE = "Microsoft.Dynamics.CRM."
KINDS = {
    "string": ("String", "StringAttributeMetadata"),
    "memo": ("Memo", "MemoAttributeMetadata"),
    "bool": ("Boolean", "BooleanAttributeMetadata"),
    "choice": ("Picklist", "PicklistAttributeMetadata"),
    "state": ("State", "StateAttributeMetadata"),
    "status": ("Status", "StatusAttributeMetadata"),
    "date": ("DateTime", "DateTimeAttributeMetadata"),
    "datetime": ("DateTime", "DateTimeAttributeMetadata"),
    "decimal": ("Decimal", "DecimalAttributeMetadata"),
    "money": ("Money", "MoneyAttributeMetadata"),
    "lookup": ("Lookup", "LookupAttributeMetadata"),
    "key": ("Uniqueidentifier", "AttributeMetadata"),
}
Document = dict[str, Any]


def answer(schema: Schema, request: Request) -> Reply:
    """A GET on EntityDefinitions or below it."""
    if request.method != "GET":
        raise errors.not_played("changes to the schema")
    first, *rest = url.segments(request.path)
    pairs = url.query_pairs(request.query)
    context = f"{request.base}$metadata#{first}"
    if "(" not in first:
        listed = [_definition(schema, table) for table in schema.tables.values()]
        return json_reply(200, {"@odata.context": context, "value": _query(listed, pairs)})
    table = _named(schema.tables.values(), first, "EntityDefinitions")
    if not rest:
        document = _shaped(_definition(schema, table), pairs)
        return json_reply(200, {"@odata.context": f"{context}/$entity"} | document)
    return _below(schema, table, rest, pairs, context)


def _below(
    schema: Schema, table: Table, rest: list[str], pairs: dict[str, str], context: str
) -> Reply:
    name, _, key = rest[0].partition("(")
    parts = PARTS.get(name)
    if parts is None:
        raise errors.no_segment(name)
    documents = parts(schema, table)
    if key:
        found = [d for d in documents if f"LogicalName='{d.get('LogicalName')}')" == key]
        if not found:
            raise errors.DataverseError(404, "0x80060888", "Could not find the metadata asked for.")
        document = _shaped(found[0], pairs)
        return json_reply(200, {"@odata.context": f"{context}/{name}/$entity"} | document)
    if len(rest) > 1:
        documents = [d for d in documents if d.get("@odata.type") == f"#{rest[1]}"]
    return json_reply(
        200, {"@odata.context": f"{context}/{name}", "value": _query(documents, pairs)}
    )


def _named(tables: Any, segment: str, name: str) -> Table:
    key = segment.removeprefix(f"{name}(").removesuffix(")")
    for table in tables:
        if key in (f"LogicalName='{table.name}'", table.metadata_id):
            found: Table = table
            return found
    raise errors.DataverseError(404, "0x80060888", "Could not find the metadata asked for.")


def _query(documents: list[Document], pairs: dict[str, str]) -> list[Document]:
    if "$filter" in pairs:
        test = _test(parse(substitute(pairs["$filter"], pairs)))
        documents = [document for document in documents if test(document)]
    return [_shaped(document, pairs) for document in documents]


def _shaped(document: Document, pairs: dict[str, str]) -> Document:
    for name in pairs:
        if name not in ("$select", "$filter", "$expand") and not name.startswith("@"):
            raise errors.not_played(f"{name} on metadata")
    plain = {key: value for key, value in document.items() if key not in NESTED}
    if "$select" in pairs:
        names = [name.strip() for name in pairs["$select"].split(",")]
        for name in names:
            if name not in plain:
                raise errors.bad_query(f"Could not find a property named '{name}'.")
        always = ("@odata.type", "MetadataId")
        plain = {key: plain[key] for key in (*always, *names) if key in plain}
    for item in query.split(pairs.get("$expand", ""), ","):
        name, _, inner = item.strip().partition("(")
        if name not in document or name not in NESTED:
            raise errors.bad_query(f"Could not find a property named '{name}'.")
        options = dict(
            option.strip().split("=", 1) for option in query.split(inner.removesuffix(")"), ";")
        )
        value = document[name]
        many = isinstance(value, list)
        plain[name] = _query(value, options) if many else _shaped(value, options)
    return plain


def _test(node: Any) -> Callable[[Document], bool]:
    if isinstance(node, ast.BoolOp):
        left, right = _test(node.left), _test(node.right)
        if isinstance(node.op, ast.And):
            return lambda document: left(document) and right(document)
        return lambda document: left(document) or right(document)
    if isinstance(node, ast.Compare) and isinstance(node.left, ast.Identifier):
        name, value = node.left.name, getattr(node.right, "py_val", None)
        if isinstance(node.comparator, ast.Eq):
            return lambda document: bool(_property(document, name) == value)
        if isinstance(node.comparator, ast.NotEq):
            return lambda document: bool(_property(document, name) != value)
    raise errors.DataverseError(501, "0x8006088a", "The metadata filter is not supported.")


def _property(document: Document, name: str) -> Any:
    if name not in document or name in NESTED:
        raise errors.bad_query(f"Could not find a property named '{name}'.")
    return document[name]


def _definition(schema: Schema, table: Table) -> Document:
    return {
        "MetadataId": table.metadata_id,
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "LogicalCollectionName": table.set,
        "EntitySetName": table.set,
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.name_column,
        "ObjectTypeCode": table.otc,
        "IsPrivate": False,
        "IsCustomEntity": "_" in table.name,
        "IsActivity": False,
        "IsOptimisticConcurrencyEnabled": True,
        "ChangeTrackingEnabled": False,
        "Attributes": _attributes(schema, table),
        "Keys": _keys(schema, table),
        "OneToManyRelationships": _one_to_many(schema, table),
        "ManyToOneRelationships": _many_to_one(schema, table),
    }


def _attributes(schema: Schema, table: Table) -> list[Document]:
    return [_attribute(table, column) for column in table.columns.values()]


def _attribute(table: Table, column: Column) -> Document:
    kind, metadata = KINDS[column.type]
    document: Document = {
        "@odata.type": f"#{SPACE}{metadata}",
        "MetadataId": str(uuid.uuid5(uuid.UUID(table.metadata_id), column.name)),
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": table.name,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.name_column,
        "IsSecured": column.secured,
        "IsValidForRead": True,
        "IsValidForCreate": not (column.readonly or column.computed),
        "IsValidForUpdate": not (column.readonly or column.computed or column.type == "key"),
    }
    if column.type in ("string", "memo"):
        document["MaxLength"] = column.maximum
    if column.type in ("date", "datetime"):
        document["Format"] = "DateOnly" if column.type == "date" else "DateAndTime"
        behaviour = "DateOnly" if column.type == "date" else "UserLocal"
        document["DateTimeBehavior"] = {"Value": behaviour}
    if column.type in ("decimal", "money"):
        document["Precision"] = column.precision
    if column.type == "lookup":
        document["Targets"] = list(column.navigations.values())
    if column.type in ("choice", "state", "status"):
        options = [
            {
                "Value": value,
                "Label": {
                    "UserLocalizedLabel": {"Label": label, "LanguageCode": 1033},
                    "LocalizedLabels": [{"Label": label, "LanguageCode": 1033}],
                },
            }
            for value, label in column.options.items()
        ]
        document["OptionSet"] = {"Options": options}
    return document


def _keys(schema: Schema, table: Table) -> list[Document]:
    return [
        {
            "SchemaName": name,
            "LogicalName": name,
            "EntityLogicalName": table.name,
            "KeyAttributes": list(columns),
            "EntityKeyIndexStatus": "Active",
        }
        for name, columns in table.keys.items()
    ]


def _one_to_many(schema: Schema, table: Table) -> list[Document]:
    return [
        _relationship(schema.tables[c.table], schema.tables[c.table].columns[c.column], table, name)
        for name, c in table.collections.items()
    ]


def _many_to_one(schema: Schema, table: Table) -> list[Document]:
    found = []
    for column in table.columns.values():
        for target in column.navigations.values():
            back = next(
                (
                    name
                    for name, c in schema.tables[target].collections.items()
                    if (c.table, c.column) == (table.name, column.name)
                ),
                f"{target}_{table.name}_{column.name}",
            )
            found.append(_relationship(table, column, schema.tables[target], back))
    return found


def _relationship(table: Table, column: Column, target: Table, name: str) -> Document:
    navigation = next(n for n, to in column.navigations.items() if to == target.name)
    return {
        "SchemaName": name,
        "RelationshipType": "OneToManyRelationship",
        "ReferencedEntity": target.name,
        "ReferencedAttribute": target.key,
        "ReferencingEntity": table.name,
        "ReferencingAttribute": column.name,
        "ReferencingEntityNavigationPropertyName": navigation,
        "ReferencedEntityNavigationPropertyName": name,
        "CascadeConfiguration": {"Delete": "RemoveLink", "Merge": "Cascade"},
    }


NESTED = ("Attributes", "Keys", "OneToManyRelationships", "ManyToOneRelationships", "OptionSet")
PARTS: dict[str, Callable[[Schema, Table], list[Document]]] = {
    "Attributes": _attributes,
    "Keys": _keys,
    "OneToManyRelationships": _one_to_many,
    "ManyToOneRelationships": _many_to_one,
}
