"""V8's resources <-> canonical values. Not for: single types (`mappings.converters`).

On V8's wire everything is text: "" is empty, "1" is yes, a datetime goes out as `YYYY-MM-DD
HH:MM:SS` in UTC (ISO 8601 is stored as NULL, with 201) and comes back as ISO, and text comes back
with four characters as HTML entities (`to_html` in include/utils/db_utils.php).
"""

import re
from decimal import Decimal
from typing import Any

from adapters.asked import uuid_of
from adapters.errors import Invalid, Malformed
from adapters.stepwise import Row
from mappings.binding import FieldBinding
from mappings.converters import Bool, InvertedBool, Moment

_ENTITIES = (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&#039;", "'"))
# What SuiteCRM changes on the way in: entities are decoded, scripts cut out.
_NOT_KEPT = re.compile(r"&(#[0-9]+|#x[0-9a-f]+|\w+);|<script", re.IGNORECASE)
_PLAIN_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\Z")


def row_of(resource: Any) -> Row:
    """{attribute: value} with `id`. Raises Malformed."""
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    if not isinstance(attributes, dict):
        raise Malformed
    try:
        return {**attributes, "id": uuid_of(resource.get("id"))}
    except Invalid:
        raise Malformed from None


def wire(field: FieldBinding, dumped: Any) -> str:
    """What goes out for a value that a converter dumped. Raises Invalid on a text that SuiteCRM
    wouldn't keep as it is."""
    if dumped is None:
        return ""
    if isinstance(dumped, bool):
        return "1" if dumped else "0"
    if isinstance(dumped, int | float):
        return format(Decimal(repr(dumped)), "f")
    text = str(dumped)
    if isinstance(field.converter, Moment):
        return text.replace("T", " ").removesuffix("Z")
    if _NOT_KEPT.search(text):
        raise Invalid("not-kept", fields=(field.name,))
    return text


def same_minute(field: FieldBinding, held: Any, dumped: Any) -> bool:
    """Is it the moment that was sent, as V8 shows a datetime column: to the minute?"""
    if not isinstance(field.converter, Moment) or dumped is None:
        return False
    return bool(held == field.converter.load(dumped).replace(second=0))


def native(field: FieldBinding, raw: Any) -> Any:
    """As the field's converter reads it."""
    if raw is None or raw == "":
        return None
    kind = type(field.converter)  # isinstance of an abstract class is slow
    if kind in (Bool, InvertedBool):
        return {"0": False, "1": True}.get(raw, raw) if isinstance(raw, str) else raw
    if not isinstance(raw, str):
        return raw
    if kind is Moment:
        return f"{raw}+00:00" if _PLAIN_MOMENT.match(raw) else raw
    if "&" not in raw:
        return raw
    for encoded, plain in _ENTITIES:
        raw = raw.replace(encoded, plain)
    return raw
