"""The authorization server, asked by Authlib's client, judged by joserfc and Authlib's models."""

from dataclasses import replace
from urllib.parse import quote_plus, urlsplit

import pytest
from authlib.oauth2.rfc7636 import create_s256_code_challenge
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from authlib.oidc.discovery import OpenIDProviderMetadata
from joserfc import jwt
from joserfc.jwk import KeySet

from adapters.errors import Unreachable
from bridge.services import signing_out
from tests.support.oauth_site import (
    CALLBACK,
    CMS,
    MEMBER,
    ODD_SECRET,
    SECRET,
    SUBJECT,
    Site,
    code_form,
    query,
    served,
)
from tests.support.tokens import at_once, tokens_server, web

VERIFIER = "v" * 43
QUOTING = "eyJhbGciOiAiRVMyNTYiLCAiY3JpdCI6IFsiXCIiXX0.e30.AA"  # its `crit` has a quotation mark
CHALLENGE = create_s256_code_challenge(VERIFIER)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with (
        tokens_server(tmp_path_factory.mktemp("tokens") / "t") as server,
        served(web(server)) as site,
    ):
        site.add_member()
        yield site


@pytest.fixture
def site(running):
    running.now.ahead, running.signs_in = 0.0, MEMBER
    return running


def asked(**changes):
    """An authorize request that is right, with changes; None leaves a parameter out."""
    given = {
        "client_id": "portal",
        "redirect_uri": CALLBACK,
        "response_type": "code",
        "scope": "openid",
        "state": "st-1",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def go(site, browser=None, **changes):
    """Authorize without following; the answer."""
    return (browser or site.browser()).get(
        site.issuer + "/oauth/authorize",
        params=asked(**changes),
        allow_redirects=False,
        timeout=10,
    )


def signed_in(site):
    """A browser that has signed in."""
    browser = site.browser()
    answer = go(site, browser)
    site.authorize(browser, site.issuer + answer.headers["Location"])
    return browser


# -- the code grant -------------------------------------------------------------------------------


def test_a_stranger_signs_in_and_a_client_gets_tokens(site):
    """Authlib's own client: authorize, sign in, redeem, verify the id_token, read userinfo."""
    client, browser = site.client("portal"), site.browser()
    url, state = client.create_authorization_url(
        site.issuer + "/oauth/authorize", code_verifier=VERIFIER, nonce="n-1"
    )
    back = site.authorize(browser, url)
    assert query(back)["iss"] == site.issuer
    token = client.fetch_token(
        site.issuer + "/oauth/token",
        authorization_response=back,
        code_verifier=VERIFIER,
        state=state,
    )
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 600)
    keys = KeySet.import_key_set(browser.get(site.issuer + "/oauth/jwks", timeout=10).json())
    decoded = jwt.decode(token["id_token"], keys, algorithms=["ES256"])
    jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": site.issuer},
        aud={"essential": True, "value": "portal"},
        nonce={"essential": True, "value": "n-1"},
        exp={"essential": True},
        iat={"essential": True},
    ).validate(decoded.claims)
    assert decoded.claims["amr"] == ["pwd"]
    assert decoded.claims["acr"] == "aal1"
    assert abs(decoded.claims["auth_time"] - site.clock()) < 30
    assert SUBJECT not in token["id_token"] and MEMBER not in str(decoded.claims)
    info = site.userinfo(token["access_token"])
    assert info.json() == {
        "sub": decoded.claims["sub"],
        "name": "Wei canary-Li",
        "given_name": "Wei",
        "family_name": "canary-Li",
        "locale": "en",
    }
    assert info.headers["Cache-Control"] == "no-store"


def test_a_subject_is_the_same_in_its_sector_and_another_elsewhere(site):
    """Pairwise per client group."""
    subs = {
        name: site.userinfo(site.tokens(name)["access_token"]).json()["sub"]
        for name in ("portal", "app", "other")
    }
    assert subs["portal"] == subs["app"] != subs["other"]


def test_ten_codes_redeemed_eight_times_each_give_ten_token_sets(site):
    """P1: parallel redemptions of one code: one success, and the replays end what it got."""
    for _ in range(10):
        code, verifier = site.code()
        answers = at_once(8, lambda: site.post("token", "portal", code_form(code, verifier)))  # noqa: B023
        won = [answer for answer in answers if answer.ok]
        assert len(won) == 1
        assert {a.json()["error"] for a in answers if not a.ok} == {"invalid_grant"}
        assert site.userinfo(won[0].json()["access_token"]).status_code == 401


