"""The addresses that a member signs in with, changed by the member: another mobile or e-mail, and
identities linked and unlinked.

Not for: proving an address (`codes.py`), or contact details of the profile. Each change is one
write: the new address's row, the old one's, the profile and the security stamp together, or none.
A row is released, never deleted, since its id is all that it then holds. What signs a member in
changes only soon after a sign-in (`step_up.py`), and the addresses from before are told.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from adapters.base import Found, Operation
from bridge import security
from bridge.errors import FieldError, Problem
from bridge.services import accounts, identities, proofs
from bridge.services.accounts import Account, Own
from bridge.services.credentials import START_WITHIN, Changed, Tools, Visit, new_stamp
from bridge.services.proofs import Proof
from bridge.writes.erasing import RELEASED
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Write

SIGN_IN = ("mobile", "email")
"""Kinds that sign in by themselves: one of them has to stay."""
_PROFILE = {"mobile": "mobile", "email": "email"}
"""Kind -> the member's field that shows it."""


def replace(tools: Tools, account: Account, proof: Proof, op: str, visit: Visit) -> Changed:
    """The proven mobile or e-mail instead of the one before. Every session ends.

    Raises Problem: `proof-invalid` (used), `conflict` (another member has it), those of
    `Mailboxes.accept`; CrmError, StoreDown.
    """
    at = datetime.fromtimestamp(int(tools.clock()), UTC)
    row = _free_row(tools, account, proof, visit)
    stamp = new_stamp(tools.record_key, op)
    changes = _held(tools, "member", {_PROFILE[proof.kind]: proof.value, "stamp": stamp})
    operations = (
        Operation("update", "member", account.member_id, changes),
        proofs.binding(tools.identity_keys, proof, row, account.member_id, at),
        *_released(tools, account, proof),
    )
    proofs.use(tools, proof, op)
    accepted = _hand_in(tools, account, op, operations, visit, proof.identity_id)
    accounts.end_sessions(tools, account.member_id, stamp)
    accounts.tell(tools, account, "address-changed", op, visit.trace, [proof.identity_id])
    told = accounts.whose(account, visit.client, visit.trace)
    security.tell("address-changed", reason=proof.kind, **told)
    return Changed(accepted, account.member_id, stamp)


def link(tools: Tools, account: Account, proof: Proof, op: str, visit: Visit) -> Accepted:
    """One more identity of the member's, of a kind that is linked. Raises as `replace`."""
    at = datetime.fromtimestamp(int(tools.clock()), UTC)
    row = _free_row(tools, account, proof, visit)
    proofs.use(tools, proof, op)
    operations = (proofs.binding(tools.identity_keys, proof, row, account.member_id, at),)
    accepted = _hand_in(tools, account, op, operations, visit, proof.identity_id)
    accounts.tell(tools, account, "identity-linked", op, visit.trace)
    told = accounts.whose(account, visit.client, visit.trace)
    security.tell("identity-linked", reason=proof.kind, **told)
    return accepted


def unlink(tools: Tools, account: Account, own: Own, op: str, visit: Visit) -> Changed:
    """One identity less; it signs nobody in from then on, and every session ends. Raises Problem
    (`last-way`: nothing that signs in would be left; those of `Mailboxes.accept`), StoreDown."""
    left = [each.kind for each in account.identities if each.id != own.id]
    if not set(SIGN_IN) & set(left):
        raise Problem("last-way")
    stamp = new_stamp(tools.record_key, op)
    changes = _held(tools, "member", {"stamp": stamp})
    changed = [Operation("update", "member", account.member_id, changes)] if changes else []
    operations = (*changed, _release(tools, own))
    accepted = _hand_in(tools, account, op, operations, visit, own.id)
    accounts.end_sessions(tools, account.member_id, stamp)
    accounts.tell(tools, account, "address-changed", op, visit.trace)
    told = accounts.whose(account, visit.client, visit.trace)
    security.tell("identity-unlinked", reason=own.kind, **told)
    return Changed(accepted, account.member_id, stamp)


def _free_row(tools: Tools, account: Account, proof: Proof, visit: Visit) -> Found | None:
    """The address's row, if it is there and free or the member's own. Told only to whoever proved
    it: Problem("conflict") where another member has it."""
    row = identities.row_of(tools.crm, proof.identity_id, visit.trace)
    if identities.holder_of(row) not in (None, account.member_id):
        raise Problem("conflict", [FieldError("/proof", "has-a-member")])
    return row


def _released(tools: Tools, account: Account, proof: Proof) -> Iterator[Operation]:
    """Those of the same kind that the member had before."""
    for own in account.identities:
        if own.kind == proof.kind and own.id != proof.identity_id:
            yield _release(tools, own)


def _release(tools: Tools, own: Own) -> Operation:
    return Operation("update", "identity", own.id, _held(tools, "identity", dict(RELEASED)))


def _held(tools: Tools, kind: str, record: dict[str, Any]) -> dict[str, Any]:
    fields = tools.mapping.kinds[kind].fields
    return {name: value for name, value in record.items() if name in fields}


def _hand_in(
    tools: Tools,
    account: Account,
    op: str,
    operations: tuple[Operation, ...],
    visit: Visit,
    what: str,
) -> Accepted:
    now = int(tools.clock())
    write = Write(
        verb="apply",
        operations=operations,
        op=op,
        accepted_at=now,
        start_by=now + START_WITHIN,
        trace=visit.trace.traceparent,
    )
    return tools.mailboxes.accept(
        write,
        mailbox=tools.mailboxes.member_mailbox(account.member_id),
        owner=visit.owner,
        fingerprint=tools.names.of("fingerprint", "addresses", account.member_id, what),
    )
