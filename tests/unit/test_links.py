"""Links and what ends a sign-in on a real server: one use, one place, and no sign-in in between."""

import itertools
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from bridge.cli.embedded import Server
from bridge.errors import Problem
from bridge.seal import Keyring, Mac, Pseudonyms
from bridge.services import proofs, sign_in
from bridge.services.identities import IdentityKeys, SignIn
from bridge.services.subjects import stamp_digest
from bridge.store import prefix_of
from bridge.store.challenges import About, Challenges
from bridge.store.connection import Redis
from bridge.store.grants import Grants
from bridge.store.links import Links
from tests.support.tokens import at_once, tokens_server, web

RACES, USERS = 100, 16
KEYRING, NAMES = Keyring([("k1", b"k" * 32)]), Pseudonyms(b"n" * 32)
ABOUT = About("email", "canary@example.com", "reset", "client:site")
_numbers = itertools.count()


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Redis]:
    with tokens_server(tmp_path_factory.mktemp("tokens") / "t") as running:
        assert isinstance(running, Server)
        yield web(running)


@pytest.fixture
def parts(redis: Redis) -> Any:
    """What proofs and sign-ins are made of."""
    return SimpleNamespace(
        keyring=KEYRING,
        names=NAMES,
        identity_keys=IdentityKeys(b"i" * 32),
        challenges=Challenges(redis, KEYRING, NAMES),
        links=Links(redis, KEYRING),
        grants=Grants(redis, KEYRING, NAMES, Mac([("r1", b"r" * 32)])),
        clock=lambda: 1_800_000_000.0,
    )


def links_in(redis: Redis) -> list[str]:
    """The keys of all links."""
    return list(redis.do("SCAN", 0, "MATCH", "pr:*", "COUNT", 1000)[1])


def test_a_link_proves_its_address(parts: Any) -> None:
    """Whoever has the token has the address, as often as they look."""
    token = parts.links.new(ABOUT)
    for _ in range(2):
        proof = proofs.open_link(parts, token, "reset", "client:site")
        assert (proof.kind, proof.value) == ("email", "canary@example.com")
        assert proof.identity_id == parts.identity_keys.id("email", "canary@example.com")


@pytest.mark.parametrize(
    "about",
    [
        About("email", "canary@example.com", "change", "client:site"),
        About("email", "canary@example.com", "reset", "client:till"),
    ],
)
def test_a_link_is_good_for_its_purpose_and_client_only(parts: Any, about: About) -> None:
    """Another purpose's, or another client's, proves nothing."""
    with pytest.raises(Problem) as refused:
        proofs.open_link(parts, parts.links.new(about), "reset", "client:site")
    assert refused.value.type == "proof-invalid"


def test_what_rests_of_a_link_is_sealed_to_its_place(parts: Any, redis: Redis) -> None:
    """No token and no address is in Redis, the key ends, and a record moved to another key, as a
    writer of Redis could, opens nothing."""
    token = parts.links.new(ABOUT)
    key = links_in(redis)[0]
    kept = redis.do("GET", key)
    assert token not in key + kept
    assert "canary" not in kept
    known = prefix_of(key)
    assert known is not None
    assert known.ttl is not None
    assert 0 < redis.do("TTL", key) <= known.ttl
    other = parts.links.new(About("email", "thief@example.com", "reset", "client:site"))
    keys = links_in(redis)
    values = {key: redis.do("GET", key) for key in keys}
    for key in keys:
        redis.do("SET", key, next(value for k, value in values.items() if k != key), "EX", 60)
    assert parts.links.look(other) is None


def test_one_of_many_parallel_uses_wins(parts: Any) -> None:
    """100 times, 16 requests at once use one link, each with a password of its own: one each
    time; and the winner may repeat itself."""
    for _ in range(RACES):
        proof = proofs.open_link(parts, parts.links.new(ABOUT), "reset", "client:site")
        won, operations = [], itertools.count()

        def use(proof: Any = proof, won: list[str] = won, ops: Any = operations) -> None:
            op = f"op-{next(ops)}"
            try:
                proofs.use(parts, proof, op)
            except Problem:
                return
            won.append(op)

        at_once(USERS, use)
        assert len(won) == 1
        proofs.use(parts, proof, won[0])


def test_a_used_link_stays_used_for_as_long_as_it_lives(parts: Any, redis: Redis) -> None:
    """The mark of its use outlives it."""
    proof = proofs.open_link(parts, parts.links.new(ABOUT), "reset", "client:site")
    proofs.use(parts, proof, "op-1")
    assert redis.do("TTL", f"ticket:{proof.ticket_id}") >= 1800


# -- a sign-in that races a change of password ---------------------------------------------------


def entering(parts: Any, member: str, stamp: str) -> Any:
    """The end of a sign-in that read `stamp` from the CRM."""
    found = SimpleNamespace(record={"stamp": stamp, "subject": "s"})
    entered = SignIn("identity", member, found)  # type: ignore[arg-type]
    return sign_in._signed_in(parts, entered, ("pwd",))


def test_a_sign_in_that_read_the_old_stamp_comes_too_late(parts: Any) -> None:
    """Between its read of the CRM and its end the password was changed: nobody is signed in. With
    the new stamp they are."""
    member = f"member-{next(_numbers)}"
    assert entering(parts, member, "old") is not None
    parts.grants.revoke_member(member, stamp_digest(NAMES, "new"))
    assert entering(parts, member, "old") is None
    assert entering(parts, member, "new") is not None


def test_signing_out_everywhere_keeps_the_stamp(parts: Any) -> None:
    """Without a change of stamp a sign-in afterwards is as good as before."""
    member = f"member-{next(_numbers)}"
    parts.grants.revoke_member(member)
    assert entering(parts, member, "old") is not None
