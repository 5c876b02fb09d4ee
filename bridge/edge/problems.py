"""Everything that goes wrong becomes a problem document here. Not for: which problem it is
(`bridge/errors.py`), or OAuth's own error answers."""

import math

import flask
import orjson
from flask import Flask, Response
from werkzeug.exceptions import HTTPException

from adapters.errors import CrmError, Misconfigured
from bridge import log
from bridge.errors import Problem, from_crm
from bridge.store import StoreDown

_HTTP = {
    401: "unauthenticated",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    406: "not-acceptable",
    413: "too-large",
    415: "unsupported-media-type",
    429: "too-many",
}
"""What Flask and Werkzeug raise by themselves; any other 4xx is a malformed request."""


def install(app: Flask) -> None:
    """A blueprint's own handlers (pages) come first; these are for what they leave."""
    app.register_error_handler(Problem, respond)
    app.register_error_handler(CrmError, _crm)
    app.register_error_handler(StoreDown, _store)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(Exception, _unforeseen)


def respond(problem: Problem) -> Response:
    """The problem as an answer (RFC 9457 section 3), with the headers that belong to its type."""
    response = Response(
        orjson.dumps(problem.document()), problem.kind.status, mimetype="application/problem+json"
    )
    if problem.retry_after is not None:
        seconds = str(max(1, math.ceil(problem.retry_after)))
        response.headers["Retry-After"] = seconds
        if "limit" in problem.extensions:  # draft-ietf-httpapi-ratelimit-headers-11
            response.headers["RateLimit"] = f'"{problem.extensions["limit"]}";r=0;t={seconds}'
    if problem.type in ("unauthenticated", "insufficient-scope", "step-up"):
        response.headers["WWW-Authenticate"] = _challenge(problem)
    return response


def _challenge(problem: Problem) -> str:
    """RFC 6750 section 3: no error code where no token was sent."""
    if problem.type == "insufficient-scope":
        scope = problem.extensions.get("scope", "")
        return f'Bearer error="insufficient_scope", scope="{scope}"'
    if problem.type == "step-up":  # RFC 9470 section 3
        asked = [f'{name}="{value}"' for name, value in problem.extensions.items()]
        return ", ".join(['Bearer error="insufficient_user_authentication"', *asked])
    sent = "Authorization" in flask.request.headers
    return 'Bearer error="invalid_token"' if sent else "Bearer"


def _crm(error: CrmError) -> Response:
    if isinstance(error, Misconfigured):
        log.failure("crm-misconfigured", error, crm_code=error.remote_code)
    return respond(from_crm(error))


def _store(_: StoreDown) -> Response:
    return respond(Problem("store-unavailable"))


def _http(error: HTTPException) -> Response:
    if error.code is None or error.code < 400:  # a redirect that Werkzeug raised
        return Response(status=error.code or 500, headers=error.get_headers())
    if error.code >= 500:
        return respond(Problem("internal"))
    response = respond(Problem(_HTTP.get(error.code, "invalid-request")))
    for name, value in error.get_headers():
        if name in ("Allow", "Retry-After"):
            response.headers[name] = value
    return response


def _unforeseen(error: Exception) -> Response:
    log.failure("unhandled", error, request_id=flask.g.get("request_id"))
    return respond(Problem("internal"))
