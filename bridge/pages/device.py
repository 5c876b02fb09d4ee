"""Approve a sign-in on another device: its code, what is asked, yes or no; the code as a picture.

Not for: the device's side (`bridge/oauth/device.py`). Nobody is asked before they are signed in,
and nothing is approved by opening a link: the person sees which client asks, when and from where,
compares the code with the one on the other screen, and presses a button (RFC 10027 section 6.1).
"""

import io
from typing import Any

import flask
import segno
from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from bridge.pages.frame import href, show, visitor, words
from bridge.pages.signing_in import BOTH, DEVICE
from bridge.pages.visit import page
from bridge.parts import current
from bridge.store.devices import SECONDS, Waiting, plain
from bridge.store.limits import network
from bridge.store.sessions import SignedIn


def add_to(pages: Blueprint) -> None:
    """The routes."""
    pages.add_url_rule("/device", "device", page(device), methods=BOTH)
    pages.add_url_rule("/device/answer", "device_answer", page(answer), methods=BOTH)
    pages.add_url_rule("/device/code.svg", "device_picture", picture)


def device() -> ResponseReturnValue:
    """GET, with the scanned `code` or without; POST of a typed one."""
    typed = flask.request.values.get("code", "")
    if typed:
        visitor().data[DEVICE] = plain(typed)
    if _signed_in() is None:
        return flask.redirect(href("sign_in"), 303) if typed else _ask()
    code = visitor().data.get(DEVICE, "")
    if not code:
        return _ask()
    waiting = _waiting(code)
    if waiting is None:
        visitor().data.pop(DEVICE, None)
        return _ask(422, {"code": words()("device.over")})
    return show("device_answer.html", code=_shown(code), **_told(waiting))


def _ask(status: int = 200, errors: dict[str, str] | None = None) -> Response:
    return show("device.html", status, errors=errors or {})


def _told(waiting: Waiting) -> dict[str, Any]:
    t, asked = words(), waiting.asked
    client = current().clients.get(asked.client_id)
    names = client.name if client else {}
    near = asked.network == network(flask.request.remote_addr or "")
    seconds = max(0, int(current().clock()) - asked.at)
    return {
        "client": names.get(t.language) or next(iter(names.values()), asked.client_id),
        "place": t("device.near") if near else t("device.far", network=asked.network),
        "time": t("device.ago", n=seconds),
        "agent": asked.agent or t("device.unknown"),
    }


def answer() -> ResponseReturnValue:
    """Yes or no; once."""
    who, code = _signed_in(), visitor().data.pop(DEVICE, "")
    waiting = _waiting(code) if code and flask.request.method == "POST" else None
    if who is None or waiting is None:
        return flask.redirect(href("device"), 303)
    devices = current().devices
    if flask.request.form.get("answer") == "yes":
        return _end("approved" if devices.approve(code, waiting, who) else "over")
    devices.deny(code, waiting)
    return _end("denied")


def _end(word: str) -> Response:
    t = words()
    title, lines = t(f"device.{word}_title"), [t(f"device.{word}_lead")]
    return show("message.html", title=title, lines=lines, links=[], done=word == "approved")


def _waiting(code: str) -> Waiting | None:
    """What waits under the code. Guesses are counted like sign-ins. Raises Problem."""
    current().limits.hit("sign_ins_per_network", network(flask.request.remote_addr or ""))
    return current().devices.find(code)


def _signed_in() -> SignedIn | None:
    """Who is signed in in this browser, and hasn't signed out everywhere since."""
    who = visitor().signed_in
    if who is None or current().grants.epoch(who.member_id) != who.epoch:
        return None
    return who


def _shown(code: str) -> str:
    return f"{code[:4]}-{code[4:]}"


def picture() -> Response:
    """The address of `device` with a code, as a QR code: for the device's own page."""
    code = plain(flask.request.args.get("code", ""))
    if len(code) != 8:
        flask.abort(404)
    svg = io.BytesIO()
    url = f"{current().settings.issuer}/device?code={_shown(code)}"
    segno.make(url, error="m").save(svg, kind="svg", scale=4, border=4, light="#fff")
    response = Response(svg.getvalue(), mimetype="image/svg+xml")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = f"private, max-age={SECONDS}"
    return response
