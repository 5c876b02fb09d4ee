"""The three grants, on a store where each step is one: code with PKCE, refresh, client credentials.

Not for: the store (`bridge/store/grants.py`), or the authorize page's flow (`authorize.py`).
Authlib's own order is read, save, delete; here its `save` is the one atomic step and the rest do
nothing.
"""

from dataclasses import dataclass
from typing import Any

import flask
from authlib.oauth2.rfc6749 import TokenMixin, scope_to_list
from authlib.oauth2.rfc6749.grants import (
    AuthorizationCodeGrant,
    ClientCredentialsGrant,
    RefreshTokenGrant,
)
from authlib.oauth2.rfc7636 import CodeChallenge

from adapters.errors import CrmError
from bridge.oauth.clients import METHODS, SECRET
from bridge.oauth.errors import Refusal
from bridge.oauth.needs import Needs
from bridge.services import agents, members, subjects
from bridge.services.clients import CLIENT_ONLY, Client
from bridge.services.members import Holder, SessionOver
from bridge.store.grants import Authorization, Code, Grant, Issued
from bridge.store.sessions import Session, SignedIn


@dataclass(frozen=True)
class Approval:
    """Who is signed in, in which browser: what Authlib calls the user of an authorize request."""

    who: SignedIn
    session: Session


class S256(CodeChallenge):  # type: ignore[misc]
    """PKCE (RFC 7636) with S256 only, for every client, refused at the authorize endpoint already.

    Authlib takes a challenge without a method for `plain`, and a missing challenge only at the
    token endpoint.
    """

    DEFAULT_CODE_CHALLENGE_METHOD = None
    SUPPORTED_CODE_CHALLENGE_METHOD = ("S256",)

    def validate_code_challenge(self, grant: Any, redirect_uri: str) -> None:
        """Both parameters, and `S256`."""
        super().validate_code_challenge(grant, redirect_uri)
        data = grant.request.payload.data
        if data.get("code_challenge_method") != "S256" or len(data["code_challenge"]) != 43:
            raise Refusal("invalid_request", "Send code_challenge with code_challenge_method S256.")


class StoredCode:
    """A code as Authlib asks for it."""

    def __init__(self, secret: str, code: Code, redirect_uri: str | None) -> None:
        self.secret, self.code = secret, code
        self.code_challenge, self.code_challenge_method = code.challenge, "S256"
        self._compared = code.redirect_uri if redirect_uri is not None else None

    def get_redirect_uri(self) -> str | None:
        """None where the token request names none, which OAuth 2.1 allows (draft section 10.2):
        PKCE binds the code. A wrong one is refused."""
        return self._compared

    def get_scope(self) -> str:
        """As granted."""
        return " ".join(sorted(self.code.authorization.scope))


class CodeGrant(AuthorizationCodeGrant):  # type: ignore[misc]
    """RFC 6749 section 4.1."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS

    def generate_authorization_code(self) -> str:
        """Keeps what was approved and gives the code. The session notes the grant to come, so that
        signing out of the browser ends it. Raises Refusal where that has just happened."""
        parts, approval = self.server.parts, self.request.user
        data = self.request.payload.data
        code = code_for(
            parts,
            self.request.client.client,
            approval.who,
            self.request.scope,
            data["code_challenge"],
            redirect_uri=data["redirect_uri"],
            nonce=data.get("nonce", ""),
        )
        if not parts.sessions.note_grant(approval.session, code.grant_id):
            gone = Refusal("login_required", redirect_uri=data["redirect_uri"])
            gone.state = data.get("state")
            raise gone
        secret: str = parts.grants.new_code(code)
        return secret

    def save_authorization_code(self, code: str, request: Any) -> None:
        """Done in `generate_authorization_code`."""

    def query_authorization_code(self, code: str, client: Any) -> StoredCode | None:
        """What the code stands for, unused; another client's try doesn't burn it."""
        found = self.server.parts.grants.look(code, client.client_id)
        asked = self.request.form.get("redirect_uri")
        return StoredCode(code, found, asked) if found else None

    def authenticate_user(self, authorization_code: StoredCode) -> str | None:
        """The member; the sign-in was at most a minute ago."""
        return authorization_code.code.authorization.member_id

    def save_token(self, token: dict[str, Any]) -> None:
        """The one step: consume the code, make the grant. Fills `token`."""
        stored, client = self.request.authorization_code, self.request.client
        issued = self.server.parts.grants.redeem(
            stored.secret, stored.code, refreshable=client.check_grant_type("refresh_token")
        )
        if issued is None:
            raise Refusal("invalid_grant")
        fill(token, issued)
        self.request.granted = (stored.code.authorization, issued.grant_id, stored.code.nonce)

    def delete_authorization_code(self, authorization_code: Any) -> None:
        """Done in `save_token`."""


def code_for(
    parts: Needs,
    client: Client,
    who: SignedIn,
    scope: str,
    challenge: str,
    *,
    redirect_uri: str = "",
    nonce: str = "",
) -> Code:
    """What a code stands for that `client` gets for a sign-in of `who`."""
    authorization = authorized(parts, client, who, scope)
    agent = agents.coarse(flask.request.headers.get("User-Agent", ""))
    return Code(authorization, redirect_uri, challenge, nonce=nonce, device=agent)


def authorized(parts: Needs, client: Client, who: SignedIn, scope: str) -> Authorization:
    """What a member's sign-in lets a client do."""
    return Authorization(
        client_id=client.client_id,
        scope=frozenset(scope_to_list(scope)),
        audience=audience(parts.settings.issuer, client),
        member_id=who.member_id,
        subject=subjects.pairwise(parts.subjects, client.sector, who.subject),
        auth_time=who.auth_time,
        amr=who.amr,
        acr=who.acr,
        stamp=who.stamp,
        epoch=who.epoch,
    )


