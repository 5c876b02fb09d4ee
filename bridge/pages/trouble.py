"""What a person is told when something is wrong: a page with a status, a way on, and the request id
that our log knows. Not for: what went wrong (`bridge/errors.py`), or answers in JSON.
"""

import math
from typing import Any

import flask
from flask import Blueprint, Response
from werkzeug.exceptions import HTTPException

from adapters.errors import CrmError
from bridge import log
from bridge.edge import problems
from bridge.errors import KINDS, Problem, from_crm
from bridge.pages.frame import finish, href, show, words
from bridge.pages.texts import Texts
from bridge.store import StoreDown

_HTTP = {403: "forbidden", 404: "not-found", 405: "method-not-allowed", 413: "too-large"}
SOON = frozenset(
    name for name, kind in KINDS.items() if kind.status in (429, 503) or name == "crm-malformed"
)
"""Problems that pass by themselves: a form says so in place, and keeps what was typed."""


def add_to(pages: Blueprint) -> None:
    """The handlers of the blueprint, and `/error` for whoever has to send a browser somewhere."""
    pages.add_url_rule("/error", view_func=error)
    pages.register_error_handler(Problem, respond)
    pages.register_error_handler(CrmError, lambda error: respond(from_crm(error)))
    pages.register_error_handler(StoreDown, lambda _: respond(Problem("store-unavailable")))
    pages.register_error_handler(HTTPException, _http)
    pages.register_error_handler(Exception, _unforeseen)
    pages.app_errorhandler(404)(_nowhere)


def _nowhere(_: HTTPException) -> Response:
    """A path that nobody serves: a page for a browser, a problem document for anything else."""
    wanted = flask.request.accept_mimetypes.best_match(["application/problem+json", "text/html"])
    problem = Problem("not-found")
    return respond(problem) if wanted == "text/html" else problems.respond(problem)


def error() -> Response:
    """`/error?type=…`: a problem of ours by its type, or `sign-in-over` for an authorize request
    that no longer waits; anything else is a request that can't be read."""
    name = flask.request.args.get("type", "")
    if name == "sign-in-over":
        t = words()
        title, lead = t("problem.sign_in_over.title"), t("problem.sign_in_over.lead")
        return finish(show("message.html", 400, title=title, lines=[lead], links=[]))
    return respond(Problem(name if name in KINDS else "invalid-request"))


def respond(problem: Problem) -> Response:
    """The page of a problem, complete with its headers: also for the app's own 404."""
    t, status = words(), problem.kind.status
    known = status if f"problem.{status}.title" in t else 400 if status < 500 else 500
    values = {"wait": waiting_time(t, problem.retry_after)} if known == 429 else {}
    links = [("common.home", href("sign_in"))]
    if flask.request.method == "GET" and status >= 500:
        links.insert(
            0, ("common.retry", "?" + flask.request.query_string.decode("ascii", "ignore"))
        )
    response = show(
        "message.html",
        status,
        title=t(f"problem.{known}.title"),
        lines=[t(f"problem.{known}.lead", **values)],
        links=links,
        request_id=flask.g.get("request_id"),
    )
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    return finish(response)


def in_place(problem: Problem, template: str, **view: Any) -> Response:
    """The form again, with what is to be said above it. Raises `problem` if it doesn't pass by
    itself."""
    if problem.type not in SOON:
        raise problem
    t = words()
    wait = waiting_time(t, problem.retry_after)
    text = t("error.too_many", wait=wait) if problem.kind.status == 429 else t("error.busy")
    response = show(template, problem.kind.status, errors={"form": text}, **view)
    if problem.retry_after is not None:
        response.headers["Retry-After"] = str(max(1, math.ceil(problem.retry_after)))
    return response


def waiting_time(t: Texts, seconds: float | None) -> str:
    """Seconds or whole minutes, in words."""
    whole = max(1, math.ceil(seconds or 60))
    if whole < 90:
        return t("error.wait_seconds", n=whole)
    return t("error.wait_minutes", n=math.ceil(whole / 60))


def _http(error: HTTPException) -> Response:
    if error.code is not None and error.code < 400:
        return Response(status=error.code, headers=error.get_headers())
    name = "internal" if (error.code or 500) >= 500 else "invalid-request"
    return respond(Problem(_HTTP.get(error.code or 500, name)))


def _unforeseen(error: Exception) -> Response:
    log.failure("unhandled", error, request_id=flask.g.get("request_id"))
    return respond(Problem("internal"))
