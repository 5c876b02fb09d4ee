"""The receipt of an erasure: signed with the key of the id_tokens (JWKS at `/oauth/jwks`), so that
the member can show years later that it was done. It names the operation and nobody.

Not for: the erasure itself (`bridge/writes/erasing.py`).
"""

from typing import Any

from joserfc import jwt

ALG = "ES256"
TYPE = "erasure-receipt+jwt"


def erasure(key: Any, issuer: str, operation: str, at: int) -> str:
    """A JWT (RFC 7519) with `iss`, `iat` (seconds) and `op`; typed (RFC 8725 section 3.11), so that
    it passes for no other token."""
    header = {"alg": ALG, "typ": TYPE, "kid": key.kid or ""}
    claims = {"iss": issuer, "iat": at, "op": operation}
    return jwt.encode(header, claims, key, algorithms=[ALG])
