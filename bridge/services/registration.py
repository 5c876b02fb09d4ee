"""A new member out of proven addresses: one write that makes the member, the identities and the
consents together, or none of them.

Not for: proving (`codes.py`, `proofs.py`), pages or HTTP. Whether an address has a member already
is told only to whoever proved it. A repeated request gives the same operation and the same ids, so
it joins the first, also after Redis was wiped: the record that it finds then is its own.
"""

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from adapters.base import Found, Operation, Trace
from adapters.errors import Unavailable
from bridge import security
from bridge.errors import FieldError, Problem
from bridge.seal import Pseudonyms
from bridge.services import claims, consents, identities, passwords, profiles, proofs, traces
from bridge.services.consents import Answer
from bridge.services.passwords import Passwords
from bridge.services.proofs import Proof
from bridge.services.scenes import Scene
from bridge.writes.mailbox import Mailboxes
from bridge.writes.write import Write, operation_id, record_id
from mappings.loader import Mapping as CrmMapping

ROUTE = "registrations"
START_WITHIN = 86_400
"""Seconds: a registration that couldn't be made within a day isn't made later by surprise."""


class Tools(proofs.Needs, claims.Needs, Protocol):
    """What a registration works with; the web process's parts have all of it."""

    @property
    def mapping(self) -> CrmMapping: ...
    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def passwords(self) -> Passwords: ...
    @property
    def names(self) -> Pseudonyms: ...
    @property
    def operation_key(self) -> Pseudonyms: ...
    @property
    def record_key(self) -> Pseudonyms: ...
    @property
    def clock(self) -> Callable[[], float]: ...
    @property
    def settings(self) -> Any: ...


@dataclass(frozen=True)
class Form:
    """What the person filled in. `profile`: canonical fields, a brand's own under `ext`."""

    profile: Mapping[str, Any] = field(repr=False)
    consents: tuple[Answer, ...]
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class Visit:
    """How they came. `owner`: who may ask for the outcome (`operations.owner`). Without a
    `retry_key` the proof itself is one, since it is good for one registration only."""

    client: str
    owner: str
    channel: str
    trace: Trace
    scene: Scene | None = None
    retry_key: str | None = None


@dataclass(frozen=True)
class Registration:
    """An accepted registration. `fresh`: False where the same request came before."""

    op: str
    member_id: str = field(repr=False)
    fresh: bool


def register(tools: Tools, proven: Sequence[Proof], form: Form, visit: Visit) -> Registration:
    """Check, bind the proofs, seal and append. Raises Problem (`validation`, `proof-invalid`,
    `conflict`, and those of `Mailboxes.accept`), CrmError, StoreDown."""
    if not proven:
        raise Problem("proof-invalid", [FieldError("/proof", "required")])
    if len({proof.identity_id for proof in proven}) < len(proven):
        raise Problem("proof-invalid", [FieldError("/further_proofs", "twice")])
    _checked(tools, form, [proof.kind for proof in proven])
    op = _operation(tools, proven, visit)
    member_id = record_id(tools.record_key, op, "member")
    rows = [_identity_row(tools, proof, member_id, visit.trace) for proof in proven]
    left = claims.left_behind(tools, proven, rows, member_id, visit.trace)
    for proof in proven:
        proofs.use(tools, proof, op)
    plan = _Plan(tools, op, member_id, tuple(zip(proven, rows, strict=True)), form, visit, left)
    accepted = tools.mailboxes.accept(
        plan.write(),
        mailbox=tools.mailboxes.member_mailbox(member_id),
        owner=visit.owner,
        fingerprint=_fingerprint(tools, proven, form, visit),
    )
    if accepted.fresh:
        told = {"client": visit.client, "reason": visit.channel}
        trace = traces.trace_id(visit.trace.traceparent)
        security.tell("registered", member=member_id, trace=trace, **told)
        claims.tell_left_behind(tools, left, op, visit.trace)
    return Registration(accepted.op, member_id, accepted.fresh)


