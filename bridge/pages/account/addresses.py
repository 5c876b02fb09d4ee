"""`/account/addresses`: what signs the member in: another mobile or e-mail, one way less.

Not for: contact details that sign nobody in. A new address is proven by a code to it. Each change
signs the member out everywhere, and the addresses from before are told.
"""

from collections.abc import Iterable
from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from adapters.errors import CrmError
from bridge.errors import Problem, from_crm
from bridge.pages import codes
from bridge.pages.account import holder, writing
from bridge.pages.frame import href, show, visitor, words
from bridge.pages.trouble import in_place
from bridge.parts import current
from bridge.services import addresses, proofs
from bridge.services.accounts import Account, Own

_TEMPLATE = "account_addresses.html"


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account/addresses", "account_addresses", listed)
    for path, name, view in (
        ("mobile", "account_mobile", mobile),
        ("email", "account_email", email),
        ("addresses/code", "account_address_code", code),
        ("addresses/again", "account_address_again", again),
        ("unlink", "account_unlink", unlink),
    ):
        holder.add(pages, f"/account/{path}", name, view, fresh=True)


def listed() -> ResponseReturnValue:
    """What signs the member in."""
    return show(_TEMPLATE, notice=codes.notice(), **_view(holder.account()))


def mobile() -> ResponseReturnValue:
    """The new number."""
    return codes.number(BY_KIND["mobile"])


def email() -> ResponseReturnValue:
    """The new mailbox."""
    return codes.number(BY_KIND["email"])


def code() -> ResponseReturnValue:
    """The code that went to the new address."""
    return codes.code(_use())


def again() -> ResponseReturnValue:
    """Another code."""
    return codes.again(_use())


def _proven(ticket: str) -> ResponseReturnValue:
    parts = current()
    proof = proofs.open_ticket(parts, ticket, "change", visitor().binding)
    account = holder.account()
    _use().forget()
    try:
        op = writing.operation(f"address {proof.kind}")
        done = addresses.replace(parts, account, proof, op, holder.visit())
    except Problem as problem:
        if problem.type == "conflict":
            return _back("account.address_taken")
        if problem.type in ("proof-invalid", "key-reuse"):
            return _back("error.reset_over")
        raise
    return writing.closing(done, "account.address")


def _back(notice: str) -> ResponseReturnValue:
    visitor().data["notice"] = notice
    return flask.redirect(href("account_addresses"), 303)


def _proving(kind: str, leave: str) -> codes.Proving:
    return codes.Proving(
        "change",
        f"account_{kind}",
        "account_address_code",
        "account_address_again",
        _proven,
        "account_address.html",
        kind,
        leave,
    )


BY_KIND = {
    "mobile": _proving("mobile", "otp.change"),
    "email": _proving("email", "otp.change_mail"),
}


def _use() -> codes.Proving:
    """The one of the address that a code went to."""
    return BY_KIND[BY_KIND["mobile"].kept().get("kind", "mobile")]


def unlink() -> ResponseReturnValue:
    """One way less: asked once more, then done."""
    account = holder.account()
    named = flask.request.form.get("identity", "")
    own = next((each for each in account.identities if _name(each) == named), None)
    if own is None:
        return flask.redirect(href("account_addresses"), 303)
    shown = _shown(own, account)
    if flask.request.form.get("sure") != "yes":
        return show("account_unlink.html", way=shown)
    try:
        op = writing.operation(f"unlink {named}")
        done = addresses.unlink(current(), account, own, op, holder.visit())
    except Problem as problem:
        if problem.type == "last-way":
            return _back("account.last_way")
        return in_place(problem, "account_unlink.html", way=shown)
    except CrmError as error:
        return in_place(from_crm(error), "account_unlink.html", way=shown)
    return writing.closing(done, "account.address")


def _view(account: Account) -> dict[str, Any]:
    kinds = account.kinds()
    ways = [_shown(own, account) for own in _in_order(account)]
    return {"ways": ways, "absent": [kind for kind in addresses.SIGN_IN if kind not in kinds]}


def _in_order(account: Account) -> Iterable[Own]:
    def place(own: Own) -> tuple[int, str]:
        first = addresses.SIGN_IN
        return (first.index(own.kind) if own.kind in first else len(first), own.kind)

    return sorted(account.identities, key=place)


def _shown(own: Own, account: Account) -> dict[str, Any]:
    """`may_go`: something that signs in by itself would be left."""
    left = {each.kind for each in account.identities if each.id != own.id}
    return {
        "name": _name(own),
        "kind": own.kind,
        "label": words()(f"field.{own.kind}"),
        "value": "" if own.kind.startswith("wechat") else codes.masked(own.value),
        "may_go": bool(left & set(addresses.SIGN_IN)),
    }


def _name(own: Own) -> str:
    return current().names.of("identity.shown", holder.holder().member_id, own.id)
