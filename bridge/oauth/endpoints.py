"""Revocation (RFC 7009), introspection (RFC 7662) and the end of a session (OpenID Connect
RP-Initiated Logout 1.0). Not for: what a token is (`bridge/store/grants.py`)."""

from typing import Any

import flask
from authlib.oauth2.rfc7009 import RevocationEndpoint
from authlib.oauth2.rfc7662 import IntrospectionEndpoint
from authlib.oidc.rpinitiated import EndSessionEndpoint, EndSessionRequest
from joserfc.jwk import KeySet

from bridge.oauth.clients import METHODS, SECRET
from bridge.oauth.errors import Refusal, headers
from bridge.oauth.id_token import ALG
from bridge.oauth.needs import Needs
from bridge.services import signing_out
from bridge.services.clients import Client
from bridge.services.subjects import pairwise, subject_of
from bridge.store.grants import Caller


class Revocation(RevocationEndpoint):  # type: ignore[misc]
    """Always 200 for an authenticated client: what it can't revoke it isn't told of."""

    CLIENT_AUTH_METHODS = METHODS

    def create_endpoint_response(self, request: Any) -> tuple[int, Any, Any]:
        """A hint is only a hint (section 2.1): ours tell themselves apart."""
        client = self.authenticate_endpoint_client(request)
        if "token" not in request.form:
            raise Refusal("invalid_request")
        self.server.parts.grants.revoke(request.form["token"], client.client_id)
        return 200, {}, headers("")


class Introspection(IntrospectionEndpoint):  # type: ignore[misc]
    """For resource servers, about access tokens that name them; `active: false` for all else."""

    CLIENT_AUTH_METHODS = SECRET

    def create_endpoint_response(self, request: Any) -> tuple[int, Any, Any]:
        """RFC 7662 section 2.2."""
        asking: Client = self.authenticate_endpoint_client(request).client
        if "token" not in request.form:
            raise Refusal("invalid_request")
        caller = self.server.parts.grants.check(request.form["token"])
        if caller is None or asking.audience is None or asking.audience not in caller.audience:
            return 200, {"active": False}, headers("")
        return 200, _described(self.server.parts, caller, asking), headers("")


def _described(parts: Needs, caller: Caller, asking: Client) -> dict[str, Any]:
    found: dict[str, Any] = {
        "active": True,
        "iss": parts.settings.issuer,
        "aud": asking.audience,
        "client_id": caller.client_id,
        "token_type": "Bearer",
        "scope": " ".join(sorted(caller.scope)),
        "iat": caller.issued_at,
        "exp": caller.expires_at,
    }
    if caller.subject is not None:
        found |= {"auth_time": caller.auth_time, "acr": caller.acr}
        found["sub"] = _subject_for(parts, caller, asking)
    return found


def _subject_for(parts: Needs, caller: Caller, asking: Client) -> str | None:
    """The member's `sub` in the asking server's own sector, so that sectors can't join theirs."""
    client = parts.clients.get(caller.client_id)
    sector = client.sector if client else ""
    subject = subject_of(parts.subjects, sector, caller.subject or "")
    return pairwise(parts.subjects, asking.sector, subject) if subject else None


class EndSession(EndSessionEndpoint):  # type: ignore[misc]
    """Ends the grant that the id_token came with, and the browser's session if it is the same
    person's. Without a hint nothing ends here: the hosted page asks first."""

    def get_server_jwks(self) -> KeySet:
        """Ours."""
        return KeySet([self.server.parts.id_token_key])

    def get_algorithms(self) -> list[str]:
        """The one that we sign with."""
        return [ALG]

    def _validate_id_token_hint(self, id_token_hint: str) -> dict[str, Any]:
        """Authlib hands on joserfc's text, whose quotation marks its own errors refuse."""
        try:
            claims: dict[str, Any] = super()._validate_id_token_hint(id_token_hint)
        except ValueError:
            raise Refusal("invalid_request") from None
        if claims.get("iss") != self.server.parts.settings.issuer:
            raise Refusal("invalid_request")
        return claims

    def end_session(self, end_session_request: EndSessionRequest) -> None:
        """Raises StoreDown."""
        parts: Needs = self.server.parts
        claims = end_session_request.id_token_claims
        if claims is None:
            return
        signing_out.here(parts, str(claims.get("sid", "")))
        session = parts.sessions.load(flask.request.cookies.get(parts.sessions.cookie_name))
        if session is None or claims.get("sid") not in session.grants:
            return
        for grant_id in parts.sessions.end(session):
            signing_out.here(parts, grant_id)
