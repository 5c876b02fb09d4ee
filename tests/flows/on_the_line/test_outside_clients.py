"""The whole line used by clients that nobody here wrote, with what the demo's STATE file tells.

Not for: our own view of the same endpoints (`test_oauth.py`), or Node's clients (`tests/judges`).
"""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msal
import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client.errors import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from joserfc import jwt
from joserfc.jwk import KeySet
from wechatpy import parse_message
from wechatpy.crypto import WeChatCrypto

from bridge.cli.journey import REDIRECT, SCOPE, Journey
from bridge.cli.line import ROOT, Line
from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from bridge.services import clients
from tests.flows.on_the_line.conftest import Watch, journey_of

AT_ONCE = 24

CLIENTS = clients.load(ROOT / "config/clients.sandbox.yaml")


@pytest.fixture(autouse=True)
def _plain_http(monkeypatch: pytest.MonkeyPatch) -> None:
    """Authlib's client refuses http; on loopback its own switch allows it."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")


def session_of(line: Line) -> OAuth2Session:
    """Authlib's client as the public client `portal`."""
    made = OAuth2Session(
        "portal",
        scope=SCOPE,
        redirect_uri=REDIRECT,
        code_challenge_method="S256",
        token_endpoint_auth_method="none",
        token_endpoint=f"{line.url}/oauth/token",
        revocation_endpoint_auth_method="none",
    )
    made.trust_env = False
    return made


def sent_back(member: Journey, session: OAuth2Session, **more: str) -> tuple[str, str, str]:
    """(where the browser was sent back to, state, verifier) after the hosted sign-in."""
    verifier = generate_token(64)
    url, state = session.create_authorization_url(
        f"{member.line.url}/oauth/authorize", code_verifier=verifier, **more
    )
    browser = member.desktop()
    browser.get(url)
    back = browser.submit(
        identifier=member.member.mobile, password=member.member.password, stop_at=REDIRECT
    )
    return back.headers["Location"], state, verifier


def test_authlibs_client_from_authorize_to_revocation(member: Journey) -> None:
    """Code, PKCE, state, id_token by joserfc, the API, rotation, revocation: all by its calls."""
    line, session = member.line, session_of(member.line)
    nonce = secrets.token_urlsafe(8)
    back, state, verifier = sent_back(member, session, nonce=nonce)
    token = session.fetch_token(authorization_response=back, state=state, code_verifier=verifier)
    keys = KeySet.import_key_set(session.get(f"{line.url}/oauth/jwks").json())
    claims = jwt.decode(token["id_token"], keys, algorithms=["ES256"]).claims
    now = int(time.time())
    jwt.JWTClaimsRegistry(
        now,
        iss={"essential": True, "value": line.url},
        aud={"essential": True, "value": "portal"},
        exp={"essential": True},
        nonce={"essential": True, "value": nonce},
    ).validate(claims)
    info = session.get(f"{line.url}/oauth/userinfo").json()
    assert info["sub"] == claims["sub"]
    assert session.get(f"{line.url}/v1/me").json()["given_name"] == member.member.given_name
    renewed = session.refresh_token(f"{line.url}/oauth/token")
    assert renewed["refresh_token"] != token["refresh_token"]
    assert session.revoke_token(f"{line.url}/oauth/revoke", renewed["refresh_token"]).ok
    with pytest.raises(OAuthError) as refused:
        session.refresh_token(f"{line.url}/oauth/token", renewed["refresh_token"])
    assert refused.value.error == "invalid_grant"


def test_authlibs_client_as_a_back_end_and_as_a_resource_server(member: Journey) -> None:
    """client_credentials and introspection, by either way of authentication."""
    url = f"{member.line.url}/oauth"
    for method in ("client_secret_basic", "client_secret_post"):
        back_end, server = (
            OAuth2Session(name, SANDBOX_CLIENT_SECRETS[name], token_endpoint_auth_method=method)
            for name in ("store-backend", "cms")
        )
        for each in (back_end, server):
            each.trust_env = False
        token = back_end.fetch_token(f"{url}/token", grant_type="client_credentials")
        assert set(token["scope"].split()) == CLIENTS.get("store-backend").scopes
        seen = server.introspect_token(f"{url}/introspect", member.tokens["access_token"]).json()
        assert (seen["active"], seen["client_id"]) == (True, "portal")
        own = server.introspect_token(f"{url}/introspect", token["access_token"]).json()
        assert own == {"active": False}, "it doesn't name the CMS"


def test_one_code_is_worth_one_grant_however_often_it_is_sent(member: Journey) -> None:
    """24 redemptions at once: one answer with tokens, and those die, for the code was replayed."""
    line = member.line
    back, _, verifier = sent_back(member, session_of(line))
    code = parse_qs(urlsplit(back).query)["code"][0]
    form = {"grant_type": "authorization_code", "client_id": "portal", "code": code}
    form |= {"redirect_uri": REDIRECT, "code_verifier": verifier}
    answers = _at_once(lambda _: requests.post(f"{line.url}/oauth/token", form, timeout=20))
    given = [answer.json() for answer in answers if answer.status_code == 200]
    assert len(given) == 1
    headers = {"Authorization": f"Bearer {given[0]['access_token']}"}
    assert requests.get(f"{line.url}/v1/me", headers=headers, timeout=20).status_code == 401


