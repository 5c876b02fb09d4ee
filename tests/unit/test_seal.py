"""What is sealed opens only with the right key, in its place, for its purpose."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from bridge.seal import (
    SIZE_CLASSES,
    Keyring,
    Mac,
    Opener,
    Pseudonyms,
    SealBroken,
    Sealed,
    Sealer,
    Siv,
    pack,
    pad,
    unpad,
)

K1, K2 = ("k1", b"1" * 32), ("k2", b"2" * 32)


def _pair(kid: str) -> tuple[tuple[str, bytes], tuple[str, bytes]]:
    private = X25519PrivateKey.generate()
    return (kid, private.private_bytes_raw()), (kid, private.public_key().public_bytes_raw())


def test_a_record_opens_in_its_place() -> None:
    """What the keyring sealed comes back."""
    ring = Keyring([K1])

    assert ring.open("grant", "gr:1", ring.seal("grant", "gr:1", b"x")) == b"x"


@pytest.mark.parametrize(("purpose", "place"), [("code", "gr:1"), ("grant", "gr:2")])
def test_a_moved_record_does_not_open(purpose: str, place: str) -> None:
    """Another purpose or another Redis key breaks the seal."""
    token = Keyring([K1]).seal("grant", "gr:1", b"x")

    with pytest.raises(SealBroken):
        Keyring([K1]).open(purpose, place, token)


def test_an_older_key_still_opens_and_a_removed_one_does_not() -> None:
    """Rotation keeps what the old key sealed until that key goes."""
    token = Keyring([K1]).seal("p", "x", b"x")

    assert Keyring([K2, K1]).open("p", "x", token) == b"x"
    with pytest.raises(SealBroken):
        Keyring([K2]).open("p", "x", token)


@pytest.mark.parametrize("junk", ["", "k1", "k1.", "k1.***", "k9.AAAA", "k1." + "A" * 40, "é.é"])
def test_junk_is_refused_without_another_error(junk: str) -> None:
    """Anything at all may come back from outside; it is refused in one way."""
    with pytest.raises(SealBroken):
        Keyring([K1]).open("p", "x", junk)
    with pytest.raises(SealBroken):
        Siv(b"s" * 32).open("etag", junk)


def test_an_envelope_opens_only_with_the_private_key_and_its_own_info() -> None:
    """Whoever seals can't open, and an envelope that was re-labelled doesn't open."""
    private, public = _pair("w1")
    sealed = Sealer([public]).seal(b"info", b"secret")

    assert Opener([private]).open(b"info", sealed) == b"secret"
    with pytest.raises(SealBroken):
        Opener([private]).open(b"other", sealed)
    with pytest.raises(SealBroken):
        Opener([_pair("w1")[0]]).open(b"info", sealed)
    with pytest.raises(SealBroken):
        Opener([private]).open(b"info", Sealed("w2", sealed.body))


@pytest.mark.parametrize("size", [0, 1, 507, 508, 509, 4000])
def test_padding_shows_only_a_size_class(size: int) -> None:
    """A sealed size is one of a few."""
    plain = os.urandom(size)

    assert len(pad(plain)) in SIZE_CLASSES
    assert unpad(pad(plain)) == plain


def test_what_is_too_large_is_refused() -> None:
    """Nothing over the largest class is sealed."""
    with pytest.raises(ValueError, match="large"):
        pad(b"x" * SIZE_CLASSES[-1])


def test_a_mac_is_good_under_any_key_held_and_no_other() -> None:
    """The HMAC of the last key is honoured until that key goes."""
    signed = Mac([K1]).sign(b"m")

    assert Mac([K2, K1]).check(b"m", signed)
    assert not Mac([K2]).check(b"m", signed)
    assert not Mac([K1]).check(b"n", signed)
    assert not Mac([K1]).check(b"m", "é")


def test_pseudonyms_depend_on_key_purpose_and_each_part() -> None:
    """No two lists of parts give the same bytes, and no purpose repeats another's."""
    names = Pseudonyms(b"k" * 32)

    assert names.of("a", "bc") != names.of("a", "b", "c") != names.of("ab", "c")
    assert names.of("a", "b") != Pseudonyms(b"j" * 32).of("a", "b")
    assert pack("a", "bc") != pack("ab", "c")


def test_siv_is_the_same_every_time_and_opens_in_its_place() -> None:
    """An ETag must come back equal, and one sector's subject isn't another's."""
    siv = Siv(b"s" * 32)

    assert siv.seal("etag", b"v1") == siv.seal("etag", b"v1")
    assert siv.open("etag", siv.seal("etag", b"v1")) == b"v1"
    with pytest.raises(SealBroken):
        siv.open("sub", siv.seal("etag", b"v1"))


def test_an_etag_made_before_a_rotation_still_opens() -> None:
    """The new key seals, the old one still opens, and no other does."""
    old = Siv(b"o" * 32).seal("etag", b"v1")
    both = Siv(b"n" * 32, b"o" * 32)

    assert both.open("etag", old) == b"v1"
    assert both.seal("etag", b"v1") == Siv(b"n" * 32).seal("etag", b"v1")
    with pytest.raises(SealBroken):
        Siv(b"n" * 32).open("etag", old)
