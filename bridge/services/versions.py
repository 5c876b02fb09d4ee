"""A member record's ETag: its CRM version and its last operations, sealed to the member.

Not for: HTTP's syntax of preconditions. AES-SIV is deterministic, so the same state gives the same
tag, which makes it a strong validator (RFC 9110 section 8.8.1); sealed, it tells nothing and can't
be made up. It carries the list of operations so that an edit based on it needs no read first.
"""

import re

from bridge.seal import SealBroken, Siv
from bridge.writes.write import Base

OPERATION = re.compile(r"[A-Za-z0-9_-]{22}")
"""An operation id: 128 bits in base64url."""


def etag(key: Siv, member_id: str, state: Base) -> str:
    """The quoted ETag."""
    plain = "\n".join((state.version, *state.operations))
    return f'"{key.seal(_place(member_id), plain.encode())}"'


def opened(key: Siv, member_id: str, tag: str) -> Base | None:
    """What an unquoted tag of ours holds; None for anything else, another member's too."""
    try:
        version, *operations = key.open(_place(member_id), tag).decode().split("\n")
    except SealBroken:
        return None
    return Base(version, tuple(operations))


def pending(op: str) -> str:
    """The quoted ETag of a write that isn't done yet: as If-Match it means "on top of that"."""
    return f'"op-{op}"'


def pending_operation(tag: str) -> str | None:
    """The operation that an unquoted tag names, or None."""
    op = tag.removeprefix("op-")
    return op if op != tag and OPERATION.fullmatch(op) else None


def _place(member_id: str) -> str:
    return f"etag/member/{member_id}"
