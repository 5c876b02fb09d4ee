"""The BFF over HTTP: real Redis, the real authorization server, a browser without scripts."""

import hashlib
import json
import re
import time
from urllib.parse import parse_qsl, urlsplit

import pytest
import requests

from adapters.errors import Unreachable
from bridge.api.bearer import Who
from bridge.api.routes import ROUTES
from bridge.bff import tokens
from bridge.bff.routes import FORWARDED
from bridge.bff.server import Credentials, NotGood, Server
from bridge.store.bff_sessions import BffSessions
from tests.support.oauth_site import MEMBER, PAGE, STALL, SUBJECT, served
from tests.support.tokens import at_once, tokens_server, web

CALL = {"X-CSRF": "1", "Origin": PAGE}


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with (
        tokens_server(tmp_path_factory.mktemp("tokens") / "t") as server,
        served(web(server)) as site,
    ):
        site.add_member()
        site.redis = web(server)
        yield site


@pytest.fixture
def site(running):
    running.now.ahead, running.signs_in = 0.0, MEMBER
    return running


def go(site, browser, path, **params):
    """One navigation, not followed."""
    url = path if path.startswith("http") else site.issuer + path
    return browser.get(url, params=params or None, allow_redirects=False, timeout=10)


def until_callback(site, browser, **params):
    """Sign in; gives the URL of the callback, not yet opened."""
    answer = go(site, browser, "/bff/login", client_id="page", **params)
    while not answer.headers["Location"].startswith(site.issuer + "/bff/callback"):
        answer = go(site, browser, answer.headers["Location"])
    return answer.headers["Location"]


def signed_in(site, **params):
    """A browser that has signed in at the page's site."""
    browser = site.browser()
    answer = go(site, browser, until_callback(site, browser, **params))
    assert answer.headers["Location"] == params.get("return_to", PAGE + "/")
    return browser


def call(site, browser, path, method="GET", headers=CALL, **more):
    """A call of the site's script."""
    return browser.request(method, f"{site.issuer}/bff{path}", headers=headers, timeout=20, **more)


def cookie(browser, name="bff-page"):
    """A cookie's value."""
    return browser.cookies.get(name)


# -- signing in -----------------------------------------------------------------------------------


def test_a_browser_signs_in_and_never_sees_a_token(site):
    """The site learns who signed in and how; the API gets the token; the browser gets a cookie."""
    browser = site.browser()
    arrived = go(site, browser, until_callback(site, browser))
    assert (arrived.status_code, arrived.headers["Location"]) == (303, PAGE + "/")
    session = call(site, browser, "/session")
    assert session.json()["signed_in"] is True
    assert (session.json()["amr"], session.json()["acr"]) == (["pwd"], "aal1")
    me = call(site, browser, "/api/me").json()
    assert me["client"] == "page"
    token = me["headers"]["Authorization"].removeprefix("Bearer ")
    seen = json.dumps([dict(arrived.headers), dict(browser.cookies), session.text])
    assert token not in seen and "v1." not in seen and SUBJECT not in seen


def test_the_session_cookie_is_strict_and_for_no_script(site):
    """HttpOnly, SameSite=Strict, path `/`, no Domain; the sign-in's own is Lax and short."""
    browser = site.browser()
    begun = go(site, browser, "/bff/login", client_id="page").headers["Set-Cookie"]
    assert re.fullmatch(
        r"bff-login=[\w-]{43}; Expires=[^;]*; Max-Age=600; HttpOnly; Path=/; SameSite=Lax", begun
    )
    arrived = go(site, browser, until_callback(site, browser)).headers["Set-Cookie"]
    assert re.fullmatch(r"bff-page=[\w-]{43}; HttpOnly; Path=/; SameSite=Strict", arrived)


