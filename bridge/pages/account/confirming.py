"""Who is signed in shows once more that it is they (RFC 9470): by the password, or by a code to an
address of the account. Not for: a first sign-in, or what may be done afterwards.
"""

from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from bridge.errors import Problem
from bridge.pages import codes
from bridge.pages.account import holder
from bridge.pages.frame import href, show, visitor, words
from bridge.pages.signing_in import THEN
from bridge.pages.trouble import in_place
from bridge.parts import current
from bridge.services import credentials, proofs, sign_in, step_up
from bridge.services.accounts import Account, Own
from bridge.services.messages import CHANNELS


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account/confirm", "account_confirm", confirm)
    holder.add(pages, "/account/confirm/send", "account_confirm_send", send)
    holder.add(pages, "/account/confirm/code", "account_confirm_code", code)
    holder.add(pages, "/account/confirm/again", "account_confirm_again", again)


def confirm() -> ResponseReturnValue:
    """The password of who is signed in."""
    account = holder.account()
    view = _view(account)
    if flask.request.method != "POST":
        return show("account_confirm.html", notice=codes.notice(), **view)
    t, password = words(), flask.request.form.get("password", "")
    if not password:
        blank = t("error.blank", label=t("field.password"))
        return show("account_confirm.html", 422, errors={"password": blank}, **view)
    try:
        right = credentials.is_current(current(), account, password)
    except Problem as problem:
        return in_place(problem, "account_confirm.html", **view)
    if not right:
        wrong = t("error.password_wrong")
        return show("account_confirm.html", 422, errors={"password": wrong}, **view)
    return _confirmed(("pwd",))


def send() -> ResponseReturnValue:
    """A code to the account's own address; none is typed here."""
    account = holder.account()
    to = _reached(account)
    if flask.request.method != "POST" or to is None:
        return flask.redirect(href("account_confirm"), 303)
    try:
        return codes.send(BY_CODE, to.value, to.kind)
    except Problem as problem:
        return in_place(problem, "account_confirm.html", **_view(account))


def code() -> ResponseReturnValue:
    """The code."""
    return codes.code(BY_CODE)


def again() -> ResponseReturnValue:
    """Another code."""
    return codes.again(BY_CODE)


def _proven(ticket: str) -> ResponseReturnValue:
    """The address must still be the account's."""
    proof = proofs.open_ticket(current(), ticket, "step-up", visitor().binding)
    BY_CODE.forget()
    if proof.identity_id not in {own.id for own in holder.account().identities}:
        visitor().data["notice"] = "error.reset_over"
        return flask.redirect(href("account_confirm"), 303)
    return _confirmed(("otp", "sms") if proof.kind == "mobile" else ("otp",))


BY_CODE = codes.Proving(
    "step-up",
    "account_confirm",
    "account_confirm_code",
    "account_confirm_again",
    _proven,
    leave="account.confirm_back",
)


def _confirmed(amr: tuple[str, ...]) -> ResponseReturnValue:
    """On to the page that asked, under a new session id."""
    parts, session = current(), visitor()
    then = session.data.pop(THEN, "account")
    parts.sessions.sign_in(session, step_up.renewed(holder.holder(), amr, parts.clock()))
    return flask.redirect(href(then), 303)


def _reached(account: Account) -> Own | None:
    """Where a code goes: the mobile before the mailbox."""
    reached = [own for kind in CHANNELS for own in account.identities if own.kind == kind]
    return reached[0] if reached else None


def _view(account: Account) -> dict[str, Any]:
    """Either way, or only the factor that is still missing beside one that was just given."""
    parts, who = current(), holder.holder()
    oauth, to, held = parts.settings.oauth, _reached(account), account.record.record
    recent = parts.clock() - who.auth_time <= oauth.step_up_seconds
    missing = sign_in.missing(who, oauth.step_up_acr) if recent else ""
    has_password = bool(held.get("credential") or held.get("legacy_credential"))
    return {
        "has_password": has_password and missing != "otp",
        "address": codes.masked(to.value) if to and missing != "pwd" else "",
        "more": bool(missing),
    }
