"""Writes from the web tier's append to the CRM's record, step by step in one process."""

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from adapters.base import Operation
from bridge.cli.embedded import Embedded
from bridge.errors import Problem
from bridge.seal import b64, unb64
from bridge.writes import dead_letters, jobs
from bridge.writes.drain import drain
from bridge.writes.fit import FitKeeper
from bridge.writes.write import Base, notice, operations_of, record_id, short
from tests.support.writes import ADMIN, OWNER, Keys, World, eventually


@pytest.fixture(scope="module")
def servers() -> Iterator[Embedded]:
    with Embedded(extra_acl={"queue": [ADMIN]}) as embedded:
        yield embedded


@pytest.fixture
def world(servers: Embedded) -> Iterator[World]:
    made = World(servers)
    yield made
    made.close()


def given_name(world: World, member: str) -> str:
    return str(world.crm.shown("member", member, "given_name").record["given_name"])


def carried(world: World, member: str) -> tuple[str, ...]:
    record = world.crm.shown("member", member, "last_operations").record
    return operations_of(record["last_operations"])


# -- accept, effect, outcome --------------------------------------------------------------------


def test_an_edit_reaches_the_crm_with_its_short_id(world: World) -> None:
    """An accepted edit is in the CRM after a turn, its short id with it; the outcome says so."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei", "ext": {"favourite_model": "X1"}})
    assert world.accept(write, member).fresh
    assert world.outcome(write) is None
    assert world.work() == 1
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert given_name(world, member) == "Mei"
    assert carried(world, member) == (short(write.op),) == outcome.operations
    assert outcome.version == world.crm.shown("member", member).version


def test_nothing_is_left_of_a_settled_write(world: World) -> None:
    """After the outcome there is no mailbox, no mark and nothing due: only outcome and key."""
    member = world.member()
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    world.work()
    kinds = {key.split(":")[0] for key in world.admin.do("KEYS", "*")}
    assert kinds <= {"idem", "op", "turn", "turns", "rq"}
    assert world.work() == 0


def test_an_outcome_is_its_owners(world: World) -> None:
    """Somebody else's operation, a made-up one and one of Redis' other keys are all not found."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    for done in (False, True):
        with pytest.raises(Problem, match="not-found"):
            world.web.outcome(write.op, "somebody-else")
        assert (world.outcome(write) is not None) is done
        world.work()
    for op in (world.op(), "fit", "paused", f"closed:{world.web.member_mailbox(member)}"):
        with pytest.raises(Problem, match="not-found"):
            world.web.outcome(op, OWNER)


def test_an_outcome_outlives_its_idempotency_record(world: World) -> None:
    """The owner can read an outcome as long as it is kept, also after the key's 24 hours."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.work()
    world.admin.do("DEL", f"idem:{write.op}")
    outcome = world.outcome(write)
    assert outcome is not None
    assert world.admin.do("TTL", f"op:{write.op}") > 47 * 3600


# -- idempotency --------------------------------------------------------------------------------


def test_a_repetition_joins_and_another_request_under_the_key_is_refused(world: World) -> None:
    """The same key with the same request is the same operation; with another it is key-reuse."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"}, op=world.op("key"))
    assert world.accept(write, member, "one").fresh
    assert not world.accept(write, member, "one").fresh
    with pytest.raises(Problem, match="key-reuse"):
        world.accept(write, member, "two")
    world.work()
    assert not world.accept(write, member, "one").fresh
    assert len(world.crm.effects()) == 1


def test_a_repetition_after_redis_was_wiped_makes_nothing_twice(world: World) -> None:
    """A create repeated under its key meets the record that it made, and counts as applied."""
    op = world.op("register")
    id = record_id(world.keys.operation, op, "member")
    create = world.write("create", Operation("create", "member", id, {"given_name": "Mei"}), op=op)
    world.accept(create, id)
    world.work()
    world.admin.do("FLUSHALL")
    world.keeper.renew()
    assert world.accept(create, id).fresh
    world.work()
    outcome = world.outcome(create)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len(world.crm.effects()) == 1


def test_a_full_mailbox_refuses(world: World) -> None:
    """Beyond its capacity a mailbox takes no more, and what it has stays."""
    world.web.close()
    world.web = world.make_web(capacity=2)
    member = world.member()
    for _ in range(2):
        world.accept(world.edit(member, {"given_name": "Mei"}), member)
    with pytest.raises(Problem, match="mailbox-full"):
        world.accept(world.edit(member, {"given_name": "Lin"}), member)
    assert world.admin.do("LLEN", f"mb:{world.web.member_mailbox(member)}") == 2


def test_what_is_too_large_to_seal_is_refused(world: World) -> None:
    """A body may be under HTTP's limit and over it as an envelope: too-large, nothing accepted."""
    member = world.member()
    with pytest.raises(Problem, match="too-large"):
        world.accept(world.edit(member, {"ext": {"favourite_model": "x" * 65_500}}), member)
    assert world.admin.do("KEYS", "mb:*") == []


