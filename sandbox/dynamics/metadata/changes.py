"""RetrieveMetadataChanges: definitions by an EntityQueryExpression, in its simple form.

Source: learn.microsoft.com/power-apps/developer/data-platform/query-schema-definitions. Conditions
with Equals, NotEquals and In, joined by And. What has changed since a version stamp isn't played.
"""

import json
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.metadata import definitions
from sandbox.dynamics.metadata.definitions import NESTED, Document
from sandbox.dynamics.schema import Schema

QUERIES = {
    "Attributes": "AttributeQuery",
    "OneToManyRelationships": "RelationshipQuery",
    "ManyToOneRelationships": "RelationshipQuery",
    "ManyToManyRelationships": "RelationshipQuery",
    "Keys": "KeyQuery",
}
KNOWN = ("Properties", "Criteria", "LabelQuery", "ExtensionData", *QUERIES.values())
ALWAYS = ("@odata.type", "MetadataId", "HasChanged", "LogicalName")


def found(schema: Schema, text: str) -> list[Document]:
    """The EntityMetadata that a Query asks for."""
    try:
        query = json.loads(text)
    except ValueError:
        raise errors.bad_query("The Query is not JSON.") from None
    if not isinstance(query, dict) or set(query) - set(KNOWN):
        raise errors.not_played("this form of RetrieveMetadataChanges")
    tables = [definitions.definition(schema, table) for table in schema.tables.values()]
    return [_shaped(each, query) for each in tables if _fits(each, query)]


def _shaped(document: Document, query: Document) -> Document:
    names = _names(query)
    kept = _kept(document, names)
    for part, nested in QUERIES.items():
        if part in document and (names is None or part in names):
            inner = query.get(nested) or {}
            parts = [each for each in document[part]() if _fits(each, inner)]
            kept[part] = [_kept(each, _names(inner)) for each in parts]
    return kept


def _kept(document: Document, names: list[str] | None) -> Document:
    kept = {name: value for name, value in document.items() if name not in NESTED}
    if names is not None:
        kept = {name: kept[name] for name in (*ALWAYS, *names) if name in kept}
    if "OptionSet" in document and (names is None or "OptionSet" in names):
        kept["OptionSet"] = document["OptionSet"]()
    return kept


def _names(query: Document) -> list[str] | None:
    """The properties asked for; None for all of them."""
    properties = query.get("Properties") or {}
    return None if properties.get("AllProperties") else list(properties.get("PropertyNames") or [])


def _fits(document: Document, query: Document) -> bool:
    criteria = query.get("Criteria") or {}
    if criteria.get("FilterOperator", "And") != "And" or criteria.get("Filters"):
        raise errors.not_played("nested or alternative criteria in RetrieveMetadataChanges")
    return all(_condition(document, each) for each in criteria.get("Conditions") or [])


def _condition(document: Document, condition: Document) -> bool:
    value: Any = (condition.get("Value") or {}).get("Value")
    held = document.get(str(condition.get("PropertyName")))
    operator = condition.get("ConditionOperator")
    if operator == "Equals":
        return bool(held == value)
    if operator == "NotEquals":
        return bool(held != value)
    if operator == "In":
        return held in (json.loads(value) if isinstance(value, str) else value or [])
    raise errors.not_played(f"the condition {operator} in RetrieveMetadataChanges")
