"""What a member does with their account, on the whole line: Redis, worker, web, Dataverse."""

import time
from typing import Any

import pytest
import redis
import requests

from bridge.cli.journey import StepFailed, bearer
from bridge.cli.line import Line
from tests.flows.on_the_line.conftest import Watch
from tests.flows.on_the_line.crm import Crm
from tests.flows.on_the_line.test_member_api import Someone

NEW = "lantern-tide-94"


@pytest.fixture
def member(line: Line, watch: Watch, crm: Crm) -> Someone:
    """A person who became a member through a back end, and is signed in."""
    return Someone(line, watch).join()


def another_minute(member: Someone) -> None:
    """Codes to one address are a minute apart."""
    assert member.line.redis is not None
    client = redis.Redis.from_url(member.line.redis.url("tokens", "web"))
    for key in client.scan_iter("otp:to:*"):
        client.delete(key)
    client.close()


def resets(member: Someone) -> dict[str, str]:
    """The back end's right to reset."""
    return bearer(member.client_token("store-backend", "resets:write"))


def post(member: Someone, path: str, body: dict[str, Any]) -> requests.Response:
    """By the back end."""
    url = member.line.url + path
    return member.http.post(url, json=body, headers=resets(member), timeout=20)


def test_a_reset_by_sms_ends_every_session(member: Someone) -> None:
    """Code, proof, new password in the CRM: the session before is dead at once, the old password
    signs nobody in, the new one does."""
    another_minute(member)
    sent = time.time()
    started = post(
        member, "/v1/password-resets", {"channel": "sms", "address": member.member.mobile}
    ).json()
    code = member.code(member.member.mobile, sent)
    proof = post(member, f"/v1/otp/{started['challenge_id']}/verify", {"code": code}).json()
    done = post(member, "/v1/password-resets/confirm", {"proof": proof["proof"], "password": NEW})
    assert done.status_code == 204, done.text
    assert member.api("GET", "/v1/me").status_code == 401
    with pytest.raises(StepFailed):
        member.sign_in()
    member.member.password = NEW
    member.sign_in()
    assert member.api("GET", "/v1/me").status_code == 200


def test_a_change_needs_the_password_before(member: Someone) -> None:
    """A wrong one changes nothing; the right one changes it and ends the session."""
    body = {"password": NEW, "current_password": "wrong-wrong-1"}
    assert member.api("PUT", "/v1/me/password", json=body).status_code == 422
    body["current_password"] = member.member.password
    assert member.api("PUT", "/v1/me/password", json=body).status_code == 204
    assert member.api("GET", "/v1/me").status_code == 401
    member.member.password = NEW
    member.sign_in()
