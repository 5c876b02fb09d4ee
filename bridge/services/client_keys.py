"""A client's public keys, for its signed assertions. Not for: checking one (`bridge/oauth`)."""

from collections.abc import Sequence
from typing import Any

from joserfc.errors import JoseError
from joserfc.jwk import ECKey, KeySet, OKPKey, RSAKey

ALGORITHMS = ("ES256", "Ed25519", "PS256", "RS256")
"""What an assertion may be signed with; never a shared secret, never `none`."""
MIN_RSA_BITS = 2048


def trouble(keys: Sequence[Any]) -> str | None:
    """Why these can't be a client's keys: one constant sentence, without a value; None for good
    ones: one to four public keys, P-256, Ed25519 or RSA, each with a `kid` of its own."""
    if not 1 <= len(keys) <= 4:
        return "One to four keys."
    kids = [key.get("kid") for key in keys if isinstance(key, dict)]
    if len(set(kids)) != len(keys) or not all(kid and isinstance(kid, str) for kid in kids):
        return "Each key has a `kid` of its own."
    if any("d" in key or "k" in key for key in keys):
        return "A private or a shared key; only public ones belong here."
    try:
        made = KeySet.import_key_set({"keys": list(keys)}).keys
    except (JoseError, ValueError, TypeError, KeyError):
        return "Not a JWK (RFC 7517)."
    return None if all(map(_strong, made)) else "Not P-256, Ed25519, or RSA of 2048 bits or more."


def _strong(key: Any) -> bool:
    if isinstance(key, RSAKey):
        return bool(key.public_key.key_size >= MIN_RSA_BITS)
    if isinstance(key, ECKey):
        return bool(key.curve_name == "P-256")
    return isinstance(key, OKPKey) and key.curve_name == "Ed25519"
