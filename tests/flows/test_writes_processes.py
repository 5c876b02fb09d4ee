"""Writes with real worker processes: stopped, killed, robbed of RQ's keys, and ended in order."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from bridge import worker
from bridge.cli.embedded import Embedded
from bridge.writes import jobs
from bridge.writes.write import Outcome, Write, short
from tests.support.writes import ADMIN, World, eventually


@pytest.fixture(scope="module")
def servers() -> Iterator[Embedded]:
    with Embedded(extra_acl={"queue": [ADMIN]}) as embedded:
        yield embedded


@pytest.fixture
def world(servers: Embedded) -> Iterator[World]:
    made = World(servers)
    yield made
    made.close()


def applied(world: World, write: Write) -> Outcome | None:
    outcome = world.outcome(write)
    assert outcome is None or outcome.code == "applied"
    return outcome


def test_a_running_worker_answers_within_milliseconds(world: World) -> None:
    """A waiting request has its outcome well inside a second, by way of claim, RQ and worker."""
    world.start("now")
    member = world.member()
    first = world.edit(member, {"given_name": "Mei"})
    world.accept(first, member)
    assert world.web.wait(first.op, 10.0) is not None
    second = world.edit(member, {"given_name": "Lin"})
    started = time.monotonic()
    world.accept(second, member)
    assert world.web.wait(second.op, 5.0) is not None
    assert time.monotonic() - started < 0.5


def test_a_drain_stopped_past_its_turn_applies_nothing_twice(world: World) -> None:
    """A worker that froze in its call and wakes after another took over finds its turn gone."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.crm.fault("update", "after", "", sleep=1.0)
    frozen = world.start_lane()
    world.accept(write, member)
    eventually(world.crm.effects)
    assert frozen.pid
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        world.start_lane()
        eventually(lambda: applied(world, write), 15)
        later = world.edit(member, {"given_name": "Lin"})
        world.accept(later, member)
        eventually(lambda: applied(world, later), 15)
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(1.5)
    assert [e["given_name"] for e in world.crm.effects()] == ["Mei", "Lin"]
    assert world.crm.shown("member", member, "given_name").record["given_name"] == "Lin"


def test_a_drain_stopped_before_its_call_finds_the_version_gone(world: World) -> None:
    """A worker that froze between its read and its edit, and sends the edit when it wakes, meets
    a record that has moved on; its id is there already."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.crm.fault("get", "after", "", sleep=1.0)
    frozen = world.start_lane()
    world.accept(write, member)
    eventually(world.crm.calls)
    assert frozen.pid
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        world.start_lane()
        eventually(lambda: applied(world, write), 15)
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    time.sleep(1.5)
    assert len(world.crm.effects()) == 1


def test_a_worker_killed_after_the_commit_leaves_one_effect(world: World) -> None:
    """kill -9 between the CRM's commit and the outcome: the next turn finds the id and settles."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.crm.fault("update", "after", "", sleep=5.0)
    victim = world.start_lane()
    world.accept(write, member)
    eventually(world.crm.effects)
    victim.kill()
    victim.join()
    world.start_lane()
    eventually(lambda: applied(world, write), 15)
    assert len(world.crm.effects()) == 1
    record = world.crm.shown("member", member, "last_operations").record
    assert record["last_operations"] == short(write.op)


def test_kills_at_random_lose_and_double_nothing(world: World) -> None:
    """Lane processes are killed again and again while members are edited: each acknowledged edit
    has one outcome and one effect, in the member's order."""
    world.start("now")
    members = [world.member() for _ in range(4)]
    writes: dict[str, list[Write]] = {member: [] for member in members}
    for n in range(40):
        member = members[n % 4]
        before = writes[member][-1].op if writes[member] else None
        write = world.edit(member, {"given_name": f"n{n}"}, based_on=before)
        writes[member].append(write)
        world.accept(write, member)
        if n % 8 == 5:
            for pid in lane_pids(world):
                os.kill(pid, signal.SIGKILL)
    everything = [write for each in writes.values() for write in each]
    eventually(lambda: all(applied(world, write) for write in everything), 60)
    seen = [effect["given_name"] for effect in world.crm.effects()]
    assert sorted(seen) == sorted(f"n{n}" for n in range(40))
    for n, member in enumerate(members):
        mine = [name for name in seen if int(name[1:]) % 4 == n]
        assert mine == sorted(mine, key=lambda name: int(name[1:])), member


def lane_pids(world: World) -> list[int]:
    """Of the supervisor's children."""
    (supervisor,) = world.workers
    with open(f"/proc/{supervisor.pid}/task/{supervisor.pid}/children") as file:
        return [int(pid) for pid in file.read().split()]


