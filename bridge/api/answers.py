"""Answers of the API that aren't problems. Not for: what they say of a member (`me.py`)."""

from collections.abc import Callable
from typing import Any

import flask
from flask import Response

from adapters.errors import Unavailable
from bridge.api.call import Call
from bridge.api.prefer import Preferences, preferences
from bridge.edge.json import plain
from bridge.services import operations, versions
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Outcome

RETRY_SECONDS = 1


def json(body: Any, status: int = 200, **headers: str) -> Response:
    """`headers`: names with underscores."""
    response = Response(plain(body), status, mimetype="application/json")
    for name, value in headers.items():
        response.headers[name.replace("_", "-")] = value
    return response


def empty(status: int = 204, etag: str = "") -> Response:
    """No body."""
    response = Response(status=status)
    response.headers.pop("Content-Type", None)
    if etag:
        response.headers["ETag"] = etag
    return response


def settled(call: Call, accepted: Accepted, done: Callable[[Outcome], Response]) -> Response:
    """Wait as the caller prefers: `done` with the outcome of a write that was applied, or 202, also
    where the CRM can't be read for the answer. Raises Problem where the write came to another
    end."""
    wishes = preferences()
    outcome = _outcome(call, accepted, wishes.seconds)
    if outcome is None:
        return _with_preferences(pending(accepted.op), wishes)
    try:
        response = done(operations.applied(outcome))
    except Unavailable:  # done all the same: what failed is the read for the answer
        response = pending(accepted.op)
    return _with_preferences(response, wishes)


def _outcome(call: Call, accepted: Accepted, seconds: float) -> Outcome | None:
    if seconds > 0:
        return call.parts.mailboxes.wait(accepted.op, seconds)
    return None if accepted.fresh else call.parts.mailboxes.outcome(accepted.op, call.owner)


def pending(op: str) -> Response:
    """202: accepted and safe, not done yet (RFC 9110 section 15.3.3)."""
    return json(
        {"id": op, "status": "pending"},
        202,
        Location=f"/v1/operations/{op}",
        ETag=versions.pending(op),
        Retry_After=str(RETRY_SECONDS),
    )


def _with_preferences(response: Response, wishes: Preferences) -> Response:
    applied = wishes.applied(response.status_code)
    if applied:
        response.headers["Preference-Applied"] = applied
    if flask.request.headers.get("Prefer"):
        response.headers.add("Vary", "Prefer")
    return response
