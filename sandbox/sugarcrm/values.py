"""How a value is kept and shown. Not for: e-mail addresses (`emails.py`), whose record it is.

Kept: texts and days as texts, flags as bools, instants as whole seconds since 1970, numbers as
Decimal, choices as lists; None was never set. Shown: instants in the zone of the API's user.
"""

import base64
import datetime
import hashlib
import re
import unicodedata
from decimal import Decimal, InvalidOperation
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.sugarcrm.errors import SugarError, not_played

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_FLAGS = {"1": True, "0": False, "true": True, "false": False, "": False}
TEXTS = ("varchar", "name", "text", "phone", "enum", "url", "id", "password", "fullname", "relate")


def kept(kind: str, sent: Any, *, longest: int | None = None, cut: bool = False) -> Any:
    """What the database holds of a sent value; "" empties. Raises SugarError."""
    if sent == "" and kind != "bool":
        return "" if kind in TEXTS else None
    if kind == "bool":
        return _flag(sent)
    if kind == "date":
        return _day(sent)
    if kind == "datetime":
        return instant(sent)
    if kind in ("decimal", "int"):
        return _number(kind, sent)
    if kind == "multienum":
        return _choices(sent)
    return _text(sent, longest, cut=cut)


def shown(kind: str, held: Any, zone: ZoneInfo, *, empty_text: str | None = "") -> Any:
    """What an answer shows of a kept value."""
    if held is None:
        return empty_text if kind in TEXTS else [] if kind == "multienum" else None
    if kind == "datetime":
        return datetime.datetime.fromtimestamp(held, zone).isoformat()
    if kind == "int":
        return int(held)
    if kind == "decimal":
        return float(held)
    return held


def instant(sent: Any) -> int:
    """Seconds since 1970 of an ISO 8601 moment with its zone."""
    try:
        moment = datetime.datetime.fromisoformat(sent)
    except (TypeError, ValueError):
        raise SugarError("invalid_parameter") from None
    if moment.tzinfo is None:
        raise not_played("a moment without its zone")
    return int(moment.timestamp())


def collated(text: str) -> str:
    """As MySQL compares: without case, accents and spaces at the end."""
    split = unicodedata.normalize("NFD", text.rstrip(" ").casefold())
    return "".join(each for each in split if not unicodedata.combining(each))


def hashed(password: str, salt: str) -> str:
    """A portal password as the column holds it; it looks like bcrypt and isn't."""
    digest = hashlib.sha512(f"{salt}{password}".encode()).digest()
    return f"$2y$10${salt}{base64.b64encode(digest)[: 53 - len(salt)].decode()}"


def _flag(sent: Any) -> bool:
    if isinstance(sent, bool):
        return sent
    if str(sent).lower() not in _FLAGS:
        raise not_played("a flag that is neither true nor false")
    return _FLAGS[str(sent).lower()]


def _day(sent: Any) -> str:
    """A client of the vendor's sends whole moments for days; the day is what is kept."""
    match = _DAY.match(str(sent))
    try:
        return datetime.date.fromisoformat(match[0]).isoformat() if match else _no_day()
    except ValueError:
        return _no_day()


def _no_day() -> str:
    raise SugarError("invalid_parameter")


def _number(kind: str, sent: Any) -> Decimal:
    try:
        number = Decimal(str(sent))
    except InvalidOperation:
        raise SugarError("invalid_parameter") from None
    if isinstance(sent, bool) or not number.is_finite():
        raise SugarError("invalid_parameter")
    return number.to_integral_value() if kind == "int" else number


def _choices(sent: Any) -> list[str]:
    """An array, or the database's own `^a^,^b^`."""
    if isinstance(sent, str):
        sent = sent.strip("^").split("^,^")
    if not isinstance(sent, list) or not all(isinstance(each, str) for each in sent):
        raise SugarError("invalid_parameter")
    return sent


def _text(sent: Any, longest: int | None, *, cut: bool) -> str:
    if isinstance(sent, bool | list | dict) or sent is None:
        raise not_played("a text that is neither text nor number")
    text = str(sent)
    if longest is None or len(text) <= longest:
        return text
    if not cut:
        raise SugarError("invalid_parameter")
    return text[:longest]
