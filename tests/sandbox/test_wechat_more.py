"""The mini program, notices and website sign-in of the sandbox's WeChat, and what it refuses."""

import re
import urllib.parse

import pytest
from wechatpy import WeChatClient
from wechatpy.exceptions import WeChatClientException

from tests.sandbox.wechat_driver import Caller

RETURN = "http://127.0.0.1:8000/scanned"
PHONE = "/wxa/business/getuserphonenumber"


@pytest.fixture
def oa(start, http):
    """The account of a fresh sandbox."""
    return Caller(start("wechat")["wechat"], http)


@pytest.fixture
def mini_token(oa):
    """An API token of the mini program."""
    given = {"appid": oa.ready["mini_appid"], "secret": oa.ready["mini_secret"]}
    return oa.stable(**given)["access_token"]


def client(oa, token):
    """wechatpy's client, pointed at the sandbox."""
    made = WeChatClient(oa.ready["appid"], oa.ready["secret"], access_token=token)
    made.auto_retry = False
    made.API_BASE_URL = f"{oa.url}/cgi-bin/"
    made.wxa.API_BASE_URL = f"{oa.url}/"
    return made


def test_a_phone_number_comes_for_a_code_once(oa, mini_token):
    """The code gives the number once, to the mini program only, for five minutes."""
    made = oa.control("wechat/phonecode", {"user": "Lin Muyu"})
    code = {"code": made["code"]}
    assert oa.call(PHONE, code)["errcode"] == 48001  # the account's own token
    told = client(oa, mini_token).wxa.get_phone_number(made["code"])["phone_info"]
    assert (told["purePhoneNumber"], told["countryCode"]) == (made["phone"], "86")
    assert told["watermark"]["appid"] == oa.ready["mini_appid"]
    assert oa.call(PHONE, code, token=mini_token)["errcode"] == 40029
    late = oa.control("wechat/phonecode", {"user": "Lin Muyu"})["code"]
    oa.control("clock", {"advance": 301})
    assert oa.call(PHONE, {"code": late}, token=mini_token)["errcode"] == 40029


def test_a_phone_code_of_another_user_is_refused(oa, mini_token):
    """With openid the code must be that user's; a miss doesn't use it up."""
    code = oa.control("wechat/phonecode", {"user": "Lin Muyu"})["code"]
    hers, his = (oa.users[name]["mini_openid"] for name in ("Lin Muyu", "Zhao Beichen"))
    assert oa.call(PHONE, {"code": code, "openid": his}, token=mini_token)["errcode"] == 40003
    assert oa.call(PHONE, {"code": code, "openid": hers}, token=mini_token)["errcode"] == 0


def test_mini_program_codes_are_images_or_say_why_not(oa, mini_token):
    """A good scene and a published page give an image; anything else JSON with an errcode."""
    wxa = client(oa, mini_token).wxa
    assert wxa.get_wxa_code_unlimited("st=SH001").content[:4] == b"\x89PNG"

    def refused(**given):
        return oa.call("/wxa/getwxacodeunlimit", given, token=mini_token)["errcode"]

    assert refused(scene="x" * 33) == refused(scene="店") == refused() == 40169
    assert refused(scene="a", page="pages/none") == 41030
    codes = oa.get("/_sandbox/state").json()["minicodes"]
    assert codes == [{"scene": "st=SH001", "page": "pages/index/index"}]


def test_a_template_message_needs_a_follower_and_a_template(oa):
    """43004 to whom doesn't follow, 40037 for an unknown template; else msgid, and it arrives."""
    send = client(oa, oa.stable()["access_token"]).message.send_template
    template, rows = oa.ready["templates"][0], {"thing1": {"value": "Gold"}}
    with pytest.raises(WeChatClientException) as refused:
        send(oa.openid, template, rows)
    assert refused.value.errcode == 43004
    oa.control("seed", {"users": [{"name": "Qin Ruo", "follows": True}]})
    openid = oa.get("/_sandbox/state").json()["users"][-1]["openid"]
    assert send(openid, template, rows)["msgid"] > 0
    assert oa.inbox(openid)[0]["content"]["rows"] == ["Gold"]
    path = "/cgi-bin/message/template/send"
    assert oa.call(path, {"touser": openid, "template_id": "x", "data": rows})["errcode"] == 40037
    bad = {"touser": openid, "template_id": template, "data": {"thing1": "Gold"}}
    assert oa.call(path, bad)["errcode"] == 47003


