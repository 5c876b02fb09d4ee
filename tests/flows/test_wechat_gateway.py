"""Calls to WeChat's API against the sandbox: one token for everybody, bounded, and silent."""

import traceback
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
import requests

from bridge.wechat.errors import WechatError
from bridge.wechat.gateway import Gateway
from tests.support.wechat_line import Line, running

API = "/cgi-bin/qrcode/create"
TOKEN = "/cgi-bin/stable_token"


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One line for the whole file."""
    with running(tmp_path_factory.mktemp("wechat")) as line:
        yield line


@pytest.fixture
def line(shared):
    """Everything forgotten."""
    shared.http.post(f"{shared.ready['url']}/_sandbox/reset")
    shared.redis.do("FLUSHALL")
    shared.control("callback", {"url": f"{shared.url}/wechat/callback"})
    return shared


@pytest.fixture
def gateway(line) -> Gateway:
    return line.channel.gateway


def test_a_code_is_made_shown_and_scanned(line: Line, gateway: Gateway) -> None:
    """A permanent code of a store: its image is there without a token, and scanning it brings the
    store's welcome."""
    made = gateway.create_qr(line.scene("SH001", "spring26"), None)

    image = requests.get(gateway.qr_image(made.ticket), timeout=5)
    assert image.status_code == 200
    assert image.headers["Content-Type"].startswith("image/")
    told = line.control("scan", {"user": "Su Wanqing", "ticket": made.ticket})
    assert "上海店" in told["shown"]["Content"]
    assert gateway.create_qr("s", 600).seconds == 600


def test_a_follower_is_read_and_written_to(line: Line, gateway: Gateway) -> None:
    """user/info, and a customer message inside its window; outside it there is WeChat's code."""
    openid = line.ready["users"][0]["openid"]
    line.push(scene="x")

    assert gateway.follower(openid)["subscribe"] == 1
    gateway.say(openid, "你好 ]]>")
    with pytest.raises(WechatError) as caught:
        gateway.say(line.ready["users"][1]["openid"], "nobody follows")
    assert caught.value.errcode == 45015


def test_eight_threads_fetch_one_token(line: Line, gateway: Gateway) -> None:
    """Cold and at once, each with a gateway of its own as in eight processes: one call to
    stable_token for all, and none for those who come later."""
    cache = gateway._token._cache
    each = [Gateway(line.account, cache) for _ in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: each[n].create_qr(f"s{n}", 60), range(8)))

    assert (line.asked(TOKEN), line.asked(API)) == (1, 8)
    gateway.create_qr("later", 60)
    assert line.asked(TOKEN) == 1
    assert line.asked("/cgi-bin/token") == 0


@pytest.mark.parametrize("act", ["revoke", "expire"])
def test_a_token_that_died_is_replaced_once(line: Line, gateway: Gateway, act) -> None:
    """40001 and 42001 cost one more token call for all threads together, and nobody notices."""
    gateway.create_qr("before", 60)
    line.control("wechat/tokens", {"act": act})

    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda n: gateway.create_qr(f"s{n}", 60).ticket, range(8)))

    assert all(made)
    assert line.asked(TOKEN) == 2


@pytest.mark.parametrize("code", ["40001", "40014", "42001"])
def test_a_server_that_keeps_refusing_is_asked_twice(line: Line, gateway: Gateway, code) -> None:
    """The retry is bounded: two calls, then the error."""
    match = {"path_prefix": API}
    line.control("faults", {"kind": "status", "status": 200, "code": code, "times": 9,
                            "match": match})  # fmt: skip

    with pytest.raises(WechatError) as caught:
        gateway.create_qr("s", 60)

    assert caught.value.errcode == int(code)
    assert line.asked(API) == 2


def test_another_refusal_is_not_repeated(line: Line, gateway: Gateway) -> None:
    """45009 (quota) is told once; asking again would only use up more."""
    line.control("faults", {"kind": "status", "status": 200, "code": "45009", "times": 9,
                            "match": {"path_prefix": API}})  # fmt: skip

    with pytest.raises(WechatError) as caught:
        gateway.create_qr("s", 60)

    assert (caught.value.errcode, caught.value.may_pass) == (45009, False)
    assert line.asked(API) == 1


FAULTS = [
    {"kind": "slow", "seconds": 5},
    {"kind": "status", "status": 503},
    {"kind": "html", "status": 502},
    {"kind": "html", "status": 200},
    {"kind": "malformed"},
    {"kind": "cut_before"},
    {"kind": "cut_after"},
    {"kind": "reset"},
]


@pytest.mark.parametrize("path", [TOKEN, API])
@pytest.mark.parametrize("fault", FAULTS, ids=lambda f: f"{f['kind']}-{f.get('status', '')}")
def test_trouble_is_an_error_that_says_nothing(line: Line, fault, path) -> None:
    """Whatever the network or WeChat does, within the time limit it is a WechatError without URL,
    secret or token, in its text and in everything that a traceback would print."""
    impatient = Gateway(line.account, line.channel.gateway._token._cache, timeout=(0.4, 0.4))
    line.control("faults", {**fault, "times": 9, "match": {"path_prefix": path}})

    with pytest.raises(WechatError) as caught:
        impatient.create_qr("s", 60)

    assert caught.value.may_pass
    told = "".join(traceback.format_exception(caught.value))
    assert line.ready["secret"] not in told
    assert "access_token=" not in told
    assert line.ready["url"] not in told


def test_nobody_there_is_an_error_that_says_nothing(line: Line) -> None:
    """A host that refuses connections: no URL in what is raised, though urllib3 quotes it."""
    account = SimpleNamespace(**vars(line.account) | {"api_base": "http://127.0.0.1:9"})
    code = "CODE-TO-" + "HIDE"

    with pytest.raises(WechatError) as caught:
        Gateway(account, line.channel.gateway._token._cache).exchange(code)

    told = "".join(traceback.format_exception(caught.value))
    assert line.ready["secret"] not in told
    assert code not in told


def test_the_token_rests_sealed(line: Line, gateway: Gateway) -> None:
    """In Redis the token can't be read, its key names neither secret nor token, and it ends."""
    gateway.create_qr("s", 60)

    token = gateway._token.current()
    assert token not in line.rests()
    assert line.ready["secret"] not in line.rests()
    (key,) = line.keys("wx:")
    assert 0 < line.redis.do("TTL", key) <= 7200


def test_nothing_of_the_gateway_shows_a_secret(line: Line, gateway: Gateway) -> None:
    """repr of what a debugger or an error reporter would print."""
    told = repr(gateway) + repr(gateway._token) + repr(line.channel)

    assert line.ready["secret"] not in told
    assert line.ready["aes_key"] not in told
