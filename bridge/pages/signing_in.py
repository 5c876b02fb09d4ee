"""Sign in, by password or by a code; sign out of the pages.

Not for: who may sign in (`bridge/services/sign_in.py`), or answering the client: after a sign-in
the browser goes back to the authorize request that waits in its session.
"""

import flask
from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from adapters.errors import CrmError
from bridge.edge.request import trace
from bridge.errors import Problem, from_crm
from bridge.pages import codes, forms
from bridge.pages.frame import (
    finish,
    href,
    show,
    visitor,
    waiting,
    waiting_parameters,
    words,
)
from bridge.pages.trouble import in_place
from bridge.pages.visit import page
from bridge.parts import current
from bridge.services import proofs, signing_out
from bridge.services.sign_in import Attempt, by_password, by_proof, joined, missing
from bridge.store.sessions import Session, SignedIn, continue_url

BOTH = ("GET", "POST")
DEVICE = "device"
"""In `session.data`: the code of a device that waits for this browser's sign-in (`device.py`)."""
THEN = "then"
"""In the session: the endpoint of the page that had to ask for a sign-in."""


def add_to(pages: Blueprint) -> None:
    """The routes."""
    pages.add_url_rule("/sign-in", "sign_in", page(sign_in), methods=BOTH)
    pages.add_url_rule("/sign-in/code", "sign_in_mobile", page(sign_in_mobile), methods=BOTH)
    pages.add_url_rule("/sign-in/code/verify", "sign_in_code", page(sign_in_code), methods=BOTH)
    pages.add_url_rule("/sign-in/code/again", "sign_in_again", page(sign_in_again), methods=BOTH)
    pages.add_url_rule("/signed-in", "signed_in", page(signed_in))
    pages.add_url_rule("/sign-out", "sign_out", page(sign_out), methods=BOTH)
    pages.add_url_rule("/signed-out", "signed_out", signed_out)


def sign_in() -> ResponseReturnValue:
    """Identifier and password. Every failure reads the same."""
    pending = waiting() is not None
    if flask.request.method != "POST":
        if _one_factor_more() == "otp":
            visitor().data["notice"] = "sign_in.one_more"
            return flask.redirect(href("sign_in_mobile"), 303)
        return show("sign_in.html", pending=pending, notice=codes.notice())
    t, form = words(), flask.request.form
    identifier, password = forms.plain(form.get("identifier", ""))[:254], form.get("password", "")
    given = {"identifier": identifier, "password": password}
    blank = {n: t("error.blank", label=t(f"field.{n}")) for n, value in given.items() if not value}
    view = {"pending": pending, "values": {"identifier": identifier}}
    if blank:
        return show("sign_in.html", 422, errors=blank, **view)
    attempt = Attempt(identifier, password, codes.client(), codes.address(), trace())
    try:
        found = by_password(current(), attempt)
    except Problem as problem:
        return in_place(problem, "sign_in.html", **view)
    except CrmError as error:
        return in_place(from_crm(error), "sign_in.html", **view)
    if found is None:
        return show("sign_in.html", 422, errors={"form": t("error.summary_sign_in")}, **view)
    return enter(found)


def sign_in_mobile() -> ResponseReturnValue:
    """The number that is to get a code."""
    return codes.number(BY_CODE)


def sign_in_code() -> ResponseReturnValue:
    """The code."""
    return codes.code(BY_CODE)


def sign_in_again() -> ResponseReturnValue:
    """Another code."""
    return codes.again(BY_CODE)


def _proven(ticket: str) -> ResponseReturnValue:
    proof = proofs.open_ticket(current(), ticket, "sign-in", visitor().binding)
    found = by_proof(current(), proof, trace())
    BY_CODE.forget()
    if found is not None:
        return enter(found)
    visitor().data["notice"] = "error.not_a_member"
    return flask.redirect(href("register"), 303)


BY_CODE = codes.Proving("sign-in", "sign_in_mobile", "sign_in_code", "sign_in_again", _proven)


def _one_factor_more() -> str:
    """What the request that waits still needs of whoever has just signed in here."""
    asked = waiting_parameters().get("acr_values", "")
    return missing(visitor().signed_in, asked) if "continue" in flask.request.args else ""


def enter(found: SignedIn) -> ResponseReturnValue:
    """Sign this browser in under a new session id, and go on with what waits. Nothing that was
    typed or proven on the way stays in the session."""
    session, handle = visitor(), waiting()
    device, then = session.data.get(DEVICE), session.data.get(THEN, "signed_in")
    session.data = kept_language(session) | ({DEVICE: device} if device else {})
    current().sessions.sign_in(session, joined(session.signed_in, found))
    page = href("device" if device else then)
    return flask.redirect(continue_url(handle) if handle else page, 303)


def kept_language(session: Session) -> dict[str, str]:
    """What outlives a sign-in or sign-out: the language that was chosen."""
    lang = session.data.get("lang")
    return {"lang": lang} if lang else {}


def signed_in() -> ResponseReturnValue:
    """For whoever signed in without a client that waits."""
    if visitor().signed_in is None:
        return flask.redirect(href("sign_in"), 303)
    t = words()
    return show(
        "message.html",
        title=t("signed_in.title"),
        lines=[t("signed_in.lead")],
        links=[("account.title", href("account"))],
        done=True,
        sign_out=True,
    )


def sign_out() -> ResponseReturnValue:
    """End this browser's session and the grants that came from it (RFC 10017: a browser's tokens
    end with its session)."""
    if flask.request.method != "POST":
        return flask.redirect(href("signed_in"), 303)
    leave()
    return flask.redirect(href("signed_out"), 303)


def leave() -> None:
    """Nobody is signed in here from now on, and what was given to this browser ends."""
    session = visitor()
    for grant in current().sessions.sign_out(session):
        signing_out.here(current(), grant)
    session.data = kept_language(session)


def signed_out() -> Response:
    """Says so; needs no session."""
    t = words()
    links = [("signed_out.again", href("sign_in"))]
    title, lines = t("signed_out.title"), [t("signed_out.lead")]
    return finish(show("message.html", title=title, lines=lines, links=links, done=True))
