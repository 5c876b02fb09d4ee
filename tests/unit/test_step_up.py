"""How strong a sign-in is, and what a request may ask for (RFC 9470, OpenID Connect Core)."""

from dataclasses import replace

import pytest

from bridge.services.sign_in import asked_level, joined, missing
from bridge.store.sessions import SignedIn

PASSWORD = SignedIn("member-1", "s", 1000, ("pwd",), "aal1", "stamp", 1)
CODE = replace(PASSWORD, auth_time=1100, amr=("otp", "sms"))


def test_password_and_code_are_two_factors_in_either_order() -> None:
    """Both methods are told, and `mfa` (RFC 8176)."""
    for first, second in ((PASSWORD, CODE), (CODE, replace(PASSWORD, auth_time=1200))):
        both = joined(first, second)
        assert (both.acr, both.amr) == ("aal2", ("otp", "pwd", "sms", "mfa"))
        assert both.auth_time == second.auth_time


@pytest.mark.parametrize(
    "before",
    [
        None,
        replace(PASSWORD, member_id="member-2"),
        replace(PASSWORD, epoch=0),
        replace(PASSWORD, stamp="older"),
        replace(PASSWORD, auth_time=499),
        replace(CODE, auth_time=1000),
        replace(PASSWORD, amr=("fed",)),
    ],
)
def test_anything_else_is_one_factor(before: SignedIn | None) -> None:
    """Somebody else's, one before a sign-out everywhere, an old one, or the same method twice."""
    assert joined(before, CODE) == CODE


def test_two_factors_do_not_keep_themselves_alive() -> None:
    """The password of an hour ago doesn't make each new code two factors."""
    both = joined(PASSWORD, CODE)
    assert joined(both, replace(CODE, auth_time=both.auth_time + 10)).acr == "aal1"


@pytest.mark.parametrize(
    ("values", "wanted"),
    [("", 0), ("aal1", 1), ("aal2", 2), ("aal2 aal1", 1), ("urn:other", 0), ("urn:other aal2", 2)],
)
def test_any_of_the_named_levels_will_do(values: str, wanted: int) -> None:
    """The weakest one named is enough; an unknown one is no demand."""
    assert asked_level(values) == wanted


@pytest.mark.parametrize(
    ("who", "values", "factor"),
    [
        (None, "aal2", ""),
        (PASSWORD, "", ""),
        (PASSWORD, "aal1", ""),
        (PASSWORD, "aal2", "otp"),
        (CODE, "aal2", "pwd"),
        (joined(PASSWORD, CODE), "aal2", ""),
    ],
)
def test_what_is_missing(who: SignedIn | None, values: str, factor: str) -> None:
    """The other factor than the one that was used."""
    assert missing(who, values) == factor
