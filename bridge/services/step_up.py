"""What may be done only soon after a sign-in (RFC 9470): password, addresses, identities, erasing.

Not for: signing in, or asking for it (the authorize endpoint honours `max_age` and `acr_values`).
"""

from bridge.errors import Problem
from bridge.store.grants import Caller


def recent(caller: Caller, now: float, seconds: int) -> bool:
    """Has the member signed in within `seconds`?"""
    return now - caller.auth_time <= seconds


def required(caller: Caller, now: float, seconds: int) -> None:
    """Raises Problem("step-up") with what an authorize request must ask for."""
    if not recent(caller, now, seconds):
        raise Problem("step-up", extensions={"max_age": seconds})