def test_a_replayed_code_ends_what_the_first_use_gave(site):
    """RFC 6749 section 4.1.2, in sequence."""
    code, verifier = site.code()
    first = site.post("token", "portal", code_form(code, verifier)).json()
    assert site.userinfo(first["access_token"]).ok
    again = site.post("token", "portal", code_form(code, verifier))
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    assert site.userinfo(first["access_token"]).status_code == 401
    assert site.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("client", "change"),
    [
        ("other", {}),
        ("portal", {"redirect_uri": CALLBACK + "?brand=1"}),
        ("portal", {"code_verifier": "w" * 43}),
        ("portal", {"code_verifier": ""}),
        ("portal", {"code_verifier": CHALLENGE}),
    ],
)
def test_a_wrong_try_does_not_burn_the_code(site, client, change):
    """A wrong client, redirect URI or verifier is refused, and the right one still works."""
    code, verifier = site.code()
    wrong = site.post("token", client, {**code_form(code, verifier), **change})
    assert wrong.status_code == 400
    assert wrong.json()["error"] in ("invalid_grant", "invalid_request")
    assert site.post("token", "portal", code_form(code, verifier)).ok


def test_the_token_request_may_leave_the_redirect_uri_out(site):
    """OAuth 2.1 no longer sends it; PKCE binds the code."""
    code, verifier = site.code()
    form = code_form(code, verifier)
    form.pop("redirect_uri")
    assert site.post("token", "portal", form).ok


def test_a_client_without_the_refresh_grant_gets_no_refresh_token(site):
    """And its access token lives while its grant does."""
    token = site.tokens("other")
    assert "refresh_token" not in token
    assert site.userinfo(token["access_token"]).ok


# -- what authorize refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"code_challenge": None, "code_challenge_method": None}, "invalid_request"),  # P3b
        ({"code_challenge_method": None}, "invalid_request"),  # P3
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "short"}, "invalid_request"),
        ({"code_challenge": "c" * 60}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": 'x"é'}, "unsupported_response_type"),
        ({"response_type": None}, "invalid_request"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"scope": "openid admin"}, "invalid_scope"),
        ({"scope": "registrations:write"}, "invalid_scope"),
        ({"request": "x.y.z"}, "request_not_supported"),
        ({"request_uri": "https://x"}, "request_uri_not_supported"),
        ({"prompt": "none"}, "login_required"),
        ({"prompt": "none login"}, "invalid_request"),
        ({"prompt": "dance"}, "invalid_request"),
        ({"max_age": "-1"}, "invalid_request"),
    ],
)
def test_a_refusal_goes_back_to_the_client_with_state_and_issuer(site, change, error):
    """P3, P3b, P7: refused at the authorize endpoint, with `iss` and `state`, echoing nothing."""
    answer = go(site, **change)
    assert answer.status_code == 303
    assert answer.headers["Location"].startswith(CALLBACK + "?")
    back = query(answer.headers["Location"])
    assert (back["error"], back["state"], back["iss"]) == (error, "st-1", site.issuer)
    for value in filter(None, change.values()):
        assert value == "none" or value not in back["error_description"]


@pytest.mark.parametrize(
    "change",
    [
        {"client_id": "nobody"},
        {"client_id": None},
        {"redirect_uri": None},
        {"redirect_uri": "https://evil.example/cb"},
        {"redirect_uri": CALLBACK + "/"},
        {"redirect_uri": CALLBACK + "?x=1"},
        {"redirect_uri": 'https://evil.example/"é'},
        {"client_id": "till", "redirect_uri": "https://www.example.com/x"},
    ],
)
def test_without_a_registered_place_to_go_back_to_nobody_is_redirected(site, change):
    """Exact match: an unknown client or redirect URI is answered here, in JSON."""
    answer = go(site, **change)
    assert answer.status_code == 400
    assert answer.json()["error"] == "invalid_request"
    assert "evil" not in answer.text
    assert "Location" not in answer.headers


def test_a_repeated_parameter_is_refused(site):
    """RFC 6749 section 3.1."""
    pairs = [*asked().items(), ("scope", "member:read")]
    answer = site.browser().get(
        site.issuer + "/oauth/authorize", params=pairs, allow_redirects=False, timeout=10
    )
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# -- the sign-in between --------------------------------------------------------------------------


