"""Redis down, a worker killed, RQ's keys gone: nothing acknowledged is lost, nothing is guessed."""

import signal
import time
from collections.abc import Iterator

import pytest
import redis

from bridge.cli.journey import Journey
from bridge.cli.line import Line
from tests.flows.on_the_line.conftest import ROOMY, Watch, journey_of
from tests.flows.on_the_line.crm import Crm
from tests.flows.on_the_line.test_crm_trouble import patch, read, until


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """A line of this module's own, since its parts are stopped and killed."""
    with Line(overrides=ROOMY) as running:
        yield running


@pytest.fixture(scope="module")
def watch(line: Line) -> Watch:
    return Watch(line)


@pytest.fixture(scope="module")
def member(line: Line, watch: Watch) -> Journey:
    """One member for all; signed in."""
    journey = journey_of(line, watch)
    journey.phone = journey.desktop()
    journey.phone.get(f"{line.url}/register")
    journey.prove_mobile()
    journey.give_details()
    journey.sign_in()
    return journey


def queue(line: Line) -> redis.Redis:
    """The queue's Redis as the worker's user, whose right it is to delete RQ's keys."""
    assert line.redis is not None
    return redis.Redis.from_url(line.redis.url("queue", "worker"))


def test_without_the_queue_writes_are_refused_and_reads_go_on(
    line: Line, member: Journey, crm: Crm
) -> None:
    """Queue down: a write is 503 with Retry-After and nothing is acknowledged; a read is 200."""
    assert line.redis is not None
    server = line.redis.servers["queue"]
    server.stop()
    try:
        refused = patch(member, "没有队列")
        reading, _ = read(member)
    finally:
        server.restart()

    assert refused.status_code == 503
    assert int(refused.headers["Retry-After"]) >= 1
    assert reading.status_code == 200
    until(lambda: patch(member, "又有队列").status_code == 204, 30)
    assert crm.member(member.member.mobile)["given_name"] == "又有队列"


def test_without_the_tokens_nobody_is_let_in(line: Line, member: Journey) -> None:
    """Tokens down: 503, since who calls can't be known; nothing is guessed."""
    assert line.redis is not None
    server = line.redis.servers["tokens"]
    server.stop()
    try:
        answer, took = read(member)
    finally:
        server.restart()

    assert answer.status_code == 503
    assert took < 5
    until(lambda: member.http.get(f"{line.url}/readyz").status_code == 200)
    member.sign_in()  # tokens are kept in memory only: a restart signs everyone out
    assert read(member)[0].status_code == 200


def test_a_killed_worker_loses_nothing(line: Line, member: Journey, crm: Crm) -> None:
    """A worker killed in the middle of a call: another one finishes the write, once."""
    since = crm.last()
    crm.fault("slow", times=1, on="update", seconds=2)
    assert patch(member, "不丢失", Prefer="respond-async").status_code == 202
    time.sleep(0.5)

    line.children["worker"].signal(signal.SIGKILL)
    line.children["worker"].stop()
    line.start_worker()

    until(lambda: crm.member(member.member.mobile)["given_name"] == "不丢失", 30)
    time.sleep(3)
    assert crm.effects("given_name", since) == ["不丢失"]


def test_rq_keys_deleted_at_any_time_lose_nothing(line: Line, member: Journey, crm: Crm) -> None:
    """RQ only wakes up: without its keys the mailbox is due again by itself."""
    client = queue(line)
    crm.fault("status", times=1, on="update", status=503)
    assert patch(member, "仍然到达", Prefer="respond-async").status_code == 202

    for _ in range(10):
        keys = list(client.scan_iter("rq:*"))
        if keys:
            client.delete(*keys)
        time.sleep(0.1)

    until(lambda: crm.member(member.member.mobile)["given_name"] == "仍然到达", 30)


def test_without_a_worker_a_write_waits(line: Line, member: Journey, crm: Crm) -> None:
    """No worker: the write is acknowledged with 202 while the queue is known to be fit, and is
    applied when a worker comes."""
    line.children["worker"].stop()
    answer = patch(member, "等工人", Prefer="wait=1")
    line.start_worker()

    assert answer.status_code == 202
    until(lambda: crm.member(member.member.mobile)["given_name"] == "等工人", 30)


def test_a_queue_that_forgets_is_not_written_to(line: Line, member: Journey) -> None:
    """A queue without `appendfsync always` isn't fit: no write is accepted until it is again."""
    assert line.redis is not None
    until(lambda: patch(member, "先好").status_code == 204, 30)
    server = line.redis.servers["queue"]
    server.stop()
    server.restart("--appendfsync", "everysec")
    try:
        until(lambda: patch(member, "不好").status_code == 503, 40)
    finally:
        server.stop()
        server.restart()
    until(lambda: patch(member, "又好").status_code == 204, 40)
