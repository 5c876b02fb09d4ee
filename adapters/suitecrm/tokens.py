"""Access tokens of V8. Not for: the calls they are for.

No refresh token is used: refreshing ends the old access token at once, under the hands of every
process that still uses it. A token is asked for anew, by one process of all.
"""

import hashlib
import json
import threading
import time
from dataclasses import dataclass, field
from typing import Any

from adapters.base import TokenCache
from adapters.errors import BadCredentials, Malformed, Throttled, TimedOut
from adapters.http import Answer, Wire, left
from adapters.suitecrm.errors import pause
from adapters.suitecrm.options import Options

EARLY = 60.0  # seconds before its end at which a token counts as used up
_FLIGHT = 30.0  # the longest that one process may keep the others waiting for a token
_TRIES = 3


@dataclass(frozen=True)
class _Held:
    token: str = field(repr=False)
    until: float


class Tokens:
    """The token of one CRM user. Safe to use from many threads."""

    def __init__(self, options: Options, cache: TokenCache, wire: Wire) -> None:
        self._url = f"{options.url}/Api/access_token"
        grant = "password" if "username" in options.credential else "client_credentials"
        self._sent = json.dumps({"grant_type": grant, **options.credential}).encode()
        self._cache, self._wire = cache, wire
        self._held = _Held("", 0.0)
        self._lock = threading.Lock()
        who = (options.url, options.credential["client_id"], options.credential.get("username", ""))
        self._name = f"suitecrm.{hashlib.sha256('|'.join(who).encode()).hexdigest()[:24]}"

    def get(self, end: float, refused: str = "") -> str:
        """A token other than `refused`, good for a while. Many that are refused at once make one
        token call between them. Raises BadCredentials or an Unavailable."""
        if token := self._own(refused):
            return token
        if not self._lock.acquire(timeout=left(end, _FLIGHT)):
            raise TimedOut
        try:
            for _ in range(_TRIES):
                if token := self._own(refused) or self._shared(refused):
                    return token
                seconds = max(left(end, _FLIGHT), 0.1)
                with self._cache.single_flight(self._name, seconds) as first:
                    if token := self._shared(refused):
                        return token
                    if first:
                        return self._fetch(end)
            raise TimedOut
        finally:
            self._lock.release()

    def _own(self, refused: str) -> str | None:
        held = self._held
        good = held.token != refused and held.until > time.monotonic()
        return held.token if good else None

    def _shared(self, refused: str) -> str | None:
        found = self._cache.get(self._name)
        if found is None or found[0] == refused or found[1] <= EARLY:
            return None
        return self._keep(*found)

    def _keep(self, token: str, seconds: float) -> str:
        self._held = _Held(token, time.monotonic() + max(seconds - EARLY, 0.0))
        return token

    def _fetch(self, end: float) -> str:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        token, seconds = _checked(self._wire.exchange("POST", self._url, headers, self._sent, end))
        self._cache.put(self._name, token, seconds)
        return self._keep(token, seconds)


def _checked(answer: Answer) -> tuple[str, float]:
    """(token, seconds). A wrong password, user or client is a 500 whose body repeats what was
    sent; the body is looked at for its shape alone."""
    if answer.status == 429:
        raise Throttled("429", pause(answer.headers))
    try:
        document: Any = json.loads(answer.body)
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(document, dict):
        raise Malformed
    refused = answer.status in (400, 401) and "error" in document
    if refused or (answer.status == 500 and document.get("error") == "unknown_error"):
        raise BadCredentials(str(answer.status))
    token, seconds = document.get("access_token"), document.get("expires_in")
    readable = isinstance(token, str) and token.isascii() and token.isprintable() and token
    if answer.status != 200 or not readable or type(seconds) not in (int, float):
        raise Malformed
    return str(token), float(seconds or 0)
