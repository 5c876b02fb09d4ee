"""`/v1/otp`: a one-time code to an address, and a proof for the right answer. Not for: signing in,
which the hosted pages do. The answer is the same whether or not anybody has that address."""

import flask
from flask import Response

from bridge import edge
from bridge.api import answers
from bridge.api.call import Call
from bridge.errors import FieldError, Problem
from bridge.services import codes, proofs
from bridge.services.codes import Asker
from bridge.store.challenges import LIFE_SECONDS, RESEND_SECONDS

_KINDS = {channel: kind for kind, channel in codes.CHANNELS.items()}
_POINTERS = {"/value": "/address", "/kind": "/channel"}


def start(call: Call) -> Response:
    """Send a code. 202: it is on its way, if it can be."""
    form = call.form
    asker = Asker(
        client=call.by.client_id,
        binding=proofs.client_binding(call.by.client_id),
        address=remote_address(call),
        language=form["language"],
        trace=edge.trace(),
    )
    try:
        kind = _KINDS[form["channel"]]
        challenge = codes.start(call.parts, kind, form["address"], form["purpose"], asker)
    except Problem as problem:
        raise _in_our_words(problem) from None
    body = {"challenge_id": challenge, "expires_in": LIFE_SECONDS, "resend_in": RESEND_SECONDS}
    return answers.json(body, 202)


def verify(call: Call) -> Response:
    """The proof; the same one again for a minute, so that a lost answer costs nothing."""
    binding = proofs.client_binding(call.by.client_id)
    ticket = codes.verify(call.parts, call.path["id"], call.form["code"].strip(), binding)
    return answers.json({"proof": ticket, "expires_in": proofs.LIFE_SECONDS})


def remote_address(call: Call) -> str:
    """The person's address as the client's back end saw it, else the back end's own."""
    return str(call.form.get("remote_address") or flask.request.remote_addr or "")


def _in_our_words(problem: Problem) -> Problem:
    errors = [FieldError(_POINTERS.get(e.pointer, e.pointer), e.code) for e in problem.errors]
    return Problem(problem.type, errors, problem.retry_after, problem.extensions)
