"""A write of several records on a CRM that can't change them at once: one step after the other.

Numbers are claimed first, what hangs on them is made, and only the last step ties a number to its
member; so a sign-in sees a whole member or none. Each step can be done twice: whoever finds it done
knows it by what the record carries. A refusal takes back what was made (docs/decisions/0014).
Not for: CRMs with an atomic batch (`effects.batch`), which is better wherever there is one.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from adapters.base import Found, Operation, Record
from adapters.errors import (
    Conflict,
    NotFound,
    Refused,
    StaleVersion,
    Throttled,
    Unavailable,
    Unsupported,
)
from bridge import log
from bridge.writes import effects
from bridge.writes.effects import (
    NOTHING,
    TRIES,
    Attempt,
    Ended,
    Ending,
    TryLater,
    applied,
    refused,
)
from bridge.writes.erasing import RELEASED
from bridge.writes.write import LAST_OPERATIONS, Base, Write, operations_of, short

_CLAIM_LIVES = 90_000
"""Seconds. No write that claims a number starts later than a day after it was accepted."""
_TIES = ("member", "mac")
"""What makes a row sign its member in."""


def several(at: Attempt, write: Write) -> Ending:
    """A create or an apply, at once where the CRM can. Raises as `effects.batch`."""
    return _carry_out(at, write) if _needed(at, write) else effects.batch(at, write)


def too_late(at: Attempt, write: Write) -> Ending:
    """Its time has passed. It is never begun now; but what was sent in time may have been done.
    What shows already is finished, what doesn't is taken back. Raises as `several`."""
    expired = Ending("expired", "expired", close=write.verb == "create")
    if not at.again:
        return expired
    if not _needed(at, write):
        done = effects.carried(at, write)
        return applied(done) if done else expired
    steps = _Steps(at, write)
    if steps.shows():
        return _carry_out(at, write)
    steps.take_back()
    return expired


def _needed(at: Attempt, write: Write) -> bool:
    """Is there more to do than one call does? A number may have to be taken over."""
    alone = len(write.operations) == 1 and _makes(write.operations[0])
    return not (alone or at.adapter.capabilities.atomic_batch)


def _carry_out(at: Attempt, write: Write) -> Ending:
    """Raises TryLater, TurnLost, Unavailable, Misconfigured."""
    close = write.verb == "create"
    for _ in range(TRIES):
        steps = _Steps(at, write)
        try:
            return applied(steps.forward())
        except Throttled:
            raise
        except (StaleVersion, Unavailable):
            continue  # what was done is met again
        except Ended as early:
            ending = replace(early.ending, close=close)
        except Refused as error:
            ending = refused(error, close)
        steps.take_back()
        return ending
    raise TryLater