def test_no_fitness_no_acknowledgement(world: World) -> None:
    """Without a fresh, signed word that the queue is durable nothing is accepted."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    fit = world.admin.do("GET", "op:fit")
    FitKeeper(world.parts.queue, world.keys.mac, clock=lambda: time.time() - 20).renew()
    expired = world.admin.do("GET", "op:fit")
    prolonged = f"9999999999.0_{fit.split('_', 1)[1]}"
    for content in (None, expired, prolonged):
        world.admin.do("DEL", "op:fit")
        if content:
            world.admin.do("SET", "op:fit", content)
        with pytest.raises(Problem, match="store-unavailable"):
            world.make_web().accept(write, mailbox="w" + "x" * 22, owner=OWNER, fingerprint="f")
    world.keeper.renew()
    with pytest.raises(Problem, match="store-unavailable"):
        world.make_web(check_value="other keys").accept(
            write, mailbox="w" + "x" * 22, owner=OWNER, fingerprint="f"
        )
    assert world.admin.do("KEYS", "mb:*") == []


def test_a_queue_that_is_not_durable_is_not_fit(world: World) -> None:
    """The worker takes its word back when somebody turns fsync off, and gives it again after."""
    for name, wrong, right in (
        ("appendfsync", "everysec", "always"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
    ):
        world.admin.do("CONFIG", "SET", name, wrong)
        assert not world.keeper.renew()
        assert world.admin.do("GET", "op:fit") is None
        world.admin.do("CONFIG", "SET", name, right)
        assert world.keeper.renew()


@pytest.fixture
def memory(world: World) -> Iterator[Callable[[float], None]]:
    """Sets `maxmemory` so that this share of it is in use. 30 MB, so that a twentieth is room."""
    world.admin.do("SET", "pad", "x" * 30_000_000)

    def limit(share: float) -> None:
        used = world.admin.do("INFO", "memory")["used_memory"]
        world.admin.do("CONFIG", "SET", "maxmemory", int(used / share))

    yield limit
    world.admin.do("CONFIG", "SET", "maxmemory", 0)
    world.admin.do("DEL", "pad")


def test_a_queue_that_gets_full_still_does_what_waits(
    world: World, memory: Callable[[float], None]
) -> None:
    """Near its limit nothing more is accepted, while there is room yet to drain."""
    member = world.member()
    waits = world.edit(member, {"given_name": "Mei"})
    world.accept(waits, member)
    memory(0.95)
    assert not world.keeper.renew()
    world.web = world.make_web()  # which believes nothing from before
    with pytest.raises(Problem, match="store-unavailable"):
        world.accept(world.edit(member, {"given_name": "Lin"}), member)
    world.work()
    assert given_name(world, member) == "Mei"
    memory(0.5)
    assert world.keeper.renew()


def test_a_full_queue_acknowledges_nothing(world: World, memory: Callable[[float], None]) -> None:
    """Full between two looks of the worker: refused, and nothing of it stands there."""
    member = world.member()
    memory(2.0)
    with pytest.raises(Problem, match="store-unavailable"):
        world.accept(world.edit(member, {"given_name": "Mei"}), member)
    assert world.admin.do("KEYS", "mb:*") == world.admin.do("KEYS", "idem:*") == []


def test_a_missing_replica_makes_the_outcome_unknown(world: World) -> None:
    """Where replicas are asked for and don't have the write, it isn't acknowledged."""
    world.web.close()
    world.web = world.make_web(replicas=1)
    member = world.member()
    with pytest.raises(Problem, match="outcome-unknown"):
        world.accept(world.edit(member, {"given_name": "Mei"}), member)


# -- order, merging -----------------------------------------------------------------------------


def test_edits_that_wait_are_merged_into_one(world: World) -> None:
    """Edits without a version are one request to the CRM, the later value winning, each done."""
    member = world.member()
    writes = [
        world.edit(member, {"given_name": "A", "family_name": "B"}),
        world.edit(member, {"given_name": "C", "ext": {"favourite_model": "X"}}),
        world.edit(member, {"email": "a@example.com"}),
    ]
    for write in writes:
        world.accept(write, member)
    world.work()
    assert [verb for verb, *_ in world.crm.calls()] == ["get", "update"]
    assert {outcome.code for w in writes if (outcome := world.outcome(w))} == {"applied"}
    record = world.crm.shown("member", member, "given_name", "family_name", "email", "ext").record
    assert record["given_name"] == "C"
    assert record["family_name"] == "B"
    assert record["ext"] == {"favourite_model": "X"}
    assert carried(world, member) == tuple(short(write.op) for write in writes)


def test_a_versioned_edit_is_never_merged(world: World) -> None:
    """An edit that names a version stands alone, with those around it before and after."""
    member = world.member()
    version = world.crm.shown("member", member).version
    first = world.edit(member, {"given_name": "A"}, based_on=Base(version))
    second = world.edit(member, {"family_name": "B"}, based_on=f"{first.op}")
    third = world.edit(member, {"email": "c@example.com"})
    for write in (first, second, third):
        world.accept(write, member)
    world.work()
    assert [verb for verb, *_ in world.crm.calls()] == ["update", "update", "get", "update"]
    assert [o.code for w in (first, second, third) if (o := world.outcome(w))] == ["applied"] * 3


def test_a_members_writes_are_applied_in_their_order(world: World) -> None:
    """The CRM sees one member's writes in the order in which they were acknowledged."""
    member = world.member()
    version = world.crm.shown("member", member).version
    before, names = None, []
    for n in range(20):
        base = before.op if before else Base(version)
        before = world.edit(member, {"given_name": f"n{n}"}, based_on=base)
        names.append(f"n{n}")
        world.accept(before, member)
    world.work()
    assert [effect["given_name"] for effect in world.crm.effects()] == names


