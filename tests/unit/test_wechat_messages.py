"""Reading pushes and writing replies: XML and JSON, friendly and hostile."""

import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as some
from wechatpy import parse_message

from bridge.wechat.messages import Push, Unreadable, fields_of, text_reply

EVENT = (
    "<xml><ToUserName><![CDATA[gh_a]]></ToUserName><FromUserName><![CDATA[oU]]></FromUserName>"
    "<CreateTime>17</CreateTime><MsgType><![CDATA[event]]></MsgType>"
    "<Event><![CDATA[SCAN]]></Event><EventKey><![CDATA[sc]]></EventKey>"
    "<ScanCodeInfo><ScanType>qr</ScanType><Event>other</Event></ScanCodeInfo></xml>"
)


def test_an_event_in_xml_is_read() -> None:
    """The fields right under <xml> are read; what is nested in one of them isn't taken for one."""
    push = Push(fields_of(EVENT))

    assert (push.event, push.sender, push.account) == ("SCAN", "oU", "gh_a")
    assert "ScanType" not in push.fields


def test_an_event_in_json_is_read() -> None:
    """JSON is read alike, with numbers as text and with WeChat's stray space in a name."""
    push = Push(fields_of('{"MsgType":"event","Event":"x","CreateTime":17," OpenID":"oU"}'))

    assert (push.event, push.sender, push.fields["CreateTime"]) == ("x", "oU", "17")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "x",
        "<a/>",
        "<xml><a>",
        "<xml><a>1</a><a>2</a></xml>",
        "<!DOCTYPE xml><xml><a>1</a></xml>",
        '<!DOCTYPE x [<!ENTITY a "aaa">]><xml><b>&a;</b></xml>',
        '<!DOCTYPE x [<!ENTITY a SYSTEM "file:///etc/passwd">]><xml><b>&a;</b></xml>',
        "<xml><b>&undeclared;</b></xml>",
        b"\xff\xfe<\0x\0m\0l\0/\0>\0",
        '<?xml version="1.0" encoding="utf-16"?><!DOCTYPE x><xml/>',
        "[]",
        "{",
        "{" * 60_000,
        '{"a":' * 12_000 + "1" + "}" * 12_000,
        '{"Encrypt":"\\ud800"}',
        '{"CreateTime":' + "1" * 5000 + "}",
    ],
)
def test_what_wechat_never_sends_is_unreadable(text) -> None:
    """A document type, entities, doubled fields, other roots and broken text raise Unreadable,
    and nothing else."""
    with pytest.raises(Unreadable):
        fields_of(text)


def test_a_message_has_no_event() -> None:
    """A text message that brings an Event field of its own isn't an event."""
    assert Push({"MsgType": "text", "Event": "subscribe"}).event == ""


def test_pushes_of_one_second_are_told_apart() -> None:
    """Another follower, event, key, message or user of an authorization is another push."""
    base = {"FromUserName": "a", "CreateTime": "1", "Event": "e", "EventKey": "k"}
    others = [{"FromUserName": "b"}, {"Event": "f"}, {"EventKey": "l"}, {"MsgId": "1"}]
    others += [{"OpenID": "o"}, {"CreateTime": "2"}]

    identities = {Push(base | other).identity for other in [{}, *others]}

    assert len(identities) == 7


@given(some.text(some.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])))
def test_any_text_survives_a_reply(content) -> None:
    """A reply with any content, CDATA's own end mark included, is read back as it was."""
    content += "x]]>y"
    push = Push({"ToUserName": "gh_a", "FromUserName": "oU", "CreateTime": "17"})

    reply = text_reply(push, content, as_json=False)

    found = ET.fromstring(reply)  # noqa: S314 - our own text
    wanted = content.replace("\r\n", "\n").replace("\r", "\n")
    assert found.findtext("Content") == wanted
    assert (found.findtext("ToUserName"), found.findtext("FromUserName")) == ("oU", "gh_a")
    assert parse_message(reply).content == wanted.strip()  # wechatpy strips


@pytest.mark.parametrize("number", ["", "x", "-1", "9" * 400, "１２"])
def test_a_reply_never_fails_on_a_time(number) -> None:
    """A CreateTime that isn't a plain number becomes 0, so that no push can break the answer."""
    push = Push({"ToUserName": "gh_a", "FromUserName": "oU", "CreateTime": number})

    assert "<CreateTime>0</CreateTime>" in text_reply(push, "hi", as_json=False)
