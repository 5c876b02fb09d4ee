"""Signatures and encryption of WeChat's message push in safe mode.

Not for: reading the messages (`messages.py`). Source: "Message push" (developers.weixin.qq.com,
message-push.html), whose worked numbers are in the tests. Written on `cryptography`, since
wechatpy's code compares signatures with `!=`, doesn't check the padding, draws its random bytes
from `random`, and reads the XML before the signature.
"""

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Sequence
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_HEAD = 16 + 4  # random bytes, then the message's length in big-endian


class Forged(Exception):
    """It isn't what our account was sent. `reason`: a constant for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Opened(NamedTuple):
    """A decrypted message, and the key that opened it, which the reply must use."""

    text: str
    key: bytes


def sign(*parts: str) -> str:
    """Hex SHA-1 over the parts, sorted and joined. SHA-1 is WeChat's choice; the callback token
    is one of the parts."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def check(signature: str, *parts: str) -> None:
    """Raises Forged unless `signature` is the one over `parts`; constant time."""
    if not hmac.compare_digest(signature.encode(), sign(*parts).encode()):
        raise Forged("signature")


def key_of(encoding_aes_key: str) -> bytes:
    """The 32 bytes behind an EncodingAESKey of 43 characters. Raises ValueError."""
    try:
        key = base64.b64decode(encoding_aes_key + "=", validate=True)
    except binascii.Error:
        key = b""
    if len(key) != 32:
        raise ValueError("an EncodingAESKey is 43 characters of base64")
    return key


def encrypt(key: bytes, appid: str, message: str, random: bytes | None = None) -> str:
    """Base64. `random`: 16 bytes, given only by known-answer tests."""
    body = message.encode()
    plain = (random or os.urandom(16)) + len(body).to_bytes(4, "big") + body + appid.encode()
    padder = PKCS7(256).padder()
    encryptor = _cipher(key).encryptor()
    padded = padder.update(plain) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def decrypt(keys: Sequence[bytes], appid: str, encrypted: str) -> Opened:
    """The message, by whichever key opens it. Call it only once the signature was right. Raises
    Forged, also for a message to another appid."""
    for key in keys:
        plain = _plain(key, encrypted)
        end = _HEAD + int.from_bytes(plain[16:_HEAD], "big")
        if plain[end:] == appid.encode() and len(plain) > _HEAD:
            return _opened(plain[_HEAD:end], key)
    raise Forged("key-or-appid")


def _opened(message: bytes, key: bytes) -> Opened:
    try:
        return Opened(message.decode(), key)
    except UnicodeDecodeError:
        raise Forged("not-utf8") from None


def _plain(key: bytes, encrypted: str) -> bytes:
    """What is under the padding, or nothing."""
    try:
        raw = base64.b64decode(encrypted, validate=True)
        decryptor = _cipher(key).decryptor()
        unpadder = PKCS7(256).unpadder()
        padded = decryptor.update(raw) + decryptor.finalize()
        return unpadder.update(padded) + unpadder.finalize()
    except (ValueError, binascii.Error):
        return b""


def _cipher(key: bytes) -> "Cipher[modes.CBC]":
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))
