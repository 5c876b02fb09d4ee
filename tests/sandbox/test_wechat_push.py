"""Pushes of the sandbox's WeChat, received and answered by a callback built on wechatpy."""

import json
import socketserver
import threading
import time

import pytest
from wechatpy import create_reply

from sandbox.wechat.delivery import written
from tests.sandbox.wechat_driver import Caller, receiving


@pytest.fixture
def oa(start, http):
    """The account of a fresh sandbox."""
    return Caller(start("wechat")["wechat"], http)


@pytest.fixture
def callback(oa):
    """A receiver by wechatpy that the sandbox pushes to."""
    with receiving(oa) as receiver:
        yield receiver


def test_a_scan_follows_first_and_then_scans(oa, callback):
    """A first scan is subscribe with qrscene_, the next SCAN without; each opens its window."""
    made = oa.qr("st01")
    first = oa.control("scan", {"user": "Lin Muyu", "ticket": made["ticket"]})
    assert first["fields"]["EventKey"] == "qrscene_st01"
    assert first["fields"]["Ticket"] == made["ticket"]
    assert (callback.heard[0].event, callback.heard[0].scene_id) == ("subscribe_scan", "st01")
    told = oa.call("/cgi-bin/user/info", openid=oa.openid)
    assert (told["qr_scene_str"], told["subscribe_scene"]) == ("st01", "ADD_SCENE_QR_CODE")
    second = oa.control("scan", {"user": "Lin Muyu", "ticket": made["url"]})
    assert (second["fields"]["Event"], second["fields"]["EventKey"]) == ("SCAN", "st01")
    assert (callback.heard[1].event, callback.heard[1].scene_id) == ("scan", "st01")
    assert set(oa.get("/_sandbox/state").json()["windows"][oa.openid]) == {"follow", "scan"}


def test_the_reply_is_opened_checked_and_shown(oa, callback):
    """The decrypted passive reply is in the answer and in what the follower has received."""
    pushed = oa.control("push", {"event": "subscribe", "user": "Lin Muyu"})
    (attempt,) = pushed["attempts"]
    assert (attempt["status"], attempt["try"]) == (200, 1)
    assert attempt["ms"] < 5000
    assert attempt["reply"]["kind"] == "message"
    assert attempt["reply"]["encrypted"] is True
    assert pushed["shown"]["Content"] == "欢迎 ]] welcome"
    (entry,) = oa.inbox()
    assert (entry["via"], entry["content"]["Content"]) == ("passive", "欢迎 ]] welcome")


def test_customer_messages_are_received_too(oa, callback):
    """What is sent while the callback is being answered arrives beside the passive reply."""
    callback.answer = lambda message: str(oa.say("at once")) and "success"
    pushed = oa.control("push", {"event": "subscribe", "user": "Lin Muyu"})
    assert pushed["attempts"][0]["reply"]["kind"] == "nothing"
    assert [entry["content"]["content"] for entry in oa.inbox()] == ["at once"]


@pytest.mark.parametrize("mode", ["safe", "compat", "plain"])
@pytest.mark.parametrize("form", ["xml", "json"])
def test_modes_and_formats(oa, callback, mode, form):
    """Every mode is readable as documented; safe hides the fields, plain has no msg_signature."""
    if (mode, form) == ("plain", "json"):
        callback.opened = lambda args, body: _as_xml(body)
    if form == "json" and mode != "plain":
        inner = callback.opened
        callback.opened = lambda args, body: _as_xml(inner(args, body))
    document = {"event": "text", "user": "Lin Muyu", "text": "你 ]]> 好"}
    pushed = oa.control("push", document | {"mode": mode, "format": form})
    assert pushed["attempts"][0]["reply"]["kind"] == "message", pushed["attempts"]
    assert callback.heard[0].content == "你 ]]> 好"
    query, body, headers = callback.requests[0]
    assert ("msg_signature" in query) == ("encrypt_type" in query) == (mode != "plain")
    assert (b"FromUserName" in body) == (mode != "safe")
    assert headers["Content-Type"] == ("application/json" if form == "json" else "text/xml")