def test_one_bad_edit_does_not_take_its_neighbours_with_it(world: World) -> None:
    """Where merged edits are refused, each is tried alone, and only the bad one is refused."""
    member = world.member()
    good, bad, last = (world.edit(member, {"given_name": name}) for name in ("A", "B", "C"))
    for write in (good, bad, last):
        world.accept(write, member)
    world.crm.fault("update", "before", "Invalid")  # all three
    world.crm.fault("update", "after", "")  # the first alone: fine
    world.crm.fault("update", "before", "Invalid", times=2)  # the other two, the second alone
    world.work()
    codes = [o.code for w in (good, bad, last) if (o := world.outcome(w))]
    assert codes == ["applied", "refused", "applied"]
    assert given_name(world, member) == "C"


def test_only_the_last_sixteen_ids_are_carried(world: World) -> None:
    """The column holds the newest 16 short ids and no more."""
    member = world.member()
    writes = [world.edit(member, {"given_name": f"n{n}"}) for n in range(20)]
    for write in writes:
        world.accept(write, member)
    world.work()
    assert carried(world, member) == tuple(short(write.op) for write in writes)[-16:]
    assert {o.code for w in writes if (o := world.outcome(w))} == {"applied"}


# -- versions -----------------------------------------------------------------------------------


def test_a_version_that_has_passed_is_stale(world: World) -> None:
    """An edit on a version that the record left behind changes nothing."""
    member = world.member()
    version = world.crm.shown("member", member).version
    world.crm.change("member", member, {"given_name": "staff"})
    write = world.edit(member, {"given_name": "Mei"}, based_on=Base(version))
    world.accept(write, member)
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == outcome.reason == "stale"
    assert given_name(world, member) == "staff"


def test_an_edit_without_a_version_lands_on_the_new_one(world: World) -> None:
    """Somebody else's change between our read and our write is kept, and ours is made on it."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.crm.fault("update", "before", "StaleVersion")
    world.accept(write, member)
    world.work()
    assert [verb for verb, *_ in world.crm.calls()] == ["get", "update", "get", "update"]
    assert given_name(world, member) == "Mei"


def test_on_top_of_ones_own_write_means_just_that(world: World) -> None:
    """`op-<id>` holds only where that write was applied and nothing came after it."""
    member = world.member()
    version = world.crm.shown("member", member).version
    own = world.edit(member, {"given_name": "A"}, based_on=Base(version))
    world.accept(own, member)
    world.work()
    world.crm.change("member", member, {"email": "staff@example.com"})
    late = world.edit(member, {"given_name": "B"}, based_on=own.op)
    unknown = world.edit(member, {"given_name": "C"}, based_on=world.op())
    for write in (late, unknown):
        world.accept(write, member)
    world.work()
    assert [o.code for w in (late, unknown) if (o := world.outcome(w))] == ["stale", "stale"]
    assert given_name(world, member) == "A"


def test_on_top_of_a_write_that_was_merged_with_a_later_one_is_stale(world: World) -> None:
    """Where another edit was merged in after it, a write's ETag isn't the record's any more."""
    member = world.member()
    own, other = (world.edit(member, {"given_name": name}) for name in ("A", "B"))
    late = world.edit(member, {"given_name": "C"}, based_on=own.op)
    for write in (own, other, late):
        world.accept(write, member)
    world.work()
    assert [o.code for w in (own, other, late) if (o := world.outcome(w))] == [
        "applied",
        "applied",
        "stale",
    ]


def test_a_merged_record_is_followed_or_told(world: World) -> None:
    """Where the CRM merged the member, an edit without a version follows; one with a version
    is refused."""
    master, member = world.member(), world.member()
    version = world.crm.shown("member", member).version
    world.crm.change("member", member, {"state": "inactive", "master": master})
    free = world.edit(member, {"given_name": "Mei"})
    bound = world.edit(member, {"given_name": "Lin"}, based_on=Base(version))
    for write in (bound, free):
        world.accept(write, member)
    world.work()
    assert [o.reason for w in (bound, free) if (o := world.outcome(w))] == ["merged", ""]
    assert given_name(world, master) == "Mei"
    assert given_name(world, member) == "Wei"


@pytest.mark.parametrize("became", ["merged", "closed"])
def test_a_sealed_password_or_an_address_goes_to_no_other_record(world: World, became: str) -> None:
    """A change set for a member whom staff merged away or deactivated meanwhile is refused: a hash
    sealed to one record fits no other, and whoever may sign in no more may change nothing."""
    master, member = world.member(), world.member(credential="before")
    state = {"state": "inactive"} | ({"master": master} if became == "merged" else {})
    world.crm.change("member", member, state)
    operation = Operation("update", "member", member, {"credential": "after"})
    write = world.write("apply", operation, start_by=time.time() + 60)
    world.accept(write, member)
    world.work()
    assert (done := world.outcome(write))
    assert done.code == "refused"
    held = [world.crm.shown("member", id, "credential").record for id in (member, master)]
    assert held == [{"credential": "before"}, {"credential": None}]


def test_a_record_that_is_gone_is_not_made_again(world: World) -> None:
    """An edit of a record that staff removed is refused, and creates nothing."""
    member = world.member()
    world.crm.remove("member", member)
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert (outcome.code, outcome.reason) == ("refused", "not-found")


# -- unknown replies ----------------------------------------------------------------------------


@pytest.mark.parametrize("error", ["TimedOut", "Unreachable", "Malformed"])
def test_a_reply_lost_after_the_commit_is_not_repeated(world: World, error: str) -> None:
    """Where the CRM did it and the reply was lost, one read finds our id and nothing is sent."""
    member = world.member()
    world.crm.fault("update", "after", error)
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.work()
    assert [verb for verb, *_ in world.crm.calls()] == ["get", "update", "get"]
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert outcome.version == world.crm.shown("member", member).version
    assert len(world.crm.effects()) == 1


