"""WeChat's web OAuth and the mini program's login, as a browser and a server meet them."""

import html
import re
import urllib.parse

import pytest
import requests

from tests.sandbox.wechat_driver import Caller

RETURN = "http://127.0.0.1:8000/wechat/return"


@pytest.fixture
def oa(start, http):
    """The account of a fresh sandbox."""
    return Caller(start("wechat")["wechat"], http)


@pytest.fixture
def browser():
    """A browser with a cookie jar of its own, which doesn't follow redirects."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


def link(oa, **changed):
    """The authorization link of the account."""
    query = {"appid": oa.ready["appid"], "redirect_uri": RETURN, "response_type": "code"}
    query |= {"scope": "snsapi_base", "state": "s1"} | changed
    return f"{oa.url}/connect/oauth2/authorize?{urllib.parse.urlencode(query)}"


def hold(oa, browser, name="Lin Muyu"):
    """Let this browser be inside that user's WeChat."""
    browser.get(f"{oa.url}/_sandbox/wechat/as", params={"openid": oa.users[name]["openid"]})


def opened(browser, url, **form):
    """Where the page sends the browser: base address and parameters."""
    method = "POST" if form else "GET"
    answer = browser.request(method, url, data=form, allow_redirects=False)
    assert answer.status_code == 302, answer.text
    target = urllib.parse.urlsplit(answer.headers["Location"])
    return target._replace(query="").geturl(), dict(urllib.parse.parse_qsl(target.query))


def redeemed(oa, code, **more):
    """`sns/oauth2/access_token` for a code."""
    given = oa.credentials(grant_type="authorization_code", code=code) | more
    return oa.get("/sns/oauth2/access_token", **given).json()


def test_snsapi_base_is_silent_for_who_holds_the_wechat(oa, browser):
    """With the cookie, snsapi_base goes straight back with code and state; no unionid comes."""
    hold(oa, browser)
    base, query = opened(browser, link(oa, redirect_uri=RETURN + "?a=1&b="))
    assert base == RETURN
    assert (query["a"], query["state"]) == ("1", "s1")
    told = redeemed(oa, query["code"])
    assert (told["openid"], told["scope"]) == (oa.openid, "snsapi_base")
    assert "unionid" not in told
    assert "is_snapshotuser" not in told
    info = oa.get("/sns/userinfo", access_token=told["access_token"], openid=oa.openid)
    assert info.json()["errcode"] == 48001


def test_without_a_cookie_the_page_lets_one_choose(oa, browser):
    """The picker offers every user by name; choosing one allows, and is remembered."""
    page = html.unescape(browser.get(link(oa)).text)
    assert all(f"Allow as {name}" in page for name in oa.users)
    chosen = oa.users["Su Wanqing"]["openid"]
    _, query = opened(browser, link(oa), allow=chosen)
    assert redeemed(oa, query["code"])["openid"] == chosen
    _, query = opened(browser, link(oa))
    assert redeemed(oa, query["code"])["openid"] == chosen


def test_snsapi_userinfo_asks_and_gives_the_unionid(oa, browser):
    """snsapi_userinfo always asks; the answer has the unionid, and userinfo the nickname."""
    hold(oa, browser)
    page = browser.get(link(oa, scope="snsapi_userinfo"), allow_redirects=False)
    assert page.status_code == 200
    assert re.findall(r"Allow as ([\w ]+)", page.text) == ["Lin Muyu"]
    _, query = opened(browser, link(oa, scope="snsapi_userinfo"), allow=oa.openid)
    told = redeemed(oa, query["code"])
    assert told["unionid"] == oa.users["Lin Muyu"]["unionid"]
    answer = oa.get("/sns/userinfo", access_token=told["access_token"], openid=oa.openid)
    assert answer.headers["Content-Type"] == "text/plain"
    assert answer.json()["nickname"] == "Lin Muyu"
    other = oa.users["Su Wanqing"]["openid"]
    answer = oa.get("/sns/userinfo", access_token=told["access_token"], openid=other)
    assert answer.json()["errcode"] == 40003
    again = oa.get(
        "/sns/oauth2/refresh_token",
        appid=oa.ready["appid"],
        grant_type="refresh_token",
        refresh_token=told["refresh_token"],
    ).json()
    assert (again["openid"], again["scope"]) == (oa.openid, "snsapi_userinfo")


def test_a_snapshot_user_has_ids_that_belong_to_nobody(oa, browser):
    """Snapshot mode says is_snapshotuser, and its openid and unionid are no user's."""
    _, query = opened(browser, link(oa, scope="snsapi_userinfo"), snapshot="1")
    told = redeemed(oa, query["code"])
    assert told["is_snapshotuser"] == 1
    assert told["openid"] not in {user["openid"] for user in oa.users.values()}
    assert told["unionid"] not in {user["unionid"] for user in oa.users.values()}
    assert oa.call("/cgi-bin/user/info", openid=told["openid"])["errcode"] == 40003


