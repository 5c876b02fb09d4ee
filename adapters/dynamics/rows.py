"""Rows of the Web API <-> canonical records. Not for: single values (`mappings.converters`)."""

from typing import Any

from adapters.asked import Asked, dumped, uuid_of
from adapters.base import Found, Record
from adapters.errors import Invalid, Malformed
from mappings.binding import FieldBinding, KindBinding, nested
from mappings.converters import NotDecodable
from mappings.loader import Mapping

ETAG = "@odata.etag"


def found(asked: Asked, row: Any) -> Found:
    """What a row says of the fields asked for. Raises Malformed where one is missing or isn't
    what its column holds."""
    if not isinstance(row, dict):
        raise Malformed
    binding = asked.binding
    values = {field.name: _value(field, row) for field in asked.own}
    values |= dict.fromkeys(asked.empty)
    lookups = {
        name: _onward(inner, row, binding.fields[name].navigation)
        for name, inner in asked.lookups.items()
    }
    collections: dict[str, tuple[Found, ...]] = dict.fromkeys(asked.not_held, ())
    for name, inner in asked.collections.items():
        collections[name] = _each(inner, row, binding.collections[name].navigation)
    return Found(
        binding.kind, id_of(binding, row), version(row), nested(values), lookups, collections
    )


def id_of(binding: KindBinding, row: dict[str, Any]) -> str:
    """The row's id. Raises Malformed."""
    try:
        return uuid_of(row[binding.id_column])
    except (KeyError, Invalid):
        raise Malformed from None


def version(row: dict[str, Any]) -> str:
    """The row's ETag. Raises Malformed: every row has one."""
    etag = row.get(ETAG)
    if isinstance(etag, str) and etag:
        return etag
    raise Malformed


def body(mapping: Mapping, binding: KindBinding, record: Record, *, new: bool) -> dict[str, Any]:
    """The JSON of a write; a new record's empty fields are left out. Raises as `dumped`."""
    sent: dict[str, Any] = {}
    for field, value in dumped(binding, record):
        if new and value is None:
            continue
        if field.name in binding.lookups:
            # Null empties the lookup: learn.microsoft.com/power-apps/developer/data-platform/
            # webapi/associate-disassociate-entities-using-web-api
            target = mapping.kinds[binding.lookups[field.name]].entity_set
            bound = None if value is None else f"/{target}({uuid_of(value)})"
            sent[f"{field.navigation}@odata.bind"] = bound
        else:
            sent[field.column] = value
    return sent


def _value(field: FieldBinding, row: dict[str, Any]) -> Any:
    try:
        return field.converter.load(row[field.column])
    except (KeyError, NotDecodable):
        raise Malformed from None


def _onward(asked: Asked, row: dict[str, Any], navigation: str) -> Found | None:
    if navigation not in row:
        raise Malformed
    inner = row[navigation]
    return None if inner is None else found(asked, inner)


def _each(asked: Asked, row: dict[str, Any], navigation: str) -> tuple[Found, ...]:
    inner = row.get(navigation)
    # More rows than one answer holds: better none than some.
    if not isinstance(inner, list) or f"{navigation}@odata.nextLink" in row:
        raise Malformed
    return tuple(found(asked, each) for each in inner)