def test_a_lost_reply_of_a_versioned_edit_is_found_and_not_called_stale(world: World) -> None:
    """The version has passed because of us: our id in the record says applied, not stale."""
    member = world.member()
    base = Base(world.crm.shown("member", member).version)
    world.crm.fault("update", "after", "TimedOut")
    write = world.edit(member, {"given_name": "Mei"}, based_on=base)
    world.accept(write, member)
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len(world.crm.effects()) == 1


def test_a_request_delivered_late_is_done_once(world: World) -> None:
    """A request that arrives after its reply was given up finds its version gone, or is found."""
    member = world.member()
    world.crm.fault("update", "late", "TimedOut")
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len(world.crm.effects()) == 1
    assert carried(world, member) == (short(write.op),)


def test_a_create_whose_reply_was_lost_is_found(world: World) -> None:
    """A registration's batch that was done without a reply is applied, and not made twice."""
    world.crm.fault("apply", "after", "TimedOut")
    op = world.op()
    member = record_id(world.keys.operation, op, "member")
    identity = record_id(world.keys.operation, "value", "identity")
    create = world.write(
        "create",
        Operation("create", "member", member, {"given_name": "Mei"}),
        Operation("create", "identity", identity, {"kind": "mobile", "member": member}),
        op=op,
    )
    world.accept(create, member)
    world.work()
    outcome = world.outcome(create)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len([c for c in world.crm.calls() if c[0] == "apply"]) == 1
    record = world.crm.shown("identity", identity, "member", "last_operations").record
    assert record == {"member": member, "last_operations": short(op)}


def test_a_refused_create_closes_its_mailbox(world: World) -> None:
    """An identity that exists already makes a create a conflict: nothing of it is there, what
    waits behind it is cancelled, and nothing is taken any more."""
    other = world.member()
    identity = record_id(world.keys.operation, "value", "identity")
    world.crm.seed("identity", identity, {"kind": "mobile", "member": other})
    op = world.op()
    member = record_id(world.keys.operation, op, "member")
    create = world.write(
        "create",
        Operation("create", "member", member, {"given_name": "Mei"}),
        Operation("create", "identity", identity, {"kind": "mobile", "member": member}),
        op=op,
    )
    behind = world.edit(member, {"given_name": "Lin"})
    for write in (create, behind):
        world.accept(write, member)
    world.work()
    first, second = world.outcome(create), world.outcome(behind)
    assert first is not None
    assert second is not None
    assert (first.code, first.reason) == ("refused", "conflict")
    assert second.code == "cancelled"
    assert world.crm.effects() == []
    with pytest.raises(Problem, match="gone"):
        world.accept(world.edit(member, {"given_name": "Lin"}), member)


def test_a_create_that_meets_a_record_without_our_id_is_a_conflict(world: World) -> None:
    """That a record exists under the id isn't enough: it must carry the operation."""
    op = world.op()
    member = record_id(world.keys.operation, op, "member")
    world.crm.seed("member", member, {"given_name": "somebody"})
    create = world.write(
        "create", Operation("create", "member", member, {"given_name": "Mei"}), op=op
    )
    world.accept(create, member)
    world.work()
    outcome = world.outcome(create)
    assert outcome is not None
    assert (outcome.code, outcome.reason) == ("refused", "conflict")
    assert given_name(world, member) == "somebody"


def test_an_apply_of_edits_is_found_by_a_later_turn(world: World) -> None:
    """A change of two records whose reply was lost, and whose record couldn't be read then, is
    found by the next turn before anything is sent again."""
    member = world.member()
    identity = record_id(world.keys.operation, member, "identity")
    world.crm.seed("identity", identity, {"kind": "mobile", "member": member})
    change = world.write(
        "apply",
        Operation("update", "member", member, {"mobile": None}),
        Operation("update", "identity", identity, {"member": None}),
    )
    world.crm.fault("apply", "after", "TimedOut")
    for error in ("", "", "Unreachable"):  # two reads before the batch, and the one after it
        world.crm.fault("get", "before" if error else "after", error)
    world.accept(change, member)
    world.work()
    assert world.outcome(change) is None
    world.due_now()
    world.work()
    outcome = world.outcome(change)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len([call for call in world.crm.calls() if call[0] == "apply"]) == 1


def test_an_apply_changes_several_records_or_none(world: World) -> None:
    """A change of two records names both versions, carries its id in both, and is found again."""
    member = world.member()
    op = world.op()
    identity = record_id(world.keys.operation, "new", "identity")
    world.crm.fault("apply", "after", "Unreachable")
    change = world.write(
        "apply",
        Operation("update", "member", member, {"mobile": "+8613800000000"}),
        Operation("create", "identity", identity, {"kind": "mobile", "member": member}),
        op=op,
    )
    world.accept(change, member)
    world.work()
    outcome = world.outcome(change)
    assert outcome is not None
    assert outcome.code == "applied"
    assert carried(world, member) == (short(op),)
    assert len([c for c in world.crm.calls() if c[0] == "apply"]) == 1


def test_consents_are_rows_that_are_made_once(world: World) -> None:
    """A consent row has no ids of operations: that it exists under the derived id is enough."""
    member = world.member()
    op = world.op()
    row = record_id(world.keys.operation, op, "consent")
    world.crm.fault("create", "after", "TimedOut")
    record = {"member": member, "purpose": "marketing", "granted": True}
    consent = world.write("apply", Operation("create", "consent", row, record), op=op)
    world.accept(consent, member)
    world.work()
    outcome = world.outcome(consent)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len(world.crm.effects()) == 1