def test_a_sign_in_ends_only_in_the_browser_that_began_it(site):
    """CVE-2025-68158: somebody else's callback, opened by a victim, signs nobody in, and is used
    up; nor does one that a browser without a login opens."""
    thief, victim = site.browser(), site.browser()
    go(site, victim, "/bff/login", client_id="page")
    for other in (victim, site.browser()):
        url = until_callback(site, thief)
        assert go(site, other, url).headers["Location"] == "/error?type=sign-in-over"
        assert cookie(other) is None
        assert go(site, thief, url).headers["Location"] == "/error?type=sign-in-over"


def test_a_callback_is_good_once(site):
    """Opened again it ends on the error page, and the session that it gave stays."""
    browser = site.browser()
    url = until_callback(site, browser)
    go(site, browser, url)
    assert go(site, browser, url).headers["Location"] == "/error?type=sign-in-over"
    assert call(site, browser, "/session").json()["signed_in"] is True


def test_an_answer_of_another_issuer_is_refused(site):
    """RFC 9207: a mix-up."""
    browser = site.browser()
    url = until_callback(site, browser)
    mixed = re.sub(r"iss=[^&]*", "iss=https%3A%2F%2Fevil.example.com", url)
    assert go(site, browser, mixed).headers["Location"] == "/error?type=sign-in-over"
    assert cookie(browser) is None


def test_two_tabs_sign_in_at_once(site):
    """The second login doesn't end the first."""
    browser = site.browser()
    first, second = until_callback(site, browser), until_callback(site, browser)
    for url in (first, second):
        assert go(site, browser, url).headers["Location"] == PAGE + "/"


def test_a_sign_in_gives_a_new_session_and_ends_the_old(site):
    """The id rotates; what was signed in before is dead with its tokens."""
    browser = signed_in(site)
    old = cookie(browser)
    token = (
        call(site, browser, "/api/me").json()["headers"]["Authorization"].removeprefix("Bearer ")
    )
    go(site, browser, until_callback(site, browser))
    assert cookie(browser) not in (None, old)
    stale = site.browser()
    stale.cookies.set("bff-page", old)
    assert call(site, stale, "/session").json() == {"signed_in": False}
    assert site.userinfo(token).status_code == 401


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": "page", "return_to": "https://evil.example.com/"},
        {"client_id": "page", "return_to": PAGE + "/me"},
        {"client_id": "page", "return_to": STALL + "/"},
        {"client_id": "portal"},
        {"client_id": "nobody"},
        {},
    ],
)
def test_a_login_returns_only_where_it_is_registered(site, asked):
    """An exact URI of this very client; anything else ends here."""
    answer = go(site, site.browser(), "/bff/login", **asked)
    assert answer.headers["Location"] == "/error?type=invalid-request"
    assert "Set-Cookie" not in answer.headers


def test_a_site_may_ask_whether_somebody_is_signed_in(site):
    """`prompt=none`: nobody is, says a code in the site's own URL; nothing else of the error."""
    browser = site.browser()
    url = until_callback(site, browser, prompt="none", return_to=PAGE + "/me?tab=1")
    answer = go(site, browser, url)
    assert answer.headers["Location"] == PAGE + "/me?tab=1&bff_error=login_required"


def test_an_id_token_is_for_this_client_and_this_login(site):
    """OpenID Connect Core section 3.1.3.7: audience, nonce and signature."""
    server = Server(site.app, site.issuer)
    portal, page = (Credentials(name, "", "") for name in ("portal", "page"))
    token = site.tokens("portal", nonce="n-1")["id_token"]
    assert server.claims(portal, token, "n-1")["aud"] == "portal"
    for by, text, nonce in (
        (page, token, "n-1"),
        (portal, token, "n-2"),
        (portal, "e30.e30.AA", ""),
    ):
        with pytest.raises(NotGood):
            server.claims(by, text, nonce)


