"""Writes of several records on a CRM without an atomic batch, cut off between every two steps.

After each of the CRM's calls `Case.look` asks what a sign-in would see: a whole member or none.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.base import Operation
from adapters.capabilities import Capabilities
from adapters.errors import Invalid, TimedOut
from bridge.cli.embedded import Embedded
from bridge.writes.drain import drain
from bridge.writes.write import Base, Outcome, Write, operations_of, short
from tests.support.step_by_step import Killed, StepByStep
from tests.support.writes import ADMIN, MAPPING, World

WRITES = 7  # of a registration: two claims, member, two consents, two ties
CUTS = [(when, error) for when in ("before", "after") for error in (Killed, TimedOut)]
NOBODYS = {"value": None, "member": None, "member_text": None, "mac": None, "verified_at": None}


@pytest.fixture(scope="module")
def servers() -> Iterator[Embedded]:
    with Embedded(extra_acl={"queue": [ADMIN]}) as embedded:
        yield embedded


@pytest.fixture
def world(servers: Embedded) -> Iterator[World]:
    made = World(servers)
    made.crm = StepByStep(made.directory / "steps", MAPPING).start()
    made.parts = made.make_parts()
    yield made
    made.close()


def crm_of(world: World) -> StepByStep:
    assert isinstance(world.crm, StepByStep)
    return world.crm


def new_id() -> str:
    return str(uuid.uuid4())


@dataclass
class Case:
    """One registration: a member with a mobile, a WeChat identity and two consents."""

    world: World
    mobile: str = field(default_factory=new_id)
    member: str = field(default_factory=new_id)
    openid: str = field(default_factory=new_id)
    consents: tuple[str, str] = field(default_factory=lambda: (new_id(), new_id()))
    more: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.crm = crm_of(self.world)
        made = self.world.write("create", *self._operations(), **self.more)
        self.write: Write = made

    def _operations(self) -> Iterator[Operation]:
        yield Operation("create", "member", self.member, {"given_name": "Mei"})
        for id, kind in ((self.mobile, "mobile"), (self.openid, "wechat_oa")):
            yield Operation("create", "identity", id, self.bound(kind))
        for id, purpose in zip(self.consents, ("membership", "marketing"), strict=True):
            yield consent(id, self.member, purpose)

    def bound(self, kind: str) -> dict[str, Any]:
        """An identity's row as a registration wants it."""
        at = datetime(2026, 11, 28, tzinfo=UTC)
        ties = {"member": self.member, "member_text": self.member, "mac": "ours"}
        return {"kind": kind, "value": f"{kind}-value", "verified_at": at, **ties}

    def accept(self) -> "Case":
        self.world.accept(self.write, self.member)
        self.crm._watch = self.look
        return self

    def tied(self) -> list[str]:
        """The numbers that sign this member in, as `identities.resolve` would find them."""
        return [id for id in (self.mobile, self.openid) if signs_in(self.crm, id) == self.member]

    def rows(self) -> list[str]:
        return [id for id in self.consents if self.crm.there("consent", id)]

    def look(self) -> None:
        """A sign-in sees a whole member or nobody."""
        if self.tied():
            assert self.crm.there("member", self.member)
            assert len(self.rows()) == 2

    def done(self) -> Outcome:
        """Work until there is an outcome, dying as often as it was told to."""
        for _ in range(6):
            work(self.world)
            if outcome := self.world.outcome(self.write):
                return outcome
        raise AssertionError("no outcome")

    def whole(self) -> bool:
        found = self.crm.there("member", self.member, "last_operations")
        carried = operations_of(found.record["last_operations"]) if found else ()
        return carried == (short(self.write.op),) and (len(self.tied()), len(self.rows())) == (2, 2)

    def nothing(self) -> bool:
        """Not a trace but the ids of numbers."""
        held = [self.crm.there("identity", id, *NOBODYS) for id in (self.mobile, self.openid)]
        empty = all(row is None or row.record == NOBODYS for row in held)
        return empty and not self.rows() and self.crm.there("member", self.member) is None