def test_an_outcome_has_the_members_version_or_none(world: World) -> None:
    """A consent row's version isn't the member record's, so it makes no ETag of it."""
    member = world.member()
    op = world.op()
    row = record_id(world.keys.operation, op, "consent")
    record = {"member": member, "purpose": "marketing", "granted": True}
    consent = world.write("apply", Operation("create", "consent", row, record), op=op)
    world.accept(consent, member)
    world.work()
    outcome = world.outcome(consent)
    assert outcome is not None
    assert (outcome.code, outcome.base) == ("applied", Base(""))


def test_a_consent_follows_a_merge(world: World) -> None:
    """What a merged member withdraws is withdrawn for the record that they became."""
    master, middle, member = world.member(), world.member(), world.member()
    world.crm.change("member", member, {"state": "inactive", "master": middle})
    world.crm.change("member", middle, {"state": "inactive", "master": master})
    op = world.op()
    rows = [record_id(world.keys.operation, op, "consent", n) for n in range(2)]
    record = {"member": member, "purpose": "marketing", "granted": False}
    consent = world.write(
        "apply", *(Operation("create", "consent", row, record) for row in rows), op=op
    )
    world.accept(consent, member)
    world.work()
    for row in rows:
        assert world.crm.shown("consent", row, "member").record == {"member": master}


# -- trouble ------------------------------------------------------------------------------------


def test_a_crm_that_is_away_delays_and_loses_nothing(world: World) -> None:
    """The head stays, due again after a growing time, and is applied once the CRM is back."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.crm.fault("get", "before", "Unreachable", times=3)
    world.accept(write, member)
    waits = []
    for _ in range(3):
        world.due_now()
        world.work()
        _, due = world.admin.do("ZRANGE", "due:now", 0, -1, "WITHSCORES")
        waits.append(round(float(due) - time.time()))
    assert waits == [1, 2, 4]
    assert world.outcome(write) is None
    world.due_now()
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"


def test_a_throttled_crm_pauses_its_lanes_and_not_notices(world: World) -> None:
    """Retry-After is obeyed by claim for every member's mailbox; a one-time code still goes."""
    member, other = world.member(), world.member()
    world.crm.fault("update", "before", "Throttled", retry_after=7.0)
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    world.work()
    calls = len(world.crm.calls())
    world.accept(world.edit(other, {"given_name": "Mei"}), other)
    assert world.work() == 0
    assert len(world.crm.calls()) == calls
    assert 6000 < world.admin.do("PTTL", "pause:now") <= 7000
    assert world.admin.do("PTTL", "pause:bulk") > 6000
    code = notice(world.op(), "sms", "+86", "1", now=time.time(), start_by=time.time() + 60)
    box = world.web.notice_mailbox("+86")
    world.web.accept(code, mailbox=box, owner=OWNER, fingerprint="f")
    world.work("notify")
    assert world.outbox.sent() == [f"sms {code.op}"]


def test_a_paused_crm_makes_nobody_wait(world: World) -> None:
    """While the CRM is paused a request gets its 202 at once."""
    member = world.member()
    world.crm.fault("update", "before", "Throttled", retry_after=7.0)
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.work()
    started = time.monotonic()
    assert world.web.wait(write.op, 5.0) is None
    assert time.monotonic() - started < 0.5


@pytest.mark.parametrize("error", ["BadCredentials", "BadMapping"])
def test_a_misconfigured_crm_stops_claim_and_makes_no_dead_letter(world: World, error: str) -> None:
    """What an operator must mend holds writes back; none is refused or put aside for it."""
    member = world.member()
    world.crm.fault("update", "before", error)
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.work()
    assert world.outcome(write) is None
    assert world.admin.do("PTTL", "pause:now") > 29_000
    assert list(dead_letters.each(world.parts.queue)) == []
    world.due_now()
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"


def test_a_refused_edit_lets_the_next_one_go_on(world: World) -> None:
    """What the CRM refuses ends refused, with the reason, and the member's next edit is made."""
    member = world.member()
    version = world.crm.shown("member", member).version
    bad = world.edit(member, {"given_name": "A"}, based_on=Base(version))
    good = world.edit(member, {"given_name": "B"})
    world.crm.fault("update", "before", "Invalid")
    for write in (bad, good):
        world.accept(write, member)
    world.work()
    assert [o.code for w in (bad, good) if (o := world.outcome(w))] == ["refused", "applied"]


def test_what_came_too_late_is_never_applied(world: World) -> None:
    """Past `start_by` a write ends expired and the CRM isn't asked."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"}, start_by=time.time() - 1)
    world.accept(write, member)
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "expired"
    assert world.crm.calls() == []


def test_a_write_that_was_sent_in_time_is_not_called_expired(world: World) -> None:
    """Where it may have been sent before its time ran out, one read decides."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"}, start_by=time.time() + 0.3)
    world.crm.fault("update", "after", "TimedOut")
    world.crm.fault("get", "after", "")
    world.crm.fault("get", "before", "Unreachable")
    world.accept(write, member)
    world.work()
    assert world.outcome(write) is None
    time.sleep(0.4)
    world.due_now()
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"


# -- turns --------------------------------------------------------------------------------------