@pytest.mark.parametrize("app", ["account", "mini"])
def test_one_accepted_prompt_is_one_notice(oa, mini_token, app):
    """A prompt that was accepted allows one notice of that template by that app; then 43101."""
    template, other = oa.ready["templates"]
    user = oa.users["Lin Muyu"]
    openid = user["openid"] if app == "account" else user["mini_openid"]
    name, token = ("bizsend", None) if app == "account" else ("send", mini_token)

    def send(template_id=template):
        document = {"touser": openid, "template_id": template_id, "data": {"k": {"value": "v"}}}
        return oa.call(f"/cgi-bin/message/subscribe/{name}", document, token=token)["errcode"]

    asked = {"user": "Lin Muyu", "template_id": template, "app": app}
    assert send() == 43101
    oa.control("wechat/prompt", asked | {"answer": "reject"})
    assert send() == 43101
    oa.control("wechat/prompt", asked | {"answer": "accept"})
    assert (send(other), send(), send()) == (43101, 0, 43101)
    (arrived,) = oa.inbox()
    assert (arrived["via"], arrived["content"]["rows"]) == ("subscribe", ["v"])


def _link(oa, **changed):
    query = {"appid": oa.ready["web_appid"], "redirect_uri": RETURN, "response_type": "code"}
    query |= {"scope": "snsapi_login", "state": "s-1"} | changed
    return f"{oa.url}/connect/qrconnect?{urllib.parse.urlencode(query)}"


def _web(oa, code, **more):
    given = {"appid": oa.ready["web_appid"], "secret": oa.ready["web_secret"], "code": code}
    given |= {"grant_type": "authorization_code"} | more
    return oa.get("/sns/oauth2/access_token", **given).json()


def _scanned(oa, user="Lin Muyu"):
    answer = oa.http.post(
        _link(oa), data={"allow": oa.users[user]["openid"]}, allow_redirects=False
    )
    target = urllib.parse.urlsplit(answer.headers["Location"])
    return dict(urllib.parse.parse_qsl(target.query))


def test_a_website_signs_in_by_a_scan(oa):
    """The website learns an openid of its own and the shared unionid, once, within ten minutes."""
    assert "Lin Muyu" in oa.http.get(_link(oa)).text
    back = _scanned(oa)
    assert back["state"] == "s-1"
    assert (
        _web(oa, back["code"], **oa.credentials(grant_type="authorization_code"))["errcode"]
        == 40029
    )
    told = _web(oa, back["code"])
    user = oa.users["Lin Muyu"]
    assert (told["openid"], told["unionid"]) == (user["web_openid"], user["unionid"])
    assert told["openid"] != user["openid"]
    assert _web(oa, back["code"])["errcode"] == 40163
    late, too_late = _scanned(oa)["code"], _scanned(oa)["code"]
    oa.control("clock", {"advance": 590})
    assert "openid" in _web(oa, late)
    oa.control("clock", {"advance": 11})
    assert _web(oa, too_late)["errcode"] == 40029
    assert oa.stable(appid=oa.ready["web_appid"], secret=oa.ready["web_secret"])["errcode"] == 40013
    given = {"appid": oa.ready["appid"], "refresh_token": told["refresh_token"]}
    answer = oa.get("/sns/oauth2/refresh_token", grant_type="refresh_token", **given)
    assert answer.json()["errcode"] == 40030  # another app's


@pytest.mark.parametrize(
    "changed",
    [
        {"appid": "wx5a4db0c5a4db0c01"},
        {"redirect_uri": "https://evil.example/"},
        {"response_type": "token"},
        {"scope": "snsapi_base"},
        {"state": "s" * 129},
    ],
)
def test_a_wrong_website_link_goes_nowhere(oa, changed):
    """With one parameter wrong the page says so, and agreeing on it redirects nowhere."""
    for method, form in (("GET", None), ("POST", {"allow": oa.openid})):
        answer = oa.http.request(method, _link(oa, **changed), data=form, allow_redirects=False)
        assert "错误码" in answer.text
        assert "Location" not in answer.headers


def test_a_refused_website_sign_in_tells_the_state_only_where_set(oa):
    """Refusing shows a page; with `refusal_returns` it redirects with the state and no code."""
    form = {"refuse": "1"}
    answer = oa.http.post(_link(oa), data=form, allow_redirects=False)
    assert (answer.status_code, "Location" in answer.headers) == (200, False)
    oa.control("wechat/settings", {"refusal_returns": True})
    answer = oa.http.post(_link(oa), data=form, allow_redirects=False)
    assert re.search(r"\?state=s-1$", answer.headers["Location"])


@pytest.mark.parametrize(
    "path",
    ["/cgi-bin/message/template/subscribe", "/cgi-bin/gettoken", "/wxa/generatescheme"],
)
def test_what_is_not_played_is_501(oa, path):
    """A call that isn't played fails by its status, with an errcode and a rid."""
    answer = oa.http.post(oa.url + path, json={})
    assert (answer.status_code, answer.json()["errcode"]) == (501, 40066)
