"""Proof tickets: "whoever holds this has just shown that the address is theirs".

Not for: how it was shown (`codes.py`, or WeChat's web OAuth). A ticket is sealed, good for ten
minutes, for one purpose, for the client or visit that it was made for, and for one operation: it
is bound at first use (`Challenges.bind`, after everything else was validated), and only the same
operation may present it again.
"""

import json
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from adapters.base import Found, Operation
from bridge.errors import FieldError, Problem
from bridge.seal import Keyring, SealBroken
from bridge.services.identities import IdentityKeys
from bridge.store import links
from bridge.store.challenges import LONGEST_SECONDS, TICKET_SECONDS, Challenges
from bridge.store.links import Links

LIFE_SECONDS = 600
Purpose = Literal["registration", "sign-in", "reset", "change", "link", "step-up"]


class Needs(Protocol):
    """The parts that proofs are made of."""

    @property
    def keyring(self) -> Keyring: ...
    @property
    def identity_keys(self) -> IdentityKeys: ...
    @property
    def challenges(self) -> Challenges: ...
    @property
    def clock(self) -> Callable[[], float]: ...


@dataclass(frozen=True)
class Proof:
    """A proven address. `value` in normal form; `identity_id` is its keyed hash. `at`: when it was
    proven, epoch seconds. `kept`: seconds for which its use has to be remembered."""

    kind: str
    value: str = field(repr=False)
    identity_id: str
    ticket_id: str
    at: int
    kept: int = TICKET_SECONDS


def issue(parts: Needs, kind: str, value: str, purpose: Purpose, binding: str) -> str:
    """A ticket for an address (in normal form) that was just proven by this client or visit."""
    plain = {
        "id": secrets.token_urlsafe(16),
        "kind": kind,
        "value": value,
        "at": int(parts.clock()),
    }
    return parts.keyring.seal(f"ticket.{purpose}", binding, json.dumps(plain).encode())


def open_ticket(
    parts: Needs, ticket: str, purpose: Purpose, binding: str, pointer: str = "/proof"
) -> Proof:
    """What a ticket proves. Raises Problem("proof-invalid") at `pointer` for one that is forged,
    too old, for something else or somebody else's."""
    try:
        plain = json.loads(parts.keyring.open(f"ticket.{purpose}", binding, ticket))
    except SealBroken:
        raise _refused(pointer) from None
    if parts.clock() - plain["at"] > LIFE_SECONDS:
        raise _refused(pointer)
    identity_id = parts.identity_keys.id(plain["kind"], plain["value"])
    return Proof(plain["kind"], plain["value"], identity_id, plain["id"], plain["at"])


class LinkNeeds(Needs, Protocol):
    """The parts that a proof by a link is made of."""

    @property
    def links(self) -> Links: ...


def open_link(
    parts: LinkNeeds, token: str, purpose: Purpose, binding: str, pointer: str = "/token"
) -> Proof:
    """What the holder of a link's token has proven. Raises Problem("proof-invalid") at `pointer`
    for one that is unknown, too old, for something else or somebody else's."""
    about = parts.links.look(token)
    if about is None or about.purpose != purpose or about.binding != binding:
        raise _refused(pointer)
    identity_id = parts.identity_keys.id(about.kind, about.value)
    now, name = int(parts.clock()), links.use_name(token)
    return Proof(about.kind, about.value, identity_id, name, now, LONGEST_SECONDS)


def use(parts: Needs, proof: Proof, op: str, pointer: str = "/proof") -> None:
    """The proof's one use, by `op`, after everything else was validated. Raises Problem
    ("proof-invalid") where another operation was faster."""
    if not parts.challenges.bind(proof.ticket_id, op, proof.kept):
        raise Problem("proof-invalid", [FieldError(pointer, "used")])


def binding(
    keys: IdentityKeys, proof: Proof, row: Found | None, member_id: str, at: datetime
) -> Operation:
    """The change that makes a proven address sign a member in. `row`: its row, free or the
    member's own; None where there is none."""
    record = {
        "kind": proof.kind,
        "value": proof.value,
        "member": member_id,
        "member_text": member_id,
        "mac": keys.mac(proof.identity_id, member_id),
        "verified_at": at,
    }
    if row is None:
        return Operation("create", "identity", proof.identity_id, record)
    return Operation("update", "identity", proof.identity_id, record, row.version)


def _refused(pointer: str) -> Problem:
    return Problem("proof-invalid", [FieldError(pointer, "proof-invalid")])


def grant_binding(grant_id: str) -> str:
    """How a ticket names the member's session that it is for."""
    return "grant:" + grant_id


def sector_binding(sector: str) -> str:
    """How a ticket names the group of clients that it is for."""
    return "sector:" + sector


def client_binding(client_id: str) -> str:
    """How a ticket names the client it is for; a browser's visit has `Session.binding`."""
    return "client:" + client_id
