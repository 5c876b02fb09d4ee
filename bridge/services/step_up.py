"""What may be done only soon after a sign-in (RFC 9470): password, addresses, identities, erasing.

Not for: signing in, or asking for it (the authorize endpoint honours `max_age` and `acr_values`).
"""

from dataclasses import replace
from typing import Any, Protocol

from bridge.errors import Problem
from bridge.services.sign_in import ACRS, joined, level
from bridge.store.sessions import SignedIn


class Signed(Protocol):
    """A sign-in, of a client or of the pages. `auth_time`: epoch seconds."""

    @property
    def auth_time(self) -> int: ...
    @property
    def acr(self) -> str: ...


def enough(caller: Signed, now: float, oauth: Any) -> bool:
    """`oauth`: the settings, for how recent (`step_up_seconds`) and how strong (`step_up_acr`)."""
    recent = now - caller.auth_time <= oauth.step_up_seconds
    return recent and level(caller.acr) >= level(oauth.step_up_acr)


def required(caller: Signed, now: float, oauth: Any) -> None:
    """Raises Problem("step-up") with what an authorize request must ask for."""
    if enough(caller, now, oauth):
        return
    asked: dict[str, Any] = {"max_age": oauth.step_up_seconds}
    if oauth.step_up_acr != ACRS[0]:
        asked["acr_values"] = oauth.step_up_acr
    raise Problem("step-up", extensions=asked)


def renewed(who: SignedIn, amr: tuple[str, ...], now: float) -> SignedIn:
    """The same sign-in after one more proof by `amr` (RFC 8176), which may make two factors of it.
    Its stamp and its count of sign-outs stay, so that it ends with whatever ends the first."""
    return joined(who, replace(who, auth_time=int(now), amr=amr, acr=ACRS[0]))
