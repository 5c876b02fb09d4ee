"""Claiming a record that the CRM has already (imported, made by staff): by its mobile, proven just
now, and a second fact that the holder knows or has.

Not for: signing in, or records that an address signs in to already. A code proves who holds the
number today, and numbers are re-issued; so a birth date opens only a record that nobody ever used.
Nothing of the record is shown. After a few tries its holder gives up: they may then register anew,
and the record is marked for staff. The record is found by the contact's own column, which only a
CRM that keeps compared values out of URLs may be asked for (capability `hides_values`).
"""

import hmac
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any, Protocol

from adapters.base import Found, Operation, Trace
from adapters.capabilities import Capabilities
from adapters.errors import Conflict, NotFound
from bridge import security
from bridge.errors import FieldError, Problem
from bridge.seal import Pseudonyms
from bridge.services import accounts, consents, credentials, identities, proofs
from bridge.services.consents import Answer
from bridge.services.credentials import START_WITHIN, Tools, Visit, new_stamp
from bridge.services.identities import Crm, NotNormal, normalise
from bridge.services.members import GUARDS
from bridge.services.proofs import Proof
from bridge.store.limits import Limits
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Write, operation_id, record_id
from mappings.loader import Mapping

ROUTE = "claims"
MOVED = "number-moved"
"""What `member.review` says of a record whose number somebody else proved, who didn't claim it."""
_FACTS = ("email", "birth_date", "card_number", "subject", *accounts.FIELDS)


class Finder(Crm, Protocol):
    """A reader that finds by a key or a column, too."""

    def find(
        self,
        kind: str,
        key: str,
        value: str,
        fields: Iterable[str],
        *,
        trace: Trace | None = None,
    ) -> Found:
        """As `adapters.base.Adapter.find`."""


class Needs(accounts.Needs, Protocol):
    """The parts that looking for a record, and leaving one, takes."""

    @property
    def crm(self) -> Finder: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def mapping(self) -> Mapping: ...
    @property
    def record_key(self) -> Pseudonyms: ...


class ClaimTools(Tools, Protocol):
    """The parts that a claim takes."""

    @property
    def crm(self) -> Finder: ...
    @property
    def capabilities(self) -> Capabilities: ...


@dataclass(frozen=True)
class Facts:
    """What the holder knows or has besides the number. `email`: proven by a code sent there."""

    birth_date: date | None = field(default=None, repr=False)
    card_number: str | None = field(default=None, repr=False)
    email: Proof | None = None


@dataclass(frozen=True)
class Form:
    """What goes with a claim."""

    consents: tuple[Answer, ...]
    password: str | None = field(default=None, repr=False)
    channel: str = ""


def waiting(tools: Needs, mobile: str, trace: Trace) -> Found | None:
    """The record with this number that waits to be claimed: open, and no address of ours signs in
    to it as far as its number goes. None where there is none, or several, which only staff can
    tell apart; and where this deployment knows no claims. Raises CrmError."""
    if not tools.settings.claims.enabled:
        return None
    try:
        found = tools.crm.find("member", "mobile", mobile, (*_FACTS, *GUARDS), trace=trace)
    except (NotFound, Conflict):
        return None
    record = found.record
    closed = record.get("state") == "inactive" or record.get("master") is not None
    return None if closed else found


def given_up(tools: Needs, proof: Proof) -> bool:
    """Were all tries for this number used, where there are claims at all? Raises StoreDown."""
    enabled = tools.settings.claims.enabled and proof.kind == "mobile"
    return bool(enabled and tools.limits.is_spent("claim_tries", proof.identity_id))


def left_behind(
    tools: Needs,
    proven: Sequence[Proof],
    rows: Sequence[Found | None],
    member_id: str,
    trace: Trace,
) -> Found | None:
    """The record that a new member's number leaves; None where it leaves none. Raises Problem
    ("claimable") where one waits whose holder has tries left; CrmError."""
    for proof, row in zip(proven, rows, strict=True):
        if proof.kind != "mobile":
            continue
        holder = identities.holder_of(row)
        if holder == member_id:
            return None
        if holder is not None:  # `given_up`, or the registration was refused
            return tools.crm.get("member", holder, (*_FACTS, *GUARDS), trace=trace)
        found = waiting(tools, proof.value, trace)
        if found is not None and found.id != member_id:
            if not given_up(tools, proof):
                raise Problem("claimable")
            return found
    return None


