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
from mappings.binding import FieldBinding
from mappings.converters import Bool, InvertedBool, Moment, NotDecodable

MODIFIED = "date_modified"
_ENTITIES = (("&quot;", '"'), ("&lt;", "<"), ("&gt;", ">"), ("&#039;", "'"))
# What SuiteCRM changes on the way in: entities are decoded, scripts cut out.
_NOT_KEPT = re.compile(r"&(#[0-9]+|#x[0-9a-f]+|\w+);|<script", re.IGNORECASE)
_PLAIN_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\Z")
Row = dict[str, Any]


def row_of(resource: Any) -> Row:
    """{attribute: value} with `id`. Raises Malformed."""
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    if not isinstance(attributes, dict):
        raise Malformed
    try:
        return {**attributes, "id": uuid_of(resource.get("id"))}
    except Invalid:
        raise Malformed from None


def value(field: FieldBinding, row: Row) -> Any:
    """The canonical value of a field. Raises Malformed where it isn't there or isn't one."""
    try:
        return field.converter.load(_native(field, row[field.column]))
    except (KeyError, NotDecodable):
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


def same(field: FieldBinding, held: Any, dumped: Any) -> bool:
    """Is what the CRM holds (canonical) what was sent? V8 shows a datetime column to the minute."""
    # Of JSON's numbers, as of all others, none passes through a float on the way in.
    exact = Decimal(repr(dumped)) if isinstance(dumped, float) else dumped
    wanted = field.converter.load(exact)
    if isinstance(field.converter, Moment) and wanted is not None and held is not None:
        return held in (wanted, wanted.replace(second=0))
    return bool(held == wanted)


def version(row: Row, column: str) -> str:
    """The row's version: when it was changed, to the minute, and by which write. A change by staff
    within the minute of the last write doesn't show."""
    moment, token = row.get(MODIFIED), row.get(column, "") if column else ""
    if not isinstance(moment, str) or not isinstance(token, str):
        raise Malformed
    return re.sub(r"[^\x21-\x7e]|\*", "_", f"{moment}~{token}")


def _native(field: FieldBinding, raw: Any) -> Any:
    """As the field's converter reads it."""
    if raw is None or raw == "":
        return None
    if isinstance(field.converter, Bool | InvertedBool):
        return {"0": False, "1": True}.get(raw, raw) if isinstance(raw, str) else raw
    if not isinstance(raw, str):
        return raw
    if isinstance(field.converter, Moment):
        return f"{raw}+00:00" if _PLAIN_MOMENT.match(raw) else raw
    for encoded, plain in _ENTITIES:
        raw = raw.replace(encoded, plain)
    return raw
