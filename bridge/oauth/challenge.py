"""The authorization challenge endpoint (OAuth 2.0 for First-Party Applications, draft-04): an app
of the brand's own asks for the password or the code itself, and gets an authorization code.

Not for: what each step does (`challenge_steps.py`), or browsers: a page that asks for passwords
can't be told from one that steals them, so a request that a browser's script made is refused, and
there is no CORS here. The code goes to the token endpoint, without a redirect URI.
"""

from typing import Any

import flask
from flask import Response

from bridge.oauth import errors
from bridge.oauth.challenge_steps import More, Steps, WechatCodes
from bridge.oauth.clients import METHODS, OauthClient
from bridge.oauth.errors import Refusal
from bridge.oauth.grants import code_for
from bridge.oauth.request import BridgeRequest, posted
from bridge.oauth.server import Server
from bridge.parts import WebParts
from bridge.services.clients import Client
from bridge.store.auth_sessions import SECONDS, Flow
from bridge.store.sessions import SignedIn

BY_SCRIPTS = ("Origin", "Sec-Fetch-Mode")
"""Headers that a browser adds to a script's or a form's request, and that no script can leave out.
"""


def challenge(parts: WebParts, server: Server, wechat: WechatCodes) -> Response:
    """200 with a code, or 400 with an error that says what is missing. Raises Refusal."""
    if any(name in flask.request.headers for name in BY_SCRIPTS):
        raise Refusal("unauthorized_client", "Not from a browser.")
    form = posted()
    request = BridgeRequest(parts.settings.issuer, form)
    client = server.authenticate_client(request, METHODS, "challenge").client
    if not client.challenge:
        raise Refusal("unauthorized_client", "The client may not use this endpoint.")
    secret = form.get("auth_session", "")
    flow = _resumed(parts, secret, client) if secret else _begun(form, client)
    try:
        who = Steps(parts, client, flow, form, wechat).take()
    except More as more:
        return _asked(parts, secret, flow, more)
    if secret and not parts.auth_sessions.finish(secret):
        raise Refusal("invalid_session")
    return _answered(parts, client, flow, who)


def _begun(form: dict[str, str], client: Client) -> Flow:
    """A first request: it has the parameters of an authorize request."""
    scope = OauthClient(client).get_allowed_scope(form.get("scope"))
    if form.get("response_type", "code") != "code":
        raise Refusal("invalid_request")
    if form.get("code_challenge_method") != "S256" or len(form.get("code_challenge", "")) != 43:
        raise Refusal("invalid_request", "Send code_challenge with code_challenge_method S256.")
    if scope is None:
        raise Refusal("invalid_scope")
    return Flow(client.client_id, scope, form["code_challenge"], form.get("nonce", ""))


def _resumed(parts: WebParts, secret: str, client: Client) -> Flow:
    flow = parts.auth_sessions.use(secret, client.client_id)
    if flow is None:
        raise Refusal("invalid_session")
    return flow


def _asked(parts: WebParts, secret: str, flow: Flow, more: More) -> Response:
    """What is missing, and the `auth_session` under which it is to be brought."""
    if secret and not parts.auth_sessions.save(secret, flow):
        raise Refusal("invalid_session")
    body: dict[str, Any] = {**errors.body(Refusal(more.error)), **more.told}
    body["auth_session"] = secret or parts.auth_sessions.begin(flow)
    body["expires_in"] = SECONDS
    answer = flask.jsonify(body)
    answer.status_code = errors.STATUS.get(more.error, 400)
    answer.headers["Cache-Control"] = "no-store"
    if more.retry_after:
        answer.headers["Retry-After"] = str(more.retry_after)
    return answer


def _answered(parts: WebParts, client: Client, flow: Flow, who: SignedIn) -> Response:
    code = code_for(parts, client, who, flow.scope, flow.challenge, nonce=flow.nonce)
    answer = flask.jsonify({"authorization_code": parts.grants.new_code(code)})
    answer.headers["Cache-Control"] = "no-store"
    return answer