def marked(tools: Needs, left: Found | None, op: str) -> Iterator[Operation]:
    """The change of the record that was left: a mark for staff, and no session of it goes on."""
    held = tools.mapping.kinds["member"].fields
    ours = {"review": MOVED, "stamp": new_stamp(tools.record_key, op)}
    changes = {name: value for name, value in ours.items() if name in held}
    if left is not None and changes:
        yield Operation("update", "member", left.id, changes)


def tell_left_behind(tools: Needs, left: Found | None, op: str, trace: Trace) -> None:
    """End that record's sessions, and tell its other addresses."""
    if left is None:
        return
    accounts.end_sessions(tools, left.id, new_stamp(tools.record_key, op))
    account = accounts.of(left, tools.identity_keys)
    moved = [own.id for own in account.identities if own.kind == "mobile"]
    accounts.tell(tools, account, "address-changed", op, trace, moved)


def claim(tools: ClaimTools, mobile: Proof, facts: Facts, form: Form, visit: Visit) -> Accepted:
    """The record becomes the holder's: their number signs in, under the password of the form.

    Raises Problem: `unsupported` (this CRM or deployment), `validation`, `not-found` (there is
    none to claim), `claim-refused` (the facts don't fit), `claim-over` (no tries left: register),
    `conflict` (they fit, and the number signs in to it already), `proof-invalid`, those of
    `Mailboxes.accept`; CrmError, StoreDown.
    """
    _checked(tools, mobile, form)
    op = _operation(tools, [mobile, *([facts.email] if facts.email else [])], visit)
    if tools.mailboxes.knows(op):  # what it changed would refuse its own repetition
        return Accepted(op, fresh=False)
    row = identities.row_of(tools.crm, mobile.identity_id, visit.trace)
    holder = identities.holder_of(row)
    found = _held(tools, holder, visit) if holder else waiting(tools, mobile.value, visit.trace)
    if found is None:
        raise Problem("not-found")
    _one_try(tools, mobile)
    if not _fits(tools, found, facts):
        security.tell("claim-refused", client=visit.client, member=found.id)
        raise Problem("claim-refused")
    if holder:
        raise Problem("conflict", [FieldError("/proof", "has-a-member")])
    return _take(tools, op, found, _proven(tools, mobile, row, facts, visit), form, visit)


def _take(
    tools: ClaimTools,
    op: str,
    found: Found,
    proven: Sequence[tuple[Proof, Found | None]],
    form: Form,
    visit: Visit,
) -> Accepted:
    for proof, _ in proven:
        proofs.use(tools, proof, op)
    accepted = _hand_in(tools, op, found, proven, form, visit)
    account = accounts.of(found, tools.identity_keys)
    accounts.tell(tools, account, "identity-linked", op, visit.trace)
    security.tell("claimed", **accounts.whose(account, visit.client, visit.trace))
    return accepted


def _proven(
    tools: ClaimTools, mobile: Proof, row: Found | None, facts: Facts, visit: Visit
) -> list[tuple[Proof, Found | None]]:
    """The addresses that sign in to the record from now on, with their rows."""
    found = [(mobile, row)]
    if facts.email is not None:
        email = identities.row_of(tools.crm, facts.email.identity_id, visit.trace)
        if identities.holder_of(email) is None:
            found.append((facts.email, email))
    return found


def _held(tools: ClaimTools, holder: str, visit: Visit) -> Found:
    """The record that the number signs in to. It may be somebody else's by now: whoever can't
    claim it may register anew, and takes the number along."""
    return tools.crm.get("member", holder, (*_FACTS, *GUARDS), trace=visit.trace)