def test_refusing_sends_back_the_state_alone(oa, browser):
    """Who refuses comes back without a code."""
    _, query = opened(browser, link(oa), refuse="1")
    assert query == {"state": "s1"}


def test_a_code_is_good_once_and_for_five_minutes(oa, browser):
    """A used code is 40163; an ended or unknown one 40029; wrong credentials don't burn it."""
    hold(oa, browser)
    _, query = opened(browser, link(oa))
    assert redeemed(oa, query["code"], secret="wrong")["errcode"] == 40125
    assert "openid" in redeemed(oa, query["code"])
    assert redeemed(oa, query["code"])["errcode"] == 40163
    assert redeemed(oa, "0unknown")["errcode"] == 40029
    _, query = opened(browser, link(oa))
    oa.control("clock", {"advance": 301})
    assert redeemed(oa, query["code"])["errcode"] == 40029


def test_a_web_token_is_not_an_api_token(oa, browser):
    """The token of web OAuth opens no cgi-bin call and ends after two hours."""
    _, query = opened(browser, link(oa, scope="snsapi_userinfo"), allow=oa.openid)
    token = redeemed(oa, query["code"])["access_token"]
    assert oa.call("/cgi-bin/getcallbackip", token=token)["errcode"] == 40001
    oa.control("clock", {"advance": 7201})
    answer = oa.get("/sns/userinfo", access_token=token, openid=oa.openid)
    assert answer.json()["errcode"] == 42001


@pytest.mark.parametrize(
    "changed",
    [
        {"appid": "wx0000000000000000"},
        {"redirect_uri": "http://evil.example/return"},
        {"redirect_uri": "http://127.0.0.1:8000@evil.example/"},
        {"redirect_uri": "javascript:alert(1)"},
        {"redirect_uri": "http://127.0.0.1:port/"},
        {"response_type": "token"},
        {"scope": "snsapi_login"},
        {"state": "a&b=c"},
        {"state": "a" * 129},
    ],
)
def test_a_wrong_link_redirects_nowhere(oa, browser, changed):
    """A link with a wrong parameter shows WeChat's error page, and deciding on it does too."""
    hold(oa, browser)
    for method in ("GET", "POST"):
        form = {"allow": oa.openid} if method == "POST" else None
        answer = browser.request(method, link(oa, **changed), data=form, allow_redirects=False)
        assert (answer.status_code, "Location" in answer.headers) == (200, False)
        assert "错误码" in answer.text


def test_the_configured_domain_must_match_in_full(oa, browser):
    """Once a domain is set, only that host (and port, if it has one) may be returned to."""
    hold(oa, browser)

    def allowed(uri):
        answer = browser.get(link(oa, redirect_uri=uri), allow_redirects=False)
        return answer.status_code == 302

    oa.control("wechat/settings", {"oauth_domain": "members.example.com"})
    assert allowed("https://members.example.com/x")
    assert not allowed("https://www.members.example.com/x")
    assert not allowed("https://members.example.com.evil.example/x")
    assert not allowed(RETURN)
    oa.control("wechat/settings", {"oauth_domain": "127.0.0.1:8000"})
    assert allowed(RETURN)
    assert not allowed("http://127.0.0.1:8001/")


def test_the_mini_program_signs_in_by_code(oa):
    """jscode2session gives the mini program's openid and a session key, once, 100 a minute."""
    oa.control("clock", {"set": 1_800_000_000})

    def login(code, **more):
        given = {"appid": oa.ready["mini_appid"], "secret": oa.ready["mini_secret"]}
        given |= {"grant_type": "authorization_code", "js_code": code}
        return oa.get("/sns/jscode2session", **given | more).json()

    made = oa.control("wechat/jscode", {"user": "Lin Muyu"})
    assert (
        login(made["code"], **oa.credentials(grant_type="authorization_code"))["errcode"] == 40013
    )
    assert redeemed(oa, made["code"])["errcode"] == 40029  # no code of the web's
    told = login(made["code"])
    assert told["openid"] == made["openid"] != oa.openid
    assert told["unionid"] == oa.users["Lin Muyu"]["unionid"]
    assert len(told["session_key"]) == 24
    assert login(made["code"])["errcode"] == 40163
    assert login("nothing")["errcode"] == 40029
    answers = [login(oa.control("wechat/jscode", {"user": "Lin Muyu"})["code"]) for _ in range(100)]
    assert [answer.get("errcode") for answer in answers].count(45011) == 1
