"""What the BFF keeps for a site in the browser: its session with the tokens, and sign-ins that are
under way. Sealed in Redis under the hash of what the browser holds.

Not for: the hosted pages' session (`sessions.py`), or HTTP. Whoever reads Redis finds no token, and
whoever writes it can neither make a session nor move one. A save after the end brings nothing back.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from bridge.seal import Keyring, SealBroken
from bridge.store.connection import Redis

LOGIN_SECONDS = 600
LOCK_SECONDS = 15
"""Longer than a refresh takes that has to ask the CRM."""

_SAVE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
"""
_RELEASE = """
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0
"""


@dataclass(frozen=True)
class Login:
    """A sign-in under way. `verifier` and `nonce`: of PKCE and OpenID Connect."""

    client_id: str
    return_to: str
    verifier: str = field(repr=False)
    nonce: str = field(repr=False)


@dataclass(frozen=True)
class BffSession:
    """A signed-in site. `good_until`: of the access token, epoch seconds; `claims`: what the site
    may know of the sign-in."""

    client_id: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    good_until: float
    claims: dict[str, Any]

    def renewed(self, access_token: str, refresh_token: str, good_until: float) -> "BffSession":
        """The same with new tokens."""
        return replace(
            self, access_token=access_token, refresh_token=refresh_token, good_until=good_until
        )


class BffSessions:
    """All of them. Every method may raise StoreDown."""

    def __init__(
        self,
        redis: Redis,
        keyring: Keyring,
        seconds: int = 28_800,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`seconds`: idle life of a session."""
        self._redis, self._keyring, self._seconds, self.clock = redis, keyring, seconds, clock
        self._save, self._release = redis.script(_SAVE), redis.script(_RELEASE)

    # -- a sign-in under way ---------------------------------------------------------------------

    def begin_login(self, login: Login, browser: str) -> str:
        """Keep `login` for the browser that holds the secret `browser`; gives its `state`."""
        state = secrets.token_urlsafe(32)
        key = _key("bffl", state)
        plain = {**vars(login), "browser": _digest(browser)}
        self._redis.do("SET", key, self._seal(key, plain), "EX", LOGIN_SECONDS)
        return state

    def take_login(self, state: str, browser: str) -> Login | None:
        """What `state` stands for, once, and only in the browser that began it: a state that is
        merely known to the server would let one person's sign-in end in another's browser
        (CVE-2025-68158; RFC 9700 section 4.7)."""
        key = _key("bffl", state)
        plain = self._opened(key, self._redis.do("GETDEL", key))
        if plain is None or not hmac.compare_digest(plain.pop("browser"), _digest(browser)):
            return None
        return Login(**plain)

    # -- a session -------------------------------------------------------------------------------

    def start(self, session: BffSession) -> str:
        """Keep it under a new id, which it gives: the cookie's value."""
        id_ = secrets.token_urlsafe(32)
        key = _key("bffs", id_)
        self._redis.do("SET", key, self._seal(key, vars(session)), "EX", self._seconds)
        return id_

    def load(self, id_: str) -> BffSession | None:
        """The session of a cookie's value; its idle time begins anew."""
        key = _key("bffs", id_)
        plain = self._opened(key, self._redis.do("GETEX", key, "EX", self._seconds))
        return BffSession(**plain) if plain else None

    def save(self, id_: str, session: BffSession) -> bool:
        """Keep new tokens; False if the session has ended meanwhile."""
        key = _key("bffs", id_)
        return bool(self._save([key], [self._seal(key, vars(session)), self._seconds]))

    def end(self, id_: str) -> None:
        """Forget it."""
        self._redis.do("DEL", _key("bffs", id_))

    def lock(self, id_: str) -> str | None:
        """The right to refresh this session's tokens, for LOCK_SECONDS; None while another has
        it."""
        mark = secrets.token_hex(8)
        taken = self._redis.do("SET", self._lock(id_), mark, "NX", "EX", LOCK_SECONDS)
        return mark if taken else None

    def unlock(self, id_: str, mark: str) -> None:
        """Give the right back, if it is still this one."""
        self._release([self._lock(id_)], [mark])

    # -- inside ----------------------------------------------------------------------------------

    def _lock(self, id_: str) -> str:
        return "lock:" + _key("bffs", id_)

    def _seal(self, key: str, plain: dict[str, Any]) -> str:
        return self._keyring.seal("bff", key, json.dumps(plain).encode())

    def _opened(self, key: str, sealed: str | None) -> dict[str, Any] | None:
        if sealed is None:
            return None
        try:
            plain: dict[str, Any] = json.loads(self._keyring.open("bff", key, sealed))
        except SealBroken:
            return None
        return plain


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _key(prefix: str, secret: str) -> str:
    return f"{prefix}:{_digest(secret)}"
