"""The two pages that prove an address: ask for the number or e-mail, then for the code sent there.

Not for: sending and checking codes (`bridge/services/codes.py`), or what the proof is good for.
Joining, signing in, and changes of an account use them; what they keep is in the sealed session.
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
    another code. `proven`: goes on with the ticket. `template`: of the first page. `kind`: of the
    address that it asks for. `leave`: what the way back to it is called."""

    purpose: Purpose
    first: str
    second: str
    again: str
    proven: Callable[[str], ResponseReturnValue]
    template: str = "mobile.html"
    kind: str = "mobile"
    leave: str = "otp.change"

    @property
    def joining(self) -> bool:
        """Whether the pages speak of joining, or of signing in."""
        return self.purpose == "registration"

    def kept(self) -> dict[str, str]:
        """What the session knows of a code that was sent: challenge, kind, address, time."""
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
    """GET, POST: the number or e-mail; a good one gets a code, whoever it belongs to."""
    if flask.request.method != "POST":
        return _number(use)
    t, kind = words(), use.kind
    typed = forms.plain(flask.request.form.get(kind, ""))[:254]
    try:
        normal = normalise(kind, typed, current().settings.region)
    except NotNormal:
        wrong = t(f"error.{kind}") if typed else t("error.blank", label=t(f"field.{kind}"))
        return _number(use, 422, errors={kind: wrong}, values={kind: typed})
    try:
        return send(use, normal)
    except Problem as problem:
        return in_place(problem, use.template, values={kind: typed}, **_first(use))


def send(use: Proving, to: str, kind: str = "") -> ResponseReturnValue:
    """A code to this address (in normal form; `kind` where it isn't that of the page), and on to
    the page that takes it. Raises Problem."""
    _send(use, kind or use.kind, to)
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
    """POST: another code to the same address. Within a minute it is still the one before."""
    kept = use.kept()
    if not kept or flask.request.method != "POST":
        return flask.redirect(href(use.second if kept else use.first), 303)
    early = _left(kept) > 0
    try:
        _send(use, kept["kind"], kept["address"])
    except Problem as problem:
        return in_place(problem, "code.html", **_second(use))
    visitor().data["notice"] = "" if early else "otp.resent"
    return flask.redirect(href(use.second), 303)


def masked(full: str) -> str:
    """Enough to see that it is one's own: `138****8000`, `l****@example.com`."""
    local, at, domain = full.rpartition("@")
    if at:
        return f"{local[:1]}****@{domain}"
    local = full.removeprefix("+86")
    return f"{local[:3]}****{local[-4:]}"


def notice() -> str | None:
    """What the page before wanted said, once."""
    key = visitor().data.pop("notice", "")
    return words()(key) if key else None


def _send(use: Proving, kind: str, to: str) -> None:
    language = words().language
    asker = Asker(client(), visitor().binding, address(), language, trace())
    challenge = codes.start(current(), kind, to, use.purpose, asker)
    kept = use.kept()
    same = kept.get("challenge") == challenge
    sent = kept["sent"] if same else str(int(current().clock()))
    visitor().data["code." + use.purpose] = {
        "challenge": challenge,
        "kind": kind,
        "address": to,
        "sent": sent,
    }


def _left(kept: dict[str, str]) -> int:
    """Seconds until another code can be asked for."""
    return max(0, RESEND_SECONDS - int(current().clock() - int(kept["sent"])))


def _first(use: Proving) -> dict[str, Any]:
    return {"joining": use.joining, "kind": use.kind, "here": href(use.first)}


def _second(use: Proving) -> dict[str, Any]:
    kept = use.kept()
    return {
        "joining": use.joining,
        "here": href(use.second),
        "resend": href(use.again),
        "change": href(use.first),
        "leave": use.leave,
        "mail": kept["kind"] == "email",
        "address": masked(kept["address"]),
        "wait": _left(kept),
    }


def _number(use: Proving, status: int = 200, **view: Any) -> Response:
    return show(use.template, status, notice=notice(), **{**_first(use), **view})


def _code(use: Proving, status: int = 200, errors: forms.Errors | None = None) -> Response:
    return show("code.html", status, notice=notice(), errors=errors or {}, **_second(use))
