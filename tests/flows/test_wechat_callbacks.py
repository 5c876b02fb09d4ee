"""WeChat's pushes against the real routes, Valkey and the sandbox's WeChat: answered once each."""

import re
import secrets
import time

import pytest
import requests

from bridge.services import traces
from bridge.store import Redis
from bridge.store.events import SeenEvents
from bridge.wechat import callbacks
from tests.support.wechat_line import Line, running


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """One line for the whole file."""
    with running(tmp_path_factory.mktemp("wechat")) as line:
        yield line


@pytest.fixture
def line(shared):
    """Everything forgotten, as the console was at first."""
    url = shared.ready["url"]
    shared.http.post(f"{url}/_sandbox/reset")
    shared.control("callback", {"url": f"{shared.url}/wechat/callback"})
    shared.redis.do("FLUSHALL")
    shared.log.truncate(0)
    shared.log.seek(0)
    shared.account.aes_key, shared.account.previous_aes_key = shared.ready["aes_key"], ""
    return shared


def token_of(words: str) -> str:
    found = re.search(r"/register\?s=([^\"]+)", words)
    assert found is not None
    return found[1]


def statuses(told) -> list[int | None]:
    return [attempt["status"] for attempt in told["attempts"]]


def test_the_console_accepts_the_callback_url(line: Line) -> None:
    """The signed check is echoed alone; a forged one is refused."""
    assert line.control("verify-url", {})["ok"]
    assert line.control("verify-url", {"tamper": "wrong_signature"})["status"] == 403


@pytest.mark.parametrize("push_format", ["xml", "json"])
def test_a_store_s_code_is_answered_with_the_store_s_link(line: Line, push_format) -> None:
    """Following by a store's code shows the store's welcome, whose link carries the scene and the
    trace that stands in the log's line."""
    traceparent = traces.fresh()
    key = line.scene("SH001", "spring26", "window")

    told = line.push(scene=key, format=push_format, traceparent=traceparent)

    words = told["shown"]["Content"]
    assert "山岚时计 上海店" in words
    scene, trace = line.channel.scenes.open_link(token_of(words))
    assert scene.codes == "SH001.spring26.window"
    assert trace is not None
    (logged,) = line.lines("wechat.callback")
    wanted = traces.trace_id(traceparent)
    assert (logged["trace"], traces.trace_id(trace)) == (wanted, wanted)
    assert (logged["event_type"], logged["outcome"]) == ("subscribe", "store-welcome")
    assert told["attempts"][0]["reply"]["encrypted"]


def test_a_follower_who_scans_is_welcomed_too(line: Line) -> None:
    """SCAN carries the scene without a prefix and is answered alike."""
    line.push()

    assert "上海店" in line.push("SCAN", scene=line.scene())["shown"]["Content"]


@pytest.mark.parametrize("scene", [None, "SH001", "1j29vSH001AAAAAAAAAA"])
def test_without_a_scene_of_ours_the_welcome_is_general(line: Line, scene) -> None:
    """Somebody who searched, or came by a code that isn't ours, gets a link without a scene."""
    words = line.push(**({"scene": scene} if scene else {}))["shown"]["Content"]

    assert f'"{line.url}/register"' in words
    assert "上海店" not in words


@pytest.mark.parametrize("event", ["text", "unsubscribe", "CLICK", "LOCATION",
                                   "user_authorization_revoke"])  # fmt: skip
def test_other_pushes_are_acknowledged(line: Line, event) -> None:
    """What the channel doesn't answer is `success`, logged by its type alone."""
    told = line.push(event)

    assert (statuses(told), told["shown"]) == ([200], None)
    assert line.lines("wechat.callback")[0]["outcome"] == "nothing"


@pytest.mark.parametrize("tamper", ["bitflip", "wrong_signature", "wrong_appid", "stale"])
def test_a_forged_push_changes_nothing(line: Line, tamper) -> None:
    """A flipped bit, a wrong signature, another account's appid and an old timestamp are refused;
    nothing is answered and nothing is kept."""
    told = line.push(scene=line.scene(), tamper=tamper)

    assert statuses(told) == [403]
    assert line.keys("") == []
    assert len(line.lines("wechat.refused")) == 1


def test_a_push_under_another_key_changes_nothing(line: Line) -> None:
    """The token alone isn't enough: a push that our keys don't open is refused."""
    line.control("wechat/settings", {"aes_key": "B" * 43})

    assert set(statuses(line.push(scene=line.scene()))) == {403}
    assert line.keys("") == []


def test_plain_mode_is_refused(line: Line) -> None:
    """A push in clear is refused, though its signature is right: it doesn't cover the body."""
    told = line.push(scene=line.scene(), mode="plain")

    assert set(statuses(told)) == {403}
    assert line.keys("") == []


def test_compat_mode_is_read_from_its_sealed_part(line: Line) -> None:
    """Where the same fields stand in clear too, only the sealed ones count."""
    assert "上海店" in line.push(scene=line.scene(), mode="compat")["shown"]["Content"]


