"""A remote token that many threads and processes share. Not for: how a CRM issues one.

However many find it missing, used up or refused at once, one of them asks for a new one.
"""

import hashlib
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from adapters.base import TokenCache
from adapters.errors import Malformed, TimedOut
from adapters.http import left

EARLY = 60.0  # seconds before its end at which a token counts as used up
_FLIGHT = 30.0  # the longest that one process may keep the others waiting for a token
_TRIES = 3


@dataclass(frozen=True)
class _Held:
    token: str = field(repr=False)
    until: float


def name_of(crm: str, *who: str) -> str:
    """What a token is called in the cache: one name per CRM and user."""
    return f"{crm}.{hashlib.sha256('|'.join(who).encode()).hexdigest()[:24]}"


def issued(answer: Mapping[str, Any]) -> tuple[str, float]:
    """(token, seconds) of an answer as RFC 6749 section 5.1 has it. Raises Malformed: a token that
    can't stand in a header is none."""
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    readable = isinstance(token, str) and token.isascii() and token.isprintable() and token
    if not readable or type(seconds) not in (int, float):
        raise Malformed
    return str(token), float(seconds or 0)


class KeptToken:
    """One token: held in this process, and in the sealed cache that all processes share.

    `fetch(end)` asks the CRM for a new one: (token, seconds that it is good for).
    """

    def __init__(
        self, name: str, cache: TokenCache, fetch: Callable[[float], tuple[str, float]]
    ) -> None:
        self._name, self._cache, self._fetch = name, cache, fetch
        self._held = _Held("", 0.0)
        self._lock = threading.Lock()

    def get(self, end: float, refused: str = "") -> str:
        """A token that is good for a while and isn't `refused`, which the CRM didn't take. Raises
        TimedOut at `end`, and what `fetch` raises."""
        if token := self._own(refused):
            return token
        if not self._lock.acquire(timeout=left(end, _FLIGHT)):
            raise TimedOut
        try:
            return self._own(refused) or self._renew(end, refused)
        finally:
            self._lock.release()

    def _renew(self, end: float, refused: str) -> str:
        for _ in range(_TRIES):
            if token := self._shared(refused):
                return token
            seconds = max(left(end, _FLIGHT), 0.1)
            with self._cache.single_flight(self._name, seconds) as first:
                if token := self._shared(refused):
                    return token
                if first:
                    token, lasts = self._fetch(end)
                    self._cache.put(self._name, token, lasts)
                    return self._keep(token, lasts)
            # Whoever fetched got none: look again, or fetch, while there is time.
        raise TimedOut

    def _own(self, refused: str) -> str | None:
        held = self._held
        return held.token if held.token != refused and held.until > time.monotonic() else None

    def _shared(self, refused: str) -> str | None:
        found = self._cache.get(self._name)
        if found is None or found[0] == refused or found[1] <= EARLY:
            return None
        return self._keep(*found)

    def _keep(self, token: str, seconds: float) -> str:
        self._held = _Held(token, time.monotonic() + max(seconds - EARLY, 0.0))
        return token