def _checked(tools: ClaimTools, mobile: Proof, form: Form) -> None:
    if not (tools.settings.claims.enabled and tools.capabilities.hides_values):
        raise Problem("unsupported")
    if mobile.kind != "mobile":
        raise Problem("proof-invalid", [FieldError("/proof", "not-of-this-kind")])
    if form.password is not None:
        credentials.checked(form.password)
    consents.checked(tools.settings.consents, form.consents, registering=True)


def _one_try(tools: ClaimTools, mobile: Proof) -> None:
    """Counted before it is compared, so that many at once are no more than one after the other."""
    try:
        tools.limits.hit("claim_tries", mobile.identity_id)
    except Problem:
        raise Problem("claim-over") from None


def _fits(tools: ClaimTools, found: Found, facts: Facts) -> bool:
    """Is one of the facts the record's? All are compared, whatever the first one says."""
    record, region = found.record, tools.settings.region
    email, card = facts.email, _normal("card", facts.card_number, region)
    holds = [
        email is not None and _same(email.value, _normal("email", record.get("email"), region)),
        _same(card, _normal("card", record.get("card_number"), region)),
    ]
    if not _was_used(tools, found):
        day = facts.birth_date
        holds.append(day is not None and day == record.get("birth_date"))
    return any(holds)


def _was_used(tools: ClaimTools, found: Found) -> bool:
    """Has somebody signed in to it, or could they? Then what many know of a person isn't enough."""
    record = found.record
    password = any(record.get(n) for n in ("credential", "legacy_credential", "portal_name"))
    return password or bool(accounts.of(found, tools.identity_keys).identities)


def _same(given: str | None, known: str | None) -> bool:
    if not given or not known:
        return False
    return hmac.compare_digest(given.encode(), known.encode())


def _normal(kind: str, value: str | None, region: str) -> str | None:
    try:
        return normalise(kind, value, region) if value else None
    except NotNormal:
        return None


def _operation(tools: ClaimTools, proven: Sequence[Proof], visit: Visit) -> str:
    principal = " ".join(sorted(proof.identity_id for proof in proven))
    key = visit.retry_key or "proof " + min(proof.ticket_id for proof in proven)
    known = tools.mailboxes.knows
    return operation_id(tools.operation_key, visit.client, principal, ROUTE, key, known)


def _hand_in(
    tools: ClaimTools,
    op: str,
    found: Found,
    rows: Sequence[tuple[Proof, Found | None]],
    form: Form,
    visit: Visit,
) -> Accepted:
    """One write: the record, the identities and the consents together, or none."""
    now, member_id = int(tools.clock()), found.id
    at, stamp = datetime.fromtimestamp(now, UTC), new_stamp(tools.record_key, op)
    ids = [record_id(tools.record_key, op, "consent", n) for n in range(len(form.consents))]
    operations = (
        Operation("update", "member", member_id, _member(tools, op, found, form), found.version),
        *(proofs.binding(tools.identity_keys, proof, row, member_id, at) for proof, row in rows),
        *consents.rows(member_id, form.consents, ids, form.channel, at),
    )
    write = Write(
        verb="apply",
        operations=operations,
        op=op,
        accepted_at=now,
        start_by=now + START_WITHIN,
        trace=visit.trace.traceparent,
    )
    said = (member_id, form.password or "", repr(form.consents))
    accepted = tools.mailboxes.accept(
        write,
        mailbox=tools.mailboxes.member_mailbox(member_id),
        owner=visit.owner,
        fingerprint=tools.names.of("fingerprint", ROUTE, *said),
    )
    accounts.end_sessions(tools, member_id, stamp)
    return accepted


def _member(tools: ClaimTools, op: str, found: Found, form: Form) -> dict[str, Any]:
    password = form.password
    ours = {
        "stamp": new_stamp(tools.record_key, op),
        "subject": found.record.get("subject") or record_id(tools.record_key, op, "subject"),
    }
    if password is not None:
        ours["credential"] = tools.passwords.hash_for(found.id, password)
    held = tools.mapping.kinds["member"].fields
    return {name: value for name, value in ours.items() if name in held}