def consent(id: str, member: str, purpose: str) -> Operation:
    return Operation(
        "create", "consent", id, {"member": member, "purpose": purpose, "granted": True}
    )


def signs_in(crm: StepByStep, identity: str) -> str | None:
    row = crm.there("identity", identity, "member_text", "mac", "member.state")
    member = row.lookups["member"] if row else None
    if not row or not member or row.record["mac"] != "ours":
        return None
    return member.id if row.record["member_text"] == member.id else None


def work(world: World) -> None:
    """One turn for everything, whatever it dies of."""
    world.due_now()
    try:
        world.work()
    except Killed:
        world.parts = world.make_parts()


def test_a_registration_goes_step_by_step(world: World) -> None:
    """Numbers first, the member and their consents next, the ties last; the outcome has the
    member's version."""
    case = Case(world).accept()
    outcome = case.done()
    assert (outcome.code, case.whole()) == ("applied", True)
    assert outcome.version == case.crm.shown("member", case.member).version
    assert outcome.operations == (short(case.write.op),)
    kinds = [call[:2] for call in case.crm.calls() if call[0] in ("create", "update")]
    claims, ties = [("create", "identity")] * 2, [("update", "identity")] * 2
    assert kinds == [*claims, ("create", "member"), *[("create", "consent")] * 2, *ties]
    assert case.crm.writes == WRITES


@pytest.mark.parametrize("n", range(WRITES))
@pytest.mark.parametrize(("when", "error"), CUTS)
def test_a_cut_anywhere_makes_one_member(
    world: World, n: int, when: str, error: type[BaseException]
) -> None:
    """Whatever dies or is lost before or after whichever step, the member is made whole, once."""
    case = Case(world).accept()
    case.crm.cut(n, when, error())
    assert case.done().code == "applied"
    assert case.whole()
    ties = [effect for effect in case.crm.effects() if effect.get("mac") == "ours"]
    assert len(ties) == 2
    assert not any(verb == "erase" for verb, _, _ in case.crm.calls())


@pytest.mark.parametrize("keeps_ids", [False, True])
@pytest.mark.parametrize("n", [None, *range(8)])
@pytest.mark.parametrize(("when", "error"), CUTS)
def test_a_refusal_midway_leaves_nothing(
    world: World, n: int | None, when: str, error: type[BaseException], keeps_ids: bool
) -> None:
    """The last record is refused: what was made is taken back, also where the taking back is cut
    off anywhere, and on a CRM that never gives an id a second time."""
    case = Case(world).accept()
    case.crm.keeps_ids = keeps_ids
    case.crm.refuse["create", case.consents[1]] = Invalid()
    if n is not None:
        case.crm.cut(n, when, error())
    outcome = case.done()
    assert (outcome.code, outcome.reason) == ("refused", "refused")
    assert case.nothing()


@pytest.mark.parametrize("n", range(6))
@pytest.mark.parametrize(("when", "error"), CUTS)
def test_a_second_number_that_is_taken_refuses_all(
    world: World, n: int, when: str, error: type[BaseException]
) -> None:
    """The WeChat identity is another member's: no member, the mobile is free again, theirs is as
    it was."""
    other = Case(world).accept()
    other.done()
    case = Case(world, openid=other.openid).accept()
    case.crm.cut(n, when, error())
    outcome = case.done()
    assert (outcome.code, outcome.reason) == ("refused", "conflict")
    assert other.whole()
    row = case.crm.there("identity", case.mobile, *NOBODYS)
    assert row is None or row.record == NOBODYS
    assert case.crm.there("member", case.member) is None


