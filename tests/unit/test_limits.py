"""Limits on a real server: counted for everybody, named by nobody, closed in trouble."""

import ipaddress
import itertools

import pytest

from bridge.errors import Problem
from bridge.seal import Pseudonyms
from bridge.store import prefix_of
from bridge.store.connection import Redis, StoreDown
from bridge.store.limits import WINDOWS, Limits, network
from tests.support.tokens import at_once, tokens_server, web

AMOUNTS = dict.fromkeys(WINDOWS, 5)
_numbers = itertools.count()


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with tokens_server(tmp_path_factory.mktemp("tokens") / "t") as running:
        yield web(running)


@pytest.fixture
def limits(redis):
    return Limits(redis, Pseudonyms(b"n" * 32), AMOUNTS)


@pytest.fixture
def someone():
    return f"canary-{next(_numbers)}"


def refused(limits, *args):
    try:
        limits.hit(*args)
    except Problem as problem:
        assert problem.type == "too-many"
        assert 1 <= problem.retry_after <= WINDOWS[args[0]]
        return True
    return False


@pytest.mark.parametrize("purpose", WINDOWS)
def test_so_many_and_no_more(limits, someone, purpose):
    """Five are let through, the sixth is told how long to wait; others aren't affected."""
    assert [refused(limits, purpose, someone) for _ in range(6)] == [False] * 5 + [True]
    assert not refused(limits, purpose, someone + "-else")


def test_purposes_are_counted_apart(limits, someone):
    """Codes used up don't stop a sign-in."""
    for _ in range(6):
        refused(limits, "codes_per_address", someone)
    assert not refused(limits, "sign_ins_per_identifier", someone)


def test_parallel_tries_are_all_counted(limits, someone):
    """24 at once: five pass."""
    results = at_once(24, lambda: refused(limits, "codes_per_client", someone))
    assert results.count(False) == 5


def test_keys_are_listed_expire_and_name_nobody(limits, redis, someone):
    """A counter's key is a keyed hash under `rl:`."""
    limits.hit("codes_per_address", someone)
    _, keys = redis.do("SCAN", 0, "COUNT", 10_000)
    for key in keys:
        prefix = prefix_of(key)
        assert prefix is not None and prefix.name == "rl:"
        assert "canary" not in key
        assert redis.do("TYPE", key) == prefix.type
        assert 0 < redis.do("TTL", key) <= prefix.ttl


def test_without_redis_nothing_is_let_through():
    """Trouble fails closed."""
    dead = Limits(Redis("redis://127.0.0.1:1/0", timeout=0.2), Pseudonyms(b"n" * 32), AMOUNTS)
    with pytest.raises(StoreDown):
        dead.hit("codes_per_address", "x")


def test_a_missing_amount_is_a_mistake_at_start(redis):
    """A purpose without a limit doesn't start."""
    with pytest.raises(KeyError):
        Limits(redis, Pseudonyms(b"n" * 32), {})


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("203.0.113.77", "203.0.113.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.77", "203.0.113.0/24"),
        ("", ""),
        ("not an address", ""),
    ],
)
def test_addresses_are_counted_by_range(address, counted):
    """/24 of IPv4, /64 of IPv6, and IPv4 in an IPv6 coat is IPv4."""
    assert network(address) == counted
    assert not counted or ipaddress.ip_network(counted)
