"""A signed-in member's own record: read it, change it, erase it.

Not for: registration, signing in, or HTTP. Every read also asks for what tells whether the session
still stands (GUARDS), and every record that leaves passes `belongs`.
"""

import hmac
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from adapters.base import Found, Operation, Trace
from adapters.errors import NotFound
from bridge import log, security
from bridge.seal import Pseudonyms
from bridge.services.identities import Reader
from bridge.services.subjects import stamp_digest
from bridge.writes.write import Base, operations_of

GUARDS = ("stamp", "state", "master", "last_operations")


@dataclass(frozen=True)
class Holder:
    """Whose session it is: the CRM's id, and the digest of the stamp at sign-in."""

    member_id: str = field(repr=False)
    stamp: str = field(repr=False)


class SessionOver(Exception):
    """The member's record no longer carries this session. `reason`: `erased`, `inactive`,
    `merged` (sign in again: that follows the merge) or `stamp` (signed out everywhere)."""

    def __init__(self, reason: Literal["erased", "inactive", "merged", "stamp"]) -> None:
        super().__init__(reason)
        self.reason = reason


class MixUp(Exception):
    """A record that isn't the asking member's was about to leave. It must never happen."""


def read(
    crm: Reader,
    holder: Holder,
    fields: Iterable[str],
    names: Pseudonyms,
    trace: Trace | None = None,
) -> Found:
    """The member's record with `fields` and GUARDS. Raises SessionOver, MixUp, CrmError."""
    try:
        found = crm.get("member", holder.member_id, (*fields, *GUARDS), trace=trace)
    except NotFound:
        raise SessionOver("erased") from None
    belongs(found, holder.member_id)
    _still_stands(found, holder, names)
    return found


def belongs(found: Found, member_id: str) -> Found:
    """The one guard against mix-ups: the record is the asking member's own. Raises MixUp."""
    if found.kind != "member" or found.id != member_id:
        log.event("mix-up", logging.CRITICAL, kind=found.kind)
        security.tell("mix-up", member=member_id)
        raise MixUp
    return found


def _still_stands(found: Found, holder: Holder, names: Pseudonyms) -> None:
    record = found.record
    if record.get("master") is not None:
        raise SessionOver("merged")
    if record.get("state") == "inactive":  # None: a CRM that doesn't hold it
        raise SessionOver("inactive")
    now = stamp_digest(names, record.get("stamp"))
    if not hmac.compare_digest(now.encode(), holder.stamp.encode()):
        raise SessionOver("stamp")


def base_of(found: Found) -> Base:
    """The state that an ETag of this record stands for."""
    return Base(found.version, operations_of(found.record.get("last_operations")))


def erasure(member_id: str) -> tuple[Operation, ...]:
    """The member's removal; the worker finds what hangs on it."""
    return (Operation("erase", "member", member_id),)


def edit(member_id: str, changes: dict[str, Any]) -> tuple[Operation, ...]:
    """One change of the member's own record; absent keys stay, None empties (RFC 7396)."""
    return (Operation("update", "member", member_id, changes),)
