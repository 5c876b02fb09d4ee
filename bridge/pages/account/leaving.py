"""`/account/export` and `/account/erase`: a copy of everything, and the end of it, with a receipt.

Not for: what is copied or erased (`bridge/services/export.py`, `bridge/writes/erasing.py`).
"""

from datetime import UTC, datetime
from typing import Any

import flask
from flask import Blueprint, Response
from flask.typing import ResponseReturnValue

from bridge import security
from bridge.edge.json import plain
from bridge.errors import Problem
from bridge.pages.account import holder, writing
from bridge.pages.frame import href, show, visitor, words
from bridge.pages.signing_in import BOTH, leave
from bridge.pages.trouble import in_place
from bridge.pages.visit import page
from bridge.parts import current
from bridge.services import export, members, operations, receipts, signing_out

_ERASING, _ERASED = "erasing", "erased"
"""In the session: the operation that waits and who may ask for it; what became of it. No values."""


def add_to(pages: Blueprint) -> None:
    """The routes. Whoever was erased has no sign-in any more, so the last ones ask for none."""
    holder.add(pages, "/account/export", "account_export", offer, fresh=True)
    holder.add(pages, "/account/export/member.json", "account_copy", copy, fresh=True)
    holder.add(pages, "/account/erase", "account_erase", erase, fresh=True)
    pages.add_url_rule("/account/erased", "account_erased", page(erased), methods=BOTH)
    pages.add_url_rule("/account/erasing", "account_erasing", page(progress))


def offer() -> ResponseReturnValue:
    """What the copy is."""
    return show("account_export.html")


def copy() -> ResponseReturnValue:
    """The file."""
    parts = current()
    found = holder.record(export.fields(parts.mapping))
    now = datetime.fromtimestamp(int(parts.clock()), UTC)
    body = plain(export.copy(parts.mapping, found, now))
    response = Response(body, mimetype="application/json")
    response.headers["Content-Disposition"] = 'attachment; filename="member.json"'
    return response


def erase() -> ResponseReturnValue:
    """What goes; and, sent, the end of it."""
    holder.record(())
    if flask.request.method != "POST":
        return show("account_erase.html")
    if flask.request.form.get("sure") != "yes":
        wrong = words()("account.erase_sure_missing")
        return show("account_erase.html", 422, errors={"sure": wrong})
    who, parts = holder.holder(), current()
    try:
        op = writing.operation("erase")
        accepted = writing.accept("erase", members.erasure(who.member_id), op, {})
    except Problem as problem:
        return in_place(problem, "account_erase.html")
    if accepted.fresh:
        security.tell("erase-asked", member=who.member_id, client=holder.CLIENT)
    kept = {"op": op, "owner": holder.owner(), "since": parts.clock()}
    visitor().data[_ERASING] = kept
    parts.sessions.save(visitor())
    parts.mailboxes.wait(op, writing.WAIT_SECONDS)
    return flask.redirect(href("account_erased"), 303)


def erased() -> ResponseReturnValue:
    """Waits for the CRM, then shows the receipt."""
    data = visitor().data
    if _ERASED in data:
        return _receipt(**data[_ERASED])
    kept = data.get(_ERASING)
    if kept is None:
        return flask.redirect(href("account"), 303)
    outcome = current().mailboxes.outcome(kept["op"], kept["owner"])
    if outcome is None:
        return writing.waiting(kept["since"], "account_erasing", "account_erased")
    data.pop(_ERASING)
    if operations.problem_of(outcome) is not None:
        data["notice"] = "account.refused"
        return flask.redirect(href("account"), 303)
    who = visitor().signed_in
    if who is not None:
        signing_out.everywhere(current(), who.member_id)
    leave()
    visitor().data[_ERASED] = {"op": outcome.op, "at": int(outcome.at)}
    return _receipt(**visitor().data[_ERASED])


def progress() -> ResponseReturnValue:
    """What the waiting page asks: {"done": bool}."""
    kept = visitor().data.get(_ERASING)
    done = kept is None or current().mailboxes.outcome(kept["op"], kept["owner"]) is not None
    return {"done": done}


def _receipt(op: str, at: int) -> ResponseReturnValue:
    parts = current()
    signed = receipts.erasure(parts.id_token_key, parts.settings.issuer, op, at)
    view: dict[str, Any] = {"at": datetime.fromtimestamp(at, UTC), "op": op, "receipt": signed}
    return show("account_erased.html", **view)
