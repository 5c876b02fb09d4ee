"""The browser session of the hosted pages, sealed in Redis under the hash of the cookie's value.

Not for: access tokens (`grants.py`), or HTTP. A session is made before sign-in (it carries the
CSRF token, the proofs of this visit and the authorize requests that wait); its id changes at
sign-in, and a save after its end doesn't bring it back.
"""

import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from bridge.seal import Keyring, SealBroken
from bridge.store.connection import Redis

MAX_PARKED = 4  # a browser's open tabs that wait for a sign-in; the oldest goes first
AUTHORIZE_PATH = "/oauth/authorize"
SIGN_IN_PATH = "/sign-in"


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
    `data` is the pages' own: JSON values only.
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
        sealed = self._redis.do("GET", key)
        if sealed is None:
            return None
        try:
            plain = json.loads(self._keyring.open("session", key, sealed))
        except SealBroken:
            return None
        return _from_json(cookie, plain)

    def start(self, session: Session) -> None:
        """Keep a session from `new`."""
        self._put(session)

    def save(self, session: Session) -> bool:
        """Keep what changed and begin the idle time anew; False if the session has ended."""
        return self._put(session, "XX") is not None

    def sign_in(self, session: Session, signed_in: SignedIn) -> None:
        """Note who signed in, under a new id and CSRF token; the old id is dead at once. The
        cookie must be set anew. Grants of somebody else's earlier sign-in are forgotten."""
        old = session.id
        session.id, session.csrf = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        if session.signed_in is None or session.signed_in.member_id != signed_in.member_id:
            session.grants = []
        session.signed_in = signed_in
        self._put(session)
        self._redis.do("DEL", _key(old))

    def end(self, session: Session) -> None:
        """Forget it."""
        self._redis.do("DEL", _key(session.id))

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

    def _put(self, session: Session, *condition: str) -> Any:
        key = _key(session.id)
        plain = asdict(session)
        plain.pop("id")
        sealed = self._keyring.seal("session", key, json.dumps(plain).encode())
        return self._redis.do("SET", key, sealed, *condition, "EX", self._seconds)


def _key(cookie: str) -> str:
    return f"sess:{hashlib.sha256(cookie.encode()).hexdigest()}"


def _from_json(id_: str, plain: dict[str, Any]) -> Session:
    who = plain.pop("signed_in")
    if who is not None:
        who = SignedIn(**{**who, "amr": tuple(who["amr"])})
    parked = {handle: Parked(**kept) for handle, kept in plain.pop("parked").items()}
    return Session(id_, signed_in=who, parked=parked, **plain)