def test_one_refresh_token_has_one_successor_however_often_it_is_sent(member: Journey) -> None:
    """24 refreshes at once, within the leeway that `portal` has: the same successor for all."""
    url, old = f"{member.line.url}/oauth/token", member.tokens["refresh_token"]
    form = {"grant_type": "refresh_token", "client_id": "portal", "refresh_token": old}
    answers = _at_once(lambda _: requests.post(url, form, timeout=20))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_one_proof_makes_one_member_however_often_it_is_sent(line: Line, watch: Watch) -> None:
    """24 registrations at once with one ticket, each under a key of its own: one contact, one
    identity in the CRM, one 201."""
    journey = journey_of(line, watch)
    made = journey.member
    token = journey.client_token("store-backend", "registrations:write")
    headers = {"Authorization": f"Bearer {token}"}

    def post(path: str, body: dict[str, Any], **more: str) -> requests.Response:
        return requests.post(f"{line.url}{path}", json=body, headers=headers | more, timeout=20)

    asked = {"channel": "sms", "address": made.mobile, "purpose": "registration"}
    started = post("/v1/otp", asked).json()
    code = journey.code(made.mobile, 0)
    proof = post(f"/v1/otp/{started['challenge_id']}/verify", {"code": code}).json()["proof"]
    consent = {"purpose": "membership", "granted": True, "text_version": "2026-11"}
    body = {
        "proof": proof,
        "given_name": made.given_name,
        "family_name": "Li",
        "consents": [consent],
    }
    answers = _at_once(
        lambda n: post("/v1/registrations", body, **{"Idempotency-Key": f"try-{n:016d}"})
    )
    refused = [answer for answer in answers if answer.status_code != 201]
    assert len(refused) == AT_ONCE - 1
    assert {answer.status_code for answer in refused} <= {409, 422}  # too late, or while it ran
    rows = journey.crm_rows()
    assert len([r for r in rows["contacts"] if r.get("mobilephone") == made.mobile]) == 1
    assert len([r for r in rows["cb_identities"] if r.get("cb_value") == made.mobile]) == 1


def test_msal_and_the_told_credentials_see_the_member_in_the_crm(member: Journey) -> None:
    """What STATE says of the CRM suffices for a client of one's own: each user gets a token, and
    the reader may read what the bridge wrote but not write."""
    crm = member.line.sandbox["dynamics"]
    http, tokens = requests.Session(), {}
    http.trust_env, http.verify = False, crm["ca_file"]
    for user in ("reader", "writer"):
        app = msal.ConfidentialClientApplication(
            crm[user]["client_id"],
            crm[user]["client_secret"],
            authority=crm["authority"],
            instance_discovery=False,
            http_client=http,
        )
        found = app.acquire_token_for_client([f"{crm['url']}/.default"])
        tokens[user] = {"Authorization": f"Bearer {found['access_token']}"}
    url = f"{crm['url']}/api/data/v9.2/contacts"
    rows = http.get(f"{url}?$select=firstname", headers=tokens["reader"], timeout=10).json()
    assert member.member.given_name in [row["firstname"] for row in rows["value"]]
    for user, status in (("reader", 403), ("writer", 204)):
        answer = http.post(url, json={}, headers=tokens[user], timeout=10)
        assert answer.status_code == status
    gone = http.delete(answer.headers["OData-EntityId"], headers=tokens["writer"], timeout=10)
    assert gone.status_code == 204


def test_wechatpy_writes_a_push_that_is_heard_and_reads_the_answer(journey: Journey) -> None:
    """Its encryption is ours: a subscribe that wechatpy wrapped is answered with a reply that
    wechatpy opens; with a byte changed it is refused."""
    wechat, now = journey.wechat, str(int(time.time()))
    made = journey.make_code()
    crypto = WeChatCrypto(wechat["token"], wechat["aes_key"], wechat["appid"])
    plain = (
        f"<xml><ToUserName><![CDATA[{wechat['original_id']}]]></ToUserName>"
        f"<FromUserName><![CDATA[{journey.follower['openid']}]]></FromUserName>"
        f"<CreateTime>{now}</CreateTime><MsgType><![CDATA[event]]></MsgType>"
        f"<Event><![CDATA[subscribe]]></Event>"
        f"<EventKey><![CDATA[qrscene_{made['scene']}]]></EventKey>"
        f"<Ticket><![CDATA[{made['ticket']}]]></Ticket></xml>"
    )
    nonce = secrets.token_hex(5)
    wrapped = crypto.encrypt_message(plain, nonce, now)
    signature = wrapped.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    query = {"encrypt_type": "aes", "msg_signature": signature, "timestamp": now, "nonce": nonce}
    url = f"{journey.line.url}/wechat/callback"

    def push(body: str) -> requests.Response:
        return requests.post(url, body.encode(), params=query, timeout=10)

    answer = push(wrapped)
    assert answer.status_code == 200
    signed = answer.text.partition("<MsgSignature><![CDATA[")[2].partition("]]>")[0]
    at = answer.text.partition("<TimeStamp>")[2].partition("<")[0]
    told = answer.text.partition("<Nonce><![CDATA[")[2].partition("]]>")[0]
    reply = parse_message(crypto.decrypt_message(answer.text, signed, at, told))
    assert reply.target == journey.follower["openid"]
    assert "/register?s=" in str(reply._data)
    middle = len(wrapped) // 2
    other = "A" if wrapped[middle] != "A" else "B"
    assert push(wrapped[:middle] + other + wrapped[middle + 1 :]).status_code == 403


def _at_once(call: Any) -> list[requests.Response]:
    with ThreadPoolExecutor(AT_ONCE) as pool:
        return list(pool.map(call, range(AT_ONCE)))
