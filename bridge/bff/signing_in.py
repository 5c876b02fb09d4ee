"""Sign a site in: to the authorize endpoint and back, for the browser that began it.

Not for: who the member is, which the hosted pages find out. Both are navigations, so what goes
wrong is an error page, or a code in the site's own URL (`bff_error`).
"""

import base64
import hashlib
import secrets
from urllib.parse import urlencode

import flask
from flask import Response

from bridge.bff.needs import Desk
from bridge.bff.server import NotGood
from bridge.errors import Problem
from bridge.services.clients import Client
from bridge.store.bff_sessions import LOGIN_SECONDS, BffSession, Login

_OVER = "/error?type=sign-in-over"
_UNREADABLE = "/error?type=invalid-request"
_PASSED = ("prompt", "max_age", "acr_values", "ui_locales")
"""Parameters of a login that go on to the authorize endpoint, which judges them."""
_ERRORS = frozenset(["access_denied", "login_required", "temporarily_unavailable"])
_CLAIMS = ("sub", "auth_time", "amr", "acr")


def login(desk: Desk) -> Response:
    """To the authorize endpoint. `client_id`, and optionally `return_to` (one of those registered;
    else the first) and what of `_PASSED` is asked."""
    asked = flask.request.args.to_dict()
    client = desk.clients.get(asked.get("client_id"))
    if client is None or client.bff is None:
        return _go(_UNREADABLE)
    return_to = asked.get("return_to", client.bff.return_to[0])
    if return_to not in client.bff.return_to:
        return _go(_UNREADABLE)
    verifier, nonce = secrets.token_urlsafe(48), secrets.token_urlsafe(16)
    browser = desk.guard.login_secret() or secrets.token_urlsafe(32)
    kept = Login(client.client_id, return_to, verifier, nonce)
    state = desk.sessions.begin_login(kept, browser)
    passed = {name: asked[name] for name in _PASSED if name in asked}
    answer = _go(f"/oauth/authorize?{urlencode({**_asked(desk, client, kept, state), **passed})}")
    desk.guard.set_login_secret(answer, browser, LOGIN_SECONDS)
    return answer


def _asked(desk: Desk, client: Client, kept: Login, state: str) -> dict[str, str]:
    """The authorize request: all that the client may ask for."""
    digest = hashlib.sha256(kept.verifier.encode()).digest()
    return {
        "response_type": "code",
        "client_id": client.client_id,
        "redirect_uri": desk.by(client).redirect_uri,
        "scope": " ".join(sorted(client.scopes)),
        "state": state,
        "nonce": kept.nonce,
        "code_challenge": base64.urlsafe_b64encode(digest).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }


def callback(desk: Desk) -> Response:
    """The answer to a login of this very browser: a session under a new id, and back to the site.
    Anything else ends on an error page and changes nothing."""
    given = flask.request.args
    kept = desk.sessions.take_login(given.get("state", ""), desk.guard.login_secret())
    if kept is None or given.get("iss") != desk.server.issuer:
        return _go(_OVER)
    client = desk.clients.get(kept.client_id)
    if client is None:
        return _go(_OVER)
    if "code" not in given:
        error = given.get("error", "")
        return _back(kept, error if error in _ERRORS else "server_error")
    return _enter(desk, client, kept, given["code"])


def _enter(desk: Desk, client: Client, kept: Login, code: str) -> Response:
    by = desk.by(client)
    try:
        tokens = desk.server.redeem(by, code, kept.verifier)
        claims = desk.server.claims(by, tokens.id_token, kept.nonce)
    except NotGood:
        return _go(_OVER)
    except Problem:
        return _back(kept, "temporarily_unavailable")
    desk.keeper.drop(by, desk.guard.cookie_of(client))
    session = BffSession(
        client.client_id,
        tokens.access_token,
        tokens.refresh_token,
        desk.sessions.clock() + tokens.seconds,
        {name: claims[name] for name in _CLAIMS if name in claims},
    )
    answer = _back(kept)
    desk.guard.set_cookie(answer, client, desk.sessions.start(session))
    return answer


def _go(place: str) -> Response:
    answer = Response(status=303)
    answer.headers["Location"] = place
    return answer


def _back(kept: Login, error: str = "") -> Response:
    """To the site; what went wrong is told by a code of ours."""
    if not error:
        return _go(kept.return_to)
    mark = "&" if "?" in kept.return_to else "?"
    return _go(f"{kept.return_to}{mark}{urlencode({'bff_error': error})}")