def test_the_way_to_the_sign_in_shows_nothing_of_the_request(site):
    """The request waits sealed in the session; the URL has a handle only."""
    answer = go(site, login_hint="canary@example.com")
    assert answer.headers["Location"].startswith("/sign-in?continue=")
    assert set(query(answer.headers["Location"])) == {"continue"}
    assert "canary" not in answer.headers["Location"]
    cookie = answer.headers["Set-Cookie"]
    assert "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie


def test_who_is_signed_in_goes_straight_back(site):
    """No second sign-in within the session, also with prompt=none."""
    browser = signed_in(site)
    assert "code" in query(go(site, browser).headers["Location"])
    assert "code" in query(go(site, browser, prompt="none").headers["Location"])


def test_prompt_login_and_max_age_ask_again(site):
    """A fresh sign-in is demanded, and is enough when it was made for this request."""
    browser = signed_in(site)
    assert "/sign-in" in go(site, browser, prompt="login").headers["Location"]
    assert "code" in query(go(site, browser, max_age="60").headers["Location"])
    site.now.ahead = 61
    answer = go(site, browser, max_age="60")
    assert "/sign-in" in answer.headers["Location"]
    back = site.authorize(browser, site.issuer + answer.headers["Location"])
    assert "code" in query(back)
    site.now.ahead = 70
    refused = query(go(site, browser, max_age="5", prompt="none").headers["Location"])
    assert refused["error"] == "login_required"


def test_max_age_zero_ends_with_a_code(site):
    """A sign-in made for the request satisfies it; no loop."""
    browser = site.browser()
    answer = go(site, browser, max_age="0")
    site.now.ahead = 5
    assert "code" in query(site.authorize(browser, site.issuer + answer.headers["Location"]))


def test_going_on_without_signing_in_leads_back_to_the_sign_in(site):
    """Skipping the page with prompt=login doesn't help, nor does another browser's handle."""
    browser = signed_in(site)
    site.now.ahead = 5
    answer = go(site, browser, prompt="login")
    url = f"{site.issuer}/oauth/authorize?{urlsplit(answer.headers['Location']).query}"
    skipped = browser.get(url, allow_redirects=False, timeout=10)
    assert skipped.headers["Location"] == answer.headers["Location"]
    stranger = site.browser().get(url, allow_redirects=False, timeout=10)
    assert (stranger.status_code, stranger.json()["error"]) == (400, "invalid_request")


def test_a_parked_request_is_used_once(site):
    """Coming back with the same handle is over."""
    browser = site.browser()
    answer = go(site, browser)
    handle = query(answer.headers["Location"])["continue"]
    site.authorize(browser, site.issuer + answer.headers["Location"])
    url = f"{site.issuer}/oauth/authorize?continue={handle}"
    assert browser.get(url, allow_redirects=False, timeout=10).status_code == 400


def test_signing_out_everywhere_ends_the_browser_session_too(site):
    """The session's epoch is compared: the next authorize asks for a sign-in."""
    browser = signed_in(site)
    site.parts.grants.revoke_member(MEMBER)
    assert "/sign-in" in go(site, browser).headers["Location"]


def test_authorize_takes_a_form_too(site):
    """OpenID Connect Core section 3.1.2.1: GET and POST."""
    answer = site.browser().post(
        site.issuer + "/oauth/authorize", data=asked(), allow_redirects=False, timeout=10
    )
    assert "/sign-in?continue=" in answer.headers["Location"]


# -- refresh --------------------------------------------------------------------------------------


def test_refresh_rotates_and_keeps_the_subject(site):
    """A new pair, an id_token with the first sign-in's time and no nonce."""
    first = site.tokens(nonce="n-9")
    second = site.refresh(first["refresh_token"]).json()
    assert second["refresh_token"] != first["refresh_token"]
    claims = [
        jwt.decode(t["id_token"], site.parts.id_token_key, algorithms=["ES256"]).claims
        for t in (first, second)
    ]
    for name in ("sub", "auth_time", "sid", "iss", "aud"):
        assert claims[0][name] == claims[1][name]
    assert "nonce" not in claims[1]
    assert site.userinfo(second["access_token"]).ok


def test_ten_refresh_tokens_used_eight_times_each_give_ten_successes_and_no_live_family(site):
    """P2: without leeway, reuse ends the grant."""
    for _ in range(10):
        token = site.tokens()["refresh_token"]
        answers = at_once(8, lambda: site.refresh(token))  # noqa: B023
        won = [answer.json() for answer in answers if answer.ok]
        assert len(won) == 1
        assert site.userinfo(won[0]["access_token"]).status_code == 401
        assert not site.refresh(won[0]["refresh_token"]).ok


