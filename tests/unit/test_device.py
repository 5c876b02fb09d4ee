"""The device grant over HTTP, with real Redis; whoever approves does it at the store."""

import hashlib

import pytest

from bridge.services.subjects import stamp_digest
from bridge.store.devices import Asked
from bridge.store.sessions import SignedIn
from tests.support.oauth_site import MEMBER, SUBJECT, served
from tests.support.tokens import at_once, tokens_server, web

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with (
        tokens_server(tmp_path_factory.mktemp("tokens") / "t") as server,
        served(web(server)) as running,
    ):
        running.add_member()
        running.redis = web(server)
        yield running


def start(site, client="desk", **form):
    """A device asks."""
    return site.post("device_authorization", client, form)


def poll(site, begun, client="desk"):
    """The device asks for its tokens."""
    form = {"grant_type": GRANT, "device_code": begun["device_code"]}
    return site.post("token", client, form)


def error(answer):
    """Of a 400."""
    assert answer.status_code == 400, answer.text
    return answer.json()["error"]


def who(site):
    """Somebody who is signed in on a phone."""
    epoch = site.parts.grants.epoch(MEMBER)
    stamp = stamp_digest(site.parts.names, "stamp-1")
    return SignedIn(MEMBER, SUBJECT, int(site.clock()), ("pwd",), "aal1", stamp, epoch)


def approve(site, begun):
    """Somebody says yes on a phone."""
    devices = site.parts.devices
    waiting = devices.find(begun["user_code"])
    return devices.approve(begun["user_code"], waiting, who(site))


def test_a_device_is_told_what_to_show(site):
    """RFC 8628 section 3.2, for two minutes; the code has no vowels."""
    answer = start(site, scope="openid member:read")
    told = answer.json()
    page = site.issuer + "/device"
    assert (told["expires_in"], told["interval"]) == (120, 5)
    assert told["verification_uri"] == page
    assert told["verification_uri_complete"] == f"{page}?code={told['user_code']}"
    assert len(told["user_code"]) == 9 and not set("AEIOU01") & set(told["user_code"])
    assert answer.headers["Cache-Control"] == "no-store"


def test_an_approved_device_gets_tokens(site):
    """Pending until then; afterwards an id_token, a refresh token, and the member's `sub`."""
    begun = start(site, scope="openid member:read").json()
    assert error(poll(site, begun)) == "authorization_pending"
    assert approve(site, begun)
    token = poll(site, begun).json()
    assert set(token["scope"].split()) == {"openid", "member:read"}
    assert site.userinfo(token["access_token"]).json()["sub"]
    assert token["id_token"] and site.refresh(token["refresh_token"], "desk").ok
    assert error(poll(site, begun)) == "invalid_grant"


def test_asking_too_often_is_slowed_down(site):
    """Each time by five seconds more; a yes is told all the same."""
    begun = start(site).json()
    told = [error(poll(site, begun)) for _ in range(3)]
    assert told == ["authorization_pending", "slow_down", "slow_down"]
    assert site.redis.do("HGET", device_key(begun), "int") == "15"
    approve(site, begun)
    assert poll(site, begun).ok


def device_key(begun):
    """Where it rests."""
    return "dev:" + hashlib.sha256(begun["device_code"].encode()).hexdigest()


def test_a_no_is_told_once(site):
    """Then the code is gone."""
    begun = start(site).json()
    devices = site.parts.devices
    assert devices.deny(begun["user_code"], devices.find(begun["user_code"]))
    assert error(poll(site, begun)) == "access_denied"
    assert error(poll(site, begun)) == "invalid_grant"


def test_an_old_code_is_over(site):
    """After two minutes nobody can approve it, and the device is told so."""
    begun = start(site).json()
    site.redis.do("HSET", device_key(begun), "exp", 1)
    assert error(poll(site, begun)) == "expired_token"
    approve(site, begun)
    assert error(poll(site, begun)) == "expired_token"


def test_a_hundred_polls_of_one_approved_code_give_one_success(site):
    """The one step that consumes it is Redis's."""
    begun = start(site, scope="openid").json()
    approve(site, begun)
    answers = at_once(100, lambda: poll(site, begun))
    won = [answer for answer in answers if answer.ok]
    assert len(won) == 1
    assert {error(answer) for answer in answers if not answer.ok} == {"invalid_grant"}
    assert site.userinfo(won[0].json()["access_token"]).ok


def test_a_code_is_answered_once(site):
    """Whoever comes second, with yes or no, changes nothing."""
    begun = start(site).json()
    devices = site.parts.devices
    waiting = devices.find(begun["user_code"])
    assert approve(site, begun)
    assert devices.find(begun["user_code"]) is None
    assert not devices.deny(begun["user_code"], waiting)
    assert poll(site, begun).ok


def test_a_typed_code_is_read_kindly(site):
    """Small letters, spaces, no dash."""
    begun = start(site).json()
    typed = " " + begun["user_code"].lower().replace("-", " ")
    assert site.parts.devices.find(typed).asked.client_id == "desk"
    assert site.parts.devices.find("BCDF-GHJK") is None


def test_another_client_has_nothing_of_it(site):
    """Nor does its try use the code up."""
    begun = start(site).json()
    approve(site, begun)
    form = {"grant_type": GRANT, "device_code": begun["device_code"]}
    stranger = site.post("token", "app", form)
    assert error(stranger) == "unauthorized_client"
    assert poll(site, begun).ok


def test_only_listed_clients_may_ask(site):
    """At the device endpoint already."""
    assert error(start(site, "portal", scope="openid")) == "unauthorized_client"
    assert start(site, "nobody", scope="openid").status_code in (400, 401)


@pytest.mark.parametrize("scope", ["member:write", "openid member:write", "qr:write", "boo"])
def test_a_device_gets_no_scope_that_writes(site, scope):
    """RFC 10027: nor by leaving the scope out."""
    assert error(start(site, scope=scope)) == "invalid_scope"
    begun = start(site).json()
    approve(site, begun)
    assert "member:write" not in poll(site, begun).json()["scope"]


def test_an_approval_can_be_neither_made_nor_moved_in_redis(site):
    """What was approved for one device opens for no other; a bare word is no approval."""
    mine, theirs = start(site).json(), start(site).json()
    approve(site, theirs)
    sealed = site.redis.do("HGET", device_key(theirs), "auth")
    site.redis.do("HSET", device_key(mine), "st", "approved", "auth", sealed)
    assert error(poll(site, mine)) == "invalid_grant"
    assert MEMBER not in sealed and SUBJECT not in sealed


def test_signing_out_everywhere_stops_an_approved_device(site):
    """Between the yes and the poll."""
    begun = start(site).json()
    approve(site, begun)
    site.parts.grants.revoke_member(MEMBER)
    assert error(poll(site, begun)) == "access_denied"


def test_what_waits_names_no_browser(site):
    """System and browser in two words, the network as a range."""
    agent = (
        "Mozilla/5.0 (Windows NT 10.0; Win64) AppleWebKit/537 Chrome/140.0 Safari/537 x@y.example"
    )
    begun = site.post("device_authorization", "desk", {}, headers={"User-Agent": agent}).json()
    asked: Asked = site.parts.devices.find(begun["user_code"]).asked
    assert (asked.agent, asked.network) == ("Windows Chrome", "127.0.0.0/24")
