"""The OAuth endpoints as a Flask blueprint. Not for: what they decide.

Store trouble is OAuth's own 503 here (`temporarily_unavailable`), since OAuth clients read that and
not problem documents; only userinfo, a resource, answers with problems.
"""

from collections.abc import Callable
from functools import wraps

import flask
from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Blueprint, Response, jsonify

from bridge.edge.request import trace
from bridge.oauth import metadata as described
from bridge.oauth.authorize import authorize
from bridge.oauth.challenge import challenge
from bridge.oauth.challenge_steps import WechatCodes
from bridge.oauth.device import device_authorization
from bridge.oauth.errors import Refusal
from bridge.oauth.needs import Needs
from bridge.oauth.request import BridgeRequest, navigated
from bridge.oauth.server import Server
from bridge.oauth.userinfo import userinfo
from bridge.parts import WebParts
from bridge.store.connection import StoreDown

_PAGES = {
    200: "/signed-out",
    400: "/error?type=sign-in-over",
    503: "/error?type=store-unavailable",
}
"""Status of an answer for which there is no client to go back to -> the hosted page."""
_ASKS_FIRST = "/signed-in"
"""The hosted page whose form signs out."""
_AN_HOUR = "public, max-age=3600"
View = Callable[[], Response]


def blueprint(parts: WebParts, wechat: WechatCodes | None = None) -> Blueprint:
    """Everything under `/oauth`, and the two well-known documents. `wechat`: who asks WeChat whose
    a code of its own is, by the parameter that brings it."""
    server = Server(parts)
    issuer = parts.settings.issuer
    found = Blueprint("oauth", __name__)

    def add(path: str, name: str, view: View, *methods: str) -> None:
        found.add_url_rule(path, name, _guarded(server, view), methods=list(methods))

    def add_navigable(path: str, view: View) -> None:
        readable = _for_people(_guarded(server, view))
        found.add_url_rule(path, path.rpartition("/")[2], readable, methods=["GET", "POST"])

    add_navigable("/oauth/authorize", lambda: authorize(parts, server))
    add("/oauth/token", "token", server.create_token_response, "POST")
    for path, name in (("revoke", "revocation"), ("introspect", "introspection")):
        add(f"/oauth/{path}", path, _endpoint(server, name), "POST")
    add("/oauth/challenge", "challenge", lambda: challenge(parts, server, wechat or {}), "POST")
    path = "/oauth/device_authorization"
    add(path, "device_authorization", lambda: device_authorization(server), "POST")
    add_navigable("/oauth/logout", lambda: _logout(parts, server))
    add("/oauth/userinfo", "userinfo", lambda: jsonify(userinfo(parts, trace())), "GET", "POST")
    add("/oauth/jwks", "jwks", lambda: _kept(described.jwks(parts)), "GET")
    document = described.metadata(issuer)
    for name in ("oauth-authorization-server", "openid-configuration"):
        add(f"/.well-known/{name}", name, lambda: _kept(document), "GET")
    return found


def _guarded(server: Server, view: View) -> View:
    @wraps(view)
    def run() -> Response:
        try:
            return view()
        except OAuth2Error as error:
            return server.handle_error_response(None, error)
        except StoreDown:
            return server.handle_error_response(None, Refusal("temporarily_unavailable"))

    return run


def _for_people(view: View) -> View:
    """A browser that a person looks at (it prefers HTML) is sent to a page instead of JSON."""

    @wraps(view)
    def run() -> Response:
        answer = view()
        preferred = flask.request.accept_mimetypes.best_match(["application/json", "text/html"])
        if preferred == "text/html" and answer.is_json:
            answer.headers["Location"] = _PAGES.get(answer.status_code, _PAGES[400])
            answer.status_code = 303
            answer.set_data("")
        return answer

    return run


def _endpoint(server: Server, name: str) -> View:
    def view() -> Response:
        answer: Response = server.create_endpoint_response(name)
        return answer

    return view


def _logout(parts: Needs, server: Server) -> Response:
    """303 to where the client registered, else a plain answer. A link without an id_token_hint can
    be anybody's, so whoever is signed in is asked first (RP-Initiated Logout 1.0, section 6)."""
    request = BridgeRequest(parts.settings.issuer, navigated())
    asked = server.validate_endpoint_request("end_session", request)
    if asked.needs_confirmation and _is_signed_in(parts):
        return server.handle_response(303, "", [("Location", _ASKS_FIRST)])
    answer: Response | None = server.create_endpoint_response("end_session", asked)
    if answer is None:
        answer = jsonify({"signed_out": True})
    if answer.status_code == 302:
        answer.status_code = 303
    return answer


def _is_signed_in(parts: Needs) -> bool:
    session = parts.sessions.load(flask.request.cookies.get(parts.sessions.cookie_name))
    return session is not None and session.signed_in is not None


def _kept(document: dict[str, object]) -> Response:
    answer = jsonify(document)
    answer.headers["Cache-Control"] = _AN_HOUR
    return answer
