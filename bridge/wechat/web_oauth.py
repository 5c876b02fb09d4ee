"""Which WeChat user holds this browser: web OAuth, inside WeChat, silent (`snsapi_base`).

Not for: signing anybody in, or writing. What is proven rests sealed in the browser's session until
a registration or a sign-in in that same session takes it. Source: "Web page authorization".

A link to `/wechat/oauth/return` can be forwarded, replayed or put together by somebody else; so
`state` is of this session, is used once, and nothing is kept unless it matches. A snapshot page's
user (`is_snapshotuser`) is a made-up one and is never kept.
"""

import hmac
import logging
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge import log
from bridge.store.sessions import Session
from bridge.wechat.channel import Channel
from bridge.wechat.errors import WechatError

PROOF = "wechat_oa"
"""In `session.data`: `appid:openid`, the value of a `wechat_oa` identity."""
OUTCOME = "wechat_outcome"
"""In `session.data`: how the last try ended, so that a page doesn't send the browser in circles."""
BACK = "wechat_back"
"""In `session.data`, set by the page before it sends the browser here: its own path."""
STATE = "wechat_state"
RETURN_PATH = "/wechat/oauth/return"
FALLBACK = "/register"


class Outcome(StrEnum):
    """What a page may find under OUTCOME."""

    STARTED = "started"
    PROVEN = "proven"
    REFUSED = "refused"
    SNAPSHOT = "snapshot"
    FAILED = "failed"


@dataclass(frozen=True)
class Return:
    """What WeChat sent the browser back with."""

    state: str
    code: str


def start(channel: Channel, session: Session | None) -> str:
    """Where to send the browser: to WeChat, or, without a session of a page that asked for this,
    to the registration page. Raises StoreDown."""
    if session is None or BACK not in session.data:
        return FALLBACK
    state = secrets.token_hex(16)  # letters and digits only: WeChat takes nothing else
    session.data[STATE] = state
    session.data[OUTCOME] = Outcome.STARTED
    channel.sessions.save(session)
    return channel.gateway.authorize_url(channel.issuer + RETURN_PATH, state)


def come_back(channel: Channel, session: Session | None, given: Return) -> str:
    """The path to go on at. A state that isn't this session's changes nothing. Raises StoreDown."""
    if session is None:
        log.event("wechat.oauth", logging.WARNING, outcome="no-session")
        return FALLBACK
    expected = session.data.get(STATE, "")
    if not expected or not hmac.compare_digest(expected.encode(), given.state.encode()):
        log.event("wechat.oauth", logging.WARNING, outcome="state-mismatch")
        return _back(session)
    if channel.seen.first("used", "web-oauth-state", given.state) is not None:
        log.event("wechat.oauth", logging.WARNING, outcome="repeated")
        return _back(session)
    outcome, proof = _asked(channel, given.code)
    _keep(channel, session, outcome, proof)
    log.event("wechat.oauth", outcome=str(outcome))
    return _back(session)


def _asked(channel: Channel, code: str) -> tuple[Outcome, str | None]:
    if not code:  # the user pressed "refuse"
        return Outcome.REFUSED, None
    try:
        user = channel.gateway.exchange(code)
    except WechatError as error:
        log.event("wechat.oauth-error", logging.WARNING, code=str(error.errcode))
        return Outcome.FAILED, None
    if user.snapshot:
        return Outcome.SNAPSHOT, None
    return Outcome.PROVEN, f"{channel.account.appid}:{user.openid}"


def _keep(channel: Channel, session: Session, outcome: Outcome, proof: str | None) -> None:
    """Into the session as it is now, after the time that WeChat took. An earlier proof stays."""
    current = channel.sessions.load(session.id)
    if current is None:
        return
    current.data.pop(STATE, None)
    current.data[OUTCOME] = outcome
    if proof is not None:
        current.data[PROOF] = proof
    channel.sessions.save(current)


def _back(session: Session) -> str:
    path: Any = session.data.get(BACK)
    return path if isinstance(path, str) else FALLBACK