@pytest.mark.parametrize("n", range(WRITES))
@pytest.mark.parametrize("when", ["before", "after"])
def test_two_devices_make_one_member(world: World, n: int, when: str) -> None:
    """One device's worker dies anywhere, the other's has its turn: the number is one member's, and
    the other device is told that it has one, or waits until it can be told."""
    first = Case(world).accept()
    second = Case(world, mobile=first.mobile).accept()
    first.crm.cut(n, when, Killed())
    for _ in range(4):
        work(world)
    codes = [world.outcome(case.write) for case in (first, second)]
    assert sorted(outcome.code for outcome in codes if outcome) == ["applied", "refused"]
    winner, loser = (first, second) if first.whole() else (second, first)
    assert (winner.whole(), loser.nothing.__self__.crm.there("member", loser.member)) == (
        True,
        None,
    )
    assert signs_in(first.crm, first.mobile) == winner.member
    assert loser.tied() == []


def turn_of(case: Case) -> None:
    """This one's turn, and nobody else's."""
    work_of = case.world.web.member_mailbox(case.member)
    case.world.due_now()
    (turn,) = [turn for turn in case.world.claim() if turn[0] == work_of]
    try:
        drain(case.world.parts, *turn)
    except Killed:
        case.world.parts = case.world.make_parts()


def test_a_claim_of_a_write_that_goes_on_is_awaited(world: World) -> None:
    """A number that another write is about to give a member is neither taken nor called taken."""
    first = Case(world).accept()
    first.crm.cut(2, "after", Killed())
    work(world)
    second = Case(world, mobile=first.mobile).accept()
    turn_of(second)
    assert world.outcome(second.write) is None
    assert first.done().code == "applied"
    outcome = second.done()
    assert (outcome.code, outcome.reason) == ("refused", "conflict")


def test_a_write_that_was_refused_lets_the_one_that_waited_go_on(world: World) -> None:
    """The first device's registration is taken back: the second becomes the member."""
    first = Case(world).accept()
    first.crm.refuse["create", first.consents[1]] = Invalid()
    first.crm.cut(3, "after", Killed())
    work(world)
    second = Case(world, mobile=first.mobile).accept()
    assert second.done().code == "applied"
    assert first.done().code == "refused"
    assert second.whole()
    assert first.crm.there("member", first.member) is None


def test_two_writes_dont_wait_in_a_ring(world: World) -> None:
    """Both want the same two numbers, named the other way round: one gets both."""
    low, high = sorted((new_id(), new_id()))
    first = Case(world, mobile=low, openid=high).accept()
    first.crm.cut(0, "after", Killed())
    turn_of(first)
    second = Case(world, mobile=high, openid=low).accept()
    second.crm.cut(0, "after", Killed())
    turn_of(second)
    assert (first.done().code, second.done().code) == ("applied", "refused")
    assert first.whole()


def seed_identity(case: Case, **record: Any) -> None:
    """The mobile's row is there already."""
    case.crm.seed("identity", case.mobile, {"kind": "mobile", **record})


@pytest.mark.parametrize("n", [None, *range(WRITES)])
def test_a_released_number_is_taken_over(world: World, n: int | None) -> None:
    """A row that is nobody's is claimed by an update, whatever is cut."""
    case = Case(world).accept()
    seed_identity(case)
    if n is not None:
        case.crm.cut(n, "after", Killed())
    assert case.done().code == "applied"
    assert case.whole()


@pytest.mark.parametrize("seen", [True, False])
def test_a_number_moves_only_as_the_caller_saw_it(world: World, seen: bool) -> None:
    """An update of a row that is another member's moves it if nothing happened to it since."""
    case, other = Case(world), world.member()
    ties = {"member": other, "member_text": other, "mac": "ours"}
    row = case.crm.seed("identity", case.mobile, {"kind": "mobile", **ties})
    case.write = replace(
        case.write,
        operations=tuple(
            replace(each, verb="update", version=row.version) if each.id == case.mobile else each
            for each in case.write.operations
        ),
    )
    if not seen:
        case.crm.change("identity", case.mobile, {"value": "x"})
    assert case.accept().done().code == ("applied" if seen else "refused")
    assert signs_in(case.crm, case.mobile) == (case.member if seen else other)


