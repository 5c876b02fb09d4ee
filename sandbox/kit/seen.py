"""The log of requests a part has seen, for tests and the demo. It lives in memory only.

It holds bodies: the sandbox plays the system that owns the data, so it may.
"""

import collections
import json
import threading
import urllib.parse
from collections.abc import Mapping
from typing import Any

KEPT_HEADERS = (
    "traceparent",
    "x-ms-correlation-id",
    "x-ms-client-request-id",
    "prefer",
    "if-match",
    "if-none-match",
    "content-type",
    "content-id",
    "cookie",
    "user-agent",
    "x-request-id",
    "x-timestamp",
)


def parsed(body: bytes, content_type: str) -> Any:
    """JSON as data, a form as a dict, other text as text, nothing as None."""
    if not body:
        return None
    text = body.decode("utf-8", "replace")
    if "x-www-form-urlencoded" in content_type:
        return dict(urllib.parse.parse_qsl(text))
    if "json" in content_type:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


class Seen:
    """The last `size` requests, numbered from 1 on."""

    def __init__(self, size: int = 5000) -> None:
        self._lock = threading.Lock()
        self._entries: collections.deque[dict[str, Any]] = collections.deque(maxlen=size)
        self._count = 0

    def add(
        self,
        *,
        part: str,
        time: float,
        method: str,
        path: str,
        headers: Mapping[str, str],
        body: Any,
        status: int | None,
        user: str | None = None,
        fault: str | None = None,
        in_batch: bool = False,
    ) -> None:
        """Note a request; `status` is None when it was never answered."""
        lowered = {name.lower(): value for name, value in headers.items()}
        with self._lock:
            self._count += 1
            self._entries.append(
                {
                    "n": self._count,
                    "part": part,
                    "time": time,
                    "method": method,
                    "path": path,
                    "headers": {name: lowered[name] for name in KEPT_HEADERS if name in lowered},
                    "user": user,
                    "body": body,
                    "status": status,
                    "fault": fault,
                    "in_batch": in_batch,
                }
            )

    def entries(self, since: int = 0) -> list[dict[str, Any]]:
        """Those numbered higher than `since`, oldest first."""
        with self._lock:
            return [entry for entry in self._entries if entry["n"] > since]

    def clear(self) -> None:
        """Forget them; the numbers go on."""
        with self._lock:
            self._entries.clear()
