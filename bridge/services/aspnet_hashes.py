"""Password hashes of ASP.NET Identity, as Power Pages keeps them in `adx_identity_passwordhash`:
read once, at the sign-in after which the member has one of ours.

Not for: making any. Formats: github.com/dotnet/aspnetcore, src/Identity/Extensions.Core/src/
PasswordHasher.cs (version 2: PBKDF2-HMAC-SHA1, 1,000 rounds; version 3 names its own). Such a hash
isn't bound to its member, so whoever may write the column can copy their own onto somebody else's
record; it counts only where the member has no credential of ours.
"""

import base64
import binascii
import hashlib
import hmac
import struct

_V2, _V3 = 0, 1
_V2_SALT, _V2_ROUNDS = 16, 1_000
_V2_LENGTH = 1 + _V2_SALT + 32
_V3_HEAD = struct.Struct(">BIII")  # format, digest, rounds, bytes of salt
_DIGESTS = {0: "sha1", 1: "sha256", 2: "sha512"}
_MOST_ROUNDS = 1_000_000  # a forged row must not keep a core busy
_SHORTEST = 16


def fits(stored: str | None, password: str) -> bool:
    """True if `stored` (base64) was made from this password. What is no such hash fits nothing."""
    try:
        raw = base64.b64decode(stored or "", validate=True)
    except (binascii.Error, ValueError):
        return False
    read = _version_2(raw) or _version_3(raw)
    if read is None:
        return False
    digest, rounds, salt, wanted = read
    made = hashlib.pbkdf2_hmac(digest, _utf8(password), salt, rounds, len(wanted))
    return hmac.compare_digest(made, wanted)


def _utf8(password: str) -> bytes:
    """As .NET encodes a string: a lone surrogate becomes U+FFFD."""
    return password.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()


def _version_2(raw: bytes) -> tuple[str, int, bytes, bytes] | None:
    if len(raw) != _V2_LENGTH or raw[0] != _V2:
        return None
    return "sha1", _V2_ROUNDS, raw[1 : 1 + _V2_SALT], raw[1 + _V2_SALT :]


def _version_3(raw: bytes) -> tuple[str, int, bytes, bytes] | None:
    if len(raw) < _V3_HEAD.size or raw[0] != _V3:
        return None
    _, digest, rounds, length = _V3_HEAD.unpack_from(raw)
    salt = raw[_V3_HEAD.size : _V3_HEAD.size + length]
    wanted = raw[_V3_HEAD.size + length :]
    if digest not in _DIGESTS or not 1 <= rounds <= _MOST_ROUNDS:
        return None
    if min(len(salt), len(wanted)) < _SHORTEST:
        return None
    return _DIGESTS[digest], rounds, salt, wanted
