"""The two pages that prove a mobile number: ask for the number, then for the code that was sent.

Not for: sending and checking codes (`bridge/services/codes.py`), or what the proof is good for.
Joining and signing in both begin with them; what they keep is in the sealed session.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import flask
from flask import Response
from flask.typing import ResponseReturnValue

from bridge.edge.request import trace
from bridge.errors import Problem
from bridge.pages import forms
from bridge.pages.frame import href, show, visitor, waiting_parameters, words
from bridge.pages.trouble import in_place
from bridge.parts import current
from bridge.services import codes
from bridge.services.codes import Asker
from bridge.services.identities import NotNormal, normalise
from bridge.services.proofs import Purpose
from bridge.store.challenges import RESEND_SECONDS


@dataclass(frozen=True)
class Proving:
    """One use of the two pages. `first`, `second`, `again`: their endpoints and the one that sends
    another code. `proven`: goes on with the ticket."""

    purpose: Purpose
    first: str
    second: str
    again: str
    proven: Callable[[str], ResponseReturnValue]

    @property
    def joining(self) -> bool:
        """Whether the pages speak of joining, or of signing in."""
        return self.purpose == "registration"

    def kept(self) -> dict[str, str]:
        """What the session knows of a code that was sent: challenge, mobile, time."""
        found: dict[str, str] = visitor().data.get("code." + self.purpose) or {}
        return found

    def forget(self) -> None:
        """Nothing of it stays in the session."""
        visitor().data.pop("code." + self.purpose, None)


def client() -> str:
    """Whom the limits count this visit for: the client that waits, or the pages themselves."""
    return waiting_parameters().get("client_id") or "pages"


def address() -> str:
    """The remote IP address, for the limits."""
    return flask.request.remote_addr or ""


def number(use: Proving) -> ResponseReturnValue:
    """GET, POST: the number; a good one gets a code, whoever it belongs to."""
    if flask.request.method != "POST":
        return _number(use)
    t, typed = words(), forms.plain(flask.request.form.get("mobile", ""))
    try:
        mobile = normalise("mobile", typed, current().settings.region)
    except NotNormal:
        wrong = t("error.mobile") if typed else t("error.blank", label=t("field.mobile"))
        return _number(use, 422, errors={"mobile": wrong}, values={"mobile": typed})
    try:
        return send(use, mobile)
    except Problem as problem:
        return in_place(problem, "mobile.html", values={"mobile": typed}, **_first(use))


def send(use: Proving, mobile: str) -> ResponseReturnValue:
    """A code to this number (in normal form), and on to the page that takes it. Raises Problem."""
    _send(use, mobile)
    return flask.redirect(href(use.second), 303)


def code(use: Proving) -> ResponseReturnValue:
    """GET, POST: the code; the right one goes on with its ticket."""
    if not use.kept():
        return flask.redirect(href(use.first), 303)
    if flask.request.method != "POST":
        return _code(use)
    t, typed = words(), forms.plain(flask.request.form.get("code", "")).replace(" ", "")
    if not typed:
        return _code(use, 422, {"code": t("error.blank", label=t("field.code"))})
    try:
        ticket = codes.verify(current(), use.kept()["challenge"], typed[:12], visitor().binding)
    except Problem as problem:
        if problem.type != "code-wrong":
            raise
        return _code(use, 422, {"code": t("error.code")})
    return use.proven(ticket)


def again(use: Proving) -> ResponseReturnValue:
    """POST: another code to the same number. Within a minute it is still the one before."""
    kept = use.kept()
    if not kept or flask.request.method != "POST":
        return flask.redirect(href(use.second if kept else use.first), 303)
    early = _left(kept) > 0
    try:
        _send(use, kept["mobile"])
    except Problem as problem:
        return in_place(problem, "code.html", **_second(use))
    visitor().data["notice"] = "" if early else "otp.resent"
    return flask.redirect(href(use.second), 303)


def masked(mobile: str) -> str:
    """Enough to see that it is one's own: `138****8000`."""
    local = mobile.removeprefix("+86")
    return f"{local[:3]}****{local[-4:]}"


def notice() -> str | None:
    """What the page before wanted said, once."""
    key = visitor().data.pop("notice", "")
    return words()(key) if key else None


def _send(use: Proving, mobile: str) -> None:
    language = words().language
    asker = Asker(client(), visitor().binding, address(), language, trace())
    challenge = codes.start(current(), "mobile", mobile, use.purpose, asker)
    kept = use.kept()
    same = kept.get("challenge") == challenge
    sent = kept["sent"] if same else str(int(current().clock()))
    visitor().data["code." + use.purpose] = {
        "challenge": challenge,
        "mobile": mobile,
        "sent": sent,
    }


def _left(kept: dict[str, str]) -> int:
    """Seconds until another code can be asked for."""
    return max(0, RESEND_SECONDS - int(current().clock() - int(kept["sent"])))


def _first(use: Proving) -> dict[str, Any]:
    return {"joining": use.joining, "here": href(use.first)}


def _second(use: Proving) -> dict[str, Any]:
    kept = use.kept()
    return {
        "joining": use.joining,
        "here": href(use.second),
        "resend": href(use.again),
        "change": href(use.first),
        "address": masked(kept["mobile"]),
        "wait": _left(kept),
    }


def _number(use: Proving, status: int = 200, **view: Any) -> Response:
    return show("mobile.html", status, notice=notice(), **{**_first(use), **view})


def _code(use: Proving, status: int = 200, errors: forms.Errors | None = None) -> Response:
    return show("code.html", status, notice=notice(), errors=errors or {}, **_second(use))