@dataclass(frozen=True)
class _Steps:
    """One write's, from the start: a second try goes through all of them again."""

    at: Attempt
    write: Write

    # -- forward --------------------------------------------------------------------------------

    def forward(self) -> Base:
        """Every step in order. Gives the member's record's state. Raises Ended, any CrmError."""
        self._check()
        binding = sorted(self._of(_binds), key=lambda each: each.id)  # no two wait in a ring
        for each in binding:
            self._claim(each)
        bases = [self._make(each) for each in self._made()]
        bases += [self._change(each) for each in self._of(_changes)]
        self._tie(binding)
        for each in self._of(_releases):
            self._change(each)
        for each in self._of(_erases):
            self._erase(each)
        return next((base for base in bases if base is not None), NOTHING)

    def _check(self) -> None:
        """What can't be done step by step isn't begun. Raises Unsupported."""
        can = self.at.adapter.capabilities
        if not can.create_with_our_id or can.versioned_update == "no":
            raise Unsupported
        if len(self._of(_changes)) > 1:  # the second could be refused, the first not taken back
            raise Unsupported

    def _claim(self, wanted: Operation) -> None:
        """The number is ours, and signs nobody in yet. Raises Conflict where another member has
        it, unless the caller saw so and means to move it; TryLater where another write is about
        to have it."""
        held = self.at.mapping.kinds["identity"].fields
        claim = {n: v for n, v in wanted.record.items() if n in held and n not in _TIES}
        if wanted.verb == "create" and self._created(wanted, claim):
            return
        try:
            row = self._row(wanted.id)
        except NotFound:
            if not self._created(wanted, claim):
                raise Conflict from None  # an id that staff deleted and the CRM keeps
            return
        if _is_of(row, wanted.record["member"]):
            return
        moved = wanted.verb == "update" and wanted.version == row.version
        if row.lookups.get("member") is not None and not moved:
            raise Conflict
        if self._awaited(row):
            raise TryLater
        self._update(row, claim | dict.fromkeys(_TIES))

    def _created(self, wanted: Operation, record: Record) -> Found | None:
        """The new record; None where one has this id."""
        signed = self.at.signed(wanted.kind, record, [self._mine])
        try:
            return self.at.call(self.at.adapter.create, wanted.kind, wanted.id, signed)
        except Conflict:
            return None

    def _awaited(self, row: Found) -> bool:
        """Is it claimed by a write that may still come to its end? A bound row whose member was
        deleted isn't: it has its MAC."""
        record = row.record
        if not record.get("member_text") or record.get("mac") or not record.get("verified_at"):
            return False
        age = self.write.accepted_at - record["verified_at"].timestamp()
        return bool(age < _CLAIM_LIVES)

    def _make(self, wanted: Operation) -> Base | None:
        """A record of this write's own. Gives its state where it carries short ids. Raises
        Conflict where the one that is there isn't ours."""
        made = self._created(wanted, wanted.record)
        if made is None:
            return self._met(wanted)
        return Base(made.version, (self._mine,)) if wanted.kind == "member" else None

    def _met(self, wanted: Operation) -> Base | None:
        """The record that was there, if it is ours."""
        try:
            if not self._is_ours(wanted):
                raise Conflict
            return self.at.look(wanted.kind, wanted.id).base if wanted.kind == "member" else None
        except NotFound:  # made, and deleted since; the CRM keeps the id
            raise Ended(Ending("refused", "refused")) from None

    def _is_ours(self, wanted: Operation) -> bool:
        """Does the record carry our short id, or, of a kind without them, belong to our member?
        Its id was made from the operation's. Raises NotFound."""
        if self.at.holds_operations(wanted.kind):
            return self._mine in self.at.look(wanted.kind, wanted.id).base.operations
        if "member" not in self.at.mapping.kinds[wanted.kind].fields:
            return True
        found = self.at.call(self.at.adapter.get, wanted.kind, wanted.id, ["member"])
        return bool(found.record["member"] == wanted.record.get("member"))

    def _change(self, wanted: Operation) -> Base | None:
        """A record that was there before. Raises Ended where it is stale or merged away,
        Unsupported where nothing could tell that it was done."""
        if not self.at.holds_operations(wanted.kind):
            raise Unsupported
        seen = self.at.look(wanted.kind, wanted.id)
        member = wanted.kind == "member"
        if self._mine not in seen.base.operations:
            seen = replace(seen, base=self._changed(wanted, seen))
        return seen.base if member else None

    def _changed(self, wanted: Operation, seen: effects.Seen) -> Base:
        version, based_on = wanted.version, self.write.based_on
        if isinstance(based_on, Base) and wanted.kind == "member":
            version = based_on.version
        if seen.master or seen.closed:
            raise Ended(Ending("refused", "merged" if seen.master else "refused"))
        if version is not None and version != seen.base.version:
            raise Ended(Ending("stale", "stale"))
        operations = (*seen.base.operations, self._mine)
        record = self.at.signed(wanted.kind, wanted.record, operations)
        update = self.at.adapter.update
        found = self.at.call(update, wanted.kind, wanted.id, record, seen.base.version)
        return Base(found.version, operations)

    def _tie(self, binding: list[Operation]) -> None:
        """From here on the numbers sign their member in. Raises StaleVersion where a claim was
        lost, which a CRM lets happen that compares no version itself; then none is tied."""
        rows = [(each, self._row(each.id)) for each in binding]
        for each, row in rows:
            if not _is_of(row, each.record["member"]):
                raise StaleVersion
        for each, row in rows:
            if not _is_tied(row, each):
                self._update(row, {name: each.record[name] for name in _TIES})

    def _erase(self, wanted: Operation) -> None:
        try:
            self.at.call(self.at.adapter.erase, wanted.kind, wanted.id)
        except NotFound:
            return

    # -- and back -------------------------------------------------------------------------------

    def shows(self) -> bool:
        """Can anybody see that it was begun? Raises any CrmError."""
        binding, changes = self._of(_binds), self._of(_changes)
        if binding or changes:
            return any(map(self._tied, binding)) or any(map(self._known, changes))
        return all(map(self._known, self._of(_makes)))

    def _tied(self, wanted: Operation) -> bool:
        try:
            return _is_tied(self._row(wanted.id), wanted)
        except NotFound:
            return False

    def _known(self, wanted: Operation) -> bool:
        try:
            return self._is_ours(wanted)
        except NotFound:
            return False

    def take_back(self) -> None:
        """Numbers are released, what was made is removed, the member last: as long as it is there,
        a second try finds its way. Raises TryLater, TurnLost, Unavailable, Misconfigured."""
        if any(map(self._known, self._of(_changes))):
            log.event("write.half_done", logging.ERROR, op=self.write.op, verb=self.write.verb)
            return
        try:
            made = self._made()
        except NotFound:  # the member that the rows belong to is gone
            made = self._of(_makes)
        undo: list[tuple[Callable[[Operation], None], Operation]] = [
            *((self._release, each) for each in self._of(_binds)),
            *((self._unmake, each) for each in made if each.kind != "member"),
            *((self._unmake, each) for each in made if each.kind == "member"),
        ]
        for back, each in undo:
            try:
                back(each)
            except NotFound:
                continue
            except StaleVersion:  # the next turn looks again
                raise TryLater from None

    def _release(self, wanted: Operation) -> None:
        """The row stays, since its id is the number's, and holds nothing."""
        row = self._row(wanted.id)
        held = self.at.mapping.kinds["identity"].fields
        by_us = self._mine in _operations(row) or not self.at.holds_operations("identity")
        if by_us and _is_of(row, wanted.record["member"]):
            self._update(row, {n: v for n, v in RELEASED.items() if n in held})

    def _unmake(self, wanted: Operation) -> None:
        if self._is_ours(wanted):
            self.at.call(self.at.adapter.erase, wanted.kind, wanted.id)

    # -- what both share ------------------------------------------------------------------------

    @property
    def _mine(self) -> str:
        return short(self.write.op)

    def _made(self) -> list[Operation]:
        """The new records, the member first; rows of a member that was merged in the CRM go to
        the one that it became. Raises NotFound."""
        made = sorted(self._of(_makes), key=lambda each: each.kind != "member")
        return list(effects.following(self.at, made))

    def _of(self, belongs: Callable[[Operation], bool]) -> list[Operation]:
        return [each for each in self.write.operations if belongs(each)]

    def _row(self, id: str) -> Found:
        """An identity with all that tells whose it is. Raises NotFound."""
        leads = f"member.{LAST_OPERATIONS if self.at.holds_operations('member') else 'subject'}"
        own = [LAST_OPERATIONS] if self.at.holds_operations("identity") else []
        fields = ["member", "member_text", "mac", "verified_at", leads, *own]
        return self.at.call(self.at.adapter.get, "identity", id, fields)

    def _update(self, row: Found, record: Record) -> None:
        signed = self.at.signed("identity", record, [*_operations(row), self._mine])
        self.at.call(self.at.adapter.update, "identity", row.id, signed, row.version)


def _binds(each: Operation) -> bool:
    """A number is given to a member."""
    return each.kind == "identity" and each.verb != "erase" and bool(each.record.get("member"))


def _makes(each: Operation) -> bool:
    return each.verb == "create" and not _binds(each)


def _releases(each: Operation) -> bool:
    return each.kind == "identity" and each.verb == "update" and not _binds(each)


def _changes(each: Operation) -> bool:
    return each.kind != "identity" and each.verb == "update"


def _erases(each: Operation) -> bool:
    return each.verb == "erase"


def _is_of(row: Found, member: str) -> bool:
    """Is the number claimed for this member, or tied to them?"""
    return bool(row.record.get("member_text") == member)


def _is_tied(row: Found, wanted: Operation) -> bool:
    member = row.lookups.get("member")
    tied = member is not None and member.id == wanted.record["member"]
    return (
        tied and _is_of(row, wanted.record["member"]) and row.record["mac"] == wanted.record["mac"]
    )


def _operations(row: Found) -> tuple[str, ...]:
    return operations_of(row.record.get(LAST_OPERATIONS))
