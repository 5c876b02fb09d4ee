"""JSON as it is answered: by orjson, for Flask and for ourselves. Not for: reading request bodies
(`bridge/api/body.py` is stricter)."""

from decimal import Decimal
from typing import Any

import orjson
from flask.json.provider import JSONProvider


def plain(body: Any) -> bytes:
    """UTF-8. What JSON has no type for: amounts go as text, so that no client rounds them."""
    return orjson.dumps(body, _amount)


def _amount(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{value:f}"
    raise TypeError


class OrjsonProvider(JSONProvider):
    """UTF-8 as it stands, keys in the order given, dates as ISO 8601."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """`kwargs` of the standard library's `json` are ignored."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises ValueError."""
        return orjson.loads(s)
