"""What a client sends as a definition, checked and put into the form of `tenant_*.json`.

Types, defaults and ranges: learn.microsoft.com/power-apps/developer/data-platform/webapi/
create-update-column-definitions-using-web-api and .../entity-attribute-metadata. A property that
the type doesn't have is refused as undeclared; one that the sandbox has no use for is kept and
given back.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.metadata import properties
from sandbox.dynamics.schema import Schema
from sandbox.dynamics.solutions import Solutions

SPACE = "Microsoft.Dynamics.CRM."
Document = dict[str, Any]
Entry = dict[str, Any]
LARGEST = 100_000_000_000
LARGEST_MONEY = 922_337_203_685_477
LARGEST_INTEGER = 2_147_483_647


def kind(document: Document, suffix: str) -> str:
    """`String` of `#Microsoft.Dynamics.CRM.ComplexStringAttributeMetadata`."""
    sent = document.get("@odata.type")
    if not isinstance(sent, str):
        raise errors.bad_payload(f"The @odata.type of a {suffix} is missing.")
    bare = sent.removeprefix("#").removeprefix(SPACE).removeprefix("Complex")
    if not bare.endswith(suffix):
        raise errors.bad_payload(f"'{sent}' is no {suffix}.")
    return bare.removesuffix(suffix)


def label(document: Document, name: str = "DisplayName") -> str | None:
    """The text of a Label: English where there are several languages."""
    sent = document.get(name) or {}
    texts = {each.get("LanguageCode"): each.get("Label") for each in _labels(sent)}
    return texts.get(1033) or next(iter(texts.values()), None)


def _labels(sent: Any) -> list[Document]:
    found = sent.get("LocalizedLabels") if isinstance(sent, dict) else None
    return [each for each in found or [] if isinstance(each, dict)]


class Forms:
    """Reads definitions. Names are checked against the publishers."""

    def __init__(self, schema: Schema, solutions: Solutions) -> None:
        self._schema = schema
        self._solutions = solutions

    def table(self, document: Document) -> tuple[str, Entry]:
        """A new table: its logical name and its entry, with all its columns."""
        properties.check(document, "Entity", properties.TABLE)
        schema_name = self._solutions.check_name(document.get("SchemaName"))
        name = schema_name.lower()
        if name in self._schema.tables:
            raise errors.table_exists(name)
        columns = self._columns(name, document.get("Attributes"))
        owned = document.get("OwnershipType", "UserOwned")
        if owned not in ("UserOwned", "OrganizationOwned"):
            raise errors.not_played(f"tables of ownership {owned}")
        if document.get("IsActivity"):
            raise errors.not_played("activity tables")
        common = ["createdon", "modifiedon", "statecode", "statuscode"]
        plural = document.get("EntitySetName") or plural_of(name)
        if plural in self._schema.sets:
            raise errors.table_exists(plural)
        key = {"schema": f"{schema_name}Id", "type": "key"}
        return name, {
            "schema": schema_name,
            "set": plural,
            "key": f"{name}id",
            "name": next(n for n, entry in columns.items() if entry["told"].get("IsPrimaryName")),
            "common": [*common, "ownerid"] if owned == "UserOwned" else common,
            "columns": {f"{name}id": key, **columns},
            "label": label(document) or schema_name,
            "collection_label": label(document, "DisplayCollectionName") or schema_name,
            "tracked": bool(document.get("ChangeTrackingEnabled")),
            "told": properties.told(document, properties.TABLE_TOLD),
        }

    def _columns(self, table: str, sent: Any) -> dict[str, Entry]:
        if not isinstance(sent, list) or not all(isinstance(each, dict) for each in sent):
            raise errors.bad_metadata("A table needs Attributes with its primary name column.")
        primary = [each for each in sent if each.get("IsPrimaryName")]
        if len(primary) != 1 or kind(primary[0], "AttributeMetadata") != "String":
            raise errors.bad_metadata("Exactly one String attribute has IsPrimaryName true.")
        found: dict[str, Entry] = {}
        for each in sent:
            name, entry = self.column(each)
            if name in found or name == f"{table}id":
                raise errors.bad_metadata(f"The column '{name}' is there twice.")
            found[name] = entry
        return found

    def column(self, document: Document, *, named: str | None = None) -> tuple[str, Entry]:
        """A new column; `named` is the schema name of one that is there and is replaced."""
        sort = kind(document, "AttributeMetadata")
        if sort in ("Lookup", "Customer", "Owner"):
            raise errors.bad_metadata("A lookup is made with its relationship.")
        if sort not in FORMS:
            raise errors.not_played(f"columns of type {sort}")
        properties.check(document, sort, properties.COLUMN | properties.COLUMN_OF[sort])
        schema_name = named or self._solutions.check_name(document.get("SchemaName"))
        entry: Entry = {
            "schema": schema_name,
            "label": label(document) or schema_name,
            "secured": bool(document.get("IsSecured")),
            "told": properties.told(document, properties.COLUMN_TOLD),
        }
        first_option = self._solutions.first_option(schema_name)
        return schema_name.lower(), entry | FORMS[sort](document, first_option)

    def lookup(self, document: Document) -> tuple[str, str, Entry]:
        """A one to many: the table that gets the lookup, the column's name and its entry."""
        name = self._solutions.check_relationship(document.get("SchemaName"))
        if name in self._schema.relationships or name in self._schema.associations:
            raise errors.relationship_exists()
        referencing = self._known(document.get("ReferencingEntity"))
        referenced = self._known(document.get("ReferencedEntity"))
        target = self._schema.tables[referenced]
        if document.get("ReferencedAttribute", target.key) != target.key:
            raise errors.bad_metadata("ReferencedAttribute is the primary key of the table.")
        sent = document.get("Lookup")
        if not isinstance(sent, dict):
            raise errors.bad_metadata("A one to many needs its Lookup.")
        properties.check(sent, "Lookup", properties.COLUMN | {"Targets"})
        schema_name = self._solutions.check_name(sent.get("SchemaName"))
        navigation = document.get("ReferencingEntityNavigationPropertyName") or schema_name
        if document.get("ReferencedEntityNavigationPropertyName", name) != name:
            raise errors.not_played("a collection navigation under another name")
        cascade = (document.get("CascadeConfiguration") or {}).get("Delete", "RemoveLink")
        if cascade not in ("RemoveLink", "Cascade", "Restrict", "NoCascade"):
            raise errors.bad_metadata(f"'{cascade}' is no behaviour for Delete.")
        entry = {
            "schema": schema_name,
            "type": "lookup",
            "navigations": {navigation: referenced},
            "relationships": {navigation: name},
            "on_delete": cascade,
            "label": label(sent) or schema_name,
            "told": properties.told(sent, properties.COLUMN_TOLD),
        }
        return referencing, schema_name.lower(), entry

    def _known(self, name: Any) -> str:
        if name not in self._schema.tables:
            raise errors.bad_metadata(f"The entity with a name = '{name}' was not found.")
        return str(name)


