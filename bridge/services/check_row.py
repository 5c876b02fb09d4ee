"""The row by which a process sees that it holds the key that the CRM's identities were made with.

The identity key is for life: under another key every sign-in would find nobody and every
registration would make a second member. Not for: identities of members (`identities.py`).
"""

from typing import Literal

from adapters.base import Adapter, Criterion, Trace
from adapters.errors import Conflict, NotFound, Unavailable, Unsupported
from bridge.services.identities import IdentityKeys, Reader

State = Literal["found", "missing", "forged"]


class OtherKey(Exception):
    """The CRM's identities were made with another identity key."""


def state(crm: Reader, keys: IdentityKeys, trace: Trace | None = None) -> State:
    """`missing`: never written, or under another key, which looks the same to whoever may not
    list. `forged`: a row is there that we didn't write. One read by key. Raises CrmError."""
    row, mac = keys.check_row()
    try:
        found = crm.get("identity", row, ("kind", "mac"), trace=trace)
    except NotFound:
        return "missing"
    return "found" if found.record.get("mac") == mac else "forged"


def require(crm: Reader, keys: IdentityKeys, trace: Trace | None = None) -> None:
    """For a process at its start. Raises OtherKey where the CRM says that the row isn't there or
    isn't ours; CrmError. A CRM that can't be asked now is no reason not to start."""
    try:
        now = state(crm, keys, trace)
    except Unavailable:
        return
    if now != "found":
        raise OtherKey


def write(crm: Adapter, keys: IdentityKeys) -> bool:
    """Write it, once for each CRM; False where it was there. Raises OtherKey where a check row of
    another key is there; CrmError."""
    row, mac = keys.check_row()
    now = state(crm, keys)
    if now == "found":
        return False
    if now == "forged" or _another(crm, row):
        raise OtherKey
    try:
        crm.create("identity", row, {"kind": "check", "mac": mac})
    except Conflict:  # another host was faster
        return False
    return True


def _another(crm: Adapter, row: str) -> bool:
    try:
        page = crm.query("identity", [Criterion("kind", "eq", "check")], ("kind",), limit=2)
    except Unsupported:
        return False
    return any(found.id != row for found in page.rows)
