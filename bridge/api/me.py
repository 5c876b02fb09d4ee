"""`/v1/me`: the member's own record, read, changed and erased. Not for: other people's.

Nothing here takes an id from the request: whose record it is comes from the token alone.
"""

from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from flask import Response

from adapters.base import Found
from adapters.errors import Unavailable
from bridge import edge, security
from bridge.api import answers, conditions, writing
from bridge.api.call import Call, bad_parameter, query
from bridge.api.prefer import preferences
from bridge.api.seldom import Seldom
from bridge.errors import FieldError, Problem
from bridge.services import members, profiles, receipts, signing_out, step_up, versions
from bridge.services.members import Holder, SessionOver
from bridge.store import StoreDown
from bridge.writes.write import Base, Outcome

_CONFIRMED = Seldom(600.0)
_ERASE = "DELETE /v1/me"


def read(call: Call) -> Response:
    """The record, or those `fields` of it; `after=<operation>` waits for a write first."""
    given = query("fields", "after")
    fields = _asked(given["fields"], call.shapes.readable) if "fields" in given else None
    if "after" in given:
        _wait_for(call, given["after"])
    found = record_of(call, fields or call.shapes.readable)
    tag = _etag(call, members.base_of(found))
    if conditions.is_current(tag):
        return answers.empty(304, tag)
    return _shown(found, fields or call.shapes.readable, tag)


def change(call: Call) -> Response:
    """A merge patch (RFC 7396): absent stays, null empties."""
    if not call.form:
        raise Problem("validation", [FieldError("", "empty")])
    profiles.check_edit(call.parts.settings.profile, call.form, call.parts.clock())
    if "email" in call.form:  # a claim may send a code there
        step_up.required(call.by, call.parts.clock(), call.parts.settings.oauth)
    accepted = writing.accept(
        call,
        "update",
        members.edit(call.member_id, call.form),
        route="PATCH /v1/me",
        content=call.form,
        based_on=_based_on(call),
    )
    return answers.settled(call, accepted, lambda outcome: _changed(call, outcome))


def erase(call: Call) -> Response:
    """Everything of the member's in the CRM; answers a receipt. Once it is done every session of
    theirs is over.

    It can't be undone, so the session is checked first; a CRM that is down delays nothing.
    """
    conditions.refuse_if_match()
    op = writing.operation(call, _ERASE)
    if not call.parts.mailboxes.knows(op):  # a retry asks for what became of the first
        _still_there(call)
    removal = members.erasure(call.member_id)
    accepted = writing.accept(call, "erase", removal, route=_ERASE, content={}, op=op)
    if accepted.fresh:
        security.tell("erase-asked", member=call.member_id, client=call.by.client_id)
    return answers.settled(call, accepted, lambda outcome: _erased(call, outcome))


def _still_there(call: Call) -> None:
    with suppress(Unavailable):
        record_of(call, ())


def _erased(call: Call, outcome: Outcome) -> Response:
    signing_out.everywhere(call.parts, call.member_id)
    at, issuer = int(outcome.at), call.parts.settings.issuer
    receipt = receipts.erasure(call.parts.id_token_key, issuer, outcome.op, at)
    erased_at = datetime.fromtimestamp(at, UTC)
    return answers.json({"operation": outcome.op, "erased_at": erased_at, "receipt": receipt})


def record_of(call: Call, fields: Iterable[str]) -> Found:
    """The caller's own record. Where it no longer carries the session, the grant ends: 401, or 410
    for a record that is gone."""
    parts, caller = call.parts, call.by
    holder = Holder(call.member_id, caller.stamp)
    try:
        found = members.read(parts.crm, holder, fields, parts.names, edge.trace())
    except SessionOver as over:
        parts.grants.revoke_grant(caller.grant_id)
        raise Problem("gone" if over.reason == "erased" else "unauthenticated") from None
    if _CONFIRMED.due(caller.grant_id):
        with suppress(StoreDown):  # a refresh asks the CRM once more, that is all
            parts.grants.note_checked(caller.grant_id)
    return found


@lru_cache(maxsize=256)
def _asked(text: str, readable: tuple[str, ...]) -> tuple[str, ...]:
    """The names in `fields=`; `ext` stands for all of the brand's own."""
    found: list[str] = []
    for name in text.split(","):
        below = [each for each in readable if each == name or each.startswith(f"{name}.")]
        if not name or not below:
            raise bad_parameter("fields", "unknown-field")
        found += below
    return tuple(dict.fromkeys(found))


def _wait_for(call: Call, op: str) -> None:
    """Until the caller's own write is done, whatever its end. Raises Problem: not theirs, or not
    done in time."""
    if not versions.OPERATION.fullmatch(op):
        raise bad_parameter("after", "malformed")
    mailboxes = call.parts.mailboxes
    outcome = mailboxes.outcome(op, call.owner) or mailboxes.wait(op, preferences().seconds)
    if outcome is None:
        raise Problem("pending", extensions={"operation": op})


def _shown(found: Found, fields: Iterable[str], etag: str) -> Response:
    return answers.json(_only(found.record, fields), ETag=etag)


def _only(record: dict[str, Any], fields: Iterable[str]) -> dict[str, Any]:
    """What was asked for, whatever an adapter brought along."""
    kept: dict[str, Any] = {}
    for name in fields:
        outer, dot, inner = name.partition(".")
        if not dot:
            kept[outer] = record.get(outer)
        else:
            kept.setdefault(outer, {})[inner] = (record.get(outer) or {}).get(inner)
    return kept


def _changed(call: Call, outcome: Outcome) -> Response:
    if not preferences().representation:
        return answers.empty(204, _etag(call, outcome.base))
    found = record_of(call, call.shapes.readable)
    return _shown(found, call.shapes.readable, _etag(call, members.base_of(found)))


def _etag(call: Call, base: Base) -> str:
    """No tag where the CRM didn't tell a version."""
    return versions.etag(call.parts.etags, call.member_id, base) if base.version else ""


def _based_on(call: Call) -> Base | str | None:
    """What If-Match names: a state, or an operation of the caller's own that may still wait.
    Raises Problem("stale") for a tag that isn't one of ours for this member."""
    tag = conditions.if_match()
    if tag is None:
        return None
    op = versions.pending_operation(tag)
    if op is not None:
        return op
    base = versions.opened(call.parts.etags, call.member_id, tag)
    if base is None:
        raise Problem("stale", extensions={"header": "If-Match"})
    return base
