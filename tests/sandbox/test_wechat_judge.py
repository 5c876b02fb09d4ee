"""The sandbox's WeChat judged by wechatpy, a client that nobody here wrote."""

import urllib.parse

import pytest
from requests.adapters import HTTPAdapter
from wechatpy import WeChatClient, WeChatClientException, WeChatOAuth
from wechatpy.oauth import WeChatOAuthException

from tests.sandbox.wechat_driver import Caller, receiving

HOSTS = ("https://api.weixin.qq.com/", "https://open.weixin.qq.com/")


class Redirected(HTTPAdapter):
    """Sends what is meant for WeChat's hosts to the sandbox, with a timeout."""

    def __init__(self, url) -> None:
        super().__init__()
        self.target = urllib.parse.urlsplit(url)

    def send(self, request, **kwargs):
        parts = urllib.parse.urlsplit(request.url)
        request.url = parts._replace(scheme="http", netloc=self.target.netloc).geturl()
        kwargs["timeout"] = kwargs.get("timeout") or 5
        return super().send(request, **kwargs)


@pytest.fixture
def oa(start, http):
    """The account of a fresh sandbox."""
    return Caller(start("wechat")["wechat"], http)


@pytest.fixture
def client(oa):
    """wechatpy's client, redirected."""
    made = WeChatClient(oa.ready["appid"], oa.ready["secret"], auto_retry=False)
    made._http.trust_env = False
    for host in HOSTS:
        made._http.mount(host, Redirected(oa.url))
    return made


def test_wechatpy_makes_codes_reads_users_and_writes_to_them(oa, client):
    """qrcode.create, user.get and message.send_text work as against the real thing."""
    made = client.qrcode.create(
        {
            "expire_seconds": 1800,
            "action_name": "QR_STR_SCENE",
            "action_info": {"scene": {"scene_str": "st01"}},
        }
    )
    assert made["expire_seconds"] == 1800
    with receiving(oa) as callback:
        oa.control("scan", {"user": "Lin Muyu", "ticket": made["ticket"]})
        assert callback.heard[0].scene_id == "st01"
    assert client.user.get(oa.openid)["qr_scene_str"] == "st01"
    assert client.message.send_text(oa.openid, "你好")["errcode"] == 0
    article = {"title": "t", "description": "d", "url": "https://example.com"}
    assert client.message.send_articles(oa.openid, [article])["errcode"] == 0
    assert oa.inbox()[-2]["content"]["content"] == "你好"
    assert client.misc.get_wechat_ips() == ["127.0.0.1"]
    assert client.jsapi.get_jsapi_ticket()


def test_wechatpy_understands_the_errors(oa, client):
    """A refused message raises with WeChat's errcode; a bad secret at the token does too."""
    with pytest.raises(WeChatClientException) as caught:
        client.message.send_text(oa.openid, "hello")
    assert caught.value.errcode == 45015
    oa.control("wechat/settings", {"quotas": {"/cgi-bin/user/info": 0}})
    with pytest.raises(WeChatClientException) as caught:
        client.user.get(oa.openid)
    assert caught.value.errcode == 45009


def test_wechatpy_renews_a_voided_token_by_itself(oa, client):
    """With its own retry on, wechatpy recovers from 40001 in one turn."""
    client.auto_retry = True
    assert client.user.get(oa.openid)["subscribe"] == 0
    oa.control("wechat/tokens", {"act": "revoke"})
    assert client.user.get(oa.openid)["subscribe"] == 0


def test_wechatpy_proves_the_openid_by_web_oauth(oa, http):
    """wechatpy's own link, opened inside a follower's WeChat, ends in that openid."""
    ready = oa.ready
    oauth = WeChatOAuth(
        ready["appid"], ready["secret"], "http://127.0.0.1:8000/return?x=1", "snsapi_base", "s1"
    )
    oauth._http.trust_env = False
    oauth._http.mount("https://api.weixin.qq.com/", Redirected(oa.url))
    http.get(f"{oa.url}/_sandbox/wechat/as", params={"openid": oa.openid})
    link = urllib.parse.urlsplit(oauth.authorize_url)
    answer = http.get(f"{oa.url}{link.path}?{link.query}", allow_redirects=False)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)
    assert (query["x"], query["state"]) == (["1"], ["s1"])
    assert oauth.fetch_access_token(query["code"][0])["openid"] == oa.openid
    with pytest.raises(WeChatOAuthException) as caught:
        oauth.fetch_access_token(query["code"][0])
    assert caught.value.errcode == 40163
