"""The device grant (RFC 8628): a desktop shows a code, a phone scans it and says yes.

Not for: the phone's page (`bridge/pages/device.py`). After RFC 10027: a client has it by its own
list of grants only, a code lives two minutes and is used once, the page shows what is approved, and
the desktop gets no scope that writes. Authlib's own grant leaves consuming the code, the client's
right at the device endpoint and the error of an unknown code to be done; hence this one.
"""

from typing import Any

import flask
from authlib.oauth2.rfc6749 import BaseGrant, TokenEndpointMixin
from authlib.oauth2.rfc6749.hooks import hooked
from flask import Response

from bridge.oauth.clients import METHODS, OauthClient
from bridge.oauth.errors import Refusal
from bridge.oauth.grants import code_for, fill
from bridge.oauth.request import BridgeRequest, posted
from bridge.services.clients import DEVICE_GRANT, WRITING
from bridge.store.devices import INTERVAL, SECONDS, Asked
from bridge.store.limits import network

ERRORS = {
    "pending": "authorization_pending",
    "slow_down": "slow_down",
    "expired": "expired_token",
    "denied": "access_denied",
    "unknown": "invalid_grant",
}
SYSTEMS = ("Windows", "Macintosh", "Android", "iPhone", "iPad", "Linux")
BROWSERS = ("Edg", "Firefox", "Chrome", "Safari")


def device_authorization(server: Any) -> Response:
    """Section 3.2. Raises Refusal, StoreDown."""
    parts = server.parts
    request = BridgeRequest(parts.settings.issuer, posted())
    client: OauthClient = server.authenticate_client(request, METHODS, "device_authorization")
    if not client.check_grant_type(DEVICE_GRANT):
        raise Refusal("unauthorized_client")
    asked = Asked(
        client.client_id,
        _scope(client, request.form.get("scope")),
        int(parts.clock()),
        network(flask.request.remote_addr or ""),
        _agent(flask.request.headers.get("User-Agent", "")),
    )
    device, user = parts.devices.start(asked)
    page = f"{parts.settings.issuer}/device"
    answer = flask.jsonify(
        device_code=device,
        user_code=user,
        verification_uri=page,
        verification_uri_complete=f"{page}?code={user}",
        expires_in=SECONDS,
        interval=INTERVAL,
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer


def _scope(client: OauthClient, asked: str | None) -> str:
    """What a member may grant it, but for what writes (RFC 10027 section 6.1.7: least privilege).
    Raises Refusal."""
    allowed = client.get_allowed_scope(asked)
    scopes = set((allowed or "").split())
    if asked is None:
        scopes -= WRITING
    if not scopes or scopes & WRITING:
        raise Refusal("invalid_scope")
    return " ".join(sorted(scopes))


def _agent(header: str) -> str:
    """System and browser in two words, never the header itself."""
    words = (next((name for name in names if name in header), "") for names in (SYSTEMS, BROWSERS))
    return " ".join(word.replace("Edg", "Edge") for word in words if word)


class DeviceGrant(BaseGrant, TokenEndpointMixin):  # type: ignore[misc]
    """Section 3.4. The store's poll is the one step that consumes the code."""

    GRANT_TYPE = DEVICE_GRANT
    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def validate_token_request(self) -> None:
        """The client, its right, and whether a code came."""
        self.request.client = self.authenticate_token_endpoint_client()
        if not self.request.client.check_grant_type(DEVICE_GRANT):
            raise Refusal("unauthorized_client")
        if "device_code" not in self.request.form:
            raise Refusal("invalid_request")

    @hooked  # type: ignore[untyped-decorator]
    def create_token_response(self) -> tuple[int, Any, Any]:
        """The tokens, or one of the errors of section 3.5."""
        parts, client = self.server.parts, self.request.client
        state, asked, who = parts.devices.poll(self.request.form["device_code"], client.client_id)
        if asked is None or who is None:
            raise Refusal(ERRORS[state])
        code = code_for(parts, client.client, who, asked.scope, "")
        again = client.check_grant_type("refresh_token")
        issued = parts.grants.redeem(parts.grants.new_code(code), code, refreshable=again)
        if issued is None:  # signed out everywhere meanwhile
            raise Refusal("access_denied")
        self.request.granted = (code.authorization, issued.grant_id, "")
        return 200, fill({}, issued), self.TOKEN_RESPONSE_HEADER