def _as_xml(clear):
    """wechatpy 2.0 parses only XML, so a JSON push is written over for it."""
    return written(json.loads(clear), "xml")


def test_copies_are_the_same_message_with_new_signatures(oa, callback):
    """Duplicates keep MsgId and CreateTime, under other nonces; the follower sees one reply."""
    pushed = oa.control("push", {"event": "text", "user": "Lin Muyu", "copies": 3})
    assert [attempt["copy"] for attempt in pushed["attempts"]] == [1, 2, 3]
    assert len({message.id for message in callback.heard}) == 1
    assert len({query["nonce"] for query, _, _ in callback.requests}) == 3
    assert len(oa.inbox()) == 1


def test_copies_can_come_at_once(oa, callback):
    """Concurrent duplicates are all under way before the first is answered."""
    together = threading.Barrier(3)

    def answer(message):
        together.wait(5)
        return "success"

    callback.answer = answer
    document = {"event": "text", "user": "Lin Muyu", "copies": 3, "concurrent": True}
    assert [a["status"] for a in oa.control("push", document)["attempts"]] == [200] * 3


def test_a_slow_callback_is_cut_and_tried_three_times(oa, callback):
    """No answer in time: three tries of the same message, then WeChat's apology is shown."""
    oa.control("wechat/settings", {"callback_timeout": 0.3})
    ended = threading.Event()
    callback.answer = lambda message: "success" if ended.wait(3) else "late"
    pushed = oa.control("push", {"event": "text", "user": "Lin Muyu"})
    ended.set()
    assert [attempt["error"] for attempt in pushed["attempts"]] == ["timeout"] * 3
    assert pushed["delivered"] is False
    assert len({message.id for message in callback.heard}) == 1
    assert [entry["via"] for entry in oa.inbox()] == ["notice"]


def test_an_error_is_tried_again_and_a_late_success_counts(oa, callback):
    """A 500 is tried again; the first 200 ends it."""
    answers = [("no", 500), "success"]
    callback.answer = lambda message: answers.pop(0)
    pushed = oa.control("push", {"event": "text", "user": "Lin Muyu"})
    assert [attempt["status"] for attempt in pushed["attempts"]] == [500, 200]
    assert oa.inbox() == []


def test_a_dribbling_answer_is_cut_by_the_whole_time(oa):
    """The time counts from the request to the last byte, not between bytes."""
    oa.control("wechat/settings", {"callback_timeout": 0.3})

    class Dribble(socketserver.StreamRequestHandler):
        def handle(self):
            self.request.recv(65536)
            for piece in (b"HTTP/1.0 200 OK\r\n\r\n", *(b"%c" % x for x in b"success")):
                self.wfile.write(piece)
                time.sleep(0.07)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Dribble) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        oa.control("callback", {"url": f"http://127.0.0.1:{server.server_address[1]}/"})
        pushed = oa.control("push", {"event": "text", "user": "Lin Muyu"})
        server.shutdown()
    assert [attempt["error"] for attempt in pushed["attempts"]] == ["timeout"] * 3


def test_a_redirect_is_no_answer(oa, callback):
    """WeChat follows no redirect: it is tried again like any other failure."""
    callback.answer = lambda message: ("", 302, {"Location": callback.url + "?echostr=x"})
    pushed = oa.control("push", {"event": "text", "user": "Lin Muyu", "same_query": True})
    assert [attempt["status"] for attempt in pushed["attempts"]] == [302] * 3
    assert len({query["nonce"] for query, _, _ in callback.requests}) == 1


def test_nobody_sees_a_reply_to_an_unsubscribe(oa, callback):
    """Who has left is shown nothing more."""
    assert oa.control("push", {"event": "unsubscribe", "user": "Lin Muyu"})["shown"] is None
    assert oa.inbox() == []


@pytest.mark.parametrize("tamper", ["bitflip", "wrong_signature", "wrong_appid"])
def test_forgeries_are_what_a_right_receiver_refuses(oa, callback, tamper):
    """A forged push is refused by wechatpy, isn't tried again, and changes nothing."""
    document = {"event": "subscribe", "user": "Lin Muyu", "tamper": tamper}
    pushed = oa.control("push", document)
    assert [attempt["status"] for attempt in pushed["attempts"]] == [403]
    assert callback.heard == []
    assert oa.call("/cgi-bin/user/info", openid=oa.openid)["subscribe"] == 0


