"""Authlib's authorization server on our clients, our store and our words.

Not for: routes (`routes.py`). What Authlib 1.9.9 leaves open is closed where it is: parameters in
`request.py`, client authentication in `clients.py`, atomic steps in `grants.py`, texts in
`errors.py`; `iss` (RFC 9207) is put on every redirect here, errors included.
"""

from collections.abc import Sequence
from typing import Any

from authlib.common.urls import add_params_to_uri
from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response, json

from bridge.oauth import clients, errors
from bridge.oauth.clients import OauthClient
from bridge.oauth.device import DeviceGrant
from bridge.oauth.endpoints import EndSession, Introspection, Revocation
from bridge.oauth.grants import S256, ClientGrant, CodeGrant, RefreshGrant
from bridge.oauth.id_token import IdToken
from bridge.oauth.needs import Needs
from bridge.oauth.request import BridgeRequest, posted


class Server(AuthorizationServer):  # type: ignore[misc]
    """One per process; it holds no state of its own."""

    def __init__(self, parts: Needs) -> None:
        super().__init__()
        self.parts = parts
        self.register_token_generator("default", lambda **_: {})  # the store makes tokens
        self.register_grant(CodeGrant, [S256(required=True), IdToken(parts)])
        self.register_grant(RefreshGrant, [IdToken(parts)])
        self.register_grant(ClientGrant)
        self.register_grant(DeviceGrant, [IdToken(parts)])
        for endpoint in (Revocation, Introspection, EndSession):
            self.register_endpoint(endpoint)

    def query_client(self, client_id: str) -> OauthClient | None:
        """By its id."""
        found = self.parts.clients.get(client_id)
        return OauthClient(found) if found else None

    def authenticate_client(
        self, request: BridgeRequest, methods: Sequence[str], endpoint: str = "token"
    ) -> OauthClient:
        """By one of `methods`, the same at every endpoint."""
        return clients.authenticate(self.parts, request, methods)

    def create_oauth2_request(self, request: BridgeRequest | None) -> BridgeRequest:
        """A ready one, or that of a POST endpoint."""
        return request or BridgeRequest(self.parts.settings.issuer, posted())

    def validate_requested_scope(self, scope: str | None) -> None:
        """Each client's own list decides, in its grant."""

    def send_signal(self, name: str, *args: Any, **kwargs: Any) -> None:
        """Nobody listens."""

    def handle_response(self, status: int, payload: Any, sent: Any) -> Response:
        """JSON, or a redirect: 303 (RFC 9700 section 4.12) and never without `iss`."""
        response = Response(
            json.dumps(payload) if isinstance(payload, dict) else payload, status, headers=sent
        )
        response.headers["Cache-Control"] = "no-store"
        return response

    def handle_error_response(self, request: Any, error: OAuth2Error) -> Response:
        """Our words; on the way back to the client where its redirect URI was checked."""
        body = errors.body(error)
        if error.redirect_uri:
            state = {"state": error.state} if error.state else {}
            return self.redirect(add_params_to_uri(error.redirect_uri, {**body, **state}))
        status = errors.STATUS.get(body["error"], 400)
        return self.handle_response(status, body, errors.headers(body["error"]))

    def redirect(self, uri: str) -> Response:
        """Back to the client, with `iss`."""
        location = add_params_to_uri(uri, {"iss": self.parts.settings.issuer})
        return self.handle_response(303, "", [("Location", location)])

    def approve(self, request: BridgeRequest, grant: Any, user: Any) -> Response:
        """The code's redirect, or the error's."""
        answer = self.create_authorization_response(request, grant_user=user, grant=grant)
        if answer.status_code == 302:
            return self.redirect(answer.headers["Location"])
        return self.handle_response(answer.status_code, answer.data, answer.headers)
