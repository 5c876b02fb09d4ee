"""The schema as the documents that the metadata sets show. Not for how they are queried.

Properties: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference,
EntityMetadata, AttributeMetadata and its types, EntityKeyMetadata, RelationshipMetadataBase.
What is a document of its own (`NESTED`) stands here as a function that makes it.
"""

import functools
from collections.abc import Callable
from typing import Any

from sandbox.dynamics.metadata.properties import COLUMN_TOLD, TABLE_TOLD
from sandbox.dynamics.schema import (
    Association,
    Column,
    Key,
    Relationship,
    Schema,
    Table,
    metadata_id,
)
from sandbox.dynamics.security import RIGHTS, privilege_id, privilege_name

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
    "integer": ("Integer", "IntegerAttributeMetadata"),
    "decimal": ("Decimal", "DecimalAttributeMetadata"),
    "double": ("Double", "DoubleAttributeMetadata"),
    "money": ("Money", "MoneyAttributeMetadata"),
    "lookup": ("Lookup", "LookupAttributeMetadata"),
    "key": ("Uniqueidentifier", "UniqueIdentifierAttributeMetadata"),
    "guid": ("Uniqueidentifier", "UniqueIdentifierAttributeMetadata"),
}
NESTED = (
    "Attributes",
    "Keys",
    "OneToManyRelationships",
    "ManyToOneRelationships",
    "ManyToManyRelationships",
    "OptionSet",
    "GlobalOptionSet",
)
Document = dict[str, Any]


def label(text: str | None) -> Document:
    """A Label in the one language of the sandbox."""
    if text is None:
        return {"LocalizedLabels": [], "UserLocalizedLabel": None}
    told = {"Label": text, "LanguageCode": 1033, "IsManaged": False, "HasChanged": None}
    return {"LocalizedLabels": [told], "UserLocalizedLabel": told}


def managed(name: str, *, value: Any = True) -> Document:
    """A managed property."""
    return {"Value": value, "CanBeChanged": True, "ManagedPropertyLogicalName": name}


def definition(schema: Schema, table: Table) -> Document:
    """EntityMetadata."""
    parts = {
        name: functools.partial(parts_of, schema, table, name)
        for name in NESTED
        if name not in ("OptionSet", "GlobalOptionSet")
    }
    told = dict.fromkeys(TABLE_TOLD) | {"OwnershipType": "UserOwned", "HasNotes": False}
    told |= {"HasActivities": False, "Description": label(None)} | table.told
    return {
        "MetadataId": table.metadata_id,
        "HasChanged": None,
        "LogicalName": table.name,
        "SchemaName": table.schema_name,
        "LogicalCollectionName": table.set,
        "CollectionSchemaName": table.set,
        "EntitySetName": table.set,
        "DisplayName": label(table.label),
        "DisplayCollectionName": label(table.collection_label),
        "PrimaryIdAttribute": table.key,
        "PrimaryNameAttribute": table.name_column,
        "PrimaryImageAttribute": None,
        "ObjectTypeCode": table.otc,
        "TableType": "Standard",
        "IsPrivate": False,
        "IsCustomEntity": table.custom,
        "IsManaged": False,
        "IsActivity": False,
        "IsIntersect": False,
        "IsLogicalEntity": False,
        "IsCustomizable": managed("iscustomizable", value=not table.by_system),
        "IsOptimisticConcurrencyEnabled": True,
        "CanChangeTrackingBeEnabled": managed("canchangetrackingbeenabled"),
        "ChangeTrackingEnabled": table.tracked,
        "Privileges": _privileges(table),
        **told,
        **parts,
    }


def _privileges(table: Table) -> list[Document]:
    return [
        {
            "CanBeBasic": False,
            "CanBeDeep": False,
            "CanBeGlobal": True,
            "CanBeLocal": False,
            "Name": privilege_name(verb, table),
            "PrivilegeId": privilege_id(privilege_name(verb, table)),
            "PrivilegeType": verb,
        }
        for verb in RIGHTS
    ]


def parts_of(schema: Schema, table: Table, name: str) -> list[Document]:
    """The documents of one part of a table (`PARTS`)."""
    return PARTS[name](schema, table)


def _attributes(schema: Schema, table: Table) -> list[Document]:
    return [attribute(table, column) for column in table.columns.values()]


def attribute(table: Table, column: Column) -> Document:
    """AttributeMetadata with what its own type adds."""
    kind, metadata = KINDS[column.type]
    told = dict.fromkeys(COLUMN_TOLD) | {"Description": label(None)}
    told["RequiredLevel"] = managed("canmodifyrequirementlevelsettings", value="None")
    editable = not (column.readonly or column.computed)
    shown = ("Description", "RequiredLevel", "IsAuditEnabled", "IsSearchable")
    document: Document = {
        "@odata.type": f"#{SPACE}{metadata}",
        "MetadataId": column.metadata_id,
        "HasChanged": None,
        "LogicalName": column.name,
        "SchemaName": column.schema_name,
        "EntityLogicalName": table.name,
        "AttributeOf": None,
        "AttributeType": kind,
        "AttributeTypeName": {"Value": f"{kind}Type"},
        "DisplayName": label(column.label),
        "IsCustomAttribute": column.custom,
        "IsManaged": False,
        "IsLogical": False,
        "IsPrimaryId": column.name == table.key,
        "IsPrimaryName": column.name == table.name_column,
        "IsSecured": column.secured,
        "IsValidForRead": True,
        "IsValidForCreate": editable,
        "IsValidForUpdate": editable and column.type != "key",
        "IsCustomizable": managed("iscustomizable"),
    } | {name: (told | column.told)[name] for name in shown}
    return document | _of_type(column)


