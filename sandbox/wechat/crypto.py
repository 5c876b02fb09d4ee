"""Signatures and encryption of WeChat's message push, written from its description.

Source: "Message push" (developers.weixin.qq.com, message-push.html): SHA-1 over the sorted
parts; AES-256-CBC whose IV is the key's first half, PKCS#7 to 32 bytes, plaintext = 16 random
bytes + length (4 bytes, big-endian) + message + appid.
"""

import base64
import binascii
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

BLOCK = 32
HEAD = 16 + 4


class Undecipherable(Exception):
    """What was to be decrypted isn't something this key and appid made."""


def sign(*parts: str) -> str:
    """Hex SHA-1 over the parts, sorted and joined; the token is one of them."""
    return hashlib.sha1("".join(sorted(parts)).encode(), usedforsecurity=False).hexdigest()


def signed_by(signature: str, *parts: str) -> bool:
    """Whether `signature` is the one over these parts."""
    return hmac.compare_digest(signature.encode(), sign(*parts).encode())


def key_of(encoding_aes_key: str) -> bytes:
    """The 32 bytes behind the 43 characters of an EncodingAESKey; ValueError if it isn't one."""
    try:
        key = base64.b64decode(encoding_aes_key + "=")
    except binascii.Error:
        raise ValueError("an EncodingAESKey is 43 characters of base64") from None
    if len(key) != 32:
        raise ValueError("an EncodingAESKey is 43 characters of base64")
    return key


def encrypt(encoding_aes_key: str, appid: str, message: str, random: bytes | None = None) -> str:
    """Base64 of the encrypted message; `random` (16 bytes) is given only by known-answer tests."""
    body = message.encode()
    plain = (random or os.urandom(16)) + len(body).to_bytes(4, "big") + body + appid.encode()
    pad = BLOCK - len(plain) % BLOCK
    encryptor = _cipher(encoding_aes_key).encryptor()
    return base64.b64encode(
        encryptor.update(plain + bytes([pad]) * pad) + encryptor.finalize()
    ).decode()


def decrypt(encoding_aes_key: str, appid: str, encrypted: str) -> str:
    """The message; raises Undecipherable also when it was made for another appid."""
    try:
        data = base64.b64decode(encrypted, validate=True)
        decryptor = _cipher(encoding_aes_key).decryptor()
        plain = decryptor.update(data) + decryptor.finalize()
    except ValueError:
        raise Undecipherable("not base64 of whole blocks") from None
    pad = plain[-1] if plain else 0
    if not 1 <= pad <= BLOCK or plain[-pad:] != bytes([pad]) * pad:
        raise Undecipherable("wrong padding")
    end = HEAD + int.from_bytes(plain[16:HEAD], "big")
    if plain[end:-pad] != appid.encode():
        raise Undecipherable("made for another appid")
    try:
        return plain[HEAD:end].decode()
    except UnicodeDecodeError:
        raise Undecipherable("not UTF-8") from None


def _cipher(encoding_aes_key: str) -> "Cipher[modes.CBC]":
    key = key_of(encoding_aes_key)
    return Cipher(algorithms.AES(key), modes.CBC(key[:16]))