def test_an_earlier_turn_touches_nothing(world: World) -> None:
    """A drain whose turn was taken by a later one makes no call and settles nothing."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    ((mailbox, old),) = world.claim()
    world.due_now()
    ((_, new),) = world.claim()
    drain(world.parts, mailbox, old)
    assert world.crm.calls() == []
    assert world.admin.do("KEYS", "sent:*") == []
    assert world.outcome(write) is None
    drain(world.parts, mailbox, new)
    assert world.outcome(write) is not None


def during(world: World, verb: str, act: Callable[[], object]) -> None:
    """Do `act` once, after the CRM did `verb` and before its reply is looked at."""
    original = getattr(world.crm, verb)

    def once(*args: object, **kwargs: object) -> object:
        setattr(world.crm, verb, original)
        answer = original(*args, **kwargs)
        act()
        return answer

    setattr(world.crm, verb, once)


def test_a_turn_lost_between_two_calls_makes_no_other(world: World) -> None:
    """A drain that lost its turn after its read doesn't send its edit."""
    member = world.member()
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    ((mailbox, old),) = world.claim()
    during(world, "get", lambda: (world.due_now(), world.claim()))
    drain(world.parts, mailbox, old)
    assert [verb for verb, *_ in world.crm.calls()] == ["get"]


def test_what_is_settled_is_what_was_done(world: World) -> None:
    """Where another write came to the head meanwhile, it isn't popped for the one that was done."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    other = world.edit(member, {"given_name": "Lin"}, based_on=world.op())
    world.accept(other, member)
    text = only_envelope(world, member)
    world.accept(write, member)
    box = f"mb:{world.web.member_mailbox(member)}"
    during(world, "update", lambda: world.admin.do("LPUSH", box, text))
    world.work()
    assert [o.code for w in (write, other) if (o := world.outcome(w))] == ["applied", "stale"]
    assert len(world.crm.effects()) == 1


def test_a_turn_lost_during_a_call_settles_nothing(world: World) -> None:
    """A drain that lost its turn while the CRM answered leaves the outcome to the next turn, which
    finds the effect and doesn't repeat it."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    ((mailbox, old),) = world.claim()
    taken: list[int] = []
    during(world, "update", lambda: (world.due_now(), taken.extend(t for _, t in world.claim())))
    drain(world.parts, mailbox, old)
    assert world.outcome(write) is None
    drain(world.parts, mailbox, taken[0])
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert len(world.crm.effects()) == 1


def test_a_back_off_is_not_cut_short_by_a_new_write(world: World) -> None:
    """A mailbox that rests after trouble keeps resting when something is appended to it."""
    member = world.member()
    world.crm.fault("get", "before", "Unreachable")
    world.accept(world.edit(member, {"given_name": "Mei"}), member)
    world.work()
    world.accept(world.edit(member, {"given_name": "Lin"}), member)
    assert world.work() == 0


# -- erase --------------------------------------------------------------------------------------


def a_whole_member(world: World) -> tuple[str, str, str]:
    """A member with an identity and a consent."""
    member = world.member()
    identity = record_id(world.keys.operation, member, "identity")
    consent = record_id(world.keys.operation, member, "consent")
    held = {"member": member, "member_text": member, "value": "+8613800000000", "mac": "m"}
    world.crm.seed("identity", identity, {"kind": "mobile"} | held)
    world.crm.seed("consent", consent, {"member": member, "purpose": "marketing"})
    return member, identity, consent


def test_erase_runs_first_and_leaves_nothing(world: World) -> None:
    """An erase overtakes what waits, cancels it, empties identities, removes consents and contact,
    drops dead letters, and closes the mailbox."""
    member, identity, consent = a_whole_member(world)
    box = world.web.member_mailbox(member)
    world.admin.do("RPUSH", f"dl:{box}", dead_letters.entry("v1.x", "unreadable", 0.0))
    edit = world.edit(member, {"given_name": "Mei"})
    gone = world.write("erase", Operation("erase", "member", member))
    twice = world.write("erase", Operation("erase", "member", member))
    for write in (edit, gone, twice):
        world.accept(write, member)
    world.work()
    assert [o.code for w in (edit, gone, twice) if (o := world.outcome(w))] == [
        "cancelled",
        "applied",
        "applied",
    ]
    fields = ("value", "member", "member_text", "mac", "verified_at")
    assert set(world.crm.shown("identity", identity, *fields).record.values()) == {None}
    for kind, id in (("member", member), ("consent", consent)):
        with pytest.raises(Exception, match="not-found"):
            world.crm.shown(kind, id)
    assert world.admin.do("KEYS", "dl:*") == []
    with pytest.raises(Problem, match="gone"):
        world.accept(world.edit(member, {"given_name": "Lin"}), member)


def test_what_comes_during_an_erase_is_cancelled(world: World) -> None:
    """A write that is accepted while the erase is under way has an outcome like the others."""
    member, *_ = a_whole_member(world)
    gone = world.write("erase", Operation("erase", "member", member))
    late = world.edit(member, {"given_name": "Mei"})
    world.accept(gone, member)
    during(world, "apply", lambda: world.accept(late, member))
    world.work()
    assert [o.code for w in (gone, late) if (o := world.outcome(w))] == ["applied", "cancelled"]
    assert world.admin.do("KEYS", "mb:*") == []


def test_a_second_erase_is_harmless(world: World) -> None:
    """Erasing again, also after a lost reply or after staff removed the contact, is applied."""
    member, identity, _ = a_whole_member(world)
    world.crm.remove("member", member)
    world.crm.fault("apply", "after", "TimedOut")
    gone = world.write("erase", Operation("erase", "member", member))
    world.accept(gone, member)
    world.work()
    outcome = world.outcome(gone)
    assert outcome is not None
    assert outcome.code == "applied"
    assert world.crm.shown("identity", identity, "value").record["value"] is None
    world.admin.do("FLUSHALL")
    world.keeper.renew()
    again = world.write("erase", Operation("erase", "member", member))
    world.accept(again, member)
    world.work()
    outcome = world.outcome(again)
    assert outcome is not None
    assert outcome.code == "applied"


