"""A member's account as one read of the CRM shows it: the addresses that sign in, what is proven of
them, and whom to tell when something of it changes.

Not for: the profile (`members.py`), or one way of changing an account (`credentials.py`).
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from adapters.base import Found, Trace
from adapters.errors import NotFound
from bridge import log
from bridge.errors import Problem
from bridge.services import messages, signing_out, traces
from bridge.services.identities import IdentityKeys, Reader
from bridge.services.members import GUARDS, belongs
from bridge.services.messages import CHANNELS, Message
from bridge.services.subjects import stamp_digest
from bridge.store import StoreDown

FIELDS = (
    "credential",
    "legacy_credential",
    "portal_name",
    "language",
    "identities.kind",
    "identities.value",
    "identities.member_text",
    "identities.mac",
    "identities.verified_at",
)
"""What an account is read with, besides GUARDS."""


class Needs(messages.Needs, signing_out.Needs, Protocol):
    """The parts that account matters work with."""

    @property
    def crm(self) -> Reader: ...
    @property
    def identity_keys(self) -> IdentityKeys: ...


@dataclass(frozen=True)
class Own:
    """One identity that we bound to the member. `row`: its record, with version where told."""

    id: str
    kind: str
    value: str = field(repr=False)
    row: Found = field(repr=False)


@dataclass(frozen=True)
class Account:
    """`record`: the member's, with FIELDS and what else was read."""

    member_id: str = field(repr=False)
    language: str
    identities: tuple[Own, ...]
    record: Found = field(repr=False)

    def kinds(self) -> frozenset[str]:
        """Of the identities."""
        return frozenset(each.kind for each in self.identities)


def read(parts: Needs, member_id: str, trace: Trace | None = None) -> Account:
    """The account of a member whom a proof has named. Raises Problem("not-found") where the record
    is gone or closed meanwhile; CrmError."""
    try:
        found = parts.crm.get("member", member_id, (*FIELDS, *GUARDS), trace=trace)
    except NotFound:
        raise Problem("not-found") from None
    record = belongs(found, member_id).record
    if record.get("state") == "inactive" or record.get("master") is not None:
        raise Problem("not-found")
    return of(found, parts.identity_keys)


def of(found: Found, keys: IdentityKeys) -> Account:
    """The account in a member's record that was read with FIELDS. A row whose MAC isn't ours is
    nobody's identity."""
    own = tuple(_own(found.collections.get("identities", ()), keys))
    return Account(found.id, found.record.get("language") or "zh-CN", own, found)


def _own(rows: Iterable[Found], keys: IdentityKeys) -> Iterable[Own]:
    for row in rows:
        bound_to, mac = row.record.get("member_text") or "", row.record.get("mac") or ""
        value = row.record.get("value")
        if value and keys.holds(row.id, bound_to, mac):
            yield Own(row.id, row.record["kind"], value, row)


def end_sessions(parts: Needs, member_id: str, stamp: str) -> None:
    """Sign the member out everywhere, and let no sign-in survive that read the stamp before
    `stamp`. To be done when the change is handed in, and once more when the CRM has it: a sign-in
    in between still knows the old password. Raises StoreDown."""
    signing_out.everywhere(parts, member_id, stamp_digest(parts.names, stamp))


def whose(account: Account, client: str, trace: Trace) -> dict[str, str]:
    """What a security event says besides its reason (`security.tell`)."""
    id = traces.trace_id(trace.traceparent)
    return {"member": account.member_id, "client": client, "trace": id}


def tell(
    parts: Needs,
    account: Account,
    template: str,
    op: str,
    trace: Trace,
    but: Iterable[str] = (),
) -> None:
    """A notice to each address of the account that messages reach, but to those identities that
    just proved themselves. It goes on its way or it doesn't: the change itself is accepted."""
    told = set(but)
    for own in account.identities:
        if own.kind not in CHANNELS or own.id in told:
            continue
        own_op = parts.names.of("notice.op", op, own.id)
        message = Message(template, own.kind, own.value, account.language, op=own_op)
        try:
            messages.send(parts, message, trace)
        except (Problem, StoreDown):
            log.event("notice.not_sent", logging.ERROR, op=op, kind=own.kind)
