"""One token call for all processes of a role, on a real server under the shipped access rules."""

import multiprocessing
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.cli.embedded import Embedded
from bridge.seal import Keyring, Pseudonyms
from bridge.store import Redis
from bridge.store.remote_tokens import RemoteTokens

WEB, WORKER = ("k1", b"w" * 32), ("k1", b"x" * 32)
NAMES = Pseudonyms(b"n" * 32)


@pytest.fixture(scope="module")
def servers() -> Iterator[Embedded]:
    with Embedded() as running:
        yield running


def tokens(servers: Embedded, role: str = "web", key: tuple[str, bytes] = WEB) -> RemoteTokens:
    """As a process of `role` has it."""
    redis = Redis(servers.url("tokens", role))
    return RemoteTokens(redis, Keyring([key]), NAMES, f"crm:{role}:")


def _use(url: str, start: float, calls: str) -> None:
    """A process that needs the token at `start`, and notes each call that it makes for it."""
    held = RemoteTokens(Redis(url), Keyring([WEB]), NAMES, "crm:web:")
    time.sleep(max(0.0, start - time.time()))
    while held.get("expired") is None:
        with held.single_flight("expired", 10) as mine:
            if mine and held.get("expired") is None:
                with Path(calls).open("a") as file:
                    file.write("x")
                time.sleep(0.3)  # the authority takes its time
                held.put("expired", "fresh", 60)


def test_twenty_processes_make_one_call(servers: Embedded, tmp_path: Path) -> None:
    """Twenty processes find the token expired at once, and one of them asks for a new one."""
    calls, url = tmp_path / "calls", servers.url("tokens", "web")
    context = multiprocessing.get_context("spawn")
    start = time.time() + 4
    crowd = [context.Process(target=_use, args=(url, start, str(calls))) for _ in range(20)]
    for process in crowd:
        process.start()
    for process in crowd:
        process.join(40)

    assert [process.exitcode for process in crowd] == [0] * 20
    assert calls.read_text() == "x"


def test_a_token_rests_sealed_and_ends(servers: Embedded) -> None:
    """What rests isn't the token, lives no longer than it, and is gone when it ends."""
    held = tokens(servers)
    held.put("soon", "the-bearer-token", 1.2)
    doctor = Redis(servers.url("tokens", "doctor")).client
    raw = [doctor.get(key) for key in doctor.scan_iter("crm:web:*")]

    assert held.get("soon") is not None
    assert not any("the-bearer-token" in str(value) for value in raw)
    time.sleep(1.5)
    assert held.get("soon") is None


def test_the_web_tier_cannot_open_the_workers_token(servers: Embedded) -> None:
    """Another role's key opens nothing, and its user may not even read the other's key."""
    tokens(servers, "worker", WORKER).put("writer", "the-writers-token", 60)

    as_web = RemoteTokens(Redis(servers.url("tokens", "web")), Keyring([WEB]), NAMES, "crm:worker:")
    stolen = RemoteTokens(
        Redis(servers.url("tokens", "worker")), Keyring([WEB]), NAMES, "crm:worker:"
    )

    assert as_web.get("writer") is None
    assert stolen.get("writer") is None
    assert tokens(servers, "worker", WORKER).get("writer") is not None


def test_a_holder_that_dies_is_waited_for_no_longer_than_its_lock(servers: Embedded) -> None:
    """Whoever holds the lock and dies delays the others by the lock's seconds, no more."""
    held = tokens(servers)
    held.single_flight("dead", 1).__enter__()
    began = time.monotonic()

    with held.single_flight("dead", 1) as mine:
        took = time.monotonic() - began

    assert not mine or took >= 0.9
    assert took < 2


def test_without_redis_everyone_fetches_for_themselves() -> None:
    """The CRM's token decides nothing about a caller: no Redis costs a call and refuses nothing."""
    held = RemoteTokens(Redis("redis://127.0.0.1:9/0"), Keyring([WEB]), NAMES, "crm:web:")
    held.put("any", "token", 60)

    assert held.get("any") is None
    with held.single_flight("any", 1) as mine:
        assert mine
