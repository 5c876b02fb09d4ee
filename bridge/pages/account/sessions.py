"""`/account/sessions`: where the member is signed in; signing out there, or everywhere.

Not for: this browser's own session with the pages, which ends by `/sign-out`, and with all others.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from bridge.pages import codes
from bridge.pages.account import holder
from bridge.pages.frame import href, in_language, show, visitor, words
from bridge.pages.signing_in import leave
from bridge.parts import current
from bridge.services import signing_out


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account/sessions", "account_sessions", sessions)


def sessions() -> ResponseReturnValue:
    """The list; sent with the name of one, or with `all`, the end of it."""
    holder.record(())
    member_id, form = holder.holder().member_id, flask.request.form
    if flask.request.method != "POST":
        listed = list(_shown(member_id))
        return show("account_sessions.html", notice=codes.notice(), sessions=listed)
    if form.get("all") == "yes":
        signing_out.everywhere(current(), member_id)
        leave()
        return flask.redirect(href("signed_out"), 303)
    if signing_out.apart(current(), member_id, form.get("session", "")):
        visitor().data["notice"] = "account.session_ended"
    return flask.redirect(href("account_sessions"), 303)


def _shown(member_id: str) -> Iterable[dict[str, Any]]:
    parts, here, t = current(), set(visitor().grants), words()
    for live in parts.grants.of_member(member_id):
        client = parts.clients.get(live.client_id)
        yield {
            "id": live.id,
            "client": in_language(client.name) if client else live.client_id,
            "device": t(f"account.on_{live.device}") if live.device else "",
            "since": datetime.fromtimestamp(live.since, UTC),
            "used": datetime.fromtimestamp(live.used, UTC),
            "here": live.id in here,
        }