def test_a_number_of_a_deleted_contact_is_free(world: World) -> None:
    """Staff removed the contact: what its row still says ties nobody, and the number is free."""
    case = Case(world).accept()
    seed_identity(case, member_text=new_id(), mac="old", verified_at=datetime.now(UTC))
    assert case.done().code == "applied"
    assert case.whole()


def test_a_claim_on_a_row_that_was_tied_is_awaited_too(world: World) -> None:
    """What a row says of a deleted contact is gone with the claim: another write doesn't take it
    for free a second time."""
    low, high = sorted((new_id(), new_id()))  # claims go by id: this one is the first
    first = Case(world, mobile=low, openid=high).accept()
    seed_identity(first, member_text=new_id(), mac="old", verified_at=datetime.now(UTC))
    first.crm.cut(1, "after", Killed())
    turn_of(first)
    second = Case(world, mobile=first.mobile).accept()
    turn_of(second)
    assert world.outcome(second.write) is None
    assert (first.done().code, second.done().code) == ("applied", "refused")


def test_a_number_whose_row_staff_deleted_is_lost(world: World) -> None:
    """A CRM that keeps the ids of deleted records has no place for it: refused before a member is
    made."""
    case = Case(world).accept()
    case.crm.gone.add(("identity", case.mobile))
    outcome = case.done()
    assert (outcome.code, outcome.reason) == ("refused", "conflict")
    assert ("create", "member") not in {call[:2] for call in case.crm.calls()}


