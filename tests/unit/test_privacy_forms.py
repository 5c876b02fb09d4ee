"""The finder sees through every disguise, and sees nothing where nothing is."""

import base64
import gzip
import hashlib
import html
import json
import os
import urllib.parse
import zlib
from collections.abc import Callable

import pytest

from bridge.privacy import Canary, Finder

CANARIES = [
    Canary("email", "canary.q7x@example.cn"),
    Canary("mobile", "+8613812345678"),
    Canary("name", "欧阳晓明"),
]
DISGUISES: dict[str, Callable[[bytes], bytes]] = {
    "plain": lambda b: b,
    "upper": lambda b: b.decode().upper().encode(),
    "base64": base64.b64encode,
    "base64 one byte later": lambda b: base64.b64encode(b"x" + b),
    "base64 two bytes later": lambda b: base64.b64encode(b"xy" + b),
    "base64url": base64.urlsafe_b64encode,
    "base64 twice": lambda b: base64.b64encode(base64.b64encode(b)),
    "hex": lambda b: b.hex().encode(),
    "percent": lambda b: urllib.parse.quote(b, safe="").encode(),
    "percent twice": lambda b: urllib.parse.quote(urllib.parse.quote(b)).encode(),
    "json escapes": lambda b: json.dumps(b.decode()).encode(),
    "python escapes": lambda b: repr(b).encode(),
    "html entities": lambda b: b.decode().encode("ascii", "xmlcharrefreplace"),
    "html named": lambda b: html.escape(b.decode()).encode(),
    "utf-16": lambda b: b.decode().encode("utf-16")[2:],
    "zlib": zlib.compress,
    "zlib in base64": lambda b: base64.b64encode(zlib.compress(b'{"a":"' + b + b'"}')),
    "deflate": lambda b: zlib.compress(b)[2:-4],
    "gzip": gzip.compress,
    "md5": lambda b: hashlib.md5(b).hexdigest().encode(),
    "sha1": lambda b: hashlib.sha1(b).hexdigest().encode(),
    "sha256": lambda b: hashlib.sha256(b).hexdigest().encode(),
    "sha256 in base64": lambda b: base64.b64encode(hashlib.sha256(b).digest()),
}


@pytest.mark.parametrize("canary", CANARIES, ids=lambda c: c.field)
@pytest.mark.parametrize("disguise", DISGUISES)
def test_a_disguised_canary_is_found(disguise: str, canary: Canary) -> None:
    """A planted value is found under each disguise, and only its field is named."""
    hidden = DISGUISES[disguise](canary.value.encode())
    around = (b"", b"") if disguise == "deflate" else (b"left ", b" right")

    found = Finder(CANARIES).find(around[0] + hidden + around[1])

    assert found == {canary.field}


def test_a_phone_without_its_plus_and_spaces_is_found() -> None:
    """A number is found as digits, with and without the country code."""
    finder = Finder(CANARIES)

    assert finder.find(b"138 ... 13812345678") == {"mobile"}
    assert finder.find(b"8613812345678") == {"mobile"}


def test_random_data_holds_nothing() -> None:
    """What holds no canary gives no finding."""
    finder = Finder(CANARIES)

    assert finder.find(os.urandom(20_000)) == set()
    assert finder.find(base64.b64encode(os.urandom(20_000))) == set()


def test_a_canary_that_chance_could_write_is_refused() -> None:
    """A value of under six characters can't prove anything."""
    with pytest.raises(ValueError, match="six"):
        Canary("city", "abc")


def test_a_canary_never_shows_its_value() -> None:
    """A canary's repr, which ends up in test reports, doesn't hold it."""
    assert "13812345678" not in repr(CANARIES)