class StoredGrant(TokenMixin):  # type: ignore[misc]
    """A presented refresh token as Authlib asks for it."""

    def __init__(self, grant: Grant) -> None:
        self.grant = grant

    def check_client(self, client: Any) -> bool:
        """Bound to the client that it was given to."""
        return bool(self.grant.authorization.client_id == client.client_id)

    def get_scope(self) -> str:
        """As granted."""
        return " ".join(sorted(self.grant.authorization.scope))


class RefreshGrant(RefreshTokenGrant):  # type: ignore[misc]
    """RFC 6749 section 6 with rotation and reuse detection (RFC 9700 section 4.14.2)."""

    TOKEN_ENDPOINT_AUTH_METHODS = METHODS
    INCLUDE_NEW_REFRESH_TOKEN = True

    def authenticate_refresh_token(self, refresh_token: str) -> StoredGrant | None:
        """The live grant that it names."""
        found = self.server.parts.grants.of_refresh_token(refresh_token)
        return StoredGrant(found) if found else None

    def authenticate_user(self, refresh_token: StoredGrant) -> str:
        """The member, asked of the CRM if that was long ago; before the token is used, so that a
        CRM in trouble doesn't cost the session. Raises Refusal."""
        parts, grant = self.server.parts, refresh_token.grant
        kept = grant.authorization
        if parts.clock() - grant.checked_at < parts.settings.oauth.stamp_check_seconds:
            return str(kept.member_id)
        try:
            members.read(
                parts.crm,
                Holder(str(kept.member_id), kept.stamp),
                (),
                parts.names,
            )
        except SessionOver:
            parts.grants.revoke_grant(grant.id)
            raise Refusal("invalid_grant") from None
        except CrmError:
            raise Refusal("temporarily_unavailable") from None
        parts.grants.note_checked(grant.id)
        return str(kept.member_id)

    def issue_token(self, user: str, refresh_token: StoredGrant) -> dict[str, Any]:
        """The one step: rotate. Raises Refusal where the token was used before."""
        client: Client = self.request.client.client
        asked = self.request.payload.scope
        issued = self.server.parts.grants.rotate(
            refresh_token.grant,
            client.client_id,
            client.leeway,
            frozenset(scope_to_list(asked)) if asked else None,
        )
        if issued is None:
            raise Refusal("invalid_grant")
        self.request.granted = (refresh_token.grant.authorization, issued.grant_id, "")
        return fill({}, issued)

    def save_token(self, token: dict[str, Any]) -> None:
        """Done in `issue_token`."""

    def revoke_old_credential(self, refresh_token: Any) -> None:
        """Done in `issue_token`."""


class ClientGrant(ClientCredentialsGrant):  # type: ignore[misc]
    """RFC 6749 section 4.4, for a client's own scopes only: no member stands behind it."""

    TOKEN_ENDPOINT_AUTH_METHODS = SECRET

    def validate_token_request(self) -> None:
        """Adds: no more than the client's own scopes; all of them where none is named."""
        super().validate_token_request()
        allowed = self.request.client.client.scopes & CLIENT_ONLY
        asked = frozenset(scope_to_list(self.request.payload.scope) or allowed)
        if not asked or not asked <= allowed:
            raise Refusal("invalid_scope")
        self.request.scope = " ".join(sorted(asked))

    def save_token(self, token: dict[str, Any]) -> None:
        """Fills `token`."""
        parts, client = self.server.parts, self.request.client.client
        asked = frozenset(scope_to_list(self.request.scope))
        to = audience(parts.settings.issuer, client)
        fill(token, parts.grants.issue_client_token(client.client_id, asked, to))


def audience(issuer: str, client: Client) -> tuple[str, ...]:
    """Where this client's tokens are good: here, and at the resource servers it is set up for."""
    return (issuer, *client.audiences)


def fill(token: dict[str, Any], issued: Issued) -> dict[str, Any]:
    """A token response (RFC 6749 section 5.1), in `token`."""
    token.clear()
    token.update(
        access_token=issued.access_token,
        token_type="Bearer",  # noqa: S106 - the type's name
        expires_in=issued.expires_in,
        scope=" ".join(sorted(issued.scope)),
    )
    if issued.refresh_token:
        token["refresh_token"] = issued.refresh_token
    return token
