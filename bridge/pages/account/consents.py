"""`/account/consents`: what the member agrees to, and every answer there ever was.

Not for: the texts (settings). An answer is a new fact beside the old ones; nothing is overwritten.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

import flask
from flask import Blueprint
from flask.typing import ResponseReturnValue

from adapters.base import Found
from bridge.errors import Problem
from bridge.pages import codes
from bridge.pages.account import holder, writing
from bridge.pages.frame import href, in_language, show, words
from bridge.pages.joining import channel
from bridge.pages.trouble import in_place
from bridge.parts import current
from bridge.services import consents
from bridge.services.consents import Answer
from bridge.writes.write import record_id

_FIELDS = tuple(f"consents.{name}" for name in consents.FIELDS)
_TEMPLATE = "account_consents.html"


def add_to(pages: Blueprint) -> None:
    """The routes."""
    holder.add(pages, "/account/consents", "account_consents", agreed)


def agreed() -> ResponseReturnValue:
    """The purposes with their boxes, and the history."""
    if writing.waits():
        return flask.redirect(href("account_pending"), 303)
    given = holder.record(_FIELDS).collections["consents"]
    view = _view(given)
    if flask.request.method != "POST":
        return show(_TEMPLATE, notice=codes.notice(), **view)
    answers = tuple(_answers(flask.request.form, view["purposes"]))
    if not answers:
        return flask.redirect(href("account_consents"), 303)
    try:
        return _hand_in(answers)
    except Problem as problem:
        if problem.type == "validation":  # the texts have changed since the page was shown
            stale = {"form": words()("error.form_stale")}
            return show(_TEMPLATE, 422, errors=stale, **view)
        return in_place(problem, _TEMPLATE, **view)


def _hand_in(answers: tuple[Answer, ...]) -> ResponseReturnValue:
    parts = current()
    consents.checked(parts.settings.consents, answers, registering=False)
    op = writing.operation("consents")
    ids = [record_id(parts.record_key, op, "consent", n) for n in range(len(answers))]
    now = datetime.fromtimestamp(int(parts.clock()), UTC)
    rows = consents.rows(holder.holder().member_id, answers, ids, channel(), now)
    said = {answer.purpose: [answer.granted, answer.text_version] for answer in answers}
    return writing.wait(
        writing.accept("apply", rows, op, said), "account_consents", "account.saved"
    )


def _answers(form: Mapping[str, str], purposes: Iterable[Mapping[str, Any]]) -> Iterable[Answer]:
    """Only what differs from what holds. The version is the one that stood on the page."""
    for each in purposes:
        version = form.get("consent_" + each["purpose"])
        holds = bool(each["granted"] and each["is_current"])
        if each["fixed"] or holds == (version is not None):
            continue
        if version is None and not each["granted"]:
            continue
        yield Answer(each["purpose"], version is not None, version or each["version"])


def _view(given: Iterable[Found]) -> dict[str, Any]:
    asked, rows = current().settings.consents, tuple(given)
    texts = {each["purpose"]: in_language(each["text"]) for each in asked}
    purposes = [
        {
            **state,
            "text": texts[state["purpose"]],
            "version": each["version"],
            "fixed": _fixed(state),
        }
        for each, state in zip(asked, consents.current(asked, rows), strict=True)
    ]
    history = [
        {**row, "text": texts.get(row["purpose"], row["purpose"])} for row in consents.history(rows)
    ]
    return {"purposes": purposes, "history": history}


def _fixed(state: Mapping[str, Any]) -> bool:
    """Without a required one there is no membership: it ends with that."""
    return bool(state["required"] and state["granted"] and state["is_current"])
