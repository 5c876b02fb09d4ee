"""A member's sessions ended, here or everywhere, and the clients told that asked for it: OpenID
Connect Back-Channel Logout 1.0.

Not for: who may end them. A logout token goes sealed through the lane `notify` to the worker, which
posts it to the client's registered address; the session is over whether or not that is reached.
"""

import logging
import secrets
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from joserfc import jwt
from joserfc.jwk import ECKey

from bridge import log
from bridge.errors import Problem
from bridge.seal import Pseudonyms
from bridge.services.clients import Client, Clients
from bridge.store import StoreDown
from bridge.store.authorizations import Ended
from bridge.store.grants import Grants
from bridge.writes.mailbox import Mailboxes
from bridge.writes.write import notice

CHANNEL = "logout"
SECONDS = 120
"""Life of a logout token: two minutes at most (section 2.4); not sent later than that."""
_EVENT = "http://schemas.openid.net/event/backchannel-logout"


class Needs(Protocol):
    """The parts that signing out takes."""

    @property
    def grants(self) -> Grants: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def id_token_key(self) -> ECKey: ...
    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def names(self) -> Pseudonyms: ...
    @property
    def settings(self) -> Any: ...
    @property
    def clock(self) -> Callable[[], float]: ...


def everywhere(parts: Needs, member_id: str, stamp: str = "") -> None:
    """Every session, and every sign-in under way. `stamp`: as `Grants.revoke_member`. Raises
    StoreDown."""
    _tell(parts, parts.grants.revoke_member(member_id, stamp))


def here(parts: Needs, grant_id: str) -> None:
    """One session. Raises StoreDown."""
    _tell(parts, parts.grants.revoke_grant(grant_id))


def apart(parts: Needs, member_id: str, grant_id: str) -> bool:
    """One session of the member's, from another; False where there is none. Raises StoreDown."""
    ended = parts.grants.revoke_apart(member_id, grant_id)
    _tell(parts, ended)
    return bool(ended)


def _tell(parts: Needs, ended: Iterable[Ended]) -> None:
    """It goes on its way or it doesn't: the sessions are over."""
    for each in ended:
        client = parts.clients.get(each.client_id)
        if client is None or not client.backchannel_logout_uri:
            continue
        try:
            _send(parts, client, each)
        except (Problem, StoreDown):
            log.event("logout.not_sent", logging.ERROR, client=each.client_id)


def _send(parts: Needs, client: Client, ended: Ended) -> None:
    now, op = parts.clock(), secrets.token_urlsafe(16)
    token = logout_token(parts, ended, int(now))
    to = client.backchannel_logout_uri
    parts.mailboxes.accept(
        notice(op, CHANNEL, to, token, now=now, start_by=now + SECONDS),
        mailbox=parts.mailboxes.notice_mailbox(to),
        owner=parts.names.of("notice.owner", op),
        fingerprint=op,
    )


def logout_token(parts: Needs, ended: Ended, now: int) -> str:
    """Section 2.4: of type `logout+jwt`, with `sid` and `sub`, without a nonce."""
    claims = {
        "iss": parts.settings.issuer,
        "aud": ended.client_id,
        "iat": now,
        "exp": now + SECONDS,
        "jti": secrets.token_urlsafe(16),
        "sid": ended.id,
        "events": {_EVENT: {}},
    }
    if ended.subject:
        claims["sub"] = ended.subject
    header = {"alg": "ES256", "typ": "logout+jwt", "kid": parts.id_token_key.kid or ""}
    return jwt.encode(header, claims, parts.id_token_key, algorithms=["ES256"])
