"""`/v1/claims`: a record that the CRM has already becomes its holder's, for a client's back end.

Not for: registrations, or records that the holder signs in to already.
"""

from typing import Any

from flask import Response

from bridge import edge
from bridge.api import answers, conditions
from bridge.api.call import Call
from bridge.api.otp import binding, remote_address
from bridge.services import claims, proofs
from bridge.services.claims import Facts, Form
from bridge.services.consents import Answer
from bridge.services.credentials import Visit
from bridge.store.limits import network
from bridge.writes.write import Outcome


def create(call: Call) -> Response:
    """201 once the number signs in; 202 and the operation where that takes longer. Nobody is
    signed in by it, and nothing of the record is shown."""
    form, client = call.form, call.by.client_id
    call.parts.limits.hit("registrations_per_client", client)
    call.parts.limits.hit("registrations_per_network", network(remote_address(call)))
    mobile = proofs.open_ticket(call.parts, form["proof"], "registration", binding(call))
    visit = Visit(client, call.owner, edge.trace(), conditions.idempotency_key())
    given = tuple(Answer(**each) for each in form["consents"])
    asked = Form(given, form.get("password"), client)
    accepted = claims.claim(call.parts, mobile, _facts(call, form), asked, visit)
    return answers.settled(call, accepted, _claimed)


def _claimed(outcome: Outcome) -> Response:
    return answers.json({"operation": outcome.op}, 201, Location="/v1/me")


def _facts(call: Call, form: dict[str, Any]) -> Facts:
    ticket = form.get("email_proof")
    email = (
        proofs.open_ticket(call.parts, ticket, "registration", binding(call), "/email_proof")
        if ticket
        else None
    )
    return Facts(form.get("birth_date"), form.get("card_number"), email)