def test_all_of_rqs_keys_can_go(world: World) -> None:
    """Deleting every key of RQ's, while writes wait and while one is applied, loses nothing."""
    member, other = world.member(), world.member()
    writes = [world.edit(m, {"given_name": "Mei"}) for m in (member, other)]
    for write, m in zip(writes, (member, other), strict=True):
        world.accept(write, m)
    from bridge.writes.claim import Claimer

    Claimer(world.parts.queue, "now").claim()
    assert rq_keys(world)
    for key in rq_keys(world):
        world.admin.do("DEL", key)
    world.crm.fault("update", "after", "", sleep=0.5)
    world.start_lane()
    eventually(world.crm.effects)
    for key in rq_keys(world):
        world.admin.do("DEL", key)
    eventually(lambda: all(applied(world, write) for write in writes), 15)
    assert len(world.crm.effects()) == 2
    third = world.edit(member, {"given_name": "Lin"})
    world.accept(third, member)
    eventually(lambda: applied(world, third), 15)


def rq_keys(world: World) -> list[str]:
    return list(world.admin.do("KEYS", "rq:*"))


def test_rq_keeps_nothing_but_its_own_few_sets(world: World) -> None:
    """What RQ leaves has a time to live, or is a set of queue and worker names."""
    from bridge.store import RQ_FOREVER

    world.start_lane()
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    eventually(lambda: applied(world, write))
    time.sleep(0.3)
    for key in rq_keys(world):
        assert world.admin.do("TTL", key) > 0 or key.startswith(RQ_FOREVER), key


def test_poisoned_jobs_neither_run_nor_end_the_worker(world: World) -> None:
    """Foreign functions, pickles and garbage in RQ's keys are dropped; the next write is made."""
    from rq import Queue
    from rq.serializers import JSONSerializer

    raw = jobs.connection(world.admin)
    proof = world.directory / "made-by-a-stranger"
    lane = world.start_lane()
    eventually(lambda: rq_keys(world))
    stranger = Queue("now", connection=raw, serializer=JSONSerializer)
    stranger.enqueue("os.mkdir", str(proof))
    Queue("now", connection=raw).enqueue(os.mkdir, str(proof))
    raw.hset("rq:job:garbage", mapping={"data": b"\x00\xff", "timeout": "x", "created_at": "never"})
    raw.rpush("rq:queue:now", "garbage", "nothing", b"\xff\xfe")
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    eventually(lambda: applied(world, write), 15)
    assert not proof.exists()
    assert lane.is_alive()


def test_a_worker_ends_in_order(world: World) -> None:
    """SIGTERM lets the head under way end, leaves what waits to the next worker, and leaves no
    process behind."""
    supervisor = world.start("now", "notify")
    member = world.member()
    version = world.crm.shown("member", member).version
    from bridge.writes.write import Base

    first = world.edit(member, {"given_name": "A"}, based_on=Base(version))
    second = world.edit(member, {"given_name": "B"}, based_on=first.op)
    world.crm.fault("update", "after", "", sleep=1.0)
    for write in (first, second):
        world.accept(write, member)
    eventually(world.crm.effects)
    children = lane_pids(world)
    assert len(children) == 2
    assert supervisor.pid
    os.kill(supervisor.pid, signal.SIGTERM)
    supervisor.join(10)
    assert supervisor.exitcode == 0
    assert applied(world, first)
    assert world.outcome(second) is None
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    world.start_lane()
    eventually(lambda: applied(world, second), 15)


def test_a_killed_supervisor_takes_its_lanes_along(world: World) -> None:
    """Lanes don't outlive their supervisor, however it ended."""
    supervisor = world.start("now")
    (child,) = eventually(lambda: lane_pids(world))
    time.sleep(0.5)
    supervisor.kill()
    supervisor.join()

    def gone() -> bool:
        try:
            os.kill(child, 0)
        except ProcessLookupError:
            return True
        return False

    eventually(gone, 10)


def test_wrong_settings_are_all_named_and_nothing_starts(
    world: World, capfd: pytest.CaptureFixture[str]
) -> None:
    """The worker refuses a queue that isn't durable, with a line for each wrong setting."""
    admin = world.admin
    admin.do("CONFIG", "SET", "appendfsync", "everysec")
    admin.do("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        assert worker.run(world.make_parts, ["now"]) == worker.EX_CONFIG
    finally:
        admin.do("CONFIG", "SET", "appendfsync", "always")
        admin.do("CONFIG", "SET", "maxmemory-policy", "noeviction")
    said = capfd.readouterr().err
    assert "appendfsync must be always" in said
    assert "maxmemory-policy must be noeviction" in said


def test_what_was_acknowledged_outlives_the_redis_server(world: World) -> None:
    """kill -9 of the queue's server: the accepted write is applied after its restart."""
    member, other = world.member(), world.member()
    world.start()
    first = world.edit(other, {"given_name": "Lin"})
    world.accept(first, other)
    eventually(lambda: applied(world, first))
    write = world.edit(member, {"given_name": "Mei"})
    world.crm.fault("get", "before", "Unreachable")
    world.accept(write, member)
    server = world.servers.servers["queue"]
    os.kill(server.child.pid, signal.SIGKILL)
    server.child.process.wait()
    server.restart()
    eventually(lambda: applied(world, write), 20)
    assert len(world.crm.effects()) == 2
