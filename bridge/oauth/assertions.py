"""Client authentication by a signed assertion: `private_key_jwt` (RFC 7523 section 2.2, OpenID
Connect Core section 9), with joserfc.

Not for: the other ways (`clients.py`). Narrower than RFC 7523, after its revision (rfc7523bis): the
audience is our issuer alone, as one string, so that an assertion made for another server is worth
nothing here; it lives an hour at most, and its `jti` is good once.
"""

import json
from collections.abc import Callable
from typing import Any, Protocol

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import extract_compact

from bridge.services.client_keys import ALGORITHMS
from bridge.services.clients import Client, Clients
from bridge.store.assertions import UsedAssertions

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
LONGEST_SECONDS, LEEWAY = 3600, 30
"""An hour, which Authlib's client takes; others take a minute."""


class Needs(Protocol):
    """What a check works with."""

    @property
    def settings(self) -> Any: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def used_assertions(self) -> UsedAssertions: ...
    @property
    def clock(self) -> Callable[[], float]: ...


def signer(parts: Needs, assertion: str) -> Client | None:
    """The client that signed it; None for every reason not to be believed. Raises StoreDown."""
    client = parts.clients.get(_claimed(assertion))
    if client is None or not client.jwks:
        return None
    keys = KeySet.import_key_set({"keys": list(client.jwks)})
    try:
        token = jwt.decode(assertion, keys, algorithms=list(ALGORITHMS))
    except (JoseError, ValueError, TypeError):
        return None
    claims = token.claims
    if not _holds(claims, client.client_id, parts.settings.issuer, parts.clock()):
        return None
    return client if parts.used_assertions.first(client.client_id, claims["jti"]) else None


def _claimed(assertion: str) -> str | None:
    """Who it says that it is from: enough to find the keys, and nothing else."""
    try:
        claims = json.loads(extract_compact(assertion.encode()).payload)
    except (JoseError, ValueError, RecursionError):
        return None
    issuer = claims.get("iss") if isinstance(claims, dict) else None
    return issuer if isinstance(issuer, str) else None


def _holds(claims: Any, client_id: str, issuer: str, now: float) -> bool:
    times = [claims.get("exp"), claims.get("nbf", 0), claims.get("iat", 0)]
    if not all(isinstance(at, int | float) and not isinstance(at, bool) for at in times):
        return False
    ends, begins, issued = times
    named = claims.get("iss") == claims.get("sub") == client_id and claims.get("aud") == issuer
    jti = claims.get("jti")
    return bool(
        named
        and now - LEEWAY < ends <= now + LONGEST_SECONDS + LEEWAY
        and max(begins, issued) <= now + LEEWAY
        and isinstance(jti, str)
        and 16 <= len(jti) <= 255
    )