def plural_of(name: str) -> str:
    """The entity set's name that Dataverse proposes."""
    if name.endswith("y") and name[-2:-1] not in "aeiou":
        return f"{name[:-1]}ies"
    if name.endswith(("s", "x", "z", "ch", "sh")):
        return f"{name}es"
    return f"{name}s"


# -- one function a type -----------------------------------------------------------------------


def _whole(document: Document, name: str, default: int, low: int, high: int) -> int:
    value = document.get(name, default)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise errors.bad_metadata(f"{name} must be between {low} and {high}.")
    return value


def _range(document: Document, limit: int) -> Entry:
    found: Entry = {}
    for key, name, default in (("min", "MinValue", -limit), ("max", "MaxValue", limit)):
        value = document.get(name)
        value = default if value is None else value
        if not isinstance(value, (int, Decimal)) or abs(value) > limit:
            raise errors.bad_metadata(f"{name} must be within {limit} of zero.")
        found[key] = int(value) if value == int(value) else float(value)
    if found["min"] > found["max"]:
        raise errors.bad_metadata("MinValue must not be above MaxValue.")
    return found


def _string(document: Document, _: int) -> Entry:
    return {"type": "string", "max": _whole(document, "MaxLength", 100, 1, 4000)}


def _memo(document: Document, _: int) -> Entry:
    return {"type": "memo", "max": _whole(document, "MaxLength", 2000, 1, 1_048_576)}


def _integer(document: Document, _: int) -> Entry:
    return {"type": "integer", **_range(document, LARGEST_INTEGER + 1)}


def _decimal(document: Document, _: int) -> Entry:
    precision = _whole(document, "Precision", 2, 0, 10)
    return {"type": "decimal", "precision": precision, **_range(document, LARGEST)}


def _double(document: Document, _: int) -> Entry:
    precision = _whole(document, "Precision", 2, 0, 5)
    return {"type": "double", "precision": precision, **_range(document, LARGEST)}


def _money(document: Document, _: int) -> Entry:
    precision = _whole(document, "Precision", 2, 0, 4)
    return {"type": "money", "precision": precision, **_range(document, LARGEST_MONEY)}


def _boolean(document: Document, _: int) -> Entry:
    options = document.get("OptionSet") or {}
    texts = {"0": label(options.get("FalseOption") or {}, "Label") or "No"}
    texts["1"] = label(options.get("TrueOption") or {}, "Label") or "Yes"
    return {"type": "bool", "options": texts, "default": bool(document.get("DefaultValue"))}


def _datetime(document: Document, _: int) -> Entry:
    behaviour = (document.get("DateTimeBehavior") or {}).get("Value", "UserLocal")
    if behaviour not in ("DateOnly", "UserLocal"):
        raise errors.not_played(f"the date behaviour {behaviour}")
    if behaviour == "DateOnly" and document.get("Format", "DateOnly") != "DateOnly":
        raise errors.bad_metadata("The behaviour DateOnly goes with the format DateOnly.")
    return {"type": "date" if behaviour == "DateOnly" else "datetime"}


def _picklist(document: Document, first: int) -> Entry:
    if "GlobalOptionSet@odata.bind" in document or "GlobalOptionSet" in document:
        raise errors.not_played("global choices")
    options = document.get("OptionSet")
    if not isinstance(options, dict) or options.get("IsGlobal") is None:
        raise errors.bad_metadata("OptionSet.IsGlobal is NULL. It should have a value.")
    if options["IsGlobal"]:
        raise errors.bad_metadata(
            "Only Local option set can be created through the attribute create. IsGlobal flag "
            "must be set to 'false'."
        )
    found: dict[str, str] = {}
    for option in options.get("Options") or []:
        value = option.get("Value")
        if value is None:
            value = max([first - 1, *map(int, found)]) + 1
        if str(value) in found:
            raise errors.bad_metadata(f"The option value {value} is there twice.")
        found[str(value)] = label(option, "Label") or str(value)
    default = document.get("DefaultFormValue")
    if default not in (None, -1) and str(default) not in found:
        raise errors.bad_metadata("DefaultFormValue is no option.")
    return {"type": "choice", "options": found}


FORMS: dict[str, Callable[[Document, int], Entry]] = {
    "String": _string,
    "Memo": _memo,
    "Integer": _integer,
    "Decimal": _decimal,
    "Double": _double,
    "Money": _money,
    "Boolean": _boolean,
    "DateTime": _datetime,
    "Picklist": _picklist,
}
