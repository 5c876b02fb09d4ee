"""One-time codes and tickets on a real server: few tries, one visitor, one use."""

import itertools

import pytest

from bridge.seal import Keyring, Pseudonyms
from bridge.store import prefix_of
from bridge.store.challenges import MAX_TRIES, About, Challenges
from tests.support.tokens import at_once, tokens_server, web

_numbers = itertools.count(10_000_000)


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with tokens_server(tmp_path_factory.mktemp("tokens") / "t") as running:
        yield web(running)


@pytest.fixture
def challenges(redis):
    return Challenges(redis, Keyring([("k1", b"k" * 32)]), Pseudonyms(b"n" * 32))


@pytest.fixture
def about():
    return About("mobile", f"+86138{next(_numbers)}", "registration", "session:a")


def test_the_right_code_says_what_was_proven(challenges, about):
    """The challenge gives back its address, which rested sealed."""
    started = challenges.start("123456", about)
    assert started.state == "new"
    assert challenges.attempt(started.id, "123456", "session:a") == about


def test_five_wrong_tries_end_it(challenges, about):
    """After MAX_TRIES wrong codes the right one is refused too."""
    id = challenges.start("123456", about).id
    for _ in range(MAX_TRIES):
        assert challenges.attempt(id, "000000", "session:a") is None
    assert challenges.attempt(id, "123456", "session:a") is None


def test_parallel_guesses_are_counted_one_by_one(challenges, about):
    """24 guesses at once are at most MAX_TRIES tries."""
    id = challenges.start("123456", about).id
    guesses = itertools.count()
    at_once(24, lambda: challenges.attempt(id, f"{next(guesses):06}", "session:a"))
    assert challenges.attempt(id, "123456", "session:a") is None


def test_another_visitor_cannot_answer(challenges, about):
    """A code is good for the client or visit that asked for it."""
    id = challenges.start("123456", about).id
    assert challenges.attempt(id, "123456", "session:b") is None
    assert challenges.attempt("unknown", "123456", "session:a") is None


def test_asking_again_within_a_minute_sends_nothing_new(challenges, about):
    """The same visitor gets the same challenge; another one has to wait; cancelling frees."""
    first = challenges.start("123456", about)
    again = challenges.start("654321", about)
    assert (again.state, again.id) == ("same", first.id)
    other = challenges.start("1", About(about.kind, about.value, about.purpose, "session:b"))
    assert other.state == "wait"
    assert 1 <= other.wait <= 60
    challenges.cancel(first.id, about)
    assert challenges.attempt(first.id, "123456", "session:a") is None
    assert challenges.start("654321", about).state == "new"


def test_the_right_code_gives_the_same_ticket_again_for_a_minute(challenges, redis, about):
    """A repeated answer gets the ticket that the first one got, and the challenge ends soon."""
    id = challenges.start("123456", about).id
    assert challenges.keep_ticket(id, "ticket-1") == "ticket-1"
    assert challenges.keep_ticket(id, "ticket-2") == "ticket-1"
    assert challenges.attempt(id, "123456", "session:a") == "ticket-1"
    assert redis.do("TTL", f"otp:{id}") <= 60
    assert challenges.keep_ticket("gone", "t") is None


def test_a_ticket_is_bound_to_one_operation(challenges):
    """Of 24 operations that race with one ticket, one gets it, and it alone may come again."""
    ops = itertools.count()
    results = at_once(24, lambda: (lambda op: (op, challenges.bind("tid", op)))(f"op{next(ops)}"))
    winners = [op for op, bound in results if bound]
    assert len(winners) == 1
    assert challenges.bind("tid", winners[0])
    assert not challenges.bind("tid", "another")


def test_nothing_readable_rests_and_everything_expires(challenges, redis, about):
    """No address, code or visitor is in Redis; every key is listed and has a time to live."""
    started = challenges.start("918273", about)
    challenges.bind("ticket-id", "op")
    _, keys = redis.do("SCAN", 0, "COUNT", 10_000)
    assert any(started.id in key for key in keys)
    for key in keys:
        prefix = prefix_of(key)
        assert prefix is not None
        assert 0 < redis.do("TTL", key) <= prefix.ttl
        held = redis.do("HGETALL", key) if prefix.name == "otp:" else redis.do("GET", key)
        for canary in (about.value, about.value[3:], "918273", "session:a"):
            assert canary not in key + repr(held)
