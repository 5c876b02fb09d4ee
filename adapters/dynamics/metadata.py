"""What the environment itself says of the mapped tables, for the doctor. Not for: their rows.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from adapters.base import Description
from adapters.dynamics.client import Call, Client, document
from adapters.errors import BadMapping, Malformed, NotFound
from mappings.loader import Mapping

_LOOKUPS = ("Lookup", "Customer", "Owner")


def describe(mapping: Mapping, client: Client) -> Description:
    """Columns and keys of the mapped tables that exist. A lookup's column is named as a read names
    it, `_<name>_value`. Raises BadMapping where a table goes by another entity set."""
    tables: dict[str, dict[str, str]] = {}
    keys: dict[str, dict[str, tuple[str, ...]]] = {}
    for binding in mapping.kinds.values():
        place = f"EntityDefinitions(LogicalName='{quote(binding.table, safe='')}')"
        try:
            names = _read(client, f"{place}?$select=LogicalName,EntitySetName")
        except (NotFound, BadMapping):
            continue
        if names.get("EntitySetName") != binding.entity_set:
            raise BadMapping
        columns = _rows(client, f"{place}/Attributes?$select=LogicalName,AttributeType")
        tables[binding.table] = dict(_column(each) for each in columns)
        listed = _rows(client, f"{place}/Keys?$select=SchemaName,KeyAttributes")
        keys[binding.table] = dict(_key(each) for each in listed)
    return Description(tables, keys)


def _read(client: Client, target: str) -> dict[str, Any]:
    return document(client.call(Call("GET", target), None))


def _rows(client: Client, target: str) -> Iterator[dict[str, Any]]:
    found = _read(client, target).get("value")
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        raise Malformed
    return iter(found)


def _column(entry: dict[str, Any]) -> tuple[str, str]:
    name, kind = entry.get("LogicalName"), entry.get("AttributeType")
    if not isinstance(name, str) or not isinstance(kind, str):
        raise Malformed
    return (f"_{name}_value" if kind in _LOOKUPS else name), kind


def _key(entry: dict[str, Any]) -> tuple[str, tuple[str, ...]]:
    name, columns = entry.get("SchemaName"), entry.get("KeyAttributes")
    if not isinstance(name, str) or not isinstance(columns, list):
        raise Malformed
    return name.lower(), tuple(str(column) for column in columns)
