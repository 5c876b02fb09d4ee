"""What the server says of itself (RFC 8414, OpenID Connect Discovery 1.0) and its public key.

Not for: anything that isn't served; a capability is listed when it is built.
"""

from typing import Any

from bridge.oauth.authorize import PROMPTS
from bridge.oauth.clients import METHODS, SECRET
from bridge.oauth.id_token import ALG
from bridge.oauth.needs import Needs
from bridge.services.client_keys import ALGORITHMS
from bridge.services.clients import GRANT_TYPES, SCOPES
from bridge.services.sign_in import ACRS

SIGNED = ("token", "revocation", "introspection")
"""Endpoints at which a client may authenticate by a signed assertion."""
CLAIMS = ("sub", "iss", "aud", "exp", "iat", "auth_time", "nonce", "acr", "amr", "sid")
PROFILE = ("name", "given_name", "family_name", "locale")


def metadata(issuer: str) -> dict[str, Any]:
    """The same document under both well-known names."""
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/oauth/authorize",
        "token_endpoint": f"{issuer}/oauth/token",
        "revocation_endpoint": f"{issuer}/oauth/revoke",
        "introspection_endpoint": f"{issuer}/oauth/introspect",
        "userinfo_endpoint": f"{issuer}/oauth/userinfo",
        "end_session_endpoint": f"{issuer}/oauth/logout",
        "device_authorization_endpoint": f"{issuer}/oauth/device_authorization",
        "authorization_challenge_endpoint": f"{issuer}/oauth/challenge",
        "backchannel_logout_supported": True,
        "backchannel_logout_session_supported": True,
        "jwks_uri": f"{issuer}/oauth/jwks",
        "scopes_supported": list(SCOPES),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": list(GRANT_TYPES),
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
        "token_endpoint_auth_methods_supported": list(METHODS),
        "revocation_endpoint_auth_methods_supported": list(METHODS),
        "introspection_endpoint_auth_methods_supported": list(SECRET),
        **{
            f"{name}_endpoint_auth_signing_alg_values_supported": list(ALGORITHMS)
            for name in SIGNED
        },
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": [ALG],
        "acr_values_supported": list(ACRS),
        "prompt_values_supported": list(PROMPTS),
        "ui_locales_supported": ["zh-CN", "en"],
        "claims_supported": [*CLAIMS, *PROFILE],
        "claims_parameter_supported": False,
        "request_parameter_supported": False,
        "request_uri_parameter_supported": False,
    }


def jwks(parts: Needs) -> dict[str, Any]:
    """The public key that id_tokens are checked with."""
    return {"keys": [parts.id_token_key.as_dict(private=False)]}
