"""A member erased: identities released and emptied, consents and contact removed, in one batch for
each record that the person has.

Doing it twice is harmless. An identity's row stays, since its id is all that it then holds; the id
is a keyed hash. Not for: what waits in the mailbox (`drain.py` cancels it).
"""

from collections.abc import Iterator
from dataclasses import replace

from adapters.base import Criterion, Found, Operation
from adapters.errors import NotFound, Refused, StaleVersion, Throttled, Unavailable
from bridge.writes.effects import TRIES, Attempt, Ending, TryLater, refused
from bridge.writes.write import LAST_OPERATIONS, Write, operations_of, short

RELEASED = {"value": None, "member": None, "member_text": None, "mac": None, "verified_at": None}
"""What an identity holds that is nobody's."""
_PAGE = 100


def erase(at: Attempt, write: Write) -> Ending:
    """Raises TryLater, TurnLost, Unavailable, Misconfigured."""
    member = write.operations[0].id
    for _ in range(TRIES):
        try:
            for each in _line(at, member):
                _erase_one(at, each, write)
        except (Throttled, TryLater):
            raise
        except (NotFound, StaleVersion, Unavailable):
            continue  # a record went or changed meanwhile, or no reply came: look again
        except Refused as error:
            return refused(error)
        return Ending("applied", close=True)
    raise TryLater


def _line(at: Attempt, member: str) -> list[str]:
    """The record, and those that merges in the CRM tie it to: they hold the same person's data.
    The farthest first, so that a second try still finds its way to what is left."""
    line, seen = [member], 0
    while seen < len(line):
        line += [id for id in _tied(at, line[seen]) if id not in line]
        seen += 1
    return line[::-1]


def _tied(at: Attempt, member: str) -> Iterator[str]:
    """What it was merged into, and what was merged into it."""
    try:
        master = at.look("member", member).master
    except NotFound:
        master = None
    if master is not None:
        yield master
    if {"master", "state"} <= set(at.mapping.kinds["member"].fields):
        merged = Criterion("master", "eq", member), Criterion("state", "eq", "inactive")
        yield from (row.id for row in _rows(at, "member", *merged))


def _erase_one(at: Attempt, member: str, write: Write) -> None:
    batch = [*_identities(at, member, write), *_consents(at, member)]
    try:
        at.look("member", member)
        batch.append(Operation("erase", "member", member))
    except NotFound:
        pass  # erased before, perhaps by staff: what hangs on it may still be there
    if not batch:
        return
    if at.adapter.capabilities.atomic_batch:
        at.call(at.adapter.apply, batch)
        return
    for operation in batch:
        _do(at, operation)


def _do(at: Attempt, operation: Operation) -> None:
    """One after the other, the contact last: a second try finds what is left."""
    if operation.verb == "erase":
        at.call(at.adapter.erase, operation.kind, operation.id)
    else:
        version = operation.version or ""
        at.call(at.adapter.update, operation.kind, operation.id, operation.record, version)


def _identities(at: Attempt, member: str, write: Write) -> Iterator[Operation]:
    """By the lookup, and by the text beside it, which outlives a contact that staff removed."""
    held = at.mapping.kinds["identity"].fields
    emptied = {name: value for name, value in RELEASED.items() if name in held}
    known: set[str] = set()
    for criterion in (Criterion("member", "eq", member), Criterion("member_text", "eq", member)):
        rows = _rows(at, "identity", criterion) if criterion.field in held else iter(())
        for row in rows:
            if row.id in known:
                continue
            known.add(row.id)
            operations = (*operations_of(row.record.get(LAST_OPERATIONS)), short(write.op))
            release = Operation("update", "identity", row.id, dict(emptied), row.version)
            yield replace(release, record=at.signed("identity", release.record, operations))


def _consents(at: Attempt, member: str) -> Iterator[Operation]:
    for row in _rows(at, "consent", Criterion("member", "eq", member)):
        yield Operation("erase", "consent", row.id)


def _rows(at: Attempt, kind: str, *criteria: Criterion) -> Iterator[Found]:
    fields = [LAST_OPERATIONS] if at.holds_operations(kind) else ["member"]
    cursor: str | None = None
    while True:
        page = at.call(at.adapter.query, kind, criteria, fields, cursor=cursor, limit=_PAGE)
        yield from page.rows
        cursor = page.cursor
        if cursor is None:
            return