def test_a_stale_push_is_well_signed_and_old(oa, callback):
    """A stale push has a right signature over an old timestamp, and changes nothing here."""
    document = {"event": "subscribe", "user": "Lin Muyu", "tamper": "stale", "age": 7200}
    pushed = oa.control("push", document)
    fresh = oa.control("push", {"event": "subscribe", "user": "Su Wanqing"})
    assert len(callback.heard) == 2
    stamps = [int(query["timestamp"]) for query, _, _ in callback.requests]
    assert 7100 < stamps[1] - stamps[0] < 7300
    assert (pushed["shown"], oa.inbox()) == (None, [])
    assert fresh["shown"]


def test_a_replay_is_byte_for_byte(oa, callback):
    """A replay sends the very same request once more."""
    pushed = oa.control("push", {"event": "text", "user": "Lin Muyu", "tamper": "replay"})
    assert [attempt.get("replay") for attempt in pushed["attempts"]] == [None, True]
    assert callback.requests[0][:2] == callback.requests[1][:2]


def test_events_can_overtake_each_other(oa, callback):
    """Out of order: effects as they happened, deliveries the other way round."""
    events = [
        {"event": "subscribe", "user": "Lin Muyu"},
        {"event": "unsubscribe", "user": "Lin Muyu"},
    ]
    oa.control("push", {"events": events, "out_of_order": True})
    assert [message.event for message in callback.heard] == ["unsubscribe", "subscribe"]
    assert oa.call("/cgi-bin/user/info", openid=oa.openid)["subscribe"] == 0


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ("plainly wrong", "not XML"),
        ("<xml><a>&x;</a></xml>", "not XML"),
        ('<!DOCTYPE xml [<!ENTITY x "y">]><xml><a>&x;</a></xml>', "document type"),
        (lambda message: create_reply("in clear", message).render(), "in clear"),
        ("<xml><Encrypt>AAAA</Encrypt></xml>", "without"),
        (
            "<xml><Encrypt>AAAA</Encrypt><MsgSignature>a</MsgSignature>"
            "<TimeStamp>1</TimeStamp><Nonce>2</Nonce></xml>",
            "MsgSignature",
        ),
        ('"success"', "not XML"),
        ("success\n", "not XML"),
    ],
)
def test_a_reply_that_wechat_would_not_show(oa, callback, answer, error):
    """An unreadable reply is named, and the follower sees WeChat's apology instead."""
    callback.answer = answer if callable(answer) else lambda message: answer
    pushed = oa.control("push", {"event": "subscribe", "user": "Lin Muyu"})
    reply = pushed["attempts"][0]["reply"]
    assert reply["kind"] == "broken"
    assert error in reply["error"]
    assert [entry["via"] for entry in oa.inbox()] == ["notice"]


@pytest.mark.parametrize(
    ("name", "value"),
    [("target", "o_somebody_else"), ("source", "gh_x"), ("time", -5), ("content", "")],
)
def test_a_reply_to_somebody_else_is_not_shown(oa, callback, name, value):
    """A well sealed reply with a wrong receiver, sender, time or content is broken."""

    def answer(message):
        reply = create_reply("hello", message)
        setattr(reply, name, value)
        return reply

    callback.answer = answer
    pushed = oa.control("push", {"event": "subscribe", "user": "Lin Muyu"})
    assert pushed["attempts"][0]["reply"]["kind"] == "broken"


def test_a_message_opens_its_window_and_a_menu_click_another(oa, callback):
    """Text opens 5 in 48 h; a click in a msgmenu and CLICK count as menu clicks."""
    for document, trigger in (
        ({"event": "text"}, "message"),
        ({"event": "text", "menu_id": "7"}, "menu"),
        ({"event": "CLICK", "key": "K1"}, "menu"),
    ):
        oa.control("reset", {})
        oa.control("push", {"user": "Lin Muyu"} | document)
        assert set(oa.get("/_sandbox/state").json()["windows"][oa.openid]) == {trigger}


