"""Every use of a key: envelopes, sealed records, keyed hashes, opaque versions.

Not for: choosing keys or reading key files (`bridge/keys.py`), or password hashing
(`bridge/services/passwords.py`). Sources: HPKE is RFC 9180; AES-SIV is RFC 5297.
"""

import base64
import hmac
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV
from cryptography.hazmat.primitives.hpke import AEAD, KDF, KEM, Suite
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

Key = tuple[str, bytes]
"""(key id, 32 bytes). The first of a sequence is the current one; the others still open."""

SIZE_CLASSES = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)
_NONCE = 12
_SIV = b"bridge/siv"
_SUITE = Suite(KEM.X25519, KDF.HKDF_SHA256, AEAD.AES_256_GCM)


class SealBroken(Exception):
    """It was not sealed by us, for this purpose, in this place. Says nothing more on purpose."""


class TooLarge(ValueError):
    """More than the largest size class holds."""


def b64(raw: bytes) -> str:
    """Base64url without padding (RFC 4648 section 5)."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    """The bytes of `b64`. Raises SealBroken for anything else."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError:
        raise SealBroken from None


def pack(*parts: str) -> bytes:
    """Parts joined with their lengths, so that no two lists give the same bytes."""
    encoded = [part.encode() for part in parts]
    return b"".join([len(part).to_bytes(4, "big") + part for part in encoded])


class Pseudonyms:
    """Keyed hashes: names that only a holder of the key can compute (HMAC-SHA256, 128 bits).

    >>> Pseudonyms(b"k" * 32).of("mailbox", "id") == Pseudonyms(b"k" * 32).of("mailbox", "id")
    True
    """

    def __init__(self, key: bytes, *older: bytes) -> None:
        """`older`: keys before a rotation, for names that were given under them."""
        self._key = key
        self.older = tuple(Pseudonyms(each) for each in older)

    def raw(self, purpose: str, *parts: str) -> bytes:
        """32 bytes for `parts`, different for each `purpose`."""
        return hmac.digest(self._key, pack(purpose, *parts), "sha256")

    def of(self, purpose: str, *parts: str) -> str:
        """22 characters of base64url."""
        return b64(self.raw(purpose, *parts)[:16])

    def check_value(self, name: str) -> str:
        """What two processes compare to see that they hold the same key, without showing it."""
        return self.of("key-check-value", name)


class Keyring:
    """AES-256-GCM under the server's own keys: what comes back later to the same role.

    Associated data are `purpose` and `place` (usually the Redis key), so that a sealed record can't
    be moved or used for something else.
    """

    def __init__(self, keys: Sequence[Key]) -> None:
        self._current = keys[0][0]
        self._ciphers = {kid: AESGCM(key) for kid, key in keys}

    def seal(self, purpose: str, place: str, plain: bytes) -> str:
        """`kid.base64url`, safe in URLs and headers."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._current].encrypt(nonce, plain, pack(purpose, place))
        return f"{self._current}.{b64(nonce + sealed)}"

    def open(self, purpose: str, place: str, token: str) -> bytes:
        """What was sealed. Raises SealBroken."""
        kid, _, body = token.partition(".")
        raw = unb64(body)
        try:
            cipher = self._ciphers[kid]
            return cipher.decrypt(raw[:_NONCE], raw[_NONCE:], pack(purpose, place))
        except (KeyError, InvalidTag, ValueError):
            raise SealBroken from None

    def is_current(self, token: str) -> bool:
        """Is it sealed under the key that seals today?"""
        return token.partition(".")[0] == self._current


class Siv:
    """AES-SIV: the same input gives the same output, for ETags and pairwise subjects that must come
    back. `place` separates one use, or one sector, from another."""

    def __init__(self, *keys: bytes) -> None:
        """The first key seals; the others still open what they sealed before a rotation."""
        self._ciphers = [AESSIV(HKDF(hashes.SHA256(), 64, None, _SIV).derive(k)) for k in keys]

    def seal(self, place: str, plain: bytes) -> str:
        """Base64url; length of `plain` + 16 bytes."""
        return b64(self._ciphers[0].encrypt(plain, [place.encode()]))

    def open(self, place: str, token: str) -> bytes:
        """Raises SealBroken."""
        raw = unb64(token)
        for cipher in self._ciphers:
            try:
                return cipher.decrypt(raw, [place.encode()])
            except (InvalidTag, ValueError):
                continue
        raise SealBroken


def pad(plain: bytes) -> bytes:
    """`plain` with its length, filled up to a size class, so that the size tells little.

    Raises TooLarge over the largest class.
    """
    framed = len(plain).to_bytes(4, "big") + plain
    size = next((s for s in SIZE_CLASSES if s >= len(framed)), None)
    if size is None:
        raise TooLarge("too large to seal")
    return framed + b"\0" * (size - len(framed))


def unpad(padded: bytes) -> bytes:
    """What `pad` was given. Raises SealBroken."""
    length = int.from_bytes(padded[:4], "big")
    if length > len(padded) - 4:
        raise SealBroken
    return padded[4 : 4 + length]


@dataclass(frozen=True)
class Sealed:
    """Key id and HPKE output (encapsulated key and ciphertext)."""

    kid: str
    body: bytes


class Sealer:
    """Seals to the worker's public key (HPKE base mode). Whoever seals can't open."""

    def __init__(self, recipients: Sequence[Key]) -> None:
        self._kid = recipients[0][0]
        self._public = X25519PublicKey.from_public_bytes(recipients[0][1])

    @property
    def kid(self) -> str:
        """The key id to be named in `info` before sealing."""
        return self._kid

    def seal(self, info: bytes, plain: bytes) -> Sealed:
        """`info` binds the context: an envelope that was moved or re-labelled doesn't open."""
        return Sealed(self._kid, _SUITE.encrypt(pad(plain), self._public, info))


class Opener:
    """Opens with the worker's private keys."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys: Mapping[str, X25519PrivateKey] = {
            kid: X25519PrivateKey.from_private_bytes(raw) for kid, raw in keys
        }

    def open(self, info: bytes, sealed: Sealed) -> bytes:
        """Raises SealBroken, also where the key is gone."""
        try:
            return unpad(_SUITE.decrypt(sealed.body, self._keys[sealed.kid], info))
        except (KeyError, InvalidTag, ValueError):
            raise SealBroken from None


class Mac:
    """HMAC by the key that web and worker share: says that an envelope came from the web tier."""

    def __init__(self, keys: Sequence[Key]) -> None:
        self._keys = [key for _, key in keys]

    def sign(self, message: bytes) -> str:
        """Base64url of HMAC-SHA256 under the current key."""
        return b64(hmac.digest(self._keys[0], message, "sha256"))

    def check(self, message: bytes, signature: str) -> bool:
        """True for a signature of any key that is still held; constant time."""
        given = signature.encode()
        wanted = (b64(hmac.digest(k, message, "sha256")) for k in self._keys)
        return any(hmac.compare_digest(w.encode(), given) for w in wanted)
