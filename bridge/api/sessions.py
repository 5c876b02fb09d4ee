"""`/v1/me/sessions`: where the member is signed in, and signing out there.

Not for: signing in, or the browser's own session with the pages, which ends with what came from it.
"""

from datetime import UTC, datetime

from flask import Response

from bridge.api import answers
from bridge.api.call import Call, query
from bridge.errors import Problem
from bridge.services import signing_out
from bridge.store.authorizations import Live


def read(call: Call) -> Response:
    """All sessions, the newest first."""
    query()
    found = call.parts.grants.of_member(call.member_id)
    return answers.json({"sessions": [_shown(call, each) for each in found]})


def end(call: Call) -> Response:
    """One of them: its tokens are dead at once, and its browser has to sign in again."""
    query()
    if not signing_out.apart(call.parts, call.member_id, call.path["id"]):
        raise Problem("not-found")
    return answers.empty()


def end_all(call: Call) -> Response:
    """All of them, this one too, and every sign-in under way."""
    query()
    signing_out.everywhere(call.parts, call.member_id)
    return answers.empty()


def _shown(call: Call, live: Live) -> dict[str, object]:
    client = call.parts.clients.get(live.client_id)
    return {
        "id": live.id,
        "client_id": live.client_id,
        "client_name": dict(client.name) if client else {},
        "device": live.device,
        "signed_in_at": datetime.fromtimestamp(live.since, UTC),
        "used_at": datetime.fromtimestamp(live.used, UTC),
        "is_current": live.id == call.by.grant_id,
    }
