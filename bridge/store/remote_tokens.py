"""Tokens that the CRM or WeChat gave us: sealed, shared by all processes of one role.

Not for: tokens that we give (`grants.py`). A token here decides nothing about a caller, so trouble
with Redis costs a call to the remote and is not passed on.
"""

import json
import secrets
import time
from collections.abc import Callable

from bridge.seal import Keyring, Pseudonyms, SealBroken
from bridge.store.connection import Redis, StoreDown

_POLL = 0.05
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


class RemoteTokens:
    """See `adapters.base.TokenCache`. `prefix`: of this role's keys, such as `crm:web:`."""

    def __init__(
        self,
        redis: Redis,
        keyring: Keyring,
        names: Pseudonyms,
        prefix: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`keyring` is the role's own, so that one role can't open the other's token."""
        self._redis, self._keyring, self._names = redis, keyring, names
        self._prefix, self._clock = prefix, clock
        self._release = redis.script(_RELEASE)

    def get(self, name: str) -> tuple[str, float] | None:
        """(token, seconds it is still good for), or None."""
        key = self._key(name)
        try:
            kept = self._redis.do("GET", key)
            record = json.loads(self._keyring.open("remote-token", key, kept)) if kept else None
        except (StoreDown, SealBroken):
            return None
        seconds = record["until"] - self._clock() if record else 0.0
        return (record["token"], seconds) if record and seconds > 0 else None

    def put(self, name: str, token: str, seconds: float) -> None:
        """Keep `token` for `seconds`."""
        key, life = self._key(name), max(1, int(seconds))
        plain = json.dumps({"token": token, "until": self._clock() + seconds}).encode()
        try:
            self._redis.do("SET", key, self._keyring.seal("remote-token", key, plain), "EX", life)
        except StoreDown:
            return

    def single_flight(self, name: str, seconds: float) -> "Flight":
        """A lock that one process of all holds for at most `seconds`."""
        return Flight(self._redis, self._release, f"lock:{self._key(name)}", seconds)

    def _key(self, name: str) -> str:
        return self._prefix + self._names.of("remote-token", name)


class Flight:
    """Enter gives True to the one that fetches; the others wait until it is done, and get False."""

    def __init__(
        self, redis: Redis, release: Callable[..., object], key: str, seconds: float
    ) -> None:
        self._redis, self._release, self._key, self._seconds = redis, release, key, seconds
        self._mark = secrets.token_hex(8)
        self._mine = False

    def __enter__(self) -> bool:
        try:
            life = int(self._seconds * 1000)
            taken = self._redis.do("SET", self._key, self._mark, "NX", "PX", life)
            self._mine = taken is not None
            return self._mine or self._wait()
        except StoreDown:
            return True  # without Redis everyone fetches for itself

    def _wait(self) -> bool:
        until = time.monotonic() + self._seconds
        while time.monotonic() < until:
            time.sleep(_POLL)
            if self._redis.do("GET", self._key) is None:
                return False
        return True  # whoever held it is gone

    def __exit__(self, *exc: object) -> None:
        if self._mine:
            try:
                self._release([self._key], [self._mark])
            except StoreDown:
                return
