"""Sugar's records <-> canonical values. Not for: single types (`mappings.converters`).

On Sugar's wire "" is empty (a null is passed over: `SugarBeanApiHelper::populateFromApi` takes only
what `isset`), a datetime has the zone of the API user, a yes may be true, 1 or "1", an e-mail is an
array of addresses and a multi-select an array of texts.
"""

from decimal import Decimal
from typing import Any

from adapters.asked import uuid_of
from adapters.errors import BadMapping, Invalid, Malformed
from adapters.stepwise import Row
from mappings.binding import FieldBinding
from mappings.converters import Bool, Emails, InvertedBool, Moment, TextArray

ID, SYNC_KEY = "id", "sync_key"
OWN = "/own"
"""Where a row keeps Sugar's own id; no column is called so."""
# By type: this runs for each column of each read, and isinstance of an abstract class is slow.
_YES_OR_NO = (Bool, InvertedBool)
_BOOLS = {"0": False, "1": True, "false": False, "true": True, 0: False, 1: True}


def row_of(record: Any, ids: str, columns: list[str]) -> Row:
    """{column: as it came} with both ids. Raises Malformed; BadMapping where a column is missing:
    Sugar says nothing of names that it doesn't know."""
    if not isinstance(record, dict) or not isinstance(record.get(ID), str):
        raise Malformed
    if not record.keys() >= set(columns):
        raise BadMapping("no-column")
    own = record[ID]
    try:
        return {**record, OWN: own, ID: canonical(own, record.get(SYNC_KEY), ids)}
    except Invalid:
        raise Malformed from None


def canonical(own: str, sync_key: Any, ids: str) -> str:
    """The id that the bridge knows a record by. Raises Invalid on what is no UUID."""
    if ids == "sync_key" and isinstance(sync_key, str):
        try:
            return uuid_of(sync_key)
        except Invalid:
            pass  # another integration's key
    return uuid_of(own)


def wire(field: FieldBinding, dumped: Any, before: Any = None) -> Any:
    """What goes out for a value that a converter dumped; `before`: what the column held, of which
    an array of addresses keeps the others."""
    if isinstance(field.converter, Emails):
        return field.converter.onto(before, dumped)
    if dumped is None:
        return [] if isinstance(field.converter, TextArray) else ""
    if isinstance(dumped, int | float) and not isinstance(dumped, bool):
        return format(Decimal(repr(dumped)), "f")
    if isinstance(field.converter, Moment):
        return str(dumped).replace("Z", "+00:00")
    return dumped


def native(field: FieldBinding, raw: Any) -> Any:
    """As the field's converter reads it."""
    if raw is None or raw == "" or raw == []:
        return None
    if type(field.converter) in _YES_OR_NO and isinstance(raw, str | int):
        return _BOOLS.get(raw, raw)
    return raw
