"""What a member does with their account, on the whole line: Redis, worker, web, CRM."""

import secrets
import time
from typing import Any

import pytest
import requests

from bridge.cli.journey import StepFailed, bearer
from bridge.cli.line import Line
from bridge.privacy import Canary
from tests.flows.on_the_line.conftest import Watch, forget_codes, new_member
from tests.flows.on_the_line.crm import Crm
from tests.flows.on_the_line.test_member_api import Someone

pytestmark = pytest.mark.every_crm
NEW = "lantern-tide-94"


@pytest.fixture
def member(line: Line, watch: Watch, crm: Crm) -> Someone:
    """A person who became a member through a back end, and is signed in."""
    return Someone(line, watch).join()


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
    forget_codes(member.line)
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


def proven(member: Someone, address: str, channel: str = "sms") -> str:
    """A proof of another address, by a code that came to it."""
    sent, ask = time.time(), {"channel": channel, "address": address}
    made = member.api("POST", "/v1/me/codes", json=ask).json()
    code = member.code(address, sent)
    path = f"/v1/me/codes/{made['challenge_id']}/verify"
    return str(member.api("POST", path, json={"code": code}).json()["proof"])


def test_another_mobile_in_one_change(member: Someone, watch: Watch, crm: Crm) -> None:
    """The new number signs in, the old one doesn't, and the contact shows the new one."""
    old, new = member.member.mobile, new_member().mobile
    watch.canaries.append(Canary("mobile", new))
    body = {"proof": proven(member, new)}
    assert member.api("PUT", "/v1/me/mobile", json=body).status_code == 204
    assert member.api("GET", "/v1/me").status_code == 401
    with pytest.raises(StepFailed):
        member.sign_in()
    member.member.mobile = new
    member.sign_in()
    assert member.read().json()["mobile"] == new
    shown = member.api("GET", "/v1/me/identities").json()["identities"]
    assert [(each["kind"], each["value"]) for each in shown] == [("mobile", new)]
    assert crm.members(old) == []


def test_a_card_is_linked_and_unlinked(member: Someone, watch: Watch) -> None:
    """The till vouches for the card that it read; the member links it, lets it go, and links it
    again: what was given up is free."""
    card = f"SH{secrets.randbelow(10**12):012}"
    watch.canaries.append(Canary("card", card))

    def link() -> requests.Response:
        vouching = bearer(member.client_token("store-backend", "identities:vouch"))
        url, body = f"{member.line.url}/v1/proofs", {"kind": "card", "value": card}
        proof = member.http.post(url, json=body, headers=vouching, timeout=20).json()["proof"]
        return member.api("POST", "/v1/me/identities", json={"proof": proof})

    linked = link()
    assert linked.status_code == 204, linked.text
    shown = member.api("GET", "/v1/me/identities").json()["identities"]
    (id,) = [each["id"] for each in shown if each["kind"] == "card"]
    assert member.api("DELETE", f"/v1/me/identities/{id}").status_code == 204
    assert member.api("GET", "/v1/me").status_code == 401
    member.sign_in()
    shown = member.api("GET", "/v1/me/identities").json()["identities"]
    assert [each["kind"] for each in shown] == ["mobile"]
    assert link().status_code == 204
