"""One head of a mailbox brought to its effect in the CRM, at most once.

Every edit names a concrete version and carries its own short id; after an unknown reply there is
one read, and the id in the record says whether it was done. Not for: Redis (`drain.py`, `turn.py`),
erasing a member (`erasing.py`), a CRM without an atomic batch (`steps.py`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from adapters.base import Adapter, Found, Operation, Record
from adapters.errors import (
    Conflict,
    CrmError,
    NotFound,
    Refused,
    StaleVersion,
    Throttled,
    Unavailable,
)
from bridge.errors import from_crm
from bridge.writes.turn import Turn, trace_of
from bridge.writes.write import (
    LAST_OPERATIONS,
    Base,
    Code,
    Write,
    operations_of,
    operations_text,
    short,
)
from mappings.loader import Mapping

TRIES = 4
T = TypeVar("T")
NOTHING = Base("")


@dataclass(frozen=True)
class Ending:
    """How the first `count` writes of a mailbox ended. `close`: nothing may follow them."""

    code: Code
    reason: str = ""
    base: Base = NOTHING
    count: int = 1
    close: bool = False


class Ended(Exception):
    """Ends an attempt early."""

    def __init__(self, ending: Ending) -> None:
        super().__init__(ending.code)
        self.ending = ending


class TryLater(Exception):
    """The CRM's answers don't come to an end now; the head stays."""


@dataclass(frozen=True)
class Seen:
    """A record as one read shows it. `master`: what it was merged into. `closed`: deactivated by
    staff, and not merged."""

    base: Base
    master: str | None = None
    closed: bool = False


@dataclass(frozen=True)
class Attempt:
    """The CRM under one turn. `again`: the head may have been sent before. `outcome_base`: the
    record's version after one of the member's own operations; None where it wasn't applied."""

    adapter: Adapter
    mapping: Mapping
    turn: Turn
    trace: str
    again: bool
    outcome_base: Callable[[str], Base | None]

    def call(self, verb: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """One call, only while the turn is ours. Raises TurnLost and any CrmError."""
        self.turn.check()
        return verb(*args, trace=trace_of(self.trace), **kwargs)

    def holds_operations(self, kind: str) -> bool:
        """Can a record of this kind carry short ids?"""
        return LAST_OPERATIONS in self.mapping.kinds[kind].fields

    def look(self, kind: str, id: str) -> Seen:
        """One read. Raises NotFound."""
        fields = [LAST_OPERATIONS] if self.holds_operations(kind) else []
        fields += ["state", "master"] if kind == "member" else []
        return _seen(self.call(self.adapter.get, kind, id, fields))

    def signed(self, kind: str, record: Record, operations: Sequence[str]) -> Record:
        """The record, with the short ids that it is to carry."""
        if not self.holds_operations(kind):
            return record
        return record | {LAST_OPERATIONS: operations_text(operations)}


def _seen(found: Found) -> Seen:
    record = found.record
    inactive = record.get("state") == "inactive"
    base = Base(found.version, operations_of(record.get(LAST_OPERATIONS)))
    master = record.get("master") if inactive else None
    return Seen(base, master, closed=inactive and not master)


def refused(error: CrmError, close: bool = False) -> Ending:
    """The ending that a CRM's refusal is."""
    if isinstance(error, StaleVersion):
        return Ending("stale", "stale")
    return Ending("refused", from_crm(error).type, close=close)


# -- updates of one record ----------------------------------------------------------------------


def update(at: Attempt, group: Sequence[Write]) -> Ending:
    """One record changed by the first write, or by all of several that were merged.

    Raises TryLater, TurnLost, Unavailable, Misconfigured. A refusal of several at once says
    nothing about each, so the caller tries the first alone.
    """
    try:
        return _update(at, group)
    except Ended as early:
        return early.ending
    except Refused as error:
        return refused(error)


def _update(at: Attempt, group: Sequence[Write]) -> Ending:
    target, own = group[0].operations[0], tuple(short(write.op) for write in group)
    wanted = _wanted(at, group[0], target)
    place = wanted
    look = at.again or wanted is None
    for _ in range(TRIES):
        if look:
            target, place = _look(at, target, own, wanted)
        assert place is not None  # noqa: S101 - what wasn't wanted was looked for
        operations = (*place.operations, *own)
        try:
            found = at.call(
                at.adapter.update,
                target.kind,
                target.id,
                at.signed(target.kind, merged(group), operations),
                place.version,
            )
        except Throttled:
            raise
        except (StaleVersion, Unavailable):
            look = True
            continue
        return applied(Base(found.version, operations), len(group))
    raise TryLater


def merged(group: Sequence[Write]) -> Record:
    """The writes' changes as one: a later value of a field replaces an earlier one."""
    whole: Record = {}
    for write in group:
        changes = write.operations[0].record
        ext = whole.get("ext", {}) | changes.get("ext", {})
        whole |= changes
        if ext:
            whole["ext"] = ext
    return whole


def _wanted(at: Attempt, write: Write, target: Operation) -> Base | None:
    """The version that the caller named; None where they named none."""
    if not isinstance(write.based_on, str):
        return write.based_on
    base = at.outcome_base(write.based_on)
    mine = short(write.based_on)
    if base and base.version:
        if base.operations[-1:] != (mine,):  # merged with a later edit of somebody else's
            raise Ended(Ending("stale", "stale"))
        return base
    seen = at.look(target.kind, target.id) if base else None
    own = (mine,), (mine, short(write.op))
    if seen and (seen.base.operations[-1:] == own[0] or seen.base.operations[-2:] == own[1]):
        return seen.base
    raise Ended(Ending("stale", "stale"))


def _look(
    at: Attempt, target: Operation, own: tuple[str, ...], wanted: Base | None
) -> tuple[Operation, Base]:
    """Where and on what to try next. Raises Ended: done, merged away, stale; NotFound."""
    for _ in range(TRIES):
        seen = at.look(target.kind, target.id)
        done = next((n for n, op in enumerate(own) if op not in seen.base.operations), len(own))
        if done:
            raise Ended(applied(seen.base, done))
        if seen.master is None:
            break
        if wanted:
            raise Ended(Ending("refused", "merged"))
        target = replace(target, id=seen.master)
    if seen.closed:  # whoever may sign in no more may change nothing either
        raise Ended(Ending("refused", "refused"))
    if wanted and seen.base.version != wanted.version:
        raise Ended(Ending("stale", "stale"))
    return target, seen.base


def applied(base: Base, count: int = 1) -> Ending:
    """The ending of what was done."""
    return Ending("applied", base=Base(base.version, _kept(base.operations)), count=count)


def _kept(operations: Sequence[str]) -> tuple[str, ...]:
    """As the record holds them."""
    return operations_of(operations_text(operations))


# -- several records, all or nothing ------------------------------------------------------------


def batch(at: Attempt, write: Write) -> Ending:
    """A create or an apply. Raises TryLater, TurnLost, Unavailable, Misconfigured."""
    close = write.verb == "create"
    try:
        return _batch(at, write)
    except Ended as early:
        return replace(early.ending, close=close and early.ending.code != "applied")
    except Refused as error:
        return refused(error, close)


def _batch(at: Attempt, write: Write) -> Ending:
    look = at.again
    for _ in range(TRIES):
        if look and (seen := carried(at, write)):
            return applied(seen)
        try:
            return _send(at, write)
        except Throttled:
            raise
        except Conflict:
            if seen := carried(at, write):
                return applied(seen)
            write = _taking_over(at, write)
        except (StaleVersion, Unavailable):
            look = True
    raise TryLater


def _taking_over(at: Attempt, write: Write) -> Write:
    """The same, with the identities that exist but are free taken over instead of created: a
    number that somebody gave up, when the CRM couldn't be asked in time. Raises Conflict where
    that changes nothing."""
    operations = tuple(
        _free(at, each) if each.kind == "identity" else each for each in write.operations
    )
    if operations == write.operations:
        raise Conflict
    return replace(write, operations=operations)


def _free(at: Attempt, operation: Operation) -> Operation:
    if operation.verb != "create":
        return operation
    try:
        found = at.call(at.adapter.get, operation.kind, operation.id, ["member"])
    except NotFound:
        return operation
    if found.record.get("member"):
        return operation
    return replace(operation, verb="update", version=found.version)


def _send(at: Attempt, write: Write) -> Ending:
    prepared = [_prepared(at, operation, write) for operation in following(at, write.operations)]
    if len(prepared) == 1 and prepared[0].verb == "create":
        only = prepared[0]
        answers: Sequence[Found | None] = [
            at.call(at.adapter.create, only.kind, only.id, only.record)
        ]
    else:
        answers = at.call(at.adapter.apply, prepared)
    for done, answer in zip(prepared, answers, strict=True):
        if done.kind == "member":  # an outcome's version is the member record's and no other's
            operations = operations_of(done.record.get(LAST_OPERATIONS))
            return applied(Base(answer.version if answer else "", operations))
    return applied(NOTHING)


def following(at: Attempt, operations: Sequence[Operation]) -> Iterator[Operation]:
    """Rows that are added to a member, or to what the member became by a merge in the CRM: there
    the newest answer is looked for."""
    made = {each.id for each in operations if each.verb == "create"}
    living: dict[str, str] = {}
    for each in operations:
        owner = each.record.get("member") if each.verb == "create" else None
        if owner is None or owner in made:
            yield each
            continue
        if owner not in living:
            living[owner] = _living(at, owner)
        yield replace(each, record=each.record | {"member": living[owner]})


def _living(at: Attempt, member: str) -> str:
    """What a member's record became. Raises NotFound."""
    for _ in range(TRIES):
        master = at.look("member", member).master
        if master is None:
            break
        member = master
    return member


def _prepared(at: Attempt, operation: Operation, write: Write) -> Operation:
    """With a concrete version, and our short id in it."""
    mine = short(write.op)
    if operation.verb == "create":
        return replace(operation, record=at.signed(operation.kind, operation.record, [mine]))
    if operation.verb == "erase" or operation.version == "":
        return operation
    seen = at.look(operation.kind, operation.id)
    wanted = operation.version
    if isinstance(write.based_on, Base) and operation.kind == "member":
        wanted = write.based_on.version
    if seen.master:
        raise Ended(Ending("refused", "merged"))
    if seen.closed:
        raise Ended(Ending("refused", "refused"))
    if wanted is not None and wanted != seen.base.version:
        raise Ended(Ending("stale", "stale"))
    record = at.signed(operation.kind, operation.record, [*seen.base.operations, mine])
    return replace(operation, record=record, version=seen.base.version)


def carried(at: Attempt, write: Write) -> Base | None:
    """The record that tells whether this write was done, if it was.

    It is the first created one that carries short ids. A kind without them counts as done where
    the record exists, since its id was made from the operation's.
    """
    witness = _witness(at, write.operations)
    try:
        seen = at.look(witness.kind, witness.id)
    except NotFound:
        return None
    if not at.holds_operations(witness.kind):
        return Base("") if witness.verb == "create" else None
    return seen.base if short(write.op) in seen.base.operations else None


def _witness(at: Attempt, operations: Sequence[Operation]) -> Operation:
    created = [operation for operation in operations if operation.verb == "create"]
    changed = [operation for operation in operations if operation.verb == "update"]
    carrying = [each for each in (*created, *changed) if at.holds_operations(each.kind)]
    return next(iter(carrying or created or operations))
