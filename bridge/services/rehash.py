"""A member's password hash made anew at a sign-in, when it is another system's or of the past.

Not for: whether the password was right (`sign_in.py`). The sign-in goes on whatever becomes of
this: the next one tries again. The write names the version of the record that was read, so a
password that was changed meanwhile stays as it is.
"""

from collections.abc import Callable
from typing import Protocol

from adapters.base import Operation, Trace
from bridge import log
from bridge.errors import Problem
from bridge.seal import Pseudonyms
from bridge.services.identities import SignIn
from bridge.services.passwords import Passwords, weakness
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Base, Write, operation_id, operations_of

FIELDS = ("credential", "legacy_credential", "portal_name", "last_operations")
"""Of the member, for a sign-in by password."""
_START_WITHIN = 300.0  # seconds
_ROUTE = "rehash"


class _Mailboxes(Protocol):
    def member_mailbox(self, member_id: str) -> str: ...
    def accept(self, write: Write, *, mailbox: str, owner: str, fingerprint: str) -> Accepted: ...


class Needs(Protocol):
    """The parts that it takes."""

    @property
    def passwords(self) -> Passwords: ...
    @property
    def names(self) -> Pseudonyms: ...
    @property
    def operation_key(self) -> Pseudonyms: ...
    @property
    def mailboxes(self) -> _Mailboxes: ...
    @property
    def clock(self) -> Callable[[], float]: ...


def renew(parts: Needs, found: SignIn, password: str, trace: Trace | None) -> None:
    """Append the member's new hash, where there is a reason to and the CRM tells versions.
    `found` with FIELDS; `password` fitted. Raises nothing that would end the sign-in."""
    record, version = found.member.record, found.member.version
    stored = record.get("credential")
    current = stored is not None and not parts.passwords.outdated(found.member_id, stored)
    # Where the CRM checks a password itself, there it stays.
    theirs = stored is None and not record.get("legacy_credential")
    if current or theirs or not version or weakness(password) is not None:
        return
    try:
        _append(parts, found, password, trace)
    except Problem as problem:
        log.event("rehash-later", problem=problem.type)


def _append(parts: Needs, found: SignIn, password: str, trace: Trace | None) -> None:
    member, now = found.member, parts.clock()
    made = parts.passwords.hash_for(found.member_id, password)
    changes = {"credential": made, "legacy_credential": None}
    # Of many sign-ins at one version one is carried out.
    op = operation_id(parts.operation_key, "", found.member_id, _ROUTE, member.version)
    write = Write(
        verb="update",
        op=op,
        accepted_at=now,
        operations=(Operation("update", "member", found.member_id, changes),),
        based_on=Base(member.version, operations_of(member.record.get("last_operations"))),
        start_by=now + _START_WITHIN,
        trace=trace.traceparent if trace else "",
    )
    parts.mailboxes.accept(
        write,
        mailbox=parts.mailboxes.member_mailbox(found.member_id),
        owner=parts.names.of("owner", _ROUTE),
        fingerprint=parts.names.of("fingerprint", _ROUTE, op),
    )
