"""One-time codes: send one to an address, and turn the right answer into a proof ticket.

Not for: what the proof is then good for. The answer to a start is the same whoever the address
belongs to, if anybody. The message goes sealed through the mailbox to the worker, with the code's
end as its `start_by`: a late one is dropped, not sent. Codes and addresses are never logged.
"""

import secrets
from dataclasses import dataclass
from typing import Any, Protocol

from adapters.base import Trace
from bridge.errors import FieldError, Problem
from bridge.services import messages, proofs
from bridge.services.identities import NotNormal, normalise
from bridge.services.messages import CHANNELS, Message
from bridge.services.proofs import Purpose
from bridge.store.challenges import LIFE_SECONDS, About
from bridge.store.limits import Limits, network


class Needs(proofs.Needs, messages.Needs, Protocol):
    """The parts that codes are made of."""

    @property
    def limits(self) -> Limits: ...


@dataclass(frozen=True)
class Asker:
    """Who asks for a code. `client`: for the limits; `binding`: the client or visit that alone may
    answer (`proofs.client_binding`, `Session.binding`); `address`: the remote IP address."""

    client: str
    binding: str
    address: str
    language: str
    trace: Trace


def start(parts: Needs, kind: str, value: str, purpose: Purpose, asker: Asker) -> str:
    """Send a code; gives the id of the challenge. Within a minute the same asker gets the same id
    and no second message.

    Raises Problem: `validation` (not an address), `too-many`, and what `Mailboxes.accept` raises;
    StoreDown.
    """
    normal = reachable(parts, kind, value)
    parts.limits.hit("codes_per_network", network(asker.address))
    parts.limits.hit("codes_per_client", asker.client)
    about = About(kind, normal, purpose, asker.binding)
    code = f"{secrets.randbelow(10**6):06}"
    started = parts.challenges.start(code, about)
    if started.state == "wait":
        raise Problem("too-many", retry_after=started.wait)
    if started.state == "new":
        try:
            _send(parts, about, code, asker)
        except BaseException:
            parts.challenges.cancel(started.id, about)
            raise
    return started.id


def reachable(parts: Needs, kind: str, value: str) -> str:
    """The normal form of an address that a message can reach. Raises Problem("validation")."""
    if kind not in CHANNELS:
        raise Problem("validation", [FieldError("/kind", "not-an-option")])
    try:
        return normalise(kind, value, parts.settings.region)
    except NotNormal:
        raise Problem("validation", [FieldError("/value", "not-an-address")]) from None


def verify(parts: Needs, challenge: str, code: str, binding: str) -> str:
    """The proof ticket for the right code; the same ticket again for a minute. Raises
    Problem("code-wrong") for anything else, whatever it is; StoreDown."""
    found = parts.challenges.attempt(challenge, code, binding)
    if isinstance(found, About):
        ticket = proofs.issue(parts, found.kind, found.value, _purpose(found), binding)
        found = parts.challenges.keep_ticket(challenge, ticket)
    if found is None:
        raise Problem("code-wrong", [FieldError("/code", "code-wrong")])
    return found


def _purpose(about: About) -> Purpose:
    purpose: Any = about.purpose
    checked: Purpose = purpose
    return checked


def _send(parts: Needs, about: About, code: str, asker: Asker) -> None:
    parts.limits.hit("codes_per_address", about.kind, about.value)
    parts.limits.hit("messages_per_day")
    values = {"code": code, "minutes": LIFE_SECONDS // 60}
    message = Message("code", about.kind, about.value, asker.language, LIFE_SECONDS, values=values)
    messages.send(parts, message, asker.trace)