def test_an_erase_follows_a_merge(world: World) -> None:
    """A merged member's erase removes the record that it became as well."""
    master, member = world.member(), world.member()
    world.crm.change("member", member, {"state": "inactive", "master": master})
    gone = world.write("erase", Operation("erase", "member", member))
    world.accept(gone, member)
    world.work()
    for id in (member, master):
        with pytest.raises(Exception, match="not-found"):
            world.crm.shown("member", id)


def test_an_erase_takes_what_was_merged_into_the_member(world: World) -> None:
    """The records that a merge left behind hold the same person's data, and go too."""
    member, loser, before = world.member(), world.member(), world.member()
    world.crm.change("member", loser, {"state": "inactive", "master": member})
    world.crm.change("member", before, {"state": "inactive", "master": loser})
    other = world.member()
    gone = world.write("erase", Operation("erase", "member", member))
    world.accept(gone, member)
    world.work()
    for id in (member, loser, before):
        with pytest.raises(Exception, match="not-found"):
            world.crm.shown("member", id)
    assert world.crm.shown("member", other).id == other


@pytest.mark.parametrize("when", ["before", "after"])
def test_an_erase_that_broke_off_finds_the_rest(world: World, when: str) -> None:
    """Where trouble comes between two records of one person, the next try removes the other."""
    master, member = world.member(), world.member()
    world.crm.change("member", member, {"state": "inactive", "master": master})
    gone = world.write("erase", Operation("erase", "member", member))
    world.accept(gone, member)
    world.crm.fault("apply", when, "TimedOut")
    world.work()
    for id in (member, master):
        with pytest.raises(Exception, match="not-found"):
            world.crm.shown("member", id)


# -- notices ------------------------------------------------------------------------------------


def test_a_code_past_its_time_is_dropped(world: World) -> None:
    """A one-time code that is late is never sent."""
    code = notice(world.op(), "sms", "+86", "1", now=time.time(), start_by=time.time() - 1)
    box = world.web.notice_mailbox("+86")
    world.web.accept(code, mailbox=box, owner=OWNER, fingerprint="f")
    world.work("notify")
    outcome = world.outcome(code)
    assert outcome is not None
    assert outcome.code == "expired"
    assert world.outbox.sent() == []


# -- forged, moved, broken ----------------------------------------------------------------------


def put(world: World, member: str, text: str) -> str:
    box = world.web.member_mailbox(member)
    world.admin.do("RPUSH", f"mb:{box}", text)
    world.admin.do("SADD", "dirty", box)
    return box


def only_envelope(world: World, member: str) -> str:
    box = world.web.member_mailbox(member)
    (text,) = world.admin.do("LRANGE", f"mb:{box}", 0, -1)
    world.admin.do("DEL", f"mb:{box}")
    return str(text)


def test_forged_moved_and_relabelled_envelopes_are_put_aside(world: World) -> None:
    """None of them reaches the CRM; each is a dead letter, and the member's next write is made."""
    member, victim = world.member(), world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    text = only_envelope(world, member)
    version, header, body, signature = text.split(".")
    other = world.keys.mac.sign(b"something else")
    changed = ("B" if body[60] == "A" else "A").join((body[:60], body[61:]))
    for bad in (
        f"{version}.{header}.{body}.{other}",
        f"{version}.{header}.{changed}.{signature}",
        f"v2.{header}.{body}.{signature}",
        "nonsense",
        text,  # moved into somebody else's mailbox
    ):
        put(world, victim, bad)
    next_one = world.edit(victim, {"given_name": "Lin"})
    world.accept(next_one, victim)
    world.work()
    assert given_name(world, victim) == "Lin"
    assert len(world.crm.effects()) == 1
    assert len(list(dead_letters.each(world.parts.queue))) == 5
    assert world.admin.do("EXISTS", f"op:{write.op}") == 0  # nobody else can make its outcome


def test_a_broken_envelope_tells_its_owner_and_nobody_else(world: World) -> None:
    """An accepted write that was damaged where it rests ends refused for its owner; one that was
    never accepted here makes no outcome."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    signed = only_envelope(world, member)
    put(world, member, signed[:-4] + "AAAA")
    stray = world.edit(member, {"given_name": "Lin"})
    world.accept(stray, member)
    texts = world.admin.do("LRANGE", f"mb:{world.web.member_mailbox(member)}", 0, -1)
    world.admin.do("LSET", f"mb:{world.web.member_mailbox(member)}", 1, texts[1][:-4] + "AAAA")
    world.admin.do("DEL", f"idem:{stray.op}")
    world.work()
    outcome = world.outcome(write)
    assert outcome is not None
    assert (outcome.code, outcome.reason) == ("refused", "unreadable")
    assert world.admin.do("EXISTS", f"op:{stray.op}") == 0


def test_a_signed_envelope_with_another_label_does_not_open(world: World) -> None:
    """Even who holds the HMAC key can't give a sealed write another header."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    version, header, body, _ = only_envelope(world, member).split(".")
    for old, new in ((b'"update"', b'"apply"'), (write.op.encode(), world.op().encode())):
        label = b64(unb64(header).replace(old, new))
        assert label != header
        text = f"{version}.{label}.{body}"
        put(world, member, f"{text}.{world.keys.mac.sign(text.encode())}")
    world.work()
    assert world.crm.effects() == []
    assert len(list(dead_letters.each(world.parts.queue))) == 2


