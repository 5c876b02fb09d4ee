"""`/v1/me/consents`: what the member agrees to. Not for: the texts (`GET /v1/capabilities`)."""

from datetime import UTC, datetime

from flask import Response

from bridge.api import answers, conditions, writing
from bridge.api.call import Call, query
from bridge.api.me import record_of
from bridge.services import consents
from bridge.services.consents import Answer
from bridge.writes.write import Outcome, record_id

ROUTE = "PUT /v1/me/consents"
_FIELDS = tuple(f"consents.{name}" for name in consents.FIELDS)


def read(call: Call) -> Response:
    """The newest answer to each purpose of the brand."""
    query()
    return answers.json(_current(call))


def replace(call: Call) -> Response:
    """New answers. Purposes that aren't named stay as they are; what was answered before stays in
    the CRM as history."""
    conditions.refuse_if_match()
    given = tuple(Answer(**each) for each in call.form["consents"])
    consents.checked(call.parts.settings.consents, given, registering=False)
    op = writing.operation(call, ROUTE)
    ids = [record_id(call.parts.record_key, op, "consent", n) for n in range(len(given))]
    now = datetime.fromtimestamp(int(call.parts.clock()), UTC)
    rows = consents.rows(call.member_id, given, ids, call.by.client_id, now)
    accepted = writing.accept(call, "apply", rows, route=ROUTE, content=call.form, op=op)

    def done(_: Outcome) -> Response:
        return answers.json(_current(call))

    return answers.settled(call, accepted, done)


def _current(call: Call) -> dict[str, object]:
    found = record_of(call, _FIELDS)
    purposes = call.parts.settings.consents
    return {"consents": consents.current(purposes, found.collections["consents"])}
