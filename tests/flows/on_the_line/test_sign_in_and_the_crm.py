"""What a sign-in costs the CRM, and what it is told when the CRM is in trouble."""

import pytest
import requests

from bridge.cli.journey import Journey, challenge_of
from tests.flows.on_the_line.crm import Crm

NOBODY = "+8613700000001"
FIRST = {
    "client_id": "app",
    "response_type": "code",
    "scope": "openid member:read",
    "code_challenge": challenge_of("v" * 43),
    "code_challenge_method": "S256",
}


def sign_in(member: Journey, username: str, password: str) -> requests.Response:
    """By password, at the challenge endpoint."""
    form = FIRST | {"username": username, "password": password}
    return member.http.post(f"{member.line.url}/oauth/challenge", data=form, timeout=30)


@pytest.mark.every_crm
def test_a_sign_in_reads_the_crm_once_or_as_often_as_declared(member: Journey, crm: Crm) -> None:
    """Counted at the CRM: one read where one brings the member along, else two; as many for a
    name that nobody has, since time would tell otherwise."""
    start = crm.last()
    right = sign_in(member, member.member.mobile, member.member.password)
    between = crm.last()
    nobody = sign_in(member, NOBODY, member.member.password)

    assert (right.status_code, nobody.status_code) == (200, 400)
    after = crm.requests(between)
    before = [each for each in crm.requests(start) if each["n"] <= between]
    assert len(before) == len(after) == crm.reads_of_a_sign_in


@pytest.mark.every_crm
@pytest.mark.parametrize("right", [True, False])
def test_no_password_is_judged_while_the_crm_is_down(
    member: Journey, crm: Crm, right: bool
) -> None:
    """503 and `temporarily_unavailable` with Retry-After, whether it is right or wrong."""
    password = member.member.password if right else "not-this-one"
    crm.fault("status", times=6, status=503)

    answer = sign_in(member, member.member.mobile, password)

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
