"""The four guards of a write, each with its control: the same trouble once with the guard, where
there is one effect, and once with the guard taken out, where the promise breaks.

Without the control a test could pass because its trouble never came.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from adapters.memory import Memory
from bridge.cli.embedded import Embedded
from bridge.writes import scripts
from bridge.writes.drain import drain
from bridge.writes.effects import Attempt
from bridge.writes.turn import Turn
from tests.support.writes import ADMIN, World

both = pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])


@pytest.fixture(scope="module")
def servers() -> Iterator[Embedded]:
    with Embedded(extra_acl={"queue": [ADMIN]}) as embedded:
        yield embedded


@pytest.fixture
def world(servers: Embedded) -> Iterator[World]:
    made = World(servers)
    yield made
    made.close()


def names_written(world: World) -> list[str]:
    return [effect["given_name"] for effect in world.crm.effects() if "given_name" in effect]


@both
def test_a_reply_lost_after_the_commit(
    world: World, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The operation's id, written with its effect, says that it was done; without it, twice."""
    if not guarded:
        monkeypatch.setattr(Attempt, "signed", lambda self, kind, record, operations: record)
    member = world.member()
    world.crm.fault("update", "after", "TimedOut")
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    world.work()
    assert names_written(world) == ["Mei"] * (1 if guarded else 2)


@both
def test_a_request_delivered_late(
    world: World, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """The concrete version stops the one that comes second; with `*` both are done."""
    if not guarded:
        done = Memory._do
        monkeypatch.setattr(Memory, "_do", lambda crm, op: done(crm, replace(op, version=None)))
    member = world.member()
    world.crm.fault("update", "late")  # it arrives just before the one that is tried again
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    world.work()
    assert names_written(world) == ["Mei"] * (1 if guarded else 2)


@both
def test_a_drain_stopped_past_its_turn(
    world: World, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """It asks before each call whether the mailbox is still its own; else it would go on calling
    beside the drain that has it now."""
    member = world.member()
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    ((mailbox, old),) = world.claim()
    get = world.crm.get

    def stopped_meanwhile(*args: Any, **kwargs: Any) -> Any:
        found = get(*args, **kwargs)
        monkeypatch.setattr(world.crm, "get", get)
        world.due_now()
        world.claim()  # somebody else's turn from here on
        if not guarded:
            monkeypatch.setattr(Turn, "check", lambda self: None)
        return found

    monkeypatch.setattr(world.crm, "get", stopped_meanwhile)
    drain(world.parts, mailbox, old)
    assert names_written(world) == ([] if guarded else ["Mei"])


@both
def test_all_of_rqs_keys_deleted(
    world: World, monkeypatch: pytest.MonkeyPatch, guarded: bool
) -> None:
    """A claimed mailbox is due again by itself; if the claim took it out of the schedule, a lost
    wake-up would be a lost write."""
    if not guarded:
        again = "redis.call('ZADD', KEYS[4], now + tonumber(ARGV[1]), name)"
        assert again in scripts.CLAIM
        without = scripts.CLAIM.replace(again, "redis.call('ZREM', KEYS[4], name)")
        monkeypatch.setattr(scripts, "CLAIM", without)
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    assert len(world.claim()) == 1  # its wake-up is thrown away
    for key in world.admin.do("KEYS", "rq:*"):
        world.admin.do("DEL", key)
    world.due_now()
    world.work()
    assert names_written(world) == (["Mei"] if guarded else [])
    assert (world.outcome(write) is not None) == guarded