# -- who may call ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": PAGE},
        {"Origin": PAGE, "X-CSRF": "0"},
        {"Origin": "https://evil.example.com", "X-CSRF": "1"},
        {"Origin": PAGE + ".evil.example.com", "X-CSRF": "1"},
        {"Origin": "null", "X-CSRF": "1"},
        {"X-CSRF": "1"},
    ],
)
def test_a_call_needs_the_header_and_a_registered_origin(site, headers):
    """403 for each, with the cookie, for every call; and no CORS header for a stranger."""
    browser = signed_in(site)
    for path, method in (("/session", "GET"), ("/logout", "POST"), ("/api/me", "GET")):
        answer = call(site, browser, path, method, headers)
        assert answer.status_code == 403
        known = headers.get("Origin") == PAGE
        assert ("Access-Control-Allow-Origin" in answer.headers) is known
    assert call(site, browser, "/session").json()["signed_in"] is True


def test_one_sites_session_is_not_anothers(site):
    """A cookie's value doesn't move to another client's name, nor does an origin read another's."""
    browser = signed_in(site)
    browser.cookies.set("bff-stall", cookie(browser))
    other = {"X-CSRF": "1", "Origin": STALL}
    assert call(site, browser, "/session", headers=other).json() == {"signed_in": False}
    assert call(site, browser, "/api/me", headers=other).status_code == 401
    assert call(site, browser, "/session").json()["signed_in"] is True


def test_cors_is_exact_and_with_credentials(site):
    """The preflight of a registered origin passes, with our own headers; another's gets none."""
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "PATCH"}
    passed = call(site, site.browser(), "/api/me", "OPTIONS", asked).headers
    assert passed["Access-Control-Allow-Origin"] == PAGE
    assert passed["Access-Control-Allow-Credentials"] == "true"
    assert "X-CSRF" in passed["Access-Control-Allow-Headers"]
    assert "Authorization" not in passed["Access-Control-Allow-Headers"]
    assert "PATCH" in passed["Access-Control-Allow-Methods"]
    assert "Origin" in passed["Vary"]
    asked["Origin"] = "https://evil.example.com"
    refused = call(site, site.browser(), "/api/me", "OPTIONS", asked).headers
    assert not [name for name in refused if name.startswith("Access-Control")]
    login = call(site, site.browser(), "/session", headers=CALL).headers
    assert login["Access-Control-Allow-Origin"] == PAGE


# -- what is forwarded ----------------------------------------------------------------------------


def test_only_listed_headers_pass(site):
    """Neither the browser's cookies nor a token or address of its own reach the API; of its answer
    only what the list names comes back, and a Location that the browser can follow."""
    browser = signed_in(site)
    sent = {
        "Authorization": "Bearer x",
        "X-Forwarded-For": "203.0.113.7",
        "If-Match": '"7"',
        "Idempotency-Key": "k" * 16,
        "Content-Type": "application/json",
        "X-Evil": "1",
    }
    answer = call(site, browser, "/api/me", "PATCH", CALL | sent, data=b'{"a": 1}')
    told = answer.json()
    assert (told["client"], told["body"], told["address"]) == ("page", '{"a": 1}', "127.0.0.1")
    assert told["headers"]["If-Match"] == '"7"' and told["headers"]["Idempotency-Key"] == "k" * 16
    unwanted = {"Cookie", "X-Evil", "X-Forwarded-For", "X-Csrf", "Origin"}
    assert not unwanted & set(told["headers"])
    assert answer.headers["ETag"] == '"1"'
    assert answer.headers["Location"] == "/bff/api/operations/x"
    assert "X-Inner" not in answer.headers
    assert answer.headers["X-Request-Id"] != "inner", "the two requests have their own `flask.g`"


