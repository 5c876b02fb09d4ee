"""`/v1/proofs`: a back end vouches for a card that it read, or for a WeChat user whom it asked
WeChat about. Not for: numbers and mailboxes, which the bridge proves itself (`otp.py`).

The operator gives the scope to a client that can know it: a till with the card in its reader, the
server of a mini program after `code2Session`. The proof is for members who are signed in through a
client of the same sector, to link what was vouched for (`POST /v1/me/identities`).
"""

from flask import Response

from bridge.api import answers
from bridge.api.call import Call
from bridge.errors import FieldError, Problem
from bridge.services import proofs
from bridge.services.identities import NotNormal, normalise


def create(call: Call) -> Response:
    """The proof."""
    parts, kind = call.parts, call.form["kind"]
    try:
        value = normalise(kind, call.form["value"], parts.settings.region)
    except NotNormal:
        raise Problem("validation", [FieldError("/value", "malformed")]) from None
    client = parts.clients.get(call.by.client_id)
    whose = proofs.sector_binding(client.sector if client else "")
    ticket = proofs.issue(parts, kind, value, "link", whose)
    return answers.json({"proof": ticket, "expires_in": proofs.LIFE_SECONDS}, 201)
