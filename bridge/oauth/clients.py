"""Clients as Authlib asks for them, and their authentication.

Not for: reading them from the file (`bridge/services/clients.py`). Authlib's own authentication
tells an unknown client from a wrong secret, takes two methods at once, fails with an exception on
Basic credentials that aren't UTF-8, and doesn't decode `+`; hence this one.
"""

import base64
import binascii
from collections.abc import Sequence
from urllib.parse import unquote_plus

from authlib.oauth2.rfc6749 import ClientMixin, scope_to_list

from bridge import security
from bridge.oauth.assertions import TYPE, Needs, signer
from bridge.oauth.errors import Refusal
from bridge.oauth.request import BridgeRequest
from bridge.services.clients import CLIENT_ONLY, Client

NONE, BASIC, POST = "none", "client_secret_basic", "client_secret_post"
SIGNED = "private_key_jwt"
SECRET = (BASIC, POST, SIGNED)
"""For a client that is somebody: a server's."""
METHODS = (NONE, *SECRET)
_NOBODY = Client("", {}, public=False)


class OauthClient(ClientMixin):  # type: ignore[misc]
    """What Authlib's grants ask of a client."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.client_id = client.client_id
        self.client_metadata = {"post_logout_redirect_uris": list(client.post_logout_redirect_uris)}

    def __repr__(self) -> str:
        return f"OauthClient({self.client_id})"

    def get_client_id(self) -> str:
        """Its id."""
        return self.client_id

    def get_default_redirect_uri(self) -> None:
        """None: an authorize request always names its redirect URI."""

    def get_allowed_scope(self, scope: str | None) -> str | None:
        """What a member may grant it; None if it asks for more. All of it where it names none."""
        allowed = self.client.scopes - CLIENT_ONLY
        asked = set(scope_to_list(scope)) if scope else allowed
        return " ".join(sorted(asked)) if asked and asked <= allowed else None

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        """Exactly one of those registered (RFC 9700 section 2.1)."""
        return redirect_uri in self.client.redirect_uris

    def check_response_type(self, response_type: str) -> bool:
        """`code`, for a client of the code grant."""
        return response_type == "code" and "authorization_code" in self.client.grant_types

    def check_grant_type(self, grant_type: str) -> bool:
        """As registered."""
        return grant_type in self.client.grant_types


def authenticate(parts: Needs, request: BridgeRequest, methods: Sequence[str]) -> OauthClient:
    """The client that the request comes from, by one of `methods`; one answer for every failure.

    Raises Refusal("invalid_client"), or "invalid_request" where two methods are used at once (RFC
    6749 section 2.3).
    """
    form = request.form
    if "client_assertion" in form or "client_assertion_type" in form:
        return _by_assertion(parts, request, methods)
    basic = _basic(request.headers.get("Authorization", ""))
    method, client_id, secret = POST, form.get("client_id", ""), form.get("client_secret", "")
    if basic is not None:
        if secret or client_id not in ("", basic[0]):
            raise Refusal("invalid_request", "One way of client authentication at a time.")
        method, (client_id, secret) = BASIC, basic
    elif not secret:
        method = NONE
    client = parts.clients.get(client_id) or _NOBODY
    holds = client.public if method == NONE else client.secret_holds(secret)
    if not holds or method not in methods:
        security.tell("client-refused", client=client.client_id, reason=method)
        raise Refusal("invalid_client")
    request.auth_method = method
    return OauthClient(client)


def _by_assertion(parts: Needs, request: BridgeRequest, methods: Sequence[str]) -> OauthClient:
    form = request.form
    if "client_secret" in form or "Authorization" in request.headers:
        raise Refusal("invalid_request", "One way of client authentication at a time.")
    if SIGNED not in methods or form.get("client_assertion_type") != TYPE:
        raise Refusal("invalid_client")
    client = signer(parts, form.get("client_assertion", ""))
    if client is None or form.get("client_id", client.client_id) != client.client_id:
        raise Refusal("invalid_client")
    request.auth_method = SIGNED
    return OauthClient(client)


def _basic(header: str) -> tuple[str, str] | None:
    """(id, secret) of an Authorization header, form-decoded (RFC 6749 section 2.3.1); None where
    there is no Basic one. Raises Refusal("invalid_client") for a malformed one."""
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
        client_id, colon, secret = text.partition(":")
        found = unquote_plus(client_id, errors="strict"), unquote_plus(secret, errors="strict")
    except (binascii.Error, ValueError):
        raise Refusal("invalid_client") from None
    if not colon or not found[1]:
        raise Refusal("invalid_client")
    return found