def test_a_query_passes_as_it_is(site):
    """`fields` and the like are the API's to judge."""
    answer = call(site, signed_in(site), "/api/me?fields=given_name&x=%2F")
    assert answer.json()["query"] == "fields=given_name&x=%2F"


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/api/me/secret", "GET", 404),
        ("/api/me/../me/secret", "GET", 404),
        ("/api/operations/..%2Fme", "GET", 404),
        ("/api/operations/a%3Fb=c", "GET", 404),
        ("/api//me", "GET", 404),
        ("/api/otp", "POST", 404),
        ("/api/me", "POST", 405),
        ("/api/me", "PUT", 405),
    ],
)
def test_only_listed_paths_and_methods_are_forwarded(site, path, method, status):
    """What the API serves and the list doesn't name isn't there for a browser."""
    browser = signed_in(site)
    asked = requests.Request(method, site.issuer, headers=CALL, cookies=browser.cookies)
    prepared = browser.prepare_request(asked)
    prepared.url = f"{site.issuer}/bff{path}"  # as it stands: requests would tidy it
    assert browser.send(prepared, timeout=10).status_code == status


def test_the_list_is_of_a_members_own_routes(site):
    """Each line is a route of the API that a member may call; a route that isn't there yet is
    missing here until somebody decides."""
    open_to = {Who.MEMBER, Who.EITHER, Who.ANYBODY}
    served = {(r.path, r.method): r.who for r in ROUTES if r.path.startswith("/v1/")}
    listed = {(f"/v1{path}", method) for path, methods in FORWARDED for method in methods}
    assert all(served[each] in open_to for each in listed)
    assert {each for each, who in served.items() if who is Who.MEMBER} <= listed


def test_without_a_session_nothing_is_forwarded(site):
    """401, and no challenge that would ask a browser for a token."""
    answer = call(site, site.browser(), "/api/me")
    assert answer.status_code == 401
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert "WWW-Authenticate" not in answer.headers


# -- tokens ---------------------------------------------------------------------------------------


def grant_of(site, browser):
    """The Redis key of the grant behind a browser's session."""
    return "gr:" + site.parts.bff_sessions.load(cookie(browser)).refresh_token.split(".")[1]


@pytest.fixture
def slow(site, monkeypatch):
    """Each refresh asks the CRM, which takes its time."""
    quick = site.crm.get

    def get(*args, **kwargs):
        time.sleep(0.3)
        return quick(*args, **kwargs)

    monkeypatch.setattr(site.crm, "get", get)
    monkeypatch.setattr(site.parts.settings.oauth, "stamp_check_seconds", 0)


def test_a_hundred_calls_share_one_refresh(site, request):
    """The access token is over; all hundred succeed with the one successor."""
    browser = signed_in(site)
    request.getfixturevalue("slow")
    site.now.ahead = 590
    value = cookie(browser)

    def once():
        own = site.browser()
        own.cookies.set("bff-page", value)
        return call(site, own, "/api/me")

    answers = at_once(100, once)
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.json()["headers"]["Authorization"] for answer in answers}) == 1
    assert site.redis.do("HGET", grant_of(site, browser), "gen") == "1"


def test_a_grant_that_was_ended_elsewhere_ends_the_session(site):
    """A remote sign-out: the next call is 401, takes the cookie away, and nothing stays."""
    browser = signed_in(site)
    value = cookie(browser)
    site.parts.grants.revoke_member(MEMBER)
    answer = call(site, browser, "/api/me")
    assert answer.status_code == 401
    assert "bff-page=;" in answer.headers["Set-Cookie"]
    browser.cookies.set("bff-page", value)
    assert call(site, browser, "/session").json() == {"signed_in": False}


def test_a_step_up_keeps_the_session(site):
    """401 of another sort (RFC 9470): the problem passes, and the member stays signed in."""
    browser = signed_in(site)
    answer = call(site, browser, "/api/me?fields=step-up")
    assert (answer.status_code, answer.json()["max_age"]) == (401, 300)
    assert call(site, browser, "/session").json()["signed_in"] is True


def test_a_refused_refresh_ends_the_session(site):
    """The grant is gone when the token has to be renewed."""
    browser = signed_in(site)
    site.parts.grants.revoke_member(MEMBER)
    site.now.ahead = 590
    assert call(site, browser, "/session").json() == {"signed_in": False}
    assert call(site, browser, "/api/me").status_code == 401


