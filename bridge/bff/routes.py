"""The BFF's routes, and its calls: `/bff/session`, `/bff/logout`, and `/bff/api/*`, which goes on
to the API with the session's token.

Not for: signing in (`signing_in.py`), or who may call (`guard.py`). All three are calls of a site's
script with the header X-CSRF. No answer holds a token.
"""

from functools import partial

import flask
from flask import Blueprint, Flask, Response, jsonify

from bridge import edge
from bridge.bff.needs import Desk, Needs, desk
from bridge.bff.server import Answer
from bridge.bff.signing_in import callback, login
from bridge.errors import Problem

FORWARDED = (
    ("/me", ("GET", "PATCH", "DELETE")),
    ("/me/completeness", ("GET",)),
    ("/me/export", ("GET",)),
    ("/me/consents", ("GET", "PUT")),
    ("/me/consents/history", ("GET",)),
    ("/me/password", ("PUT",)),
    ("/me/codes", ("POST",)),
    ("/me/codes/<id>/verify", ("POST",)),
    ("/me/mobile", ("PUT",)),
    ("/me/email", ("PUT",)),
    ("/me/identities", ("GET", "POST")),
    ("/me/identities/<id>", ("DELETE",)),
    ("/me/sessions", ("GET", "DELETE")),
    ("/me/sessions/<id>", ("DELETE",)),
    ("/operations/<id>", ("GET",)),
    ("/capabilities", ("GET",)),
)
"""All that `/bff/api` forwards: paths below `/v1`, and methods. A new route of the API is not the
browser's until it stands here."""
HEADERS_IN = (
    "Accept",
    "Accept-Language",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
)
HEADERS_OUT = (
    "Content-Type",
    "ETag",
    "Preference-Applied",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
)


def blueprint(parts: Needs, app: Flask) -> Blueprint:
    """Everything under `/bff`."""
    made = desk(parts, app)
    found = Blueprint("bff", __name__, url_prefix="/bff")
    found.add_url_rule("/login", "login", partial(login, made))
    found.add_url_rule("/callback", "callback", partial(callback, made))
    found.add_url_rule("/session", "session", partial(session, made))
    found.add_url_rule("/logout", "logout", partial(logout, made), methods=["POST"])
    for path, methods in FORWARDED:
        found.add_url_rule(
            f"/api{path}", f"api {path}", partial(forward, made, path), methods=methods
        )
    found.after_request(made.guard.share)
    return found


def session(made: Desk) -> Response:
    """Whether somebody is signed in, and how they did it. Not who they are: the API says that."""
    client = made.guard.site()
    held = made.keeper.fresh(made.by(client), made.guard.cookie_of(client))
    if held is None:
        return jsonify({"signed_in": False})
    return jsonify({"signed_in": True, **held.claims})


def logout(made: Desk) -> Response:
    """204. The session and its grant are over, and the browser's session at the hosted pages, so
    that the next sign-in asks."""
    client = made.guard.site()
    cookies = flask.request.headers.get("Cookie", "")
    made.keeper.leave(made.by(client), made.guard.cookie_of(client), cookies)
    answer = Response(status=204)
    made.guard.drop_cookie(answer, client)
    return answer


def forward(made: Desk, path: str, **named: str) -> Response:
    """The API's answer to the same call with the session's token. Where the token is refused the
    session is over."""
    client = made.guard.site()
    id_ = made.guard.cookie_of(client)
    held = made.keeper.fresh(made.by(client), id_)
    if held is None:
        raise Problem("unauthenticated")
    answer = made.server.call(
        flask.request.method,
        "/v1" + path.replace("<id>", named.get("id", "")),
        {**_incoming(), "Authorization": f"Bearer {held.access_token}"},
        query=flask.request.query_string.decode("latin-1"),
        body=flask.request.get_data(cache=False),
        address=flask.request.remote_addr or "",
    )
    response = _outgoing(answer)
    if "invalid_token" in answer.headers.get("WWW-Authenticate", ""):  # not a step-up
        made.keeper.drop(made.by(client), id_)
        made.guard.drop_cookie(response, client)
    return response


def _incoming() -> dict[str, str]:
    given = flask.request.headers
    found = {name: given[name] for name in HEADERS_IN if name in given}
    ours = {"X-Request-Id": edge.request_id(), "traceparent": edge.trace().traceparent}
    return found | ours


def _outgoing(answer: Answer) -> Response:
    response = Response(answer.body, answer.status)
    response.headers.pop("Content-Type", None)
    for name in HEADERS_OUT:
        if name in answer.headers:
            response.headers[name] = answer.headers[name]
    if "Location" in answer.headers:
        there = answer.headers["Location"]
        response.headers["Location"] = there.replace("/v1/", "/bff/api/", 1)
    return response