def test_a_copy_of_a_settled_write_does_nothing(world: World) -> None:
    """An envelope that is put back after its outcome is dropped, alone and behind another edit,
    also when the record has forgotten its id."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    text = only_envelope(world, member)
    put(world, member, text)
    world.work()
    for n in range(16):
        world.accept(world.edit(member, {"given_name": f"n{n}"}), member)
    world.work()
    assert short(write.op) not in carried(world, member)
    put(world, member, text)
    world.work()
    world.accept(world.edit(member, {"family_name": "Li"}), member)
    put(world, member, text)
    world.work()
    assert given_name(world, member) == "n15"
    assert world.admin.do("KEYS", "mb:*") == []


def test_an_accepted_write_that_cannot_be_read_ends_refused(world: World) -> None:
    """Where its key is gone an accepted write is kept sealed, and its owner is told."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    stranger = world.make_parts()
    object.__setattr__(stranger, "opener", Keys().opener)
    world.work(parts=stranger)
    outcome = world.outcome(write)
    assert outcome is not None
    assert (outcome.code, outcome.reason) == ("refused", "unreadable")
    (letter,) = dead_letters.each(world.parts.queue)
    assert (letter.op, letter.verb, letter.replayable) == (write.op, "update", True)
    assert "Mei" not in repr(letter)


def test_a_dead_letter_is_replayed_until_a_later_write_was_applied(world: World) -> None:
    """With its key back it can be applied; not any more once the member's next write was."""
    first, second = world.member(), world.member()
    stranger = world.make_parts()
    object.__setattr__(stranger, "opener", Keys().opener)
    dead = {}
    for member in (first, second):
        dead[member] = world.edit(member, {"given_name": "Mei"})
        world.accept(dead[member], member)
    world.work(parts=stranger)
    world.accept(world.edit(second, {"given_name": "Lin"}), second)
    world.work()
    queue = world.parts.queue
    assert dead_letters.replay(queue, dead[first].op) == "replayed"
    assert dead_letters.replay(queue, dead[second].op) == "passed"
    assert dead_letters.replay(queue, world.op()) == "unknown"
    world.work()
    outcome = world.outcome(dead[first])
    assert outcome is not None
    assert outcome.code == "applied"
    assert given_name(world, second) == "Lin"
    assert dead_letters.drop(queue, dead[second].op)
    assert world.admin.do("KEYS", "dl:*") == []


# -- waiting ------------------------------------------------------------------------------------


def test_a_waiting_request_is_woken(world: World) -> None:
    """A request that waits has its outcome within milliseconds of the settling."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    found: list[float] = []

    def wait() -> None:
        assert world.web.wait(write.op, 5.0) is not None
        found.append(time.monotonic())

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: world.web._subscriber.connected)
    world.work()
    settled = time.monotonic()
    thread.join(2)
    assert found
    assert found[0] - settled < 0.15


def test_a_lost_subscription_falls_back_to_looking(world: World) -> None:
    """Where nobody tells, a waiting request looks for itself, several times a second."""
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    world.web._subscriber._run = lambda: None  # type: ignore[method-assign]
    worker = threading.Timer(0.3, world.work)
    worker.start()
    started = time.monotonic()
    assert world.web.wait(write.op, 5.0) is not None
    assert time.monotonic() - started < 1.0
    worker.join()


def test_only_so_many_requests_wait(world: World) -> None:
    """Beyond the number of waiters a request comes back at once."""
    world.web.close()
    world.web = world.make_web(waiters=0)
    member = world.member()
    write = world.edit(member, {"given_name": "Mei"})
    world.accept(write, member)
    started = time.monotonic()
    assert world.web.wait(write.op, 5.0) is None
    assert time.monotonic() - started < 0.2


# -- RQ -----------------------------------------------------------------------------------------


def test_only_our_one_job_exists_for_the_worker(world: World) -> None:
    """A job with another function, a callback, a webhook or odd arguments is dropped unrun."""
    import os

    from rq import Queue
    from rq.exceptions import NoSuchJobError
    from rq.serializers import JSONSerializer
    from rq.webhook import Webhook

    raw = jobs.connection(world.admin)
    stranger = Queue("now", connection=raw, serializer=JSONSerializer)
    box = "w" + "x" * 22
    hook = Webhook("http://127.0.0.1:9/", "finished")
    for made in (
        stranger.enqueue("os.mkdir", "/nowhere"),
        stranger.enqueue("os.path.join", box, 1),
        stranger.enqueue(jobs.FUNCTION, box, "1"),
        stranger.enqueue(jobs.FUNCTION, "../../x", 1),
        stranger.enqueue(jobs.FUNCTION, box, 1, extra=2),
        stranger.enqueue(jobs.FUNCTION, box, 1, on_success="os.getpid"),
        stranger.enqueue(jobs.FUNCTION, box, 1, webhooks=[hook]),
        Queue("now", connection=raw).enqueue(os.getpid),
    ):
        with pytest.raises(NoSuchJobError):
            jobs.WakeUp.fetch(made.id, connection=raw, serializer=JSONSerializer)
        assert not raw.exists(made.key)
    fine = stranger.enqueue(jobs.FUNCTION, box, 1)
    assert jobs.WakeUp.fetch(fine.id, connection=raw, serializer=JSONSerializer).args == [box, 1]
