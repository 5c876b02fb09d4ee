"""The request at hand: its id, its trace, and its one line in the access log.

Not for: anything of its content. The line has the route's template, never a path, a query or an
agent, since any of those can name a person. An incoming X-Request-Id is taken only in the shape of
a UUID or of 32 hex digits, which no telephone number or address has.
"""

import re
import time
import uuid

import flask
from flask import Flask, Response

from adapters.base import Trace
from bridge import log
from bridge.services import traces

_REQUEST_ID = re.compile(
    r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}|[0-9a-fA-F]{32}", re.ASCII
)
_METHODS = frozenset(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])


def install(app: Flask) -> None:
    """Begin and end every request."""
    app.before_request(_begin)
    app.after_request(_end)


def request_id() -> str:
    """What the answer's X-Request-Id and our log lines carry."""
    return str(flask.g.request_id)


def trace() -> Trace:
    """The trace to hand to adapters and envelopes: the caller's, with a span of our own."""
    found: Trace = flask.g.trace
    return found


def go_on(traceparent: str) -> None:
    """Join a trace that the request carries elsewhere than in its header (a signed link)."""
    flask.g.trace = Trace(traceparent)


def _begin() -> None:
    incoming = flask.request.headers.get("X-Request-Id", "")
    flask.g.request_id = incoming if _REQUEST_ID.fullmatch(incoming) else str(uuid.uuid4())
    given = traces.taken(flask.request.headers.get("traceparent"))
    flask.g.trace = Trace(traces.fresh(traces.trace_id(given)))
    flask.g.started = time.perf_counter()


def _end(response: Response) -> Response:
    rule, caller = flask.request.url_rule, flask.g.get("caller")
    response.headers["X-Request-Id"] = request_id()
    log.event(
        "request",
        method=flask.request.method if flask.request.method in _METHODS else "other",
        route=rule.rule if rule else "none",
        status=response.status_code,
        ms=round((time.perf_counter() - flask.g.started) * 1000, 1),
        request_id=request_id(),
        trace=traces.trace_id(trace().traceparent),
        client=caller.client_id if caller else None,
    )
    return response
