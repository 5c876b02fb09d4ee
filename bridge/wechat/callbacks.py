"""A push from WeChat: checked, counted once, answered. Not for: HTTP (`routes.py`), any CRM call.

Safe mode only: in plain mode the signature doesn't cover the body, so that one query string, once
seen, signs anything. The answer is made from what is in the process and one Redis call, well
inside the 5 s after which WeChat cuts and pushes again.
"""

import logging
import re
import secrets
import time
from collections.abc import Mapping
from typing import NamedTuple

from bridge import log, security
from bridge.errors import Problem
from bridge.services import traces
from bridge.services.scenes import BadScene
from bridge.wechat import crypto, messages, welcome
from bridge.wechat.channel import Channel
from bridge.wechat.crypto import Forged, Opened
from bridge.wechat.messages import Push, Unreadable

MAX_BODY = 65_536
"""Bytes. Real pushes are under 8 KiB."""
WINDOW = 300
"""Seconds that a push's timestamp may be away from our clock."""
EMPTY = "success"
"""The answer that says nothing to the follower and stops the repeats; sent in clear."""

_NAME = re.compile(r"[A-Za-z_]{1,40}")
_ECHO = re.compile(r"[0-9A-Za-z+/=_-]{1,128}")
Query = Mapping[str, str]


class Reply(NamedTuple):
    """The body to answer with."""

    text: str
    content_type: str


def verify(channel: Channel, query: Query) -> str:
    """The console's check of the callback URL: what to answer as the whole body. Raises Problem.

    Source: "Message push", "Verify the message from the WeChat server".
    """
    echo = query.get("echostr", "")
    try:
        _check_signed(channel, query, query.get("signature", ""))
    except Forged as error:
        raise _refused(error.reason) from None
    if not _ECHO.fullmatch(echo):
        raise _refused("echostr")
    return echo


def hear(channel: Channel, query: Query, body: bytes, traceparent: str) -> Reply:
    """What to answer to a push. Raises Problem for one that isn't WeChat's or can't be read, and
    StoreDown (503, upon which WeChat tries again)."""
    began = time.perf_counter()
    try:
        opened = _opened(channel, query, body)
        push = Push(messages.fields_of(opened.text))
        if push.account != channel.account.original_id:
            raise Forged("account")
    except Forged as error:
        raise _refused(error.reason) from None
    except Unreadable:
        log.event("wechat.refused", logging.WARNING, reason="unreadable")
        raise Problem("invalid-request") from None
    decision, outcome, trace = _decided(channel, push, traceparent)
    reply = _reply(channel, push, opened, decision)
    log.event(
        "wechat.callback",
        trace=trace,
        event_type=_type(push),
        outcome=outcome,
        ms=round((time.perf_counter() - began) * 1000, 1),
    )
    return reply


def _opened(channel: Channel, query: Query, body: bytes) -> Opened:
    """The decrypted message, once its signature held. Raises Forged, Unreadable."""
    encrypted = messages.fields_of(body).get("Encrypt", "")
    if query.get("encrypt_type") != "aes" or not encrypted:
        raise Forged("plain-mode")
    _check_signed(channel, query, query.get("msg_signature", ""), encrypted)
    return crypto.decrypt(channel.aes_keys, channel.account.appid, encrypted)


def _check_signed(channel: Channel, query: Query, signature: str, *covered: str) -> None:
    timestamp, nonce = query.get("timestamp", ""), query.get("nonce", "")
    crypto.check(signature, channel.account.token, timestamp, nonce, *covered)
    if not re.fullmatch(r"[0-9]{1,12}", timestamp) or (
        abs(channel.clock() - int(timestamp)) > WINDOW
    ):
        raise Forged("stale")


def _refused(reason: str) -> Problem:
    log.event("wechat.refused", logging.WARNING, reason=reason)
    security.tell("callback-refused", reason=reason)
    return Problem("forbidden")


def _decided(channel: Channel, push: Push, traceparent: str) -> tuple[str, str, str]:
    """(decision, outcome for the log, trace id). A repeated push gets what was decided at first,
    and its trace: also where the first answer was lost on the way."""
    key = push.fields.get("EventKey", "")
    fresh = welcome.decide(push.event, key, channel.scenes, channel.brand.stores, traceparent)
    kept = channel.seen.first(fresh, channel.account.appid, *push.identity)
    trace = traces.trace_id(traceparent)
    if kept is None:
        return fresh, _outcome(fresh), trace
    try:
        first = channel.scenes.open_link(kept)[1] if "~" in kept else None
    except BadScene:
        return welcome.GENERIC, "duplicate", trace
    return kept, "duplicate", traces.trace_id(first) if first else trace


def _outcome(decision: str) -> str:
    names = {welcome.NOTHING: "nothing", welcome.GENERIC: "generic-welcome"}
    return names.get(decision, "store-welcome")


def _reply(channel: Channel, push: Push, opened: Opened, decision: str) -> Reply:
    words = welcome.message(decision, channel.scenes, channel.brand, channel.issuer)
    if words is None:
        return Reply(EMPTY, "text/plain")
    as_json = messages.is_json(opened.text)
    clear = messages.text_reply(push, words, as_json=as_json)
    encrypted = crypto.encrypt(opened.key, channel.account.appid, clear)
    timestamp, nonce = str(int(channel.clock())), secrets.token_hex(8)
    signature = crypto.sign(channel.account.token, timestamp, nonce, encrypted)
    sealed = messages.sealed_reply(encrypted, signature, timestamp, nonce, as_json=as_json)
    return Reply(sealed, "application/json" if as_json else "text/xml")


def _type(push: Push) -> str:
    """The event's or message's type; a name of unknown shape isn't logged."""
    name = push.event or push.fields.get("MsgType", "")
    return name if _NAME.fullmatch(name) else "other"
