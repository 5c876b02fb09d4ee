"""What an answer holds, read the same way for every CRM: JSON and pauses. Not for: what a CRM's
own errors mean (`<crm>/errors.py`)."""

import email.utils
import json
import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.errors import Malformed
from adapters.http import Answer

JSON = ("application/json",)
DEFAULT_PAUSE = 5.0
_LONGEST_PAUSE = 3600.0
# Numbers never pass through a float on the way in.
_DECODER = json.JSONDecoder(parse_float=Decimal)


def is_json(answer: Answer, types: tuple[str, ...] = JSON) -> bool:
    """Does it call itself JSON? A proxy's page is as bad as none, whatever it holds."""
    return answer.headers.get("content-type", "").lower().startswith(types)


def decoded(answer: Answer, types: tuple[str, ...] = JSON) -> Any:
    """The JSON in an answer, and nothing behind it. Raises Malformed."""
    try:
        return _DECODER.decode(answer.body.decode()) if is_json(answer, types) else _refuse()
    except (ValueError, RecursionError):
        raise Malformed from None


def document(answer: Answer, types: tuple[str, ...] = JSON) -> dict[str, Any]:
    """The JSON object in an answer. Raises Malformed."""
    found = decoded(answer, types)
    return found if isinstance(found, dict) else _refuse()


def said(answer: Answer) -> dict[str, Any]:
    """The JSON object in a refusal, whatever it calls itself; empty where there is none."""
    try:
        found = json.loads(answer.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def pause(headers: Mapping[str, str]) -> float:
    """Seconds of `Retry-After`, given as a number or a date (RFC 9110 section 10.2.3)."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            moment = email.utils.parsedate_to_datetime(text)
            seconds = moment.timestamp() - time.time()
        except (ValueError, TypeError):
            seconds = DEFAULT_PAUSE
    if not seconds >= 0:  # nan included
        seconds = DEFAULT_PAUSE
    return min(max(seconds, 1.0), _LONGEST_PAUSE)


def _refuse() -> Any:
    raise Malformed
