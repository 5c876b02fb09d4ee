"""How a planted value may be disguised, and how to see through it. Not for: where to look.

A value is looked for as it is, in lower case, as digits only, as an unkeyed digest (MD5, SHA-1,
SHA-256, in hex and base64), and inside what these hide it in: base64 at any offset, base64url,
hex, percent-encoding (twice), JSON and Python escapes, HTML entities, UTF-16, zlib, raw deflate and
gzip, nested up to `DEPTH` times.
"""

import base64
import binascii
import hashlib
import html
import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from urllib.parse import unquote_to_bytes

import ahocorasick

DEPTH = 4
LARGEST = 8 * 1024 * 1024  # bytes that one decoding may give
_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]{12,}={0,2}")
_HEX = re.compile(rb"(?:[0-9a-fA-F]{2}){6,}")
_UNICODE_ESCAPE = re.compile(rb"\\u([0-9a-fA-F]{4})")
_BYTE_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})")
_ZLIB = re.compile(rb"\x78[\x01\x5e\x9c\xda]")
_GZIP = re.compile(rb"\x1f\x8b\x08")


@dataclass(frozen=True)
class Canary:
    """A planted value and the field it was planted in. Values of under 6 characters can't be told
    from chance and are refused."""

    field: str
    value: str = attribute(repr=False)

    def __post_init__(self) -> None:
        """Raises ValueError for a value that is too short to mean anything."""
        if (len(self.value) < 6 and self.value.isascii()) or len(self.value) < 2:
            raise ValueError(f"{self.field}: a canary needs six characters")


def _spellings(value: str) -> set[bytes]:
    spelled = {value, value.lower(), value.upper()}
    digits = re.sub(r"\D", "", value)
    if len(digits) >= 8:
        spelled |= {digits, digits[-11:]}
    return {text.encode() for text in spelled}


def _digests(spelled: Iterable[bytes]) -> Iterator[bytes]:
    for text in spelled:
        for name in ("md5", "sha1", "sha256"):
            raw = hashlib.new(name, text, usedforsecurity=False).digest()
            yield raw.hex().encode()
            yield base64.b64encode(raw).rstrip(b"=")
            yield base64.urlsafe_b64encode(raw).rstrip(b"=")
            yield raw


class Finder:
    """Finds any of the canaries in a piece of data, however disguised."""

    def __init__(self, canaries: Iterable[Canary]) -> None:
        self._names: dict[bytes, str] = {}
        for canary in canaries:
            plain = _spellings(canary.value)
            for needle in (*plain, *_digests(plain)):
                self._names.setdefault(needle, canary.field)
            for text in plain:
                for codec in ("utf-16-le", "utf-16-be"):
                    self._names.setdefault(text.decode().encode(codec), canary.field)
        self._automaton = ahocorasick.Automaton()
        for needle, name in self._names.items():
            self._automaton.add_word(needle.decode("latin-1"), name)
        self._automaton.make_automaton()

    def find(self, data: bytes) -> set[str]:
        """The fields whose canary is in `data`."""
        found: set[str] = set()
        seen: set[bytes] = set()
        self._look(data, DEPTH, found, seen)
        return found

    def _look(self, data: bytes, depth: int, found: set[str], seen: set[bytes]) -> None:
        # Latin-1 maps each byte to one character, which is what the automaton wants.
        found.update(name for _, name in self._automaton.iter(data.decode("latin-1")))
        if depth == 0:
            return
        for view in _views(data):
            mark = hashlib.blake2b(view, digest_size=16).digest()
            if mark not in seen:
                seen.add(mark)
                self._look(view, depth - 1, found, seen)


def _views(data: bytes) -> Iterator[bytes]:
    """What `data`, or a stretch of it, reads as under one layer of encoding."""
    yield from _texts(data)
    yield from _base64s(data)
    yield from (binascii.unhexlify(run) for run in _HEX.findall(data))
    yield from _compressed(data)


def _texts(data: bytes) -> Iterator[bytes]:
    if b"%" in data:
        yield unquote_to_bytes(data)
    if b"\\u" in data:
        yield _unescape(data)
    if b"\\x" in data:
        yield _BYTE_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]), data)
    if b"&" in data and b";" in data:
        yield html.unescape(data.decode("utf-8", "replace")).encode()
    if b"+" in data and b"%" in data:
        yield unquote_to_bytes(data.replace(b"+", b" "))


def _unescape(data: bytes) -> bytes:
    parts, last = [], 0
    for match in _UNICODE_ESCAPE.finditer(data):
        parts += [data[last : match.start()].decode("utf-8", "replace"), chr(int(match[1], 16))]
        last = match.end()
    parts.append(data[last:].decode("utf-8", "replace"))
    joined = "".join(parts).encode("utf-16", "surrogatepass")
    return joined.decode("utf-16", "replace").encode("utf-8", "replace")


def _base64s(data: bytes) -> Iterator[bytes]:
    for run in _BASE64.findall(data):
        plain = run.rstrip(b"=").translate(bytes.maketrans(b"-_", b"+/"))
        for offset in range(4):
            piece = plain[offset:]
            piece = piece[: len(piece) - (len(piece) % 4 == 1)]
            if len(piece) >= 8:
                yield base64.b64decode(piece + b"=" * (-len(piece) % 4))


def _compressed(data: bytes) -> Iterator[bytes]:
    for match in _ZLIB.finditer(data):
        yield from _inflate(data[match.start() :], zlib.MAX_WBITS)
    for match in _GZIP.finditer(data):
        yield from _inflate(data[match.start() :], zlib.MAX_WBITS | 16)
    if 4 < len(data) < 65_536:
        yield from _inflate(data, -zlib.MAX_WBITS)


def _inflate(data: bytes, window: int) -> Iterator[bytes]:
    try:
        plain = zlib.decompressobj(window).decompress(data, LARGEST)
    except zlib.error:
        return
    if plain:
        yield plain