def test_a_rotation_of_the_key_loses_no_push(line: Line) -> None:
    """A push under the previous key is read, and answered under that key."""
    line.account.previous_aes_key, line.account.aes_key = line.ready["aes_key"], "B" * 43

    assert "上海店" in line.push(scene=line.scene())["shown"]["Content"]


def test_a_repeated_push_gets_the_same_answer(line: Line) -> None:
    """Three at once, each with a nonce of its own, then a replay: one event, four equal answers."""
    told = line.push(scene=line.scene(), copies=3, concurrent=True, tamper="replay")

    replies = [attempt["reply"]["fields"] for attempt in told["attempts"]]
    assert len(replies) == 6  # each copy is replayed
    assert all(reply == replies[0] for reply in replies)
    assert len(line.keys("wxev:")) == 1
    outcomes = [each["outcome"] for each in line.lines("wechat.callback")]
    assert sorted(outcomes) == ["duplicate"] * 5 + ["store-welcome"]
    assert len({each["trace"] for each in line.lines("wechat.callback")}) == 1


def test_another_event_in_the_same_second_is_not_a_duplicate(line: Line) -> None:
    """Two followers, and two codes of one follower, in one second are four events."""
    for user in ("Lin Muyu", "Zhao Beichen"):
        for store in ("SH001", "BJ001"):
            line.push(user=user, scene=line.scene(store), fields={"CreateTime": 1_780_000_000})

    assert len(line.keys("wxev:")) == 4


def test_nothing_of_the_follower_rests(line: Line) -> None:
    """After all kinds of pushes neither Redis nor the log holds an openid, the callback token, the
    secret or an EncodingAESKey; what rests ends by itself."""
    user = line.ready["users"][0]
    for event in ("subscribe", "text", "user_authorization_revoke", "unsubscribe"):
        line.push(event)
    line.push(scene=line.scene(), tamper="stale")
    line.push(scene=line.scene(), copies=2)

    rests = line.rests()
    for name in ("openid", "unionid", "mini_openid", "name"):
        assert user[name] not in rests
    for name in ("secret", "token", "aes_key"):
        assert line.ready[name] not in rests
    assert all(0 < line.redis.do("TTL", key) <= 3600 for key in line.keys("wxev:"))


def test_a_body_over_the_limit_is_refused_unread(line: Line) -> None:
    """64 KiB is far more than WeChat sends; over it is 413, also without a Content-Length."""
    url = f"{line.url}/wechat/callback"
    large = b"<xml>" + b" " * callbacks.MAX_BODY

    for body in (large, iter([large])):
        answer = requests.post(url, data=body, timeout=5)
        assert answer.status_code == 413


@pytest.mark.parametrize(
    "body",
    ['<!DOCTYPE x [<!ENTITY a "b">]><xml><Encrypt>&a;</Encrypt></xml>', "", "{}", "[]", "<xml/>",
     "<xml><Encrypt>AAAA</Encrypt></xml>", '{"Encrypt":1}', "\x00" * 100],
)  # fmt: skip
def test_a_stranger_s_body_is_refused_calmly(line: Line, body) -> None:
    """A document type, nothing, or nonsense is a problem document of 4xx that echoes nothing."""
    query = {"encrypt_type": "aes", "msg_signature": "x", "timestamp": "y", "nonce": "z&<"}

    answer = requests.post(f"{line.url}/wechat/callback", data=body, params=query, timeout=5)

    assert answer.status_code in (400, 403)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert line.lines("unhandled") == []


def test_a_hanging_api_does_not_hang_the_callback(line: Line) -> None:
    """With WeChat's API standing still, the welcome still comes at once: nothing is asked of it."""
    line.control("faults", {"kind": "slow", "seconds": 30, "times": 50})
    began = time.monotonic()

    told = line.push(scene=line.scene())

    assert told["shown"] is not None
    assert told["attempts"][0]["ms"] < 1000
    assert time.monotonic() - began < 2
    assert line.asked("/cgi-bin") == 0


def test_without_redis_wechat_is_told_to_try_again(line: Line, monkeypatch) -> None:
    """A push that can't be counted is 503, upon which WeChat pushes again; nothing is guessed."""
    down = SeenEvents(Redis("redis://127.0.0.1:1/0"), line.channel.seen._names)
    monkeypatch.setattr(line.channel.seen, "first", down.first)

    told = line.push(scene=line.scene())

    assert statuses(told) == [503, 503, 503]
    monkeypatch.undo()
    assert "上海店" in line.push(scene=line.scene())["shown"]["Content"]


def test_the_answer_is_bare(line: Line) -> None:
    """The echo is the whole body, as plain text with its length: WeChat compares bytes."""
    from bridge.wechat import crypto

    timestamp, nonce, echo = str(int(time.time())), secrets.token_hex(4), "123456"
    signature = crypto.sign(line.ready["token"], timestamp, nonce)
    query = {"signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": echo}

    answer = requests.get(f"{line.url}/wechat/callback", params=query, timeout=5)

    assert answer.content == b"123456"
    assert answer.headers["Content-Length"] == "6"
    assert answer.headers["Content-Type"].startswith("text/plain")