def test_a_crm_in_trouble_doesnt_cost_the_session(site, monkeypatch):
    """Its member can't be checked at the refresh: 503 with Retry-After, and later all is well."""
    browser = signed_in(site)
    site.now.ahead = 3700

    def down(*_, **__):
        raise Unreachable

    with monkeypatch.context() as patch:
        patch.setattr(site.crm, "get", down)
        answer = call(site, browser, "/api/me")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert call(site, browser, "/api/me").status_code == 200


# -- signing out ----------------------------------------------------------------------------------


def test_signing_out_ends_session_grant_and_the_pages_session(site):
    """The token is dead at once, the cookie is gone, and the next sign-in asks who it is."""
    browser = signed_in(site)
    value = cookie(browser)
    token = (
        call(site, browser, "/api/me").json()["headers"]["Authorization"].removeprefix("Bearer ")
    )
    answer = call(site, browser, "/logout", "POST")
    assert answer.status_code == 204
    assert cookie(browser) is None
    assert site.userinfo(token).status_code == 401
    browser.cookies.set("bff-page", value)
    assert call(site, browser, "/session").json() == {"signed_in": False}
    silent = parse_qsl(urlsplit(until_callback(site, browser, prompt="none")).query)
    assert ("error", "login_required") in silent
    assert call(site, browser, "/logout", "POST").status_code == 204


def test_signing_out_waits_for_a_refresh_under_way(site, request, monkeypatch):
    """Afterwards neither session, grant, nor the pages' session is there."""
    browser = signed_in(site)
    request.getfixturevalue("slow")
    monkeypatch.setattr(tokens, "MARGIN", 10_000.0)
    grant, steps = grant_of(site, browser), iter([("/api/me", "GET", 0), ("/logout", "POST", 0.1)])
    value = cookie(browser)

    def once():
        path, method, after = next(steps)
        own = site.browser()
        own.cookies.update(browser.cookies)
        time.sleep(after)
        return call(site, own, path, method).status_code

    assert sorted(at_once(2, once)) in ([200, 204], [204, 401])
    assert site.redis.do("EXISTS", grant) == 0
    browser.cookies.set("bff-page", value)
    assert call(site, browser, "/session").json() == {"signed_in": False}
    silent = parse_qsl(urlsplit(until_callback(site, browser, prompt="none")).query)
    assert ("error", "login_required") in silent


# -- what rests -----------------------------------------------------------------------------------


def test_a_session_rests_sealed_and_can_be_neither_made_nor_moved(site):
    """Redis holds no token; a record copied to another cookie's key opens for nobody."""
    browser = signed_in(site)
    token = (
        call(site, browser, "/api/me").json()["headers"]["Authorization"].removeprefix("Bearer ")
    )
    keys = [f"bffs:{sha(cookie(browser))}", f"bffs:{sha('mine')}"]
    sealed = site.redis.do("GET", keys[0])
    assert token not in sealed and "page" not in sealed
    assert 0 < site.redis.do("TTL", keys[0]) <= 28_800
    site.redis.do("SET", keys[1], sealed, "EX", 60)
    copied = site.browser()
    copied.cookies.set("bff-page", "mine")
    assert call(site, copied, "/session").json() == {"signed_in": False}


def test_a_save_after_the_end_brings_nothing_back(site):
    """A refresh that was under way at the sign-out."""
    sessions: BffSessions = site.parts.bff_sessions
    browser = signed_in(site)
    held = sessions.load(cookie(browser))
    assert held is not None
    sessions.end(cookie(browser))
    assert sessions.save(cookie(browser), held) is False
    assert sessions.load(cookie(browser)) is None


def sha(text):
    """How a cookie is named in a key."""
    return hashlib.sha256(text.encode()).hexdigest()
