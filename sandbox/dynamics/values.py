"""One column's value in its three shapes: as sent, as stored, as shown (and formatted).

Stored: text, int, bool, Decimal, `YYYY-MM-DD`, `YYYY-MM-DDTHH:MM:SSZ`, lower-case id, or
(table, id) for a lookup. Lookups are never sent as values; see `payload.py`.
"""

import datetime
import decimal
import re
import uuid
from typing import Any

import orjson

from sandbox.dynamics import errors
from sandbox.dynamics.schema import Column, Table

OPTION_TYPES = ("choice", "state", "status")
NUMBER_TYPES = ("decimal", "money", "double")
EARLIEST = datetime.date(1753, 1, 1)
GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
EDM = {
    "string": "Edm.String",
    "memo": "Edm.String",
    "bool": "Edm.Boolean",
    "integer": "Edm.Int32",
    "double": "Edm.Double",
    "guid": "Edm.Guid",
    "decimal": "Edm.Decimal",
    "money": "Edm.Decimal",
    "date": "Edm.Date",
    "datetime": "Edm.DateTimeOffset",
    "key": "Edm.Guid",
    "lookup": "Edm.Guid",
    "choice": "Edm.Int32",
    "state": "Edm.Int32",
    "status": "Edm.Int32",
}


def stored(column: Column, table: Table, sent: Any) -> Any:
    """What a JSON value becomes in the row; raises the documented error when it can't."""
    if sent is None and column.type in ("state", "status"):
        raise _cannot_convert(column)
    if sent is None:
        return None
    if column.type in ("string", "memo"):
        return _text(column, table, sent)
    if column.type == "bool":
        return _typed(column, sent, isinstance(sent, bool))
    if column.type in OPTION_TYPES:
        _typed(column, sent, isinstance(sent, int) and not isinstance(sent, bool))
        if sent not in column.options:
            raise errors.not_an_option(column, table)
        return sent
    if column.type == "integer":
        _typed(column, sent, isinstance(sent, int) and not isinstance(sent, bool))
        return int(_number(column, table, sent))
    if column.type in NUMBER_TYPES:
        return _number(column, table, sent)
    _typed(column, sent, isinstance(sent, str))
    try:
        parse = {"date": date_text, "datetime": datetime_text}.get(column.type, guid_text)
        return parse(sent)
    except ValueError:
        raise _cannot_convert(column) from None


def _text(column: Column, table: Table, sent: Any) -> str | None:
    _typed(column, sent, isinstance(sent, str))
    try:
        length = len(sent.encode("utf-16-le")) // 2  # as .NET counts
    except UnicodeEncodeError:
        raise _cannot_convert(column) from None
    if column.maximum is not None and length > column.maximum:
        raise errors.too_long(column, table)
    return sent or None  # Dataverse keeps an empty text as null


def _number(column: Column, table: Table, sent: Any) -> decimal.Decimal:
    _typed(column, sent, isinstance(sent, (int, decimal.Decimal)) and not isinstance(sent, bool))
    number = decimal.Decimal(sent)
    low, high = column.minimum, column.maximum
    if (low is not None and number < low) or (high is not None and number > high):
        raise errors.out_of_range(column, table)
    places = decimal.Decimal(1).scaleb(-column.precision)
    return number.quantize(places, rounding=decimal.ROUND_HALF_UP)


def _typed(column: Column, sent: Any, fits: bool) -> Any:
    if not fits:
        raise _cannot_convert(column)
    return sent


def _cannot_convert(column: Column) -> errors.DataverseError:
    return errors.bad_payload(
        f"Cannot convert a value of '{column.name}' to the expected type '{EDM[column.type]}'."
    )


def date_text(sent: str) -> str:
    """`YYYY-MM-DD`, not before 1753; raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", sent):
        raise ValueError("no date")
    day = datetime.date.fromisoformat(sent)
    if day < EARLIEST:
        raise ValueError("before 1753")
    return day.isoformat()


def datetime_text(sent: str) -> str:
    """UTC with Z and without fractions; no offset means UTC; raises ValueError."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d)?", sent):
        raise ValueError("no date and time")
    moment = datetime.datetime.fromisoformat(re.sub(r"\.\d+", "", sent))
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    moment = moment.astimezone(datetime.UTC)
    if moment.date() < EARLIEST:
        raise ValueError("before 1753")
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def guid_text(sent: str) -> str:
    """A GUID in lower case; raises ValueError."""
    if not GUID.fullmatch(sent):
        raise ValueError("no guid")
    return str(uuid.UUID(sent))


def moment_text(epoch: float) -> str:
    """Epoch seconds as a stored datetime."""
    return datetime.datetime.fromtimestamp(epoch, datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def shown(column: Column, value: Any) -> Any:
    """As it stands in an answer's JSON; decimals keep their scale."""
    if value is None:
        return None
    if column.type == "lookup":
        return value[1]
    if column.type in NUMBER_TYPES:
        return orjson.Fragment(str(value))
    return value


def formatted(column: Column, value: Any) -> str | None:
    """The FormattedValue annotation of an English user in UTC; None where there is none."""
    if value is None or column.type in ("string", "memo", "key", "guid", "lookup"):
        return None
    if column.type in OPTION_TYPES:
        return column.options[value]
    if column.type == "bool":
        return column.options.get(int(value), "Yes" if value else "No")
    if column.type in ("integer", "decimal", "double"):
        return f"{value:,}"
    if column.type == "money":
        return f"¥{value:,.2f}"
    moment = datetime.datetime.fromisoformat(value)
    day = f"{moment.month}/{moment.day}/{moment.year}"
    if column.type == "date":
        return day
    return f"{day} {moment.hour % 12 or 12}:{moment:%M} {'PM' if moment.hour >= 12 else 'AM'}"
