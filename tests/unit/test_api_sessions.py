"""Where a member is signed in, signing out there, and clients that are told."""

from types import SimpleNamespace
from typing import Any

import pytest
from joserfc import jwt

from bridge import parts
from bridge.errors import Problem
from bridge.services import agents
from bridge.services.clients import Client, Clients
from tests.unit.api_harness import ID_TOKEN_KEY, ISSUER, Api

TOLD = "https://www.example.com/signed-out"
OTHER = "20000000-0000-4000-8000-000000000002"


@pytest.fixture
def api() -> Api:
    """A fresh application; of its clients `site` is told when a session ends."""
    fresh = Api()
    site = Client("site", {"en": "Site"}, public=True, backchannel_logout_uri=TOLD)
    fresh.parts.clients = Clients({"site": site, "app": Client("app", {}, public=True)})
    return fresh


def listed(api: Api, token: str) -> list[dict[str, Any]]:
    """As the member sees them."""
    return list(api.call("GET", "/v1/me/sessions", token).get_json()["sessions"])


def logouts(api: Api) -> list[dict[str, str]]:
    """Logout tokens handed to the worker."""
    sent = [write.notice for write in api.mailboxes.writes if write.notice]
    return [each for each in sent if each["channel"] == "logout"]


def test_the_member_sees_their_own_sessions(api: Api) -> None:
    """Client, device, times, and which one is asking; nobody else's, and no address or agent."""
    member, other = api.member(), api.member(id=OTHER)
    token, _, _ = api.token(member), api.token(member, client_id="app"), api.token(other)
    found = listed(api, token)
    assert [each["client_id"] for each in found] == ["site", "app"]
    assert found[0]["client_name"] == {"en": "Site"}
    assert [each["is_current"] for each in found] == [True, False]
    assert set(found[0]) == {
        "id",
        "client_id",
        "client_name",
        "device",
        "signed_in_at",
        "used_at",
        "is_current",
    }


def test_one_session_is_signed_out_from_another(api: Api) -> None:
    """Its token is dead, the other one lives; the same again is 404."""
    member = api.member()
    token, lost = api.token(member), api.token(member, client_id="app")
    path = f"/v1/me/sessions/g-{lost}"
    assert api.call("DELETE", path, token).status_code == 204
    assert api.call("GET", "/v1/me", lost).status_code == 401
    assert api.call("GET", "/v1/me", token).status_code == 200
    assert api.call("DELETE", path, token).status_code == 404


def test_another_members_session_is_not_there(api: Api) -> None:
    """404, and it goes on."""
    token, theirs = api.token(api.member()), api.token(api.member(id=OTHER))
    assert api.call("DELETE", f"/v1/me/sessions/g-{theirs}", token).status_code == 404
    assert api.call("GET", "/v1/me", theirs).status_code == 200


def test_everywhere_is_this_one_too(api: Api) -> None:
    """All of the member's, none of others'."""
    member = api.member()
    mine, theirs = [api.token(member), api.token(member)], api.token(api.member(id=OTHER))
    assert api.call("DELETE", "/v1/me/sessions", mine[0]).status_code == 204
    assert [api.call("GET", "/v1/me", token).status_code for token in mine] == [401, 401]
    assert api.call("GET", "/v1/me", theirs).status_code == 200


def test_a_client_is_told_by_a_logout_token(api: Api) -> None:
    """OpenID Connect Back-Channel Logout 1.0 section 2.4, checked by joserfc with the published
    key; to the registered address, sealed, for two minutes."""
    member = api.member()
    token = api.token(member, subject="pairwise-1")
    api.call("DELETE", "/v1/me/sessions", token)
    (sent,) = logouts(api)
    assert sent["to"] == TOLD
    decoded = jwt.decode(sent["text"], ID_TOKEN_KEY, algorithms=["ES256"])
    assert decoded.header["typ"] == "logout+jwt"
    claims = decoded.claims
    assert (claims["iss"], claims["aud"], claims["sub"]) == (ISSUER, "site", "pairwise-1")
    assert claims["sid"] == f"g-{token}"
    assert claims["exp"] - claims["iat"] == 120
    assert claims["jti"]
    assert claims["events"] == {"http://schemas.openid.net/event/backchannel-logout": {}}
    assert "nonce" not in claims
    write = api.mailboxes.writes[-1]
    assert write.start_by == write.accepted_at + 120


def test_only_clients_that_asked_are_told(api: Api) -> None:
    """One that registered no address isn't."""
    api.call("DELETE", "/v1/me/sessions", api.token(api.member(), client_id="app"))
    assert logouts(api) == []


def test_a_session_is_over_whether_or_not_the_client_is_told(api: Api) -> None:
    """A mailbox that takes nothing keeps nobody signed in."""
    token = api.token(api.member())
    api.mailboxes.refuse_with = Problem("mailbox-full")
    assert api.call("DELETE", "/v1/me/sessions", token).status_code == 204
    assert api.call("GET", "/v1/me", token).status_code == 401


def test_a_new_password_and_erasing_tell_too(api: Api) -> None:
    """Whatever ends sessions everywhere tells their clients."""
    body = {"password": "lantern-tide-94"}
    api.call("PUT", "/v1/me/password", api.token(api.member()), json=body)
    assert len(logouts(api)) == 1
    api.call("DELETE", "/v1/me", api.token(api.member(id=OTHER)))
    assert len(logouts(api)) == 2


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Mobile/15E148 MicroMessenger/8.0.50", "wechat"),
        ("Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) Mobile/15E148 Safari/604.1", "tablet"),
        ("Mozilla/5.0 (Linux; Android 14; SM-X710) Chrome/126 Safari/537.36", "tablet"),
        ("Mozilla/5.0 (Linux; Android 14; Pixel 8) Chrome/126 Mobile Safari/537.36", "phone"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 17_5) Mobile/15E148 Safari/604.1", "phone"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Firefox/140", "desktop"),
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) Safari/605.1.15", "desktop"),
        ("curl/8.7", "other"),
        ("", "other"),
    ],
)
def test_a_device_is_one_word(agent: str, device: str) -> None:
    """Enough to know one's own by; nothing that could tell two phones apart."""
    assert agents.coarse(agent) == device
    assert device in agents.AGENTS


@pytest.mark.parametrize(
    ("uri", "environment", "told"),
    [
        (TOLD, "production", False),
        ("https://elsewhere.example.com/out", "production", True),
        ("http://www.example.com/out", "production", True),
        ("https://[broken", "production", True),
        ("", "production", False),
        ("http://127.0.0.1:8765/out", "sandbox", False),
    ],
)
def test_a_client_that_could_never_be_told_is_a_mistake_at_start(
    uri: str, environment: str, told: bool
) -> None:
    """The worker calls hosts of `egress` only, so the operator hears of others before."""
    settings: Any = SimpleNamespace(environment=environment, egress=["www.example.com"])
    known = Clients({"site": Client("site", {}, public=True, backchannel_logout_uri=uri)})
    assert bool(parts._not_let_out(settings, known)) is told
