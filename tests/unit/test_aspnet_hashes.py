"""Hashes of ASP.NET Identity: known answers of its own tests, and what is no such hash."""

import base64
import struct
import time

import pytest

from bridge.services import aspnet_hashes

PASSWORD = "my password"
# Known answers: dotnet/aspnetcore, src/Identity/test/Identity.Test/PasswordHasherTest.cs.
KNOWN = {
    "v2": "ANXrDknc7fGPpigibZXXZFMX4aoqz44JveK6jQuwY3eH/UyPhvr5xTPeGYEckLxz9A==",
    "v3 sha1": "AQAAAAAAAAD6AAAAEAhftMyfTJylOlZT+eEotFXd1elee8ih5WsjXaR3PA9M",
    "v3 sha256": "AQAAAAEAA9CQAAAAIESkQuj2Du8Y+kbc5lcN/W/3NiAZFEm11P27nrSN5/tId+bR1SwV8CO1Jd72r4C0"
    "8OLvplNlCDc3oQZ8efcW+jQ=",
    "v3 sha512": "AQAAAAIAAAD6AAAAIJbVi5wbMR+htSfFp8fTw8N8GOS/Sje+S/4YZcgBfU7EQuqv4OkVYmc4VJl9AGZz"
    "mRTxSkP7LtVi9IWyUxX8IAAfZ8v+ZfhjCcudtC1YERSqE1OEdXLW9VukPuJWBBjLuw==",
}
NOT_ONE = [
    None,
    "",
    "not base64!",
    "AQAAAAAAAAD6AAAAEAhftMyfTJyAAAAAAAAAAAAAAAAAAAih5WsjXaR3PA9M",  # another password's
    "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4A=",  # too short
    "AQAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHwAAAAAAAAAAAA",  # more behind it
    "AgAAAAIAAAAyAAAAEOMwvh3+FZxqkdMBz2ekgGhwQ4B6pZWND6zgESBuWiHw",  # an unknown format
    KNOWN["v2"][:-8],
]


def _version_3(digest=1, rounds=10, salt=16, length=32):
    return base64.b64encode(
        struct.pack(">BIII", 1, digest, rounds, salt) + b"s" * salt + b"h" * length
    ).decode()


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_hash_fits_its_password_and_no_other(name):
    """Both versions, each digest."""
    assert aspnet_hashes.fits(KNOWN[name], PASSWORD)
    for wrong in ("My password", "my password ", ""):
        assert not aspnet_hashes.fits(KNOWN[name], wrong)


@pytest.mark.parametrize("stored", NOT_ONE)
def test_what_is_no_such_hash_fits_nothing(stored):
    """Cut, changed, lengthened or foreign: a wrong password, never an error."""
    assert not aspnet_hashes.fits(stored, PASSWORD)


@pytest.mark.parametrize(
    "stored",
    [
        _version_3(digest=3),
        _version_3(rounds=0),
        _version_3(rounds=2**32 - 1),
        _version_3(salt=4),
        _version_3(length=4),
        base64.b64encode(struct.pack(">BIII", 1, 1, 10, 2**31) + b"x" * 64).decode(),
    ],
)
def test_a_forged_row_costs_nothing_and_fits_nothing(stored):
    """A row with endless rounds, an unknown digest or lengths that aren't there is refused before
    any work."""
    began = time.process_time()
    assert not aspnet_hashes.fits(stored, PASSWORD)
    assert time.process_time() - began < 0.1


def test_a_password_that_is_no_unicode_is_wrong_and_no_error():
    """A lone surrogate can come out of JSON; it is encoded as .NET does."""
    assert not aspnet_hashes.fits(KNOWN["v2"], "my \ud800 password")
