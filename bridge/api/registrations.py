"""`/v1/registrations`: a new member, for a client's back end. Not for: the hosted pages, which call
the same service."""

from typing import Any

from flask import Response

from bridge import edge
from bridge.api import answers, conditions
from bridge.api.call import Call
from bridge.api.otp import remote_address
from bridge.api.shapes import REGISTRATION_ONLY
from bridge.errors import FieldError, Problem
from bridge.services import proofs, registration
from bridge.services.consents import Answer
from bridge.services.registration import Form, Visit
from bridge.services.scenes import BadScene, Scene
from bridge.store.limits import network
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Outcome


def create(call: Call) -> Response:
    """201 once the member exists; 202 and the operation where that takes longer."""
    form, client = call.form, call.by.client_id
    call.parts.limits.hit("registrations_per_client", client)
    call.parts.limits.hit("registrations_per_network", network(remote_address(call)))
    visit = Visit(
        client=client,
        owner=call.owner,
        channel=client,
        trace=edge.trace(),
        scene=_scene(call, form.get("scene")),
        retry_key=conditions.idempotency_key(),
    )
    made = registration.register(call.parts, _proven(call), _form(form), visit)
    return answers.settled(call, Accepted(made.op, made.fresh), _created)


def _created(outcome: Outcome) -> Response:
    return answers.json({"operation": outcome.op}, 201, Location="/v1/me")


def _proven(call: Call) -> list[proofs.Proof]:
    binding = proofs.client_binding(call.by.client_id)
    tickets = {"/proof": call.form["proof"]} | {
        f"/further_proofs/{n}": ticket for n, ticket in enumerate(call.form["further_proofs"])
    }
    return [
        proofs.open_ticket(call.parts, ticket, "registration", binding, pointer)
        for pointer, ticket in tickets.items()
    ]


def _form(form: dict[str, Any]) -> Form:
    profile = {name: value for name, value in form.items() if name not in REGISTRATION_ONLY}
    given = tuple(Answer(**each) for each in form["consents"])
    return Form(profile, given, form.get("password"))


def _scene(call: Call, text: str | None) -> Scene | None:
    """Of a QR code, or of a registration link. Raises Problem."""
    if text is None:
        return None
    try:
        return call.parts.scenes.open_link(text)[0] if "~" in text else call.parts.scenes.read(text)
    except BadScene:
        raise Problem("validation", [FieldError("/scene", "not-ours")]) from None
