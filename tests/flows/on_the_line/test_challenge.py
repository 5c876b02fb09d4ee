"""An app that asks for password and code itself, at the challenge endpoint, over the whole line."""

import itertools
import json
import secrets
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from redis import Redis

from bridge.cli.journey import Journey, bearer, challenge_of
from bridge.cli.line import Line
from bridge.store.auth_sessions import MAX_REQUESTS
from tests.support.tokens import at_once

VERIFIER = "v" * 43
FIRST = {
    "response_type": "code",
    "scope": "openid member:read",
    "code_challenge": challenge_of(VERIFIER),
    "code_challenge_method": "S256",
}
_unknown = itertools.count(10_000_000)


def ask(line: Line, client: str = "app", headers: Any = None, **form: str) -> requests.Response:
    """One request to the endpoint."""
    url, data = f"{line.url}/oauth/challenge", {"client_id": client, **form}
    with requests.Session() as http:
        http.trust_env = False
        return http.post(url, data=data, headers=headers, timeout=30)


def begin(line: Line, client: str = "app", **form: str) -> requests.Response:
    """The first request of a flow."""
    return ask(line, client, **{**FIRST, **form})


def refused(answer: requests.Response) -> str:
    """The error of a 400."""
    assert answer.status_code == 400, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return str(answer.json()["error"])


def tokens(line: Line, answer: requests.Response, client: str = "app") -> dict[str, Any]:
    """What the code of a 200 is good for, at the token endpoint, without a redirect URI."""
    assert answer.status_code == 200, answer.text
    form = {
        "grant_type": "authorization_code",
        "client_id": client,
        "code": answer.json()["authorization_code"],
        "code_verifier": VERIFIER,
    }
    given = requests.post(f"{line.url}/oauth/token", data=form, timeout=20)
    assert given.status_code == 200, given.text
    return dict(given.json())


def me(line: Line, given: dict[str, Any]) -> dict[str, Any]:
    """The member's record."""
    headers = bearer(given["access_token"])
    return dict(requests.get(f"{line.url}/v1/me", headers=headers, timeout=20).json())


def send(journey: Journey, client: str = "app", **form: str) -> tuple[str, str]:
    """(auth_session, the code that arrived) for the journey's mobile."""
    since = time.time()
    ask_ = ask if "auth_session" in form else begin
    answer = ask_(journey.line, client, otp_address=journey.member.mobile, **form)
    assert refused(answer) == "otp_required"
    return answer.json()["auth_session"], journey.code(journey.member.mobile, since)


def a_minute_passes(line: Line) -> None:
    """Another code may go to a number that has just had one."""
    assert line.redis is not None
    tokens_role = Redis.from_url(line.redis.url("tokens", "web"))
    for key in tokens_role.scan_iter("otp:to:*", count=1000):
        tokens_role.delete(key)
    tokens_role.close()


def details(journey: Journey, **changes: Any) -> str:
    """The parameter `registration`."""
    member = journey.member
    given = {
        "given_name": member.given_name,
        "family_name": member.family_name,
        "email": member.email,
        "password": member.password,
        "consents": [{"purpose": "membership", "granted": True, "text_version": "2026-11"}],
        **changes,
    }
    return json.dumps(given)


def test_a_password_gives_a_code_and_the_code_tokens(member: Journey) -> None:
    """One request; the sign-in says how it was done."""
    line, who = member.line, member.member
    answer = begin(line, username=who.mobile, password=who.password)
    assert me(line, tokens(line, answer))["given_name"] == who.given_name
    assert set(answer.json()) == {"authorization_code"}


def test_an_unknown_name_and_a_wrong_password_read_alike(member: Journey) -> None:
    """The same body but for the session, under which the right one still works."""
    line, who = member.line, member.member
    wrong = begin(line, username=who.mobile, password="not this one")
    nobody = begin(line, username=f"+86137{next(_unknown)}", password="not this one")
    bodies = [answer.json() for answer in (wrong, nobody)]
    assert [refused(answer) for answer in (wrong, nobody)] == ["invalid_credentials"] * 2
    session = bodies[0].pop("auth_session")
    bodies[1].pop("auth_session")
    assert bodies[0] == bodies[1]
    right = ask(line, auth_session=session, username=who.mobile, password=who.password)
    tokens(line, right)
    over = ask(line, auth_session=session, username=who.mobile, password=who.password)
    assert refused(over) == "invalid_session"


