"""What a code, a grant and its tokens say: who may do what, for whom. Not for: where any of it is
kept (`grants.py`)."""

import json
import secrets
import zlib
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Authorization:
    """Who may do what, for whom: what a code, a grant and its tokens carry, sealed.

    `member_id` is the CRM's id, `subject` the pairwise one for this client's sector; both None
    where the client acts for itself. `stamp` is the digest of the member's security stamp, `epoch`
    the member's count of sign-outs everywhere, both as they were at sign-in.
    """

    client_id: str
    scope: frozenset[str]
    audience: tuple[str, ...]
    member_id: str | None = field(default=None, repr=False)
    subject: str | None = field(default=None, repr=False)
    auth_time: int = 0
    amr: tuple[str, ...] = ()
    acr: str = ""
    stamp: str = field(default="", repr=False)
    epoch: int = 0


@dataclass(frozen=True)
class Code:
    """An authorization that waits for its client. `challenge`: S256 (RFC 7636). `grant_id`: of the
    grant that it will give, known beforehand so that the browser's session can end it. `device`:
    coarsely, what the browser runs on (`services/agents.py`)."""

    authorization: Authorization
    redirect_uri: str
    challenge: str
    nonce: str = ""
    device: str = ""
    grant_id: str = field(default_factory=lambda: secrets.token_urlsafe(16))


@dataclass(frozen=True)
class Grant:
    """A live grant as a presented refresh token names it. `checked_at`: when the CRM was last
    asked about the member, epoch seconds."""

    id: str
    generation: int
    authorization: Authorization
    ends_at: int
    checked_at: int


@dataclass(frozen=True)
class Live:
    """A grant of the member's as they may see it: which client, since when, used when, on what.
    Epoch seconds. Nothing of it is sealed."""

    id: str
    client_id: str
    since: int
    used: int
    device: str


@dataclass(frozen=True)
class Ended:
    """A grant that ended just now. `subject`: the pairwise one."""

    id: str
    client_id: str
    subject: str | None = field(repr=False)


@dataclass(frozen=True)
class Issued:
    """New tokens. `expires_in` is in seconds."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)
    expires_in: int
    scope: frozenset[str]
    grant_id: str


@dataclass(frozen=True)
class Caller:
    """Who calls, by a good access token. `grant_id` is "" and the member's fields None for a
    client of its own. Times are epoch seconds."""

    client_id: str
    grant_id: str
    member_id: str | None = field(repr=False)
    scope: frozenset[str]
    audience: tuple[str, ...]
    auth_time: int
    amr: tuple[str, ...]
    acr: str
    stamp: str = field(repr=False)
    subject: str | None = field(repr=False)
    issued_at: int
    expires_at: int


def to_json(authorization: Authorization) -> dict[str, Any]:
    """As it is sealed."""
    return {**vars(authorization), "scope": sorted(authorization.scope)}


def from_json(plain: dict[str, Any]) -> Authorization:
    """The reverse of `to_json`."""
    lists = {"scope": frozenset(plain["scope"])}
    tuples = {name: tuple(plain[name]) for name in ("audience", "amr")}
    return Authorization(**{**plain, **lists, **tuples})


_WORDS = (
    b'"aal1","https://["otp","sms"],["fed"],["pwd"],openid profile account:read account:write '
    b"consents:read consents:write member:erase member:export member:read member:write"
)
"""What most records have in them. A part of the format: after a change kept sessions can't be read.
"""
_ORDER = tuple(Authorization.__dataclass_fields__)


def pack(authorization: Authorization) -> bytes:
    """Small, for what rests as long as a session: values without names, deflated (RFC 1951)."""
    plain = to_json(authorization) | {"scope": " ".join(sorted(authorization.scope))}
    text = json.dumps([plain[name] for name in _ORDER], separators=(",", ":"))
    deflate = zlib.compressobj(9, wbits=-15, zdict=_WORDS)
    return deflate.compress(text.encode()) + deflate.flush()


def unpack(packed: bytes) -> Authorization:
    """The reverse of `pack`, which alone may have made it: it was sealed."""
    inflate = zlib.decompressobj(wbits=-15, zdict=_WORDS)
    values = json.loads(inflate.decompress(packed) + inflate.flush())
    plain = dict(zip(_ORDER, values, strict=True))
    return from_json(plain | {"scope": plain["scope"].split()})