def _of_type(column: Column) -> Document:
    """What only this type of attribute has."""
    told = column.told
    if column.type in ("string", "memo"):
        plain = {"Value": "Text" if column.type == "string" else "TextArea"}
        return {"MaxLength": column.maximum, "FormatName": told.get("FormatName", plain)}
    if column.type in ("date", "datetime"):
        day = column.type == "date"
        return {
            "Format": told.get("Format", "DateOnly" if day else "DateAndTime"),
            "DateTimeBehavior": {"Value": "DateOnly" if day else "UserLocal"},
        }
    if column.type in ("integer", "decimal", "double", "money"):
        found: Document = {"MinValue": column.minimum, "MaxValue": column.maximum}
        if column.type != "integer":
            found["Precision"] = column.precision
        return found
    if column.type == "lookup":
        return {"Targets": list(column.navigations.values())}
    if column.type == "bool":
        return {"DefaultValue": column.default, "OptionSet": functools.partial(_boolean, column)}
    if column.type in ("choice", "state", "status"):
        return {
            "DefaultFormValue": told.get("DefaultFormValue", -1),
            "OptionSet": functools.partial(_options, column),
            "GlobalOptionSet": lambda: None,
        }
    return {}


def _option_set(column: Column) -> Document:
    return {
        "MetadataId": metadata_id("options", column.table, column.name),
        "Name": f"{column.table}_{column.name}",
        "DisplayName": label(column.label),
        "IsCustomOptionSet": column.custom,
        "IsGlobal": False,
        "IsManaged": False,
    }


def _option(column: Column, value: int, default: str) -> Document:
    return {"Value": value, "Label": label(column.options.get(value, default)), "Color": None}


def _boolean(column: Column) -> Document:
    options = {
        "TrueOption": _option(column, 1, "Yes"),
        "FalseOption": _option(column, 0, "No"),
    }
    return _option_set(column) | {"OptionSetType": "Boolean"} | options


def _options(column: Column) -> Document:
    kind = {"state": "State", "status": "Status"}.get(column.type, "Picklist")
    options = [_option(column, value, "") for value in column.options]
    for option in options:
        if column.type == "status":
            option["State"] = column.states.get(option["Value"])
    return _option_set(column) | {"OptionSetType": kind, "Options": options}


def key(found: Key) -> Document:
    """EntityKeyMetadata."""
    return {
        "MetadataId": found.metadata_id,
        "HasChanged": None,
        "SchemaName": found.schema_name,
        "LogicalName": found.name,
        "EntityLogicalName": found.table,
        "DisplayName": label(found.schema_name),
        "KeyAttributes": list(found.columns),
        "EntityKeyIndexStatus": found.status,
        "IsManaged": False,
    }


def relationship(schema: Schema, found: Relationship | Association) -> Document:
    """OneToManyRelationshipMetadata or ManyToManyRelationshipMetadata."""
    many = isinstance(found, Association)
    kind = "ManyToManyRelationship" if many else "OneToManyRelationship"
    document: Document = {
        "@odata.type": f"#{SPACE}{kind}Metadata",
        "MetadataId": found.metadata_id,
        "HasChanged": None,
        "SchemaName": found.name,
        "RelationshipType": kind,
        "IsCustomRelationship": found.custom,
        "IsManaged": False,
        "SecurityTypes": "Append",
    }
    return document | (
        _many_to_many(schema, found) if isinstance(found, Association) else _to_one(schema, found)
    )


def _to_one(schema: Schema, found: Relationship) -> Document:
    return {
        "ReferencedEntity": found.target,
        "ReferencedAttribute": schema.tables[found.target].key,
        "ReferencingEntity": found.table,
        "ReferencingAttribute": found.column,
        "ReferencingEntityNavigationPropertyName": found.navigation,
        "ReferencedEntityNavigationPropertyName": found.name,
        "CascadeConfiguration": {
            "Assign": "NoCascade",
            "Delete": found.on_delete,
            "Merge": "Cascade",
            "Reparent": "NoCascade",
            "Share": "NoCascade",
            "Unshare": "NoCascade",
        },
    }


def _many_to_many(schema: Schema, found: Association) -> Document:
    sides = {"Entity1": found.first, "Entity2": found.second}
    document: Document = {"IntersectEntityName": found.intersect}
    for side, name in sides.items():
        document[f"{side}LogicalName"] = name
        document[f"{side}IntersectAttribute"] = schema.tables[name].key
        document[f"{side}NavigationPropertyName"] = found.name
    return document


PARTS: dict[str, Callable[[Schema, Table], list[Document]]] = {
    "Attributes": _attributes,
    "Keys": lambda schema, table: [key(each) for each in table.keys.values()],
    "OneToManyRelationships": lambda schema, table: [
        relationship(schema, each) for each in table.collections.values()
    ],
    "ManyToOneRelationships": lambda schema, table: [
        relationship(schema, each)
        for column in table.columns.values()
        for each in schema.relationships_of(column)
    ],
    "ManyToManyRelationships": lambda schema, table: [
        relationship(schema, each) for each in table.associations.values()
    ],
}