def test_a_client_with_leeway_may_repeat_a_refresh(site):
    """Eight parallel uses by a phone: eight answers, one successor."""
    token = site.tokens("app")["refresh_token"]
    answers = at_once(8, lambda: site.refresh(token, "app"))
    assert all(answer.ok for answer in answers)
    assert len({answer.json()["refresh_token"] for answer in answers}) == 1


def test_another_client_cannot_refresh(site):
    """Refused, and the owner's session lives."""
    token = site.tokens()["refresh_token"]
    assert site.refresh(token, "app").json()["error"] == "invalid_grant"
    assert site.refresh(token).ok


@pytest.mark.parametrize("token", ["v1.a.0.b", "nothing", "é", "v1.x.-1.y"])
def test_a_forged_refresh_token_is_invalid_grant(site, token):
    """Whatever it looks like."""
    assert site.refresh(token).json()["error"] == "invalid_grant"


def test_scope_narrows_at_refresh_and_never_widens(site):
    """RFC 6749 section 6."""
    first = site.tokens(scope="openid profile")
    wide = site.refresh(first["refresh_token"], scope="openid member:write")
    assert wide.json()["error"] == "invalid_scope"
    narrow = site.refresh(first["refresh_token"], scope="profile").json()
    assert narrow["scope"] == "profile"
    assert site.userinfo(narrow["access_token"]).status_code == 403


