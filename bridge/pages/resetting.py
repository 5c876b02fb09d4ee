"""A forgotten password: say who you are, open the link or type the code, choose a new one.

Not for: what a reset is (`bridge/services/credentials.py`). A link is opened by GET, also by mail
scanners, so opening it uses nothing up; its token goes from the URL into the sealed session at
once. Nobody is signed in by a reset.
"""

from typing import Any

import flask
from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from adapters.errors import CrmError
from bridge.edge.request import trace
from bridge.errors import Problem, from_crm
from bridge.pages import codes, forms
from bridge.pages.frame import href, show, visitor, words
from bridge.pages.signing_in import BOTH
from bridge.pages.trouble import in_place
from bridge.pages.visit import page
from bridge.parts import current
from bridge.services import accounts, credentials, operations, proofs, resets
from bridge.services.codes import Asker
from bridge.services.credentials import Changed, Visit
from bridge.services.identities import NotNormal, guess
from bridge.services.passwords import weakness
from bridge.services.proofs import Proof

WAIT_SECONDS = 4.0
_LINKED, _TICKET = "reset_token", "reset_ticket"
_OURS = proofs.client_binding("pages")
"""A link may be opened in another browser than the one that asked for it."""


def add_to(pages: Blueprint) -> None:
    """The routes."""
    pages.add_url_rule("/reset", "reset", page(reset), methods=BOTH)
    pages.add_url_rule("/reset/code", "reset_code", page(reset_code), methods=BOTH)
    pages.add_url_rule("/reset/again", "reset_again", page(reset_again), methods=BOTH)
    pages.add_url_rule("/reset/link", "reset_link", page(reset_link))
    pages.add_url_rule("/reset/sent", "reset_sent", page(reset_sent))
    pages.add_url_rule("/reset/password", "new_password", page(new_password), methods=BOTH)


def reset() -> ResponseReturnValue:
    """Mobile number or e-mail; the answer is the same whoever has it."""
    if flask.request.method != "POST":
        return show("reset.html", notice=codes.notice())
    t, typed = words(), forms.plain(flask.request.form.get("identifier", ""))[:254]
    view = {"values": {"identifier": typed}}
    try:
        kind, value = guess(typed, current().settings.region)
    except NotNormal:
        wrong = t("error.identifier") if typed else t("error.blank", label=t("field.identifier"))
        return show("reset.html", 422, errors={"identifier": wrong}, **view)
    try:
        return _by_link(value) if kind == "email" else codes.send(BY_CODE, value)
    except Problem as problem:
        return in_place(problem, "reset.html", **view)


def _by_link(email: str) -> ResponseReturnValue:
    asker = Asker(codes.client(), _OURS, codes.address(), words().language, trace())
    resets.send_link(current(), email, asker, current().settings.issuer + resets.PAGE)
    return flask.redirect(href("reset_sent"), 303)


def reset_sent() -> Response:
    """A link is on its way, if it can be."""
    t = words()
    title, lines = t("reset.sent_title"), [t("reset.sent_lead")]
    return show("message.html", title=title, lines=lines, links=[("common.home", href("sign_in"))])


def reset_code() -> ResponseReturnValue:
    """The code."""
    return codes.code(BY_CODE)


def reset_again() -> ResponseReturnValue:
    """Another code."""
    return codes.again(BY_CODE)


def _proven(ticket: str) -> ResponseReturnValue:
    visitor().data[_TICKET] = ticket
    BY_CODE.forget()
    return flask.redirect(href("new_password"), 303)


BY_CODE = codes.Proving("reset", "reset", "reset_code", "reset_again", _proven)


def reset_link() -> ResponseReturnValue:
    """A link from a mail: its token goes into the session, and out of the address bar."""
    visitor().data[_LINKED] = flask.request.args.get("token", "")[:200]
    return flask.redirect(href("new_password"), 303)


def new_password() -> ResponseReturnValue:
    """The new password."""
    try:
        proven = _proofs()
    except Problem:
        return _over()
    if flask.request.method != "POST":
        return show("new_password.html")
    t, password = words(), flask.request.form.get("password", "")
    weak = weakness(password)
    if weak:
        sentence = t("error.password_" + weak.removeprefix("too-"))
        return show("new_password.html", 422, errors={"password": sentence})
    visit = Visit("pages", _owner(), trace())
    try:
        done = credentials.reset(current(), proven, password, visit)
    except Problem as problem:
        return _refused(problem)
    except CrmError as error:
        return in_place(from_crm(error), "new_password.html")
    return _accepted(done)


def _proofs() -> list[Proof]:
    """What this visit has proven for a reset. Raises Problem("proof-invalid")."""
    parts, session = current(), visitor()
    found = []
    if token := session.data.get(_LINKED):
        found.append(proofs.open_link(parts, token, "reset", _OURS))
    if ticket := session.data.get(_TICKET):
        found.append(proofs.open_ticket(parts, ticket, "reset", session.binding))
    if not found:
        raise Problem("proof-invalid")
    return found


def _owner() -> str:
    return operations.owner(current().names, member_id=None, client=visitor().binding)


def _over() -> ResponseReturnValue:
    """The link or the code is too old, was used, or isn't ours."""
    _forget()
    visitor().data["notice"] = "error.reset_over"
    return flask.redirect(href("reset"), 303)


def _refused(problem: Problem) -> ResponseReturnValue:
    t = words()
    if problem.type in ("proof-invalid", "key-reuse"):
        return _over()
    if problem.type == "proof-insufficient":  # the code stays good, beside the link
        return _say("reset.both_title", "reset.both_lead", "reset.again")
    if problem.type == "not-found":
        _forget()
        return _say("reset.nobody_title", "reset.nobody_lead", "sign_in.register", "register")
    if problem.type == "validation":
        return show("new_password.html", 422, errors={"form": t("error.form_stale")})
    return in_place(problem, "new_password.html")


def _accepted(done: Changed) -> ResponseReturnValue:
    parts = current()
    _forget()
    outcome = parts.mailboxes.wait(done.accepted.op, WAIT_SECONDS)
    if outcome is None:
        return _say("reset.later_title", "reset.later_lead", "sign_in.submit", "sign_in")
    if operations.problem_of(outcome) is not None:
        return _say("reset.refused_title", "reset.refused_lead", "reset.again")
    accounts.end_sessions(parts, done.member_id, done.stamp)
    return _say("reset.done_title", "reset.done_lead", "sign_in.submit", "sign_in", done=True)


def _say(title: str, lead: str, key: str, endpoint: str = "reset", **view: Any) -> Response:
    t = words()
    links = [(key, href(endpoint))]
    return show("message.html", title=t(title), lines=[t(lead)], links=links, **view)


def _forget() -> None:
    for name in (_LINKED, _TICKET):
        visitor().data.pop(name, None)
