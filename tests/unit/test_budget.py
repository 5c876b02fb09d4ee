"""Leave to call the CRM, on a real tokens server as the worker user."""

import time
from collections.abc import Iterator

import pytest

from adapters.errors import Throttled, Unreachable
from bridge.budget import SharedBudget
from bridge.cli.embedded import Server
from bridge.store import Redis
from tests.support.tokens import at_once, tokens_server


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with tokens_server(tmp_path_factory.mktemp("tokens")) as running:
        yield running


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


_roles = iter(f"role{n}" for n in range(1000))


def budgets(server: Server, clock: Clock, per_second: float = 0.0) -> list[SharedBudget]:
    """Two processes of one role."""
    role = next(_roles)
    url = server.url("worker")
    return [SharedBudget(Redis(url), role, per_second, clock) for _ in range(2)]


def test_a_pause_holds_every_process(server: Server) -> None:
    """What the CRM told one process holds for the others within a quarter of a second."""
    clock = Clock()
    first, second = budgets(server, clock)
    second.take("now")
    first.throttled(3.0)
    with pytest.raises(Throttled) as caught:
        first.take("now")
    assert 2.5 < caught.value.retry_after <= 3.0
    clock.now += 0.3
    with pytest.raises(Throttled):
        second.take("now")
    clock.now += 3.0
    second.take("now")


def test_a_shorter_pause_does_not_end_a_longer_one(server: Server) -> None:
    """The longest pause counts."""
    clock = Clock()
    first, second = budgets(server, clock)
    first.throttled(30.0)
    second.throttled(1.0)
    clock.now += 5.0
    for budget in (first, second):
        with pytest.raises(Throttled):
            budget.take("now")


def test_the_breaker_opens_tries_once_and_closes(server: Server) -> None:
    """Half of 20 calls failing opens it for everybody; after 5 s one call tries, and its success
    closes it."""
    clock = Clock()
    first, second = budgets(server, clock)
    second.take("now")
    for n in range(20):
        first.take("now")
        first.done(ok=n % 2 == 0, seconds=0.1)
    assert first.is_open()
    with pytest.raises(Unreachable):
        first.take("now")
    clock.now += 0.3
    with pytest.raises(Unreachable):
        second.take("now")
    clock.now += 5.0
    first.take("now")
    with pytest.raises(Unreachable):  # only one tries
        first.take("now")
    first.done(ok=True, seconds=0.1)
    first.take("now")


def test_a_failed_try_keeps_the_breaker_open(server: Server) -> None:
    """The one call that tries decides."""
    clock = Clock()
    first, _ = budgets(server, clock)
    for _ in range(20):
        first.take("now")
        first.done(ok=False, seconds=0.1)
    clock.now += 5.1
    first.take("now")
    first.done(ok=False, seconds=0.1)
    with pytest.raises(Unreachable):
        first.take("now")


def test_few_failures_open_nothing(server: Server) -> None:
    """Under 20 calls in 10 s, or under half failing, the breaker stays closed."""
    clock = Clock()
    first, second = budgets(server, clock)
    for _ in range(19):
        first.done(ok=False, seconds=0.1)
    first.take("now")
    for n in range(60):
        second.done(ok=n % 3 != 0, seconds=0.1)
    second.take("now")


def test_the_allowance_is_shared(server: Server) -> None:
    """Two processes with many threads make no more calls than the allowance of the role."""
    role = next(_roles)
    pair = [SharedBudget(Redis(server.url("worker")), role, 40.0) for _ in range(2)]
    until = time.monotonic() + 1.0
    made: list[int] = []

    def call() -> int:
        count = 0
        while time.monotonic() < until:
            try:
                pair[len(made) % 2].take("now")
            except Throttled:
                continue
            count += 1
        return count

    total = sum(at_once(8, call))
    assert 20 <= total <= 40 + 2 * 10 + 8


def test_trouble_with_redis_forgets_nothing(server: Server) -> None:
    """Without Redis a process still obeys what the CRM told it, and calls otherwise."""
    lost = SharedBudget(Redis("redis://127.0.0.1:9/0", timeout=0.2), "role", 100.0)
    lost.take("now")
    lost.throttled(5.0)
    with pytest.raises(Throttled):
        lost.take("now")


def test_a_refused_call_does_not_use_up_the_try(server: Server) -> None:
    """Where the allowance is spent when the breaker would try, a later call tries."""
    clock = Clock()
    role = next(_roles)
    budget = SharedBudget(Redis(server.url("worker")), role, 0.0, clock)
    for _ in range(20):
        budget.done(ok=False, seconds=0.1)
    clock.now += 5.1
    budget._per_slice, budget._pace = 1, _spent  # type: ignore[method-assign]
    with pytest.raises(Throttled):
        budget.take("now")
    budget._per_slice = 0
    budget.take("now")


def _spent() -> None:
    raise Throttled