def test_a_changed_authorization_names_the_user_in_openid(oa, callback):
    """The three authorization events come from the platform, with the user in OpenID."""
    pushed = oa.control("push", {"event": "user_authorization_revoke", "user": "Lin Muyu"})
    fields = pushed["fields"]
    assert (fields["OpenID"], fields["RevokeInfo"]) == (oa.openid, "205")
    assert fields["FromUserName"] != oa.openid


def test_the_console_checks_the_callback_url(oa, callback):
    """The echostr must come back byte for byte; a forged check is answered by a refusal."""
    assert oa.control("verify-url", {})["ok"] is True
    forged = oa.control("verify-url", {"tamper": "wrong_signature"})
    assert (forged["ok"], forged["status"]) == (False, 403)
    callback.token = "another"
    assert oa.control("verify-url", {})["ok"] is False


def test_a_trace_can_be_followed(oa, callback):
    """A traceparent goes with the push only when a test asks for it."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    oa.control("push", {"event": "text", "user": "Lin Muyu", "traceparent": trace})
    oa.control("push", {"event": "text", "user": "Lin Muyu"})
    assert [headers.get("Traceparent") for _, _, headers in callback.requests] == [trace, None]


@pytest.mark.parametrize(
    "document",
    [
        {"event": "subscribe", "user": "Nobody"},
        {"event": "dance", "user": "Lin Muyu"},
        {"event": "SCAN", "user": "Lin Muyu"},
        {"event": "SCAN", "user": "Lin Muyu", "ticket": "gQxx"},
        {"event": "text", "user": "Lin Muyu", "mode": "clear"},
        {"event": "text", "user": "Lin Muyu", "mode": "plain", "tamper": "bitflip"},
        {"event": "text", "user": "Lin Muyu", "copies": 0},
        {"events": ["text"]},
    ],
)
def test_a_senseless_push_is_refused(oa, callback, document):
    """A document that can't be pushed is 400 with a reason, and nothing goes out."""
    answer = oa.http.post(f"{oa.url}/_sandbox/push", json=document)
    assert answer.status_code == 400
    assert answer.json()["error"]
    assert callback.requests == []


def test_without_a_callback_nothing_is_pushed(oa):
    """A push before the callback URL is set is refused and changes nothing."""
    document = {"event": "subscribe", "user": "Lin Muyu"}
    assert oa.http.post(f"{oa.url}/_sandbox/push", json=document).status_code == 400
    assert oa.call("/cgi-bin/user/info", openid=oa.openid)["subscribe"] == 0


def test_an_ended_code_is_scanned_in_vain(oa, callback):
    """Scanning an ended code pushes nothing (410); an unknown ticket is 400."""
    made = oa.qr(expire_seconds=30)
    oa.control("clock", {"advance": 31})
    document = {"user": "Lin Muyu", "ticket": made["ticket"]}
    assert oa.http.post(f"{oa.url}/_sandbox/scan", json=document).status_code == 410
    document["ticket"] = "gQxx"
    assert oa.http.post(f"{oa.url}/_sandbox/scan", json=document).status_code == 400
    assert callback.requests == []


def test_after_failures_nothing_is_pushed_for_a_minute(oa, callback):
    """Where set, so many failed pushes in a row hold back all others for a minute."""
    oa.control("wechat/settings", {"mark_fail_after": 2})
    event = {"event": "text", "user": "Lin Muyu"}
    callback.answer = lambda message: ("down", 500)
    oa.control("push", event)
    callback.answer = lambda message: "success"
    assert oa.control("push", event)["delivered"] is True  # the count begins again
    callback.answer = lambda message: ("down", 500)
    oa.control("push", event)
    assert "paused" not in oa.control("push", event)
    callback.answer = lambda message: "success"
    heard = len(callback.heard)
    assert oa.control("push", event)["paused"] is True
    assert len(callback.heard) == heard
    oa.control("clock", {"advance": 61})
    assert oa.control("push", event)["delivered"] is True
