"""The browser session of the hosted pages, sealed in Redis under the hash of the cookie's value.

Not for: access tokens (`grants.py`), or HTTP. A session is made before sign-in (it carries the
CSRF token, the proofs of this visit and the authorize requests that wait); its id changes at
sign-in and at sign-out, and a save after its end doesn't bring it back. A browser asks for several
things at once, and whoever saves last wins; so what must not be lost, the grants that were given
to this browser, stands beside the sealed record as fields of its own.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.seal import Keyring, SealBroken
from bridge.store.connection import Redis

MAX_PARKED = 4  # a browser's open tabs that wait for a sign-in; the oldest goes first
MAX_GRANTS = 100  # noted for one browser; the oldest goes first
AUTHORIZE_PATH = "/oauth/authorize"
SIGN_IN_PATH = "/sign-in"

_SAVE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'rec', ARGV[1])
return redis.call('EXPIRE', KEYS[1], ARGV[2])
"""

_START = """
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then
  redis.call('RENAME', KEYS[2], KEYS[1])
else
  redis.call('DEL', KEYS[2])
end
redis.call('HSET', KEYS[1], 'rec', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""
"""KEYS the session, the one whose place it takes. ARGV record, seconds, 1: with its grants."""

_NOTE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'g:' .. ARGV[1], redis.call('TIME')[1])
if redis.call('HLEN', KEYS[1]) - 1 > tonumber(ARGV[2]) then
  local all, oldest, since = redis.call('HGETALL', KEYS[1]), nil, nil
  for i = 1, #all, 2 do
    local at = tonumber(all[i + 1])
    if all[i] ~= 'rec' and (not since or at < since) then oldest, since = all[i], at end
  end
  redis.call('HDEL', KEYS[1], oldest)
end
return 1
"""

_END = """
local names = redis.call('HKEYS', KEYS[1])
redis.call('DEL', KEYS[1])
return names
"""


@dataclass(frozen=True)
class SignedIn:
    """Who signed in and how. `subject`: the canonical `member.subject`; `stamp`: digest of the
    security stamp; `epoch`: the member's count of sign-outs everywhere; times in epoch seconds."""

    member_id: str = field(repr=False)
    subject: str = field(repr=False)
    auth_time: int
    amr: tuple[str, ...]
    acr: str
    stamp: str = field(default="", repr=False)
    epoch: int = 0


@dataclass(frozen=True)
class Parked:
    """An authorize request that waits for the sign-in. `parameters` as the client sent them."""

    parameters: Mapping[str, str] = field(repr=False)
    at: int


@dataclass
class Session:
    """One browser's visit. Change it, then `Sessions.save` it.

    `binding` names the visit for proofs (`proofs.py`) and outlives the change of id at sign-in.
    `data` is the pages' own: JSON values only. `grants` is as it was when the session was loaded:
    `Sessions.note_grant` adds to it, and `Sessions.end` tells it as it is then.
    """

    id: str = field(repr=False)
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    binding: str = field(default_factory=lambda: "session:" + secrets.token_urlsafe(16))
    signed_in: SignedIn | None = None
    grants: list[str] = field(default_factory=list)
    parked: dict[str, Parked] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict, repr=False)

    def park(self, parameters: Mapping[str, str], now: float) -> str:
        """Keep an authorize request; gives the handle that names it in this session's URLs."""
        handle = secrets.token_urlsafe(8)
        while len(self.parked) >= MAX_PARKED:
            self.parked.pop(next(iter(self.parked)))
        self.parked[handle] = Parked(dict(parameters), int(now))
        return handle

    def csrf_holds(self, token: str | None) -> bool:
        """True for this session's own token; constant time."""
        return hmac.compare_digest(self.csrf.encode(), (token or "").encode())


def continue_url(handle: str) -> str:
    """Where the browser goes on with a parked authorize request after sign-in, from the issuer's
    root. Nothing of the request is in it."""
    return f"{AUTHORIZE_PATH}?continue={handle}"


def sign_in_url(handle: str) -> str:
    """Where the browser signs in for a parked authorize request, from the issuer's root."""
    return f"{SIGN_IN_PATH}?continue={handle}"