def test_a_vanished_member_is_invalid_grant_and_the_grant_ends(site):
    """The row `refresh with a vanished user`: not `invalid_request`, and it's over."""
    first = site.tokens()
    site.crm.erase("member", MEMBER)
    try:
        site.now.ahead = 3700
        answer = site.refresh(first["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
    finally:
        site.add_member()
    site.now.ahead = 0
    assert site.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"


def test_a_changed_stamp_ends_the_session_at_the_next_check(site):
    """Changed inside the CRM: seen after an hour at the latest."""
    first = site.tokens()
    version = site.crm.get("member", MEMBER, ["stamp"]).version
    site.crm.update("member", MEMBER, {"stamp": "stamp-2"}, version)
    try:
        assert site.userinfo(first["access_token"]).status_code == 401
        assert site.refresh(first["refresh_token"]).json()["error"] == "invalid_grant"
    finally:
        site.crm.erase("member", MEMBER)
        site.add_member()


@pytest.mark.parametrize("changed", [{"state": "inactive"}, {"stamp": "stamp-2"}, {"master": "it"}])
def test_what_staff_change_ends_a_session_within_the_stated_bound(site, changed):
    """Deactivated, given a new stamp, merged away: a session that reads nothing goes on until the
    refresh that asks the CRM, `stamp_check_seconds` after the last look, and no longer."""
    first = site.tokens()
    other = "10000000-0000-4000-8000-000000000009"
    site.crm.create("member", other, {"state": "active"})
    changed = {"state": "inactive", "master": other} if "master" in changed else changed
    version = site.crm.get("member", MEMBER, ["stamp"]).version
    site.crm.update("member", MEMBER, changed, version)
    try:
        site.now.ahead = 3500
        second = site.refresh(first["refresh_token"]).json()
        site.now.ahead = 3601
        answer = site.refresh(second["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")
        assert site.userinfo(second["access_token"]).status_code == 401
    finally:
        for id in (MEMBER, other):
            site.crm.erase("member", id)
        site.add_member()


def test_a_crm_in_trouble_costs_no_session(site, monkeypatch):
    """503 with Retry-After, and the refresh token is not used up."""
    first = site.tokens()
    site.now.ahead = 3700

    def down(*_, **__):
        raise Unreachable

    with monkeypatch.context() as patch:
        patch.setattr(site.crm, "get", down)
        answer = site.refresh(first["refresh_token"])
        assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
        assert answer.headers["Retry-After"]
    assert site.refresh(first["refresh_token"]).ok


def test_an_outage_is_outlived_for_the_stated_time_and_no_longer(site, monkeypatch):
    """Nobody asks the CRM for an hour after the last look, however often tokens are refreshed in
    between; then 503, and no access token outlives that by more than its own ten minutes."""

    def down(*_, **__):
        raise Unreachable

    token = site.tokens()["refresh_token"]
    with monkeypatch.context() as patch:
        patch.setattr(site.crm, "get", down)
        for site.now.ahead in (1200, 2400, 3590):
            answer = site.refresh(token).json()
            token = answer["refresh_token"]
        site.now.ahead = 3601
        late = site.refresh(token)
        assert (late.status_code, late.json()["error"]) == (503, "temporarily_unavailable")
        assert answer["expires_in"] <= 600
        site.now.ahead = 3590 + 601
        assert site.userinfo(answer["access_token"]).status_code == 401


# -- the token endpoint's form --------------------------------------------------------------------


def token_error(answer):
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "application/json"
    return answer.status_code, answer.json()["error"]


CLIENT_FORM = {"grant_type": "client_credentials"}


def test_parameters_in_the_query_are_refused(site):
    """P4: a POST endpoint reads its body only."""
    answer = site.post("token", "till", {}, params=CLIENT_FORM)
    assert token_error(answer) == (400, "invalid_request")
    assert token_error(site.post("token", "till", CLIENT_FORM, params={"x": "1"}))[0] == 400


def test_two_ways_of_client_authentication_are_refused(site):
    """P5: Basic and body together."""
    form = {**CLIENT_FORM, "client_id": "till", "client_secret": SECRET}
    assert token_error(site.post("token", "till", form)) == (400, "invalid_request")
    assert site.post("token", None, form).ok
    other = {**CLIENT_FORM, "client_id": "cms"}
    assert token_error(site.post("token", "till", other)) == (400, "invalid_request")


def test_an_unknown_client_and_a_wrong_secret_are_one_answer(site):
    """P16: nothing tells which clients there are."""
    answers = [
        site.post("token", None, CLIENT_FORM, auth=pair)
        for pair in (("till", "wrong"), ("nobody", "wrong"), ("app", "x"), ("", ""))
    ]
    answers += [
        site.post("token", None, {**CLIENT_FORM, **extra})
        for extra in (
            {},
            {"client_id": "till"},
            {"client_id": "nobody"},
            {"client_id": "app"},
            {"client_id": "till", "client_secret": "x"},
        )
    ]
    assert len({(a.status_code, a.text) for a in answers}) == 1
    assert token_error(answers[0]) == (401, "invalid_client")
    assert answers[0].headers["WWW-Authenticate"].startswith("Basic")


def test_a_repeated_grant_type_is_refused(site):
    """P17."""
    pairs = [("grant_type", "client_credentials")] * 2
    assert token_error(site.post("token", "till", pairs)) == (400, "invalid_request")


@pytest.mark.parametrize(
    "header", ["Basic /////w==", "Basic !!!", "Basic", "Basic dGlsbA==", "Basic OnNlY3JldA=="]
)
def test_malformed_basic_credentials_are_invalid_client(site, header):
    """P20: bytes that aren't UTF-8, base64 or a pair: 401, never 500."""
    answer = site.post("token", None, CLIENT_FORM, headers={"Authorization": header})
    assert token_error(answer) == (401, "invalid_client")


def test_basic_credentials_are_form_decoded(site):
    """The `+` row: RFC 6749 section 2.3.1 encodes a space as `+` and a plus as %2B."""
    code, verifier = site.code("odd")
    answer = site.post(
        "token", None, code_form(code, verifier), auth=("odd", quote_plus(ODD_SECRET))
    )
    assert answer.ok


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({}, "invalid_request"),
        ({"grant_type": "password", "username": "canary"}, "unsupported_grant_type"),
        ({"grant_type": 'x"é'}, "unsupported_grant_type"),
        ({"grant_type": "authorization_code"}, "unauthorized_client"),
        ({"grant_type": "refresh_token", "refresh_token": "x"}, "unauthorized_client"),
        ({**CLIENT_FORM, "scope": "member:read"}, "invalid_scope"),
        ({**CLIENT_FORM, "scope": "x" * 5000}, "invalid_request"),
    ],
)
def test_a_refused_token_request_echoes_nothing(site, form, error):
    """The right error, in words of ours."""
    answer = site.post("token", "till", form)
    assert token_error(answer) == (400, error)
    assert all(len(value) < 4 or value not in answer.text for value in form.values())


def test_another_content_type_is_refused(site):
    """A form, not JSON or multipart."""
    for more in ({"json": CLIENT_FORM}, {"files": {"grant_type": (None, "client_credentials")}}):
        answer = site.post("token", "till", None, **more)
        assert token_error(answer) == (400, "invalid_request")


def test_the_request_uri_is_the_issuers_whatever_host_says(site):
    """P24: behind a proxy, on plain http, under any Host: our own https URI is what counts."""
    behind = Site(site.parts.grants._redis, "https://members.example.com")
    client = behind.app.test_client()
    answer = client.post(
        "/oauth/token",
        base_url="http://evil.example",
        data={**CLIENT_FORM, "client_id": "till", "client_secret": SECRET},
    )
    assert answer.status_code == 200
    found = client.get("/.well-known/openid-configuration", base_url="http://evil.example")
    assert "evil" not in found.text


# -- client credentials, introspection, revocation ------------------------------------------------


def test_a_clients_own_token_has_its_own_scopes_only(site):
    """No member, no refresh token, no userinfo."""
    token = site.post("token", "till", CLIENT_FORM).json()
    assert token["scope"] == "registrations:write"
    assert "refresh_token" not in token and "id_token" not in token
    assert site.userinfo(token["access_token"]).status_code == 401


def test_introspection_answers_a_resource_server_about_its_own_tokens(site):
    """The audience decides; `sub` is that of the asking server's sector."""
    token = site.tokens("portal")
    seen = site.post("introspect", "cms", {"token": token["access_token"]}).json()
    assert seen["active"] is True
    assert (seen["aud"], seen["iss"], seen["client_id"]) == (CMS, site.issuer, "portal")
    assert seen["scope"] == "openid profile"
    assert seen["sub"] != site.userinfo(token["access_token"]).json()["sub"]
    assert SUBJECT not in str(seen) and MEMBER not in str(seen)


@pytest.mark.parametrize("asking", ["shop", "portal", "till"])
def test_introspection_tells_nobody_else(site, asking):
    """Another resource server, or a client that is none: not active, as for nonsense."""
    token = site.tokens("portal")
    for value in (token["access_token"], token["refresh_token"], "nonsense"):
        assert site.post("introspect", asking, {"token": value}).json() == {"active": False}
    assert site.post("introspect", "cms", {"token": token["refresh_token"]}).json() == {
        "active": False
    }


def test_introspection_takes_no_stranger(site):
    """A public client, or none at all, is not answered."""
    for client in ("app", None):
        answer = site.post("introspect", client, {"token": "x"})
        assert token_error(answer) == (401, "invalid_client")


@pytest.mark.parametrize("hint", [None, "access_token", "refresh_token", "whatever"])
def test_revocation_works_whatever_the_hint_says(site, hint):
    """RFC 7009 section 2.1: a wrong or unknown hint is ignored; a refresh token ends its grant."""
    token = site.tokens("app")
    form = {"token": token["refresh_token"], **({"token_type_hint": hint} if hint else {})}
    assert site.post("revoke", "app", form).json() == {}
    assert site.userinfo(token["access_token"]).status_code == 401
    assert site.refresh(token["refresh_token"], "app").json()["error"] == "invalid_grant"


def test_revocation_of_what_is_not_yours_changes_nothing(site):
    """200 without effect, as for an unknown token; a missing token is a mistake."""
    token = site.tokens("portal")
    for value in (token["refresh_token"], token["access_token"], "unknown"):
        assert site.post("revoke", "app", {"token": value}).status_code == 200
    assert site.userinfo(token["access_token"]).ok
    assert token_error(site.post("revoke", "app", {})) == (400, "invalid_request")


# -- signing out ----------------------------------------------------------------------------------


def logout(site, browser=None, **given):
    return (browser or site.browser()).get(
        site.issuer + "/oauth/logout", params=given, allow_redirects=False, timeout=10
    )


def test_logout_ends_the_grant_that_the_id_token_came_with(site):
    """And goes back to where the client registered, with its state."""
    token = site.tokens()
    answer = logout(
        site,
        id_token_hint=token["id_token"],
        post_logout_redirect_uri="https://www.example.com/bye",
        state="s2",
    )
    assert answer.status_code == 303
    assert answer.headers["Location"] == "https://www.example.com/bye?state=s2"
    assert site.userinfo(token["access_token"]).status_code == 401


def test_logout_goes_only_where_it_was_registered(site):
    """Another URI, or no hint that says whose logout it is: no redirect."""
    token = site.tokens()
    away = {"post_logout_redirect_uri": "https://evil.example/"}
    assert logout(site, id_token_hint=token["id_token"], **away).json() == {"signed_out": True}
    home = {"post_logout_redirect_uri": "https://www.example.com/bye", "client_id": "portal"}
    assert logout(site, **home).status_code == 200


def test_logout_without_a_hint_asks_first(site):
    """Anybody can make somebody open that link: nothing ends, and a page asks (RP-Initiated Logout
    1.0, section 6)."""
    browser = site.browser()
    url = go(site, browser).headers["Location"]
    back = site.authorize(browser, site.issuer + url)
    token = site.post("token", "portal", code_form(query(back)["code"], VERIFIER)).json()
    for given in ({}, {"client_id": "portal", "logout_hint": "x"}):
        answer = logout(site, browser, **given)
        assert (answer.status_code, answer.headers["Location"]) == (303, "/signed-in")
    assert site.userinfo(token["access_token"]).ok
    assert "code" in query(go(site, browser, prompt="none").headers["Location"])


def test_logout_with_its_own_hint_ends_this_browsers_session_and_its_grants(site):
    """The next authorize asks for a sign-in, and the other grant given here is over too."""
    browser = signed_in(site)
    tokens = []
    for _ in range(2):
        code = query(go(site, browser).headers["Location"])["code"]
        tokens.append(site.post("token", "portal", code_form(code, VERIFIER)).json())
    logout(site, browser, id_token_hint=tokens[0]["id_token"])
    assert [site.userinfo(t["access_token"]).status_code for t in tokens] == [401, 401]
    assert "/sign-in" in go(site, browser).headers["Location"]


def test_no_code_is_given_to_a_browser_that_has_just_signed_out(site, monkeypatch):
    """Its request was under way: the client is told to have the member sign in."""
    browser = signed_in(site)
    monkeypatch.setattr(site.parts.sessions, "note_grant", lambda *_: False)
    location = go(site, browser).headers["Location"]
    assert location.startswith(CALLBACK + "?")
    given = query(location)
    assert (given["error"], given["iss"]) == ("login_required", site.issuer)
    assert given["state"] == asked()["state"]
    assert "code" not in given


def test_a_code_that_still_waits_dies_with_the_sign_out(site):
    """Given before, redeemed after: no grant outlives the session that it came from."""
    browser = signed_in(site)
    first = query(go(site, browser).headers["Location"])["code"]
    token = site.post("token", "portal", code_form(first, VERIFIER)).json()
    second = query(go(site, browser).headers["Location"])["code"]
    logout(site, browser, id_token_hint=token["id_token"])
    refused = site.post("token", "portal", code_form(second, VERIFIER))
    assert token_error(refused) == (400, "invalid_grant")


def test_a_hint_of_anothers_session_leaves_this_one_alone(site):
    """Somebody else's id_token in a link doesn't sign this browser out."""
    browser = signed_in(site)
    logout(site, browser, id_token_hint=site.tokens()["id_token"])
    assert "code" in query(go(site, browser, prompt="none").headers["Location"])


@pytest.mark.parametrize("hint", ["garbage", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", QUOTING])
def test_a_forged_hint_is_refused(site, hint):
    """Not ours: 400, nothing ended."""
    browser = signed_in(site)
    assert logout(site, browser, id_token_hint=hint).status_code == 400
    assert "code" in query(go(site, browser).headers["Location"])


@pytest.mark.parametrize(
    "change", [{"iat": "x"}, {"nbf": "x"}, {"iss": "https://elsewhere.example"}]
)
def test_a_hint_that_is_signed_but_wrong_is_refused(site, change):
    """Our signature under another issuer's name, or claims of a wrong type: 400, never 500."""
    claims = {"iss": site.issuer, "aud": "portal", "iat": 1, "exp": 2, "sid": "x"}
    hint = jwt.encode({"alg": "ES256"}, {**claims, **change}, site.parts.id_token_key)
    answer = logout(site, id_token_hint=hint)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")


# -- what the server says of itself ---------------------------------------------------------------


def test_the_metadata_are_valid_and_true(site, monkeypatch):
    """Authlib's validators accept both documents, and every endpoint in them answers. ES256 alone
    is a choice: OpenID Connect Discovery section 3 asks for RS256 as well, which costs six times
    as much to sign."""
    monkeypatch.setenv("AUTHLIB_INSECURE_TRANSPORT", "1")
    browser = site.browser()
    documents = [
        browser.get(f"{site.issuer}/.well-known/{name}", timeout=10).json()
        for name in ("oauth-authorization-server", "openid-configuration")
    ]
    assert documents[0] == documents[1]
    AuthorizationServerMetadata(documents[0]).validate()
    with pytest.raises(ValueError, match="RS256"):
        OpenIDProviderMetadata(documents[1]).validate()
    both = {**documents[1], "id_token_signing_alg_values_supported": ["ES256", "RS256"]}
    OpenIDProviderMetadata(both).validate()
    assert documents[0]["issuer"] == site.issuer
    endpoints = [v for k, v in documents[0].items() if k.endswith(("_endpoint", "jwks_uri"))]
    assert len(endpoints) == 9
    for url in endpoints:
        assert browser.get(url, allow_redirects=False, timeout=10).status_code != 404


def test_the_published_key_has_no_private_part(site):
    """Only what checks a signature."""
    (key,) = site.browser().get(site.issuer + "/oauth/jwks", timeout=10).json()["keys"]
    assert set(key) == {"kty", "crv", "x", "y", "kid", "use", "alg"}


def test_userinfo_wants_a_bearer_token_in_the_header(site):
    """RFC 6750: no token, a bad one, or one in the query: 401 with a challenge."""
    good = site.tokens()["access_token"]
    browser, url = site.browser(), site.issuer + "/oauth/userinfo"
    for answer in (
        browser.get(url, timeout=10),
        browser.get(url, params={"access_token": good}, timeout=10),
        browser.get(url, headers={"Authorization": "Bearer wrong"}, timeout=10),
        browser.get(url, headers={"Authorization": f"Basic {good}"}, timeout=10),
    ):
        assert answer.status_code == 401
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


# -- signed out from elsewhere ---------------------------------------------------------------------


def test_a_browser_that_was_signed_out_from_elsewhere_signs_in_again(site):
    """The member ended its session from another device: the browser gets no tokens by itself."""
    browser = signed_in(site)
    again = go(site, browser)
    assert "code=" in again.headers["Location"]
    lives = site.parts.grants.of_member(MEMBER)
    code = query(again.headers["Location"])["code"]
    tokens = site.post("token", "portal", code_form(code, VERIFIER)).json()
    (new,) = [live for live in site.parts.grants.of_member(MEMBER) if live not in lives]
    assert new.device == "other"
    assert site.parts.grants.revoke_apart(MEMBER, new.id)
    assert site.userinfo(tokens["access_token"]).status_code == 401
    assert go(site, browser).headers["Location"].startswith("/sign-in")
    site.authorize(browser, site.issuer + go(site, browser).headers["Location"])
    assert "code=" in go(site, browser).headers["Location"]


def test_logging_out_at_one_client_tells_the_others(site, monkeypatch):
    """RP-initiated logout ends what the browser was given, and each client is told once."""
    told = []
    monkeypatch.setattr(signing_out, "_tell", lambda parts, ended: told.extend(ended))
    browser = signed_in(site)
    got = query(go(site, browser).headers["Location"])["code"]
    tokens = site.post("token", "portal", code_form(got, VERIFIER)).json()
    other = query(go(site, browser, client_id="other").headers["Location"])["code"]
    site.post("token", "other", code_form(other, VERIFIER))
    hint = {"id_token_hint": tokens["id_token"]}
    browser.get(site.issuer + "/oauth/logout", params=hint, timeout=10)
    assert sorted(each.client_id for each in told) == ["other", "portal"]


# -- step-up ---------------------------------------------------------------------------------------


def test_a_stronger_level_is_asked_for_and_told(site):
    """`acr_values=aal2` sends whoever signed in with one factor on; two factors are in the
    id_token, and `prompt=none` says that a sign-in is needed."""
    browser = signed_in(site)
    assert go(site, browser, acr_values="aal2").headers["Location"].startswith("/sign-in")
    refused = go(site, browser, acr_values="aal2", prompt="none")
    assert query(refused.headers["Location"])["error"] == "login_required"
    assert "code=" in go(site, browser, acr_values="aal1 urn:unknown").headers["Location"]
    sessions = site.parts.sessions
    session = sessions.load(browser.cookies[sessions.cookie_name])
    session.signed_in = replace(session.signed_in, acr="aal2", amr=("otp", "pwd", "mfa"))
    sessions.save(session)
    code = query(go(site, browser, acr_values="aal2").headers["Location"])["code"]
    tokens = site.post("token", "portal", code_form(code, VERIFIER)).json()
    keys = KeySet([site.parts.id_token_key])
    claims = jwt.decode(tokens["id_token"], keys, algorithms=["ES256"]).claims
    assert (claims["acr"], claims["amr"]) == ("aal2", ["otp", "pwd", "mfa"])
