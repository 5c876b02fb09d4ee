"""What the environment itself says of the mapped tables, for the doctor. Not for: their rows.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

import email.utils
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

from adapters.base import Description
from adapters.dynamics.client import Call, Client, document
from adapters.errors import BadMapping, Malformed, NotFound
from mappings.loader import Mapping

_LOOKUPS = ("Lookup", "Customer", "Owner")
_CHOICES = ("Picklist", "State", "Status")
_TEXTS = ("String", "Memo")
_TYPE = "Microsoft.Dynamics.CRM"
# The Date header (RFC 9110 section 6.6.1) has whole seconds, cut off.
_HALF = 0.5


def describe(mapping: Mapping, client: Client) -> Description:
    """Columns, keys and ways of the mapped tables that exist. A lookup's column is named as a read
    names it, `_<name>_value`."""
    reading = _Reading(client)
    tables: dict[str, dict[str, str]] = {}
    keys: dict[str, dict[str, tuple[str, ...]]] = {}
    inactive: dict[str, dict[str, str]] = {}
    navigations, lengths, options, sets = {}, {}, {}, {}
    for binding in mapping.kinds.values():
        table = binding.table
        place = f"EntityDefinitions(LogicalName='{quote(table, safe='')}')"
        try:
            names = reading.one(f"{place}?$select=LogicalName,EntitySetName")
        except (NotFound, BadMapping):
            continue
        sets[table] = str(names.get("EntitySetName"))
        columns = reading.rows(f"{place}/Attributes?$select=LogicalName,AttributeType")
        tables[table] = dict(_column(each) for each in columns)
        listed = list(reading.rows(f"{place}/Keys?{_KEYS}"))
        keys[table] = dict(_key(each) for each in listed)
        inactive[table] = dict(_inactive(listed))
        navigations[table] = frozenset(_ways(reading, place))
        lengths[table] = dict(_lengths(reading, place))
        options[table] = dict(_options(reading, place))
    return Description(tables, keys, navigations, lengths, options, inactive, reading.ahead, sets)


_VALUES = "$select=LogicalName&$expand=OptionSet($select=Options)"
_KEYS = "$select=SchemaName,KeyAttributes,EntityKeyIndexStatus"


class _Reading:
    """GETs on metadata. `ahead`: by what the last answer said of the time."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.ahead: float | None = None

    def one(self, target: str) -> dict[str, Any]:
        """A JSON object."""
        answer = self._client.call(Call("GET", target), None)
        self.ahead = _ahead(answer.headers.get("date", ""))
        return document(answer)

    def rows(self, target: str) -> Iterator[dict[str, Any]]:
        """A JSON list of objects. Raises Malformed."""
        found = self.one(target).get("value")
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise Malformed
        return iter(found)


def _ahead(date: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(date).timestamp() + _HALF - time.time()
    except (ValueError, TypeError):
        return None


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


def _inactive(entries: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    """A key serves only once its index is built; the status is a number in older answers."""
    for entry in entries:
        status = entry.get("EntityKeyIndexStatus")
        if status not in ("Active", 2, None):
            yield _key(entry)[0], str(status)


def _ways(reading: _Reading, place: str) -> Iterator[str]:
    to_one = "ReferencingEntityNavigationPropertyName"
    for each in reading.rows(f"{place}/ManyToOneRelationships?$select={to_one}"):
        yield str(each.get(to_one))
    to_many = "ReferencedEntityNavigationPropertyName"
    for each in reading.rows(f"{place}/OneToManyRelationships?$select={to_many}"):
        yield str(each.get(to_many))


def _lengths(reading: _Reading, place: str) -> Iterator[tuple[str, int]]:
    for kind in _TEXTS:
        target = f"{place}/Attributes/{_TYPE}.{kind}AttributeMetadata"
        for each in reading.rows(f"{target}?$select=LogicalName,MaxLength"):
            if isinstance(each.get("MaxLength"), int):
                yield str(each.get("LogicalName")), each["MaxLength"]


def _options(reading: _Reading, place: str) -> Iterator[tuple[str, frozenset[Any]]]:
    for kind in _CHOICES:
        target = f"{place}/Attributes/{_TYPE}.{kind}AttributeMetadata"
        for each in reading.rows(
            f"{target}?$select=LogicalName&$expand=OptionSet($select=Options)"
        ):
            table = each.get("OptionSet")
            given = table.get("Options") if isinstance(table, dict) else None
            if not isinstance(given, list):
                raise Malformed
            values = (option.get("Value") for option in given if isinstance(option, dict))
            yield str(each.get("LogicalName")), frozenset(values)