def _checked(tools: Tools, form: Form, proven: Sequence[str]) -> None:
    """What the schema can't know. Raises Problem("validation")."""
    consents.checked(tools.settings.consents, form.consents, registering=True)
    weak = passwords.weakness(form.password) if form.password is not None else None
    if weak:
        raise Problem("validation", [FieldError("/password", weak)])
    profiles.check_new(tools.settings.profile, form.profile, proven, tools.clock())


def _operation(tools: Tools, proven: Sequence[Proof], visit: Visit) -> str:
    principal = " ".join(sorted(proof.identity_id for proof in proven))
    key = visit.retry_key or "proof " + min(proof.ticket_id for proof in proven)
    known = tools.mailboxes.knows
    return operation_id(tools.operation_key, visit.client, principal, ROUTE, key, known)


def _identity_row(tools: Tools, proof: Proof, member_id: str, trace: Trace) -> Found | None:
    """The identity's row, if it is there and free, or ours from an earlier try; None if there is
    none, or the CRM can't be asked now: the change set finds it then, since the row's id is the
    address's own. Raises Problem("conflict") where another member has it, unless whoever proved
    the address has failed to claim that record."""
    try:
        found = identities.row_of(tools.crm, proof.identity_id, trace)
    except Unavailable:
        return None
    if identities.holder_of(found) in (None, member_id) or claims.given_up(tools, proof):
        return found
    raise Problem("conflict", [FieldError("/proof", "has-a-member")])


def _fingerprint(tools: Tools, proven: Sequence[Proof], form: Form, visit: Visit) -> str:
    """What the same request has in common: a keyed hash, since it covers a password."""
    parts = {
        "proofs": sorted(proof.identity_id for proof in proven),
        "profile": form.profile,
        "password": form.password,
        "consents": [vars(answer) for answer in form.consents],
        "scene": visit.scene.codes if visit.scene else "",
    }
    text = json.dumps(parts, sort_keys=True, default=str)
    return tools.names.of("fingerprint", text)


@dataclass(frozen=True)
class _Plan:
    """What the one write is to make. `proven`: each proof with its identity's free row, if any.
    `left`: the record whose number goes to the new one."""

    tools: Tools
    op: str
    member_id: str
    proven: tuple[tuple[Proof, Found | None], ...]
    form: Form
    visit: Visit
    left: Found | None = None

    def write(self) -> Write:
        now = int(self.tools.clock())
        at = datetime.fromtimestamp(now, UTC)
        key, answers = self.tools.record_key, self.form.consents
        keys = self.tools.identity_keys
        ids = [record_id(key, self.op, "consent", n) for n in range(len(answers))]
        operations = (
            Operation("create", "member", self.member_id, self._member(at)),
            *(proofs.binding(keys, p, row, self.member_id, at) for p, row in self.proven),
            *consents.rows(self.member_id, answers, ids, self.visit.channel, at),
            *claims.marked(self.tools, self.left, self.op),
        )
        return Write(
            verb="create",
            operations=operations,
            op=self.op,
            accepted_at=now,
            start_by=now + START_WITHIN,
            trace=self.visit.trace.traceparent,
        )

    def _member(self, at: datetime) -> dict[str, Any]:
        first_counts = reversed(self.proven)
        by_kind = {proof.kind: proof.value for proof, _ in first_counts}
        password = self.form.password
        hashed = (
            self.tools.passwords.hash_for(self.member_id, password)
            if password is not None
            else None
        )
        ours = {
            "subject": record_id(self.tools.record_key, self.op, "subject"),
            "stamp": secrets.token_urlsafe(24),
            "mobile": by_kind.get("mobile"),
            "email": by_kind.get("email"),
            "credential": hashed,
            "member_since": at,
            **self._origin(),
        }
        held = self.tools.mapping.kinds["member"].fields
        record = {name: value for name, value in ours.items() if value is not None}
        return {n: value for n, value in record.items() if n in held} | dict(self.form.profile)

    def _origin(self) -> dict[str, Any]:
        scene, channel = self.visit.scene, self.visit.channel
        if scene is None:
            return {"registered_channel": channel[:50]}
        return {
            "registered_channel": (scene.channel or channel)[:50],
            "registered_store": scene.store,
            "registered_scene": scene.codes,
            "last_store": scene.store,
            "last_scene": scene.codes,
        }
