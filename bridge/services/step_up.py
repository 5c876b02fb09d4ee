"""What may be done only soon after a sign-in (RFC 9470): password, addresses, identities, erasing.

Not for: signing in, or asking for it (the authorize endpoint honours `max_age` and `acr_values`).
"""

from typing import Any

from bridge.errors import Problem
from bridge.services.sign_in import ACRS, level
from bridge.store.grants import Caller


def required(caller: Caller, now: float, oauth: Any) -> None:
    """`oauth`: the settings, for how recent (`step_up_seconds`) and how strong (`step_up_acr`).
    Raises Problem("step-up") with what an authorize request must ask for."""
    recent = now - caller.auth_time <= oauth.step_up_seconds
    if recent and level(caller.acr) >= level(oauth.step_up_acr):
        return
    asked: dict[str, Any] = {"max_age": oauth.step_up_seconds}
    if oauth.step_up_acr != ACRS[0]:
        asked["acr_values"] = oauth.step_up_acr
    raise Problem("step-up", extensions=asked)
