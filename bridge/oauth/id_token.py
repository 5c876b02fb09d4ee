"""The id_token (OpenID Connect Core sections 2 and 12.2): ES256, pairwise `sub`, no profile.

Not for: userinfo. It says who signed in, when and how, and which grant it came with (`sid`).
"""

from typing import Any

from authlib.oidc.core.grants.code import OpenIDToken

from bridge.oauth.needs import Needs
from bridge.oauth.request import BridgeRequest

ALG = "ES256"
SECONDS = 600


class IdToken(OpenIDToken):  # type: ignore[misc]
    """Adds `id_token` to a token response whose scope has `openid`.

    The grant leaves `request.granted`, (authorization, grant id, nonce), before.
    """

    def __init__(self, parts: Needs) -> None:
        self._parts = parts

    def get_client_algorithm(self, client: Any) -> str:
        """The same for all."""
        return ALG

    def get_encode_header(self, client: Any) -> dict[str, str]:
        """Names the key in our JWKS."""
        return {"alg": ALG, "typ": "JWT", "kid": self._parts.id_token_key.kid or ""}

    def resolve_client_private_key(self, client: Any) -> Any:
        """Ours."""
        return self._parts.id_token_key

    def get_compatible_claims(self, request: BridgeRequest) -> dict[str, Any]:
        """Everything but `at_hash`, which Authlib adds."""
        authorization, grant_id, nonce = request.granted
        now = int(self._parts.clock())
        claims = {
            "iss": self._parts.settings.issuer,
            "aud": authorization.client_id,
            "sub": authorization.subject,
            "iat": now,
            "exp": now + SECONDS,
            "auth_time": authorization.auth_time,
            "amr": list(authorization.amr),
            "acr": authorization.acr,
            "sid": grant_id,
        }
        return claims | ({"nonce": nonce} if nonce else {})

    def get_authorization_code_claims(self, authorization_code: Any) -> dict[str, Any]:
        """None besides."""
        return {}

    def generate_user_info(self, user: Any, scope: str) -> dict[str, Any]:
        """None: a profile is read from the CRM when it is asked for."""
        return {}