class Sessions:
    """All browser sessions. Every method may raise StoreDown."""

    def __init__(
        self,
        redis: Redis,
        keyring: Keyring,
        seconds: int = 1800,
        *,
        secure: bool = True,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`seconds`: idle life. `secure`: `__Host-` cookie; off only on plain-http loopback."""
        self._redis, self._keyring, self._seconds, self._clock = redis, keyring, seconds, clock
        self._save, self._start = redis.script(_SAVE), redis.script(_START)
        self._note, self._end = redis.script(_NOTE), redis.script(_END)
        self.cookie_name = "__Host-as" if secure else "as"
        self._secure = secure

    def new(self) -> Session:
        """A session that isn't kept until it is saved."""
        return Session(secrets.token_urlsafe(32))

    def load(self, cookie: str | None) -> Session | None:
        """The session of a cookie's value, or None."""
        if not cookie:
            return None
        key = _key(cookie)
        fields: dict[str, str] = self._redis.do("HGETALL", key)
        if "rec" not in fields:
            return None
        try:
            plain = json.loads(self._keyring.open("session", key, fields["rec"]))
        except SealBroken:
            return None
        return _from_json(cookie, plain, _grants(fields))

    def start(self, session: Session) -> None:
        """Keep a session from `new`."""
        self._begin(session, session.id, with_grants=True)

    def save(self, session: Session) -> bool:
        """Keep what changed and begin the idle time anew; False if the session has ended."""
        key = _key(session.id)
        return bool(self._save([key], [self._sealed(key, session), self._seconds]))

    def note_grant(self, session: Session, grant_id: str) -> bool:
        """What is given to this browser, so that signing out ends it; False if it has signed out
        meanwhile."""
        session.grants.append(grant_id)
        return bool(self._note([_key(session.id)], [grant_id, MAX_GRANTS]))

    def sign_in(self, session: Session, signed_in: SignedIn) -> None:
        """Note who signed in, under a new id and CSRF token; the old id is dead at once. The
        cookie must be set anew. Grants of somebody else's earlier sign-in are forgotten."""
        before, old = session.signed_in, session.id
        _renew(session)
        same = before is None or before.member_id == signed_in.member_id
        if not same:
            session.grants = []
        session.signed_in = signed_in
        self._begin(session, old, with_grants=same)

    def sign_out(self, session: Session) -> list[str]:
        """Nobody is signed in: a new id and CSRF token, to be kept by `start`; the old id is dead
        at once, so that no request under way brings the sign-in back. Gives the grants to end."""
        grants = self.end(session)
        _renew(session)
        session.signed_in, session.grants, session.parked = None, [], {}
        return grants

    def end(self, session: Session) -> list[str]:
        """Forget it. Gives the grants that it had."""
        return _grants(self._end([_key(session.id)], []))

    def cookie(self, session: Session) -> dict[str, Any]:
        """Arguments for Flask's `Response.set_cookie`. `Lax`, since the browser comes from a
        client's site; no Domain, path `/` (RFC 6265bis `__Host-`)."""
        return {
            "key": self.cookie_name,
            "value": session.id,
            "path": "/",
            "secure": self._secure,
            "httponly": True,
            "samesite": "Lax",
        }

    def _begin(self, session: Session, old: str, *, with_grants: bool) -> None:
        key = _key(session.id)
        sealed = self._sealed(key, session)
        self._start([key, _key(old)], [sealed, self._seconds, int(with_grants)])

    def _sealed(self, key: str, session: Session) -> str:
        plain = asdict(session)
        plain.pop("id")
        plain.pop("grants")
        return self._keyring.seal("session", key, json.dumps(plain).encode())


def _renew(session: Session) -> None:
    session.id, session.csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)


def _grants(names: Iterable[str]) -> list[str]:
    return [name[2:] for name in names if name.startswith("g:")]


def _key(cookie: str) -> str:
    return f"sess:{hashlib.sha256(cookie.encode()).hexdigest()}"


def _from_json(id_: str, plain: dict[str, Any], grants: list[str]) -> Session:
    who = plain.pop("signed_in")
    if who is not None:
        who = SignedIn(**{**who, "amr": tuple(who["amr"])})
    parked = {handle: Parked(**kept) for handle, kept in plain.pop("parked").items()}
    return Session(id_, signed_in=who, grants=grants, parked=parked, **plain)
