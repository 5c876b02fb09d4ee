"""`/v1/me/mobile`, `/v1/me/email` and `/v1/me/identities`: what a member signs in with.

Not for: the profile's other fields (`me.py`), or the password (`account.py`).

An identity is named by a keyed hash of the member's own, not by its record's id, which is the
CRM's.
"""

from flask import Response

from bridge.api import answers, conditions, otp, writing
from bridge.api.account import account_of, visit_of
from bridge.api.call import Call, query
from bridge.errors import FieldError, Problem
from bridge.services import accounts, addresses, proofs
from bridge.services.accounts import Account, Own
from bridge.services.credentials import Changed
from bridge.services.proofs import Proof
from bridge.writes.write import Outcome

MOBILE, EMAIL = "PUT /v1/me/mobile", "PUT /v1/me/email"
LINK, UNLINK = "POST /v1/me/identities", "DELETE /v1/me/identities"
_HIDDEN = ("wechat_oa", "wechat_mini")


def start_code(call: Call) -> Response:
    """A code to an address that the member wants to sign in with. 202, whoever has it."""
    return otp.started(call, "change")


def put_mobile(call: Call) -> Response:
    """Another mobile, proven; the one before signs nobody in from then on."""
    return _replace(call, "mobile", MOBILE)


def put_email(call: Call) -> Response:
    """Another e-mail, proven; the one before signs nobody in from then on."""
    return _replace(call, "email", EMAIL)


def read(call: Call) -> Response:
    """What signs the member in."""
    query()
    account = account_of(call)
    return answers.json({"identities": [_shown(call, own) for own in account.identities]})


def link(call: Call) -> Response:
    """One more, proven or vouched for."""
    conditions.refuse_if_match()
    account = account_of(call)
    op = writing.operation(call, LINK)
    accepted = addresses.link(call.parts, account, _vouched(call), op, visit_of(call))
    return answers.settled(call, accepted, lambda _: answers.empty())


def unlink(call: Call) -> Response:
    """One less. Every session ends."""
    conditions.refuse_if_match()
    query()
    account = account_of(call)
    own = _named(call, account)
    op = writing.operation(call, f"{UNLINK}/{call.path['id']}")
    return _done(call, addresses.unlink(call.parts, account, own, op, visit_of(call)))


def _replace(call: Call, kind: str, route: str) -> Response:
    conditions.refuse_if_match()
    proof = proofs.open_ticket(call.parts, call.form["proof"], "change", otp.binding(call))
    if proof.kind != kind:
        raise Problem("proof-invalid", [FieldError("/proof", "not-of-this-kind")])
    account = account_of(call)
    op = writing.operation(call, route)
    return _done(call, addresses.replace(call.parts, account, proof, op, visit_of(call)))


def _done(call: Call, changed: Changed) -> Response:
    def answer(_: Outcome) -> Response:
        accounts.end_sessions(call.parts, changed.member_id, changed.stamp)
        return answers.empty()

    return answers.settled(call, changed.accepted, answer)


def _vouched(call: Call) -> Proof:
    client = call.parts.clients.get(call.by.client_id)
    whose = proofs.sector_binding(client.sector if client else "")
    return proofs.open_ticket(call.parts, call.form["proof"], "link", whose)


def _named(call: Call, account: Account) -> Own:
    for own in account.identities:
        if _name(call, own) == call.path["id"]:
            return own
    raise Problem("not-found")


def _name(call: Call, own: Own) -> str:
    return call.parts.names.of("identity.shown", call.member_id, own.id)


def _shown(call: Call, own: Own) -> dict[str, object]:
    return {
        "id": _name(call, own),
        "kind": own.kind,
        "value": None if own.kind in _HIDDEN else own.value,
        "verified_at": own.row.record.get("verified_at"),
    }
