"""Flask's JSON by orjson. Not for: reading request bodies (`bridge/api/body.py` is stricter)."""

from typing import Any

import orjson
from flask.json.provider import JSONProvider


class OrjsonProvider(JSONProvider):
    """UTF-8 as it stands, keys in the order given, dates as ISO 8601."""

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        """`kwargs` of the standard library's `json` are ignored."""
        return orjson.dumps(obj).decode()

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises ValueError."""
        return orjson.loads(s)
