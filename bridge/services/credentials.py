"""A new password: for whoever proves an address of the account, or knows the password before.

Not for: hashing (`passwords.py`), or proving (`codes.py`, `resets.py`). Either way the security
stamp changes, every session ends and the account's other addresses are told; nobody is signed in by
it. The write has a `start_by`: a password that couldn't be set in time isn't set by surprise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from adapters.base import Operation, Trace
from adapters.capabilities import Capabilities
from bridge import security
from bridge.errors import FieldError, Problem
from bridge.seal import Pseudonyms
from bridge.services import accounts, identities, passwords, proofs
from bridge.services.accounts import Account
from bridge.services.identities import Crm
from bridge.services.passwords import Passwords
from bridge.services.proofs import Proof
from bridge.services.sign_in import fits
from bridge.store.limits import Limits
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Write, operation_id
from mappings.loader import Mapping

RESET = "password-resets"
START_WITHIN = 900


class Tools(accounts.Needs, proofs.LinkNeeds, Protocol):
    """What a change of password works with; the web process's parts have all of it."""

    @property
    def crm(self) -> Crm: ...
    @property
    def mapping(self) -> Mapping: ...
    @property
    def passwords(self) -> Passwords: ...
    @property
    def capabilities(self) -> Capabilities: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def operation_key(self) -> Pseudonyms: ...
    @property
    def record_key(self) -> Pseudonyms: ...
    @property
    def clock(self) -> Callable[[], float]: ...


@dataclass(frozen=True)
class Visit:
    """Who asks. `owner`: who may ask for the outcome (`operations.owner`)."""

    client: str
    owner: str
    trace: Trace
    retry_key: str | None = None


@dataclass(frozen=True)
class Changed:
    """An accepted change. `stamp`: the one that the CRM is being given."""

    accepted: Accepted
    member_id: str = field(repr=False)
    stamp: str = field(repr=False)


def checked(password: str, pointer: str = "/password") -> None:
    """Raises Problem("validation") for a password that may not be used."""
    weak = passwords.weakness(password)
    if weak:
        raise Problem("validation", [FieldError(pointer, weak)])


def reset(tools: Tools, proven: Sequence[Proof], password: str, visit: Visit) -> Changed:
    """A new password for the member who has all the proven addresses.

    Raises Problem: `validation`, `not-found` (nobody has them, or not one person), `proof-invalid`
    (used), `proof-insufficient` (an SMS alone, where the account has a verified e-mail), those of
    `Mailboxes.accept`; CrmError, StoreDown.
    """
    checked(password)
    account = accounts.read(tools, _holder(tools, proven, visit.trace), visit.trace)
    _enough(account, proven)
    principal = " ".join(sorted(proof.identity_id for proof in proven))
    key = visit.retry_key or "proof " + min(proof.ticket_id for proof in proven)
    known = tools.mailboxes.knows
    op = operation_id(tools.operation_key, visit.client, principal, RESET, key, known)
    for proof in proven:
        proofs.use(tools, proof, op)
    return set_password(tools, account, password, op, visit, [p.identity_id for p in proven])


def is_current(tools: Tools, account: Account, password: str) -> bool:
    """Is it the account's password? Tries are counted as sign-ins are. Raises Problem (`too-many`,
    `busy`), StoreDown."""
    tools.limits.hit("sign_ins_per_identifier", "member", account.member_id)
    return fits(tools, account.record, password)


def set_password(
    tools: Tools,
    account: Account,
    password: str,
    op: str,
    visit: Visit,
    proven: Sequence[str] = (),
) -> Changed:
    """Seal and append; end the sessions; tell the addresses that aren't among `proven`. Raises
    Problem (`unsupported`: this CRM keeps no passwords; those of `Mailboxes.accept`), StoreDown."""
    held = tools.mapping.kinds["member"].fields
    if "credential" not in held:
        raise Problem("unsupported")
    member_id, stamp = account.member_id, new_stamp(tools.record_key, op)
    made = tools.passwords.hash_for(member_id, password)
    ours = {"credential": made, "legacy_credential": None, "stamp": stamp}
    changes = {name: value for name, value in ours.items() if name in held}
    now = int(tools.clock())
    write = Write(
        verb="apply",  # an `update` would follow a merge, where a sealed hash fits nobody
        operations=(Operation("update", "member", member_id, changes),),
        op=op,
        accepted_at=now,
        start_by=now + START_WITHIN,
        trace=visit.trace.traceparent,
    )
    accepted = tools.mailboxes.accept(
        write,
        mailbox=tools.mailboxes.member_mailbox(member_id),
        owner=visit.owner,
        fingerprint=tools.names.of("fingerprint", "password", member_id, password),
    )
    accounts.end_sessions(tools, member_id, stamp)
    accounts.tell(tools, account, "password-changed", op, visit.trace, proven)
    reason = "reset" if proven else "change"
    told = accounts.whose(account, visit.client, visit.trace)
    security.tell("password-set", reason=reason, **told)
    return Changed(accepted, member_id, stamp)


def new_stamp(record_key: Pseudonyms, op: str) -> str:
    """The stamp that an operation gives: the same for its repetition."""
    return record_key.of("stamp", op)


def _holder(tools: Tools, proven: Sequence[Proof], trace: Trace) -> str:
    """The one member who has them all. It is told to whoever proved the addresses and to nobody
    else. Raises Problem("not-found")."""
    found = {
        sign_in.member_id if sign_in else None
        for sign_in in (
            identities.resolve(tools.crm, tools.identity_keys, p.kind, p.value, (), trace)
            for p in proven
        )
    }
    member_id = found.pop() if len(found) == 1 else None
    if member_id is None:
        raise Problem("not-found")
    return member_id


def _enough(account: Account, proven: Sequence[Proof]) -> None:
    """A number can be re-issued, and its messages read by others: an SMS alone opens no account
    that has a verified e-mail. Raises Problem("proof-insufficient")."""
    if {proof.kind for proof in proven} == {"mobile"} and "email" in account.kinds():
        raise Problem("proof-insufficient", extensions={"needs": "email"})
