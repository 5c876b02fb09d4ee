"""`/v1/password-resets`: a forgotten password, for a client's back end. Not for: a member who is
signed in (`account.py`), or the hosted pages, which call the same services."""

from flask import Response

from bridge import edge
from bridge.api import answers, conditions
from bridge.api.call import Call
from bridge.api.otp import asker_of, binding, our_words, started
from bridge.errors import FieldError, Problem
from bridge.services import accounts, credentials, proofs, resets
from bridge.services.credentials import Visit
from bridge.services.proofs import Proof
from bridge.store.links import LIFE_SECONDS
from bridge.writes.write import Outcome


def start(call: Call) -> Response:
    """A code by SMS, or a link by mail. 202, the same for an address that nobody has."""
    if call.form["channel"] == "sms":
        return started(call, "reset")
    parts = call.parts
    page = resets.page_of(parts.clients, call.by.client_id, parts.settings.issuer)
    with our_words():
        resets.send_link(parts, call.form["address"], asker_of(call), page)
    return answers.json({"expires_in": LIFE_SECONDS}, 202)


def confirm(call: Call) -> Response:
    """The new password. 204 once the CRM has it, 202 and the operation where that takes longer.
    Nobody is signed in by it."""
    visit = Visit(call.by.client_id, call.owner, edge.trace(), conditions.idempotency_key())
    done = credentials.reset(call.parts, _proven(call), call.form["password"], visit)

    def answer(_: Outcome) -> Response:
        accounts.end_sessions(call.parts, done.member_id, done.stamp)
        return answers.empty()

    return answers.settled(call, done.accepted, answer)


def _proven(call: Call) -> list[Proof]:
    """By the link's token, or by tickets, or both."""
    form, whose = call.form, binding(call)
    tickets = {"/proof": form["proof"]} if "proof" in form else {}
    tickets |= {f"/further_proofs/{n}": each for n, each in enumerate(form["further_proofs"])}
    found = [
        proofs.open_ticket(call.parts, ticket, "reset", whose, pointer)
        for pointer, ticket in tickets.items()
    ]
    if "token" in form:
        found.append(proofs.open_link(call.parts, form["token"], "reset", whose))
    if not found:
        raise Problem("validation", [FieldError("/proof", "required")])
    return found