def test_a_code_to_the_mobile_signs_in(member: Journey) -> None:
    """A wrong one doesn't, and the flow goes on."""
    a_minute_passes(member.line)
    session, code = send(member)
    bad = ask(member.line, auth_session=session, otp=f"{(int(code) + 1) % 10**6:06}")
    assert refused(bad) == "otp_invalid"
    given = tokens(member.line, ask(member.line, auth_session=session, otp=code))
    assert me(member.line, given)["mobile"] == member.member.mobile


def test_whoever_is_new_registers_on_the_way(journey: Journey) -> None:
    """The proven mobile and the details make one member, who is signed in."""
    session, code = send(journey)
    new = ask(journey.line, auth_session=session, otp=code)
    assert (refused(new), new.json()["proven"]) == ("registration_required", ["mobile"])
    wrong = ask(journey.line, auth_session=session, registration=details(journey, email=3, boo=1))
    assert refused(wrong) == "step_refused"
    assert {each["pointer"] for each in wrong.json()["errors"]} == {"/email", ""}
    missing = ask(journey.line, auth_session=session, registration=details(journey, consents=[]))
    assert missing.json()["errors"] == [{"pointer": "/consents", "code": "consent-required"}]
    answer = ask(journey.line, auth_session=session, registration=details(journey))
    while answer.status_code == 400 and answer.json()["error"] == "registration_pending":
        answer = ask(journey.line, auth_session=session)
    record = me(journey.line, tokens(journey.line, answer))
    assert (record["given_name"], record["mobile"]) == (
        journey.member.given_name,
        journey.member.mobile,
    )


def test_a_registration_needs_a_proof(journey: Journey) -> None:
    """Without one the details make nobody."""
    session = begin(journey.line).json()["auth_session"]
    answer = ask(journey.line, auth_session=session, registration=details(journey))
    assert (refused(answer), answer.json()["problem"]) == ("step_refused", "proof-invalid")


def wechat_code(journey: Journey) -> str:
    """A code of web OAuth for the journey's WeChat user."""
    wechat, holder = journey.wechat, journey.phone
    holder.get(f"{wechat['url']}/_sandbox/wechat/as", params={"openid": journey.follower["openid"]})
    back = f"{journey.line.url}/wechat/oauth/return"
    query = {"appid": wechat["appid"], "redirect_uri": back, "response_type": "code"}
    query |= {"scope": "snsapi_base", "state": "s"}
    answer = holder.session.get(
        f"{wechat['url']}/connect/oauth2/authorize", params=query, allow_redirects=False
    )
    return parse_qs(urlsplit(answer.headers["Location"]).query)["code"][0]


def mini_code(journey: Journey) -> str:
    """A mini program's `wx.login` code for the journey's WeChat user."""
    url = f"{journey.wechat['url']}/_sandbox/wechat/jscode"
    asked = {"openid": journey.follower["openid"]}
    return requests.post(url, json=asked, timeout=10).json()["code"]


@pytest.mark.parametrize(
    ("parameter", "kind", "code_for"),
    [
        ("wechat_code", "wechat_oa", wechat_code),
        ("wechat_mini_code", "wechat_mini", mini_code),
    ],
)
def test_a_wechat_user_is_known_by_the_code_that_wechat_gave(
    journey: Journey, parameter: str, kind: str, code_for: Callable[[Journey], str]
) -> None:
    """At first together with a proven mobile, for a registration; afterwards alone. A code is good
    once, and WeChat alone makes nobody a member."""
    code, line = code_for(journey), journey.line
    new = begin(line, "mini", **{parameter: code})
    assert (refused(new), new.json()["proven"]) == ("registration_required", [kind])
    session = new.json()["auth_session"]
    alone = ask(line, "mini", auth_session=session, registration=details(journey))
    assert refused(alone) == "step_refused"
    again = ask(line, "mini", auth_session=session, **{parameter: code})
    assert refused(again) == "wechat_code_invalid"
    _, otp = send(journey, "mini", auth_session=session)
    both = ask(line, "mini", auth_session=session, otp=otp)
    assert both.json()["proven"] == ["mobile", kind]
    answer = ask(line, "mini", auth_session=session, registration=details(journey))
    while answer.status_code == 400 and answer.json()["error"] == "registration_pending":
        answer = ask(line, "mini", auth_session=session)
    tokens(line, answer, "mini")
    later = begin(line, "mini", **{parameter: code_for(journey)})
    assert me(line, tokens(line, later, "mini"))["mobile"] == journey.member.mobile


