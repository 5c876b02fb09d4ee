"""How a value is kept and shown. Not for: which record (`store.py`).

Measured: texts come back half HTML-encoded and without scripts; an ISO datetime and an impossible
date are kept as nothing, with 201; datetimes are shown to the minute. That `&amp;` and its like are
decoded when they come in is `from_html` of include/utils/db_utils.php.
"""

import datetime
import html
import re
import unicodedata
from typing import Any

from sandbox.suitecrm.errors import not_played

_SCRIPT = re.compile(r"<script\b.*?</script>", re.IGNORECASE | re.DOTALL)
_SHOWN = (('"', "&quot;"), ("<", "&lt;"), (">", "&gt;"), ("'", "&#039;"))
_SECONDS = "%Y-%m-%d %H:%M:%S"


def kept(kind: str, sent: Any, longest: int | None) -> str:
    """What the database holds of a sent value; "" is nothing."""
    if isinstance(sent, bool):
        sent = "1" if sent else "0"
    if not isinstance(sent, str | int | float):
        raise not_played("an attribute that is neither text nor number")
    text = _SCRIPT.sub("", html.unescape(str(sent)))
    if kind == "datetime":
        return text if _is(text, _SECONDS) else ""
    if kind == "date":
        return text if _is(text, "%Y-%m-%d") else ""
    if kind == "bool" and text not in ("0", "1", ""):
        raise not_played("a flag that is neither 0 nor 1")
    if longest is not None and len(text) > longest:
        raise not_played("a text longer than its column")
    return text


def shown(kind: str, held: Any) -> Any:
    """What an answer shows of a held value."""
    if not isinstance(held, str):
        return held
    if kind == "datetime" and held:
        moment = datetime.datetime.strptime(held, _SECONDS).replace(tzinfo=datetime.UTC)
        return moment.replace(second=0).isoformat()
    for plain, encoded in _SHOWN:
        held = held.replace(plain, encoded)
    return held


def collated(text: str) -> str:
    """As MySQL compares: without case, accents and spaces at the end."""
    split = unicodedata.normalize("NFD", text.rstrip(" ").casefold())
    return "".join(each for each in split if not unicodedata.combining(each))


def moment(seconds: float) -> str:
    """An instant as the database keeps it."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).strftime(_SECONDS)


def _is(text: str, pattern: str) -> bool:
    try:
        return datetime.datetime.strptime(text, pattern).strftime(pattern) == text  # noqa: DTZ007
    except ValueError:
        return False
