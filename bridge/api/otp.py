"""`/v1/otp`: a one-time code to an address, and a proof for the right answer. Not for: signing in,
which the hosted pages do. The answer is the same whether or not anybody has that address."""

from collections.abc import Iterator
from contextlib import contextmanager

import flask
from flask import Response

from bridge import edge
from bridge.api import answers
from bridge.api.call import Call
from bridge.errors import FieldError, Problem
from bridge.services import codes, messages, proofs
from bridge.services.codes import Asker
from bridge.services.proofs import Purpose
from bridge.store.challenges import LIFE_SECONDS, RESEND_SECONDS

_KINDS = {channel: kind for kind, channel in messages.CHANNELS.items()}
_POINTERS = {"/value": "/address", "/kind": "/channel"}


def start(call: Call) -> Response:
    """Send a code. 202: it is on its way, if it can be."""
    return started(call, call.form["purpose"])


def started(call: Call, purpose: Purpose) -> Response:
    """The same, for routes with one purpose."""
    with our_words():
        kind, asker = _KINDS[call.form["channel"]], asker_of(call)
        challenge = codes.start(call.parts, kind, call.form["address"], purpose, asker)
    body = {"challenge_id": challenge, "expires_in": LIFE_SECONDS, "resend_in": RESEND_SECONDS}
    return answers.json(body, 202)


def asker_of(call: Call) -> Asker:
    """Who asks for a message."""
    return Asker(
        client=call.by.client_id,
        binding=binding(call),
        address=remote_address(call),
        language=call.form["language"],
        trace=edge.trace(),
    )


def binding(call: Call) -> str:
    """Whom a code, a link or a proof is for: the client, or the session of the member's."""
    caller = call.by
    if caller.member_id is None:
        return proofs.client_binding(caller.client_id)
    return proofs.grant_binding(caller.grant_id)


def verify(call: Call) -> Response:
    """The proof; the same one again for a minute, so that a lost answer costs nothing."""
    code = call.form["code"].strip()
    ticket = codes.verify(call.parts, call.path["id"], code, binding(call))
    return answers.json({"proof": ticket, "expires_in": proofs.LIFE_SECONDS})


def remote_address(call: Call) -> str:
    """The person's address as the client's back end saw it, else the back end's own."""
    return str(call.form.get("remote_address") or flask.request.remote_addr or "")


@contextmanager
def our_words() -> Iterator[None]:
    """The services' problems with the pointers of our forms."""
    try:
        yield
    except Problem as problem:
        errors = [FieldError(_POINTERS.get(e.pointer, e.pointer), e.code) for e in problem.errors]
        raise Problem(problem.type, errors, problem.retry_after, problem.extensions) from None