def test_a_hundred_uses_of_one_code_give_one_sign_in(member: Journey) -> None:
    """Whoever comes second finds the session over."""
    a_minute_passes(member.line)
    session, code = send(member)
    answers = at_once(100, lambda: ask(member.line, auth_session=session, otp=code))
    won = [answer for answer in answers if answer.status_code == 200]
    assert len(won) == 1
    errors = {answer.json()["error"] for answer in answers if answer.status_code != 200}
    assert errors <= {"invalid_session", "otp_invalid"}


def test_an_auth_session_is_one_clients_and_not_for_ever(member: Journey) -> None:
    """Another client's, a made-up one, and one that was used too often."""
    line = member.line
    session = begin(line).json()["auth_session"]
    assert refused(ask(line, "mini", auth_session=session)) == "invalid_session"
    assert refused(ask(line, auth_session=secrets.token_urlsafe(32))) == "invalid_session"
    told = [ask(line, auth_session=session).json()["error"] for _ in range(MAX_REQUESTS)]
    assert told[0] == "insufficient_authorization"
    assert told[-1] == "invalid_session"


@pytest.mark.parametrize("header", ["Origin", "Sec-Fetch-Mode"])
def test_a_browser_is_refused(line: Line, header: str) -> None:
    """A script's request, whoever it says it is, and no preflight passes."""
    answer = begin(line, headers={header: "https://www.example.com"})  # type: ignore[arg-type]
    assert refused(answer) == "unauthorized_client"
    asked = {"Origin": "http://127.0.0.1:8765", "Access-Control-Request-Method": "POST"}
    preflight = requests.options(f"{line.url}/oauth/challenge", headers=asked, timeout=10)
    assert "Access-Control-Allow-Origin" not in preflight.headers


def test_only_listed_clients_use_it_and_only_their_steps(line: Line) -> None:
    """A site's client, and a client without the step."""
    assert refused(begin(line, "portal")) == "unauthorized_client"
    answer = begin(line, "mini", username="+8613900000000", password="x")
    assert refused(answer) == "unauthorized_client"
    steps = begin(line, "mini").json()["steps"]
    assert steps == ["otp", "registration", "wechat_code", "wechat_mini_code"]


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"response_type": "token"}, "invalid_request"),
        ({"scope": "member:erase"}, "invalid_scope"),
        ({"username": "a", "otp": "1"}, "invalid_request"),
        ({"otp_address": "+8613900000000", "otp_channel": "pigeon"}, "invalid_request"),
        ({"otp_address": "nowhere"}, "step_refused"),
        ({"registration": "[" * 4000}, "step_refused"),
        ({"otp": "\udcff".encode("utf-8", "surrogatepass").decode("latin-1")}, "otp_invalid"),
    ],
)
def test_a_malformed_request_is_told_by_its_error(
    line: Line, changes: dict[str, str], error: str
) -> None:
    """As the draft and RFC 6749 have it; nothing of it comes back."""
    assert refused(begin(line, **changes)) == error


def test_the_metadata_name_the_endpoint(line: Line) -> None:
    """Section 4 of the draft."""
    url = f"{line.url}/.well-known/oauth-authorization-server"
    found = requests.get(url, timeout=10).json()
    assert found["authorization_challenge_endpoint"] == f"{line.url}/oauth/challenge"