def test_a_claim_that_nobody_can_finish_is_free(world: World) -> None:
    """A claim of a write that was lost holds its number for a day, not for ever."""
    case = Case(world).accept()
    seed_identity(case, member_text=new_id(), verified_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert case.done().code == "applied"
    assert case.whole()


def test_a_claim_that_was_lost_before_the_tie_takes_all_back(world: World) -> None:
    """Where the CRM compares no version another's claim can replace ours: whoever finds so has no
    member, and the other's row is left alone."""
    case, other = Case(world).accept(), world.member()
    theirs = {"member": other, "member_text": other, "mac": "ours"}
    case.crm.between[4] = lambda: case.crm.change("identity", case.mobile, theirs) and None
    outcome = case.done()
    assert (outcome.code, outcome.reason) == ("refused", "conflict")
    assert case.crm.there("member", case.member) is None
    assert case.tied() == case.rows() == []
    assert signs_in(case.crm, case.mobile) == other


def test_a_claim_that_was_lost_and_given_up_is_taken_again(world: World) -> None:
    """The other's write was taken back meanwhile: ours goes on."""
    case = Case(world).accept()
    case.crm.between[5] = lambda: case.crm.change("identity", case.mobile, NOBODYS) and None
    assert case.done().code == "applied"
    assert case.whole()


def test_a_member_that_is_there_but_not_ours_is_a_conflict(world: World) -> None:
    """A record with this id that doesn't carry our operation isn't taken for ours, nor removed."""
    case = Case(world).accept()
    case.crm.seed("member", case.member, {"given_name": "Lin"})
    outcome = case.done()
    assert (outcome.code, outcome.reason) == ("refused", "conflict")
    assert case.crm.shown("member", case.member, "given_name").record == {"given_name": "Lin"}
    assert case.tied() == case.rows() == []


# -- its time has passed ------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(WRITES))
def test_what_shows_is_finished_and_what_doesnt_is_taken_back(world: World, n: int) -> None:
    """A registration that its time overtook is whole if a number was tied, else nothing."""
    now = datetime.now(UTC).timestamp()
    case = Case(world, more={"start_by": now + 60}).accept()
    case.crm.cut(n, "after", Killed())
    work(world)
    world.parts = replace(world.parts, clock=lambda: now + 120)
    outcome = case.done()
    shows = n >= WRITES - 2
    assert outcome.code == ("applied" if shows else "expired")
    assert case.whole() if shows else case.nothing()


def test_what_wasnt_begun_in_time_is_never_begun(world: World) -> None:
    """Expired before its first turn: the CRM isn't asked."""
    case = Case(world, more={"start_by": datetime.now(UTC).timestamp() - 1}).accept()
    assert case.done().code == "expired"
    assert case.crm.calls() == []


# -- other writes of several records ------------------------------------------------------------


def answers(world: World) -> tuple[str, tuple[str, str], Write]:
    """Two consents of a member who is there."""
    member, ids = world.member(), (new_id(), new_id())
    rows = [consent(id, member, purpose) for id, purpose in zip(ids, "ab", strict=True)]
    return member, ids, world.write("apply", *rows)


@pytest.mark.parametrize("n", range(2))
@pytest.mark.parametrize(("when", "error"), CUTS)
def test_answers_to_two_purposes_are_two_rows(
    world: World, n: int, when: str, error: type[BaseException]
) -> None:
    """Cut anywhere, each answer is one row."""
    member, ids, write = answers(world)
    world.accept(write, member)
    crm_of(world).cut(n, when, error())
    for _ in range(3):
        work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert all(crm_of(world).there("consent", id) for id in ids)


def test_answers_are_taken_back_together(world: World) -> None:
    """One row is refused: the other goes too, and the member can still write."""
    member, ids, write = answers(world)
    world.accept(write, member)
    crm_of(world).refuse["create", ids[1]] = Invalid()
    for _ in range(3):
        work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "refused"
    assert not any(crm_of(world).there("consent", id) for id in ids)
    edit = world.edit(member, {"given_name": "An"})
    assert world.accept(edit, member).fresh


def test_a_consent_of_anothers_under_our_id_is_a_conflict(world: World) -> None:
    """A row without short ids counts as done only where it belongs to our member."""
    member, ids, write = answers(world)
    stranger = world.member()
    crm_of(world).seed("consent", ids[0], {"member": stranger, "purpose": "a"})
    world.accept(write, member)
    work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    assert (outcome.code, outcome.reason) == ("refused", "conflict")
    assert crm_of(world).shown("consent", ids[0], "member").record["member"] == stranger


def change_of_number(world: World) -> tuple[str, str, str, Write]:
    """One number for another, and the profile with it: an update, a new row, a released one, and
    a consent that goes."""
    crm, member, old, new, gone = crm_of(world), world.member(), new_id(), new_id(), new_id()
    crm.seed("consent", gone, {"member": member, "purpose": "a"})
    ties = {"member": member, "member_text": member, "mac": "ours"}
    row = crm.seed("identity", old, {"kind": "mobile", "value": "old"} | ties)
    operations = (
        Operation("update", "member", member, {"given_name": "An"}),
        Operation("create", "identity", new, {"kind": "mobile", "value": "new"} | ties),
        Operation("update", "identity", old, dict(NOBODYS), row.version),
        Operation("erase", "consent", gone),
    )
    return member, old, new, world.write("apply", *operations)


@pytest.mark.parametrize("n", [None, *range(5)])
@pytest.mark.parametrize(("when", "error"), CUTS)
def test_an_update_among_several_is_done_once(
    world: World, n: int | None, when: str, error: type[BaseException]
) -> None:
    """Claim, update, tie, release: cut anywhere, each happens once, and the member can sign in
    all the while."""
    member, old, new, write = change_of_number(world)
    crm = crm_of(world)

    def look() -> None:
        assert member in (signs_in(crm, old), signs_in(crm, new))

    crm.start(look)
    world.accept(write, member)
    if n is not None:
        crm.cut(n, when, error())
    for _ in range(3):
        work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    record = crm.shown("member", member, "given_name", "last_operations").record
    assert record == {"given_name": "An", "last_operations": short(write.op)}
    assert (signs_in(crm, old), signs_in(crm, new)) == (None, member)
    assert crm.shown("identity", old, "value").record["value"] is None
    assert crm.there("consent", write.operations[-1].id) is None


def test_one_number_alone_is_taken_over_too(world: World) -> None:
    """A number that was given up and is linked to a member who is there: nobody's batch is
    needed for that either."""
    crm, member, number = crm_of(world), world.member(), new_id()
    crm.seed("identity", number, {"kind": "card"})
    ties = {"member": member, "member_text": member, "mac": "ours"}
    row = {"kind": "card", "value": "new"} | ties
    write = world.write("apply", Operation("create", "identity", number, row))
    world.accept(write, member)
    work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "applied"
    assert signs_in(crm, number) == member


def test_a_refused_update_gives_the_new_number_back(world: World) -> None:
    """The profile's change is refused: the old number stays, the new one is nobody's."""
    member, old, new, write = change_of_number(world)
    crm = crm_of(world)
    crm.refuse["update", member] = Invalid()
    world.accept(write, member)
    work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    assert outcome.code == "refused"
    assert (signs_in(crm, old), signs_in(crm, new)) == (member, None)
    assert crm.shown("identity", new, *NOBODYS).record == NOBODYS


def test_a_number_that_was_ours_before_isnt_given_back(world: World) -> None:
    """What this write didn't claim it doesn't release."""
    member, _, new, write = change_of_number(world)
    crm = crm_of(world)
    ties = {"member": member, "member_text": member, "mac": "ours"}
    crm.seed("identity", new, {"kind": "mobile", "value": "new"} | ties)
    crm.refuse["update", member] = Invalid()
    assert refusal(world, write, member) == "refused"
    assert signs_in(crm, new) == member


def test_what_cant_be_taken_back_stays(world: World) -> None:
    """Refused after the profile was changed: the new number keeps signing the member in, and the
    operator is told."""
    member, old, new, write = change_of_number(world)
    crm = crm_of(world)
    crm.refuse["update", old] = Invalid()
    assert refusal(world, write, member) == "refused"
    assert signs_in(crm, new) == member
    assert crm.shown("member", member, "given_name").record["given_name"] == "An"


@pytest.mark.parametrize(
    ("change", "reason"), [({"state": "inactive"}, "refused"), ({"given_name": "Lin"}, "stale")]
)
def test_an_update_among_several_has_its_base(
    world: World, change: dict[str, Any], reason: str
) -> None:
    """On a record that staff closed, or changed since the caller's version, nothing is done."""
    member, old, new, write = change_of_number(world)
    crm = crm_of(world)
    based_on = Base(crm.shown("member", member).version) if reason == "stale" else None
    crm.change("member", member, change)
    assert refusal(world, replace(write, based_on=based_on), member) == reason
    assert (signs_in(crm, old) is not None, signs_in(crm, new)) == (True, None)


def refusal(world: World, write: Write, member: str) -> str:
    world.accept(write, member)
    work(world)
    outcome = world.outcome(write)
    assert outcome is not None
    return outcome.reason


def test_two_updates_at_once_are_unsupported(world: World) -> None:
    """The second could be refused when the first can't be taken back: neither is begun."""
    one, two = world.member(), world.member()
    operations = [Operation("update", "member", id, {"given_name": "An"}) for id in (one, two)]
    assert refusal(world, world.write("apply", *operations), one) == "unsupported"
    assert crm_of(world).writes == 0


@pytest.mark.parametrize("can", [{"create_with_our_id": False}, {"versioned_update": "no"}])
def test_a_crm_that_cant_tell_a_repetition_is_refused(world: World, can: dict[str, Any]) -> None:
    """Without ids of ours or versions a step could be done twice: nothing is begun."""
    crm = crm_of(world)
    crm.capabilities = replace(Capabilities(**vars(crm.capabilities)), **can)
    case = Case(world)
    assert refusal(world, case.write, case.member) == "unsupported"
    assert crm.writes == 0


def test_a_crm_with_a_batch_keeps_it(world: World) -> None:
    """Where all can be done at once it is: steps are for those who can't."""
    crm = crm_of(world)
    crm.capabilities = replace(crm.capabilities, atomic_batch=True)
    case = Case(world)
    world.accept(case.write, case.member)
    with pytest.raises(AssertionError, match="no batch here"):
        crm.apply([])
    work(world)
    assert world.outcome(case.write) is None  # it tried the batch, which this double hasn't
    assert crm.writes == 0
