"""What the environment itself says of the mapped tables, for the doctor. Not for: their rows.

Source: learn.microsoft.com/power-apps/developer/data-platform/webapi/query-metadata-web-api
"""

import email.utils
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from adapters.answers import document
from adapters.base import Description, Table
from adapters.dynamics.client import Call, Client
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
    found = Description({}, {})
    for binding in mapping.kinds.values():
        place = f"EntityDefinitions(LogicalName='{quote(binding.table, safe='')}')"
        try:
            names = reading.one(f"{place}?$select=LogicalName,EntitySetName")
        except (NotFound, BadMapping):
            continue
        found = _with(found, binding.table, str(names.get("EntitySetName")), reading, place)
    return replace(found, ahead=reading.ahead)


def tables(client: Client) -> tuple[Table, ...]:
    """Every table of the environment; those without an entity set can't be read by the Web API."""
    listed = _Reading(client).rows(f"EntityDefinitions?$select={','.join(_NAMES)}")
    named = [[each.get(name) for name in _NAMES] for each in listed]
    return tuple(Table(*map(str, each)) for each in named if all(each))


_NAMES = ("LogicalName", "EntitySetName", "PrimaryIdAttribute")
_COLUMNS = "$select=LogicalName,AttributeType,IsValidForCreate,IsValidForUpdate"
_VALUES = "$select=LogicalName&$expand=OptionSet($select=Options)"
_KEYS = "$select=SchemaName,KeyAttributes,EntityKeyIndexStatus"


def _with(
    found: Description, table: str, entity_set: str, reading: "_Reading", place: str
) -> Description:
    """What was found so far, and this table."""
    columns = list(reading.rows(f"{place}/Attributes?{_COLUMNS}"))
    keys = list(reading.rows(f"{place}/Keys?{_KEYS}"))
    lookups, to_many = dict(_lookups(reading, place)), dict(_collections(reading, place))
    ways = {way for each in lookups.values() for way, _ in each} | to_many.keys()
    labels = dict(_labels(reading, place))
    return Description(
        tables={**found.tables, table: dict(_column(each) for each in columns)},
        keys={**found.keys, table: dict(_key(each) for each in keys)},
        navigations={**found.navigations, table: frozenset(ways)},
        lengths={**found.lengths, table: dict(_lengths(reading, place))},
        options={**found.options, table: {n: frozenset(each) for n, each in labels.items()}},
        inactive_keys={**found.inactive_keys, table: dict(_inactive(keys))},
        sets={**found.sets, table: entity_set},
        labels={**found.labels, table: labels},
        read_only={**found.read_only, table: frozenset(_read_only(columns))},
        lookups={**found.lookups, table: lookups},
        collections={**found.collections, table: to_many},
    )


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


def _read_only(entries: list[dict[str, Any]]) -> Iterator[str]:
    """Columns that take a value neither at a create nor at an update."""
    for entry in entries:
        if entry.get("IsValidForCreate") is False and entry.get("IsValidForUpdate") is False:
            yield _column(entry)[0]


def _lookups(reading: _Reading, place: str) -> Iterator[tuple[str, tuple[tuple[str, str], ...]]]:
    """(column, ways with the table that each leads to): several for a lookup to several tables."""
    names = (
        "ReferencingAttribute",
        "ReferencingEntityNavigationPropertyName",
        "ReferencedEntity",
    )
    found: dict[str, list[tuple[str, str]]] = {}
    for each in reading.rows(f"{place}/ManyToOneRelationships?$select={','.join(names)}"):
        column, way, target = (str(each.get(name)) for name in names)
        found.setdefault(f"_{column}_value", []).append((way, target))
    return ((column, tuple(ways)) for column, ways in found.items())


def _collections(reading: _Reading, place: str) -> Iterator[tuple[str, tuple[str, str]]]:
    """(way, (the rows' table, its lookup column))."""
    names = "ReferencedEntityNavigationPropertyName", "ReferencingEntity", "ReferencingAttribute"
    for each in reading.rows(f"{place}/OneToManyRelationships?$select={','.join(names)}"):
        way, table, column = (str(each.get(name)) for name in names)
        yield way, (table, f"_{column}_value")


def _lengths(reading: _Reading, place: str) -> Iterator[tuple[str, int]]:
    for kind in _TEXTS:
        target = f"{place}/Attributes/{_TYPE}.{kind}AttributeMetadata"
        for each in reading.rows(f"{target}?$select=LogicalName,MaxLength"):
            if isinstance(each.get("MaxLength"), int):
                yield str(each.get("LogicalName")), each["MaxLength"]


def _labels(reading: _Reading, place: str) -> Iterator[tuple[str, dict[Any, str]]]:
    """(choice column, {value: label in the user's language, "" where there is none})."""
    for kind in _CHOICES:
        target = f"{place}/Attributes/{_TYPE}.{kind}AttributeMetadata"
        for each in reading.rows(f"{target}?{_VALUES}"):
            table = each.get("OptionSet")
            given = table.get("Options") if isinstance(table, dict) else None
            if not isinstance(given, list):
                raise Malformed
            rows = (option for option in given if isinstance(option, dict))
            yield str(each.get("LogicalName")), {o.get("Value"): _label(o) for o in rows}


def _label(option: dict[str, Any]) -> str:
    names: Any = option.get("Label")
    shown = names.get("UserLocalizedLabel") if isinstance(names, dict) else None
    return str(shown.get("Label") or "") if isinstance(shown, dict) else ""
