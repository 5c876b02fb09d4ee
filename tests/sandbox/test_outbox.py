"""The sandbox's SMS and mail gateways, and the window onto what they took."""

import threading
import time

import pytest

SMS = {"to": "+8613800138000", "text": "您的验证码 123456", "params": {"code": "123456"}}
MAIL = {"to": "lin@example.com", "subject": "Your code", "text": "123456"}


class Gateway:
    """Calls the gateway as a notifier would."""

    def __init__(self, ready, http) -> None:
        self.url, self.http = ready["url"], http
        self.headers = {"Authorization": f"Bearer {ready['token']}"}

    def send(self, channel, document, headers=None):
        return self.http.post(
            f"{self.url}/{channel}",
            json=document,
            headers=self.headers if headers is None else headers,
        )

    def read(self, **params):
        return self.http.get(f"{self.url}/_sandbox/outbox", params=params).json()["messages"]


@pytest.fixture
def gateway(start, http):
    """A fresh outbox."""
    return Gateway(start("outbox")["outbox"], http)


def test_what_is_sent_can_be_read_newest_first(gateway):
    """Messages are found by address and channel, newest first, with all they said."""
    first = gateway.send("sms", SMS)
    assert first.status_code == 202
    second = gateway.send("sms", SMS | {"text": "再次"})
    gateway.send("mail", MAIL)
    found = gateway.read(to=SMS["to"], channel="sms")
    assert [message["id"] for message in found] == [second.json()["id"], first.json()["id"]]
    assert found[1].items() >= {**SMS, "channel": "sms"}.items()
    assert gateway.read(to=MAIL["to"])[0]["subject"] == "Your code"
    assert gateway.read(to=SMS["to"], channel="mail") == []
    assert [m["text"] for m in gateway.read(to=SMS["to"], after=first.json()["id"])] == ["再次"]
    raw = gateway.http.get(f"{gateway.url}/_sandbox/outbox?to={SMS['to']}").json()
    assert len(raw["messages"]) == 2


def test_a_reader_can_wait_for_a_message(gateway):
    """A waiting read ends as soon as the message comes, and empty when its time is over."""
    threading.Timer(0.3, gateway.send, ("mail", MAIL)).start()
    began = time.monotonic()
    assert gateway.read(to=MAIL["to"], wait=5)[0]["text"] == "123456"
    assert 0.2 < time.monotonic() - began < 3
    assert gateway.read(to="nobody@example.com", wait=0.2) == []


def test_a_wrong_bearer_token_is_refused(gateway):
    """Without the token nothing is taken."""
    for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Bearer "}):
        assert gateway.send("sms", SMS, headers).status_code == 401
    assert gateway.read() == []


@pytest.mark.parametrize(
    ("channel", "document"),
    [
        ("sms", SMS | {"to": "13800138000"}),
        ("sms", SMS | {"text": ""}),
        ("sms", SMS | {"subject": "x"}),
        ("sms", SMS | {"params": "123456"}),
        ("mail", MAIL | {"to": "nobody"}),
        ("mail", MAIL | {"to": "a@b.example\nBcc: c@d.example"}),
        ("mail", MAIL | {"subject": "a\nBcc: c@d.example"}),
        ("mail", {"to": "lin@example.com", "text": "x"}),
        ("mail", ["x"]),
    ],
)
def test_a_senseless_message_is_refused_without_its_values(gateway, channel, document):
    """A message that no gateway would take is 400; the answer names no value."""
    answer = gateway.send(channel, document)
    assert answer.status_code == 400
    assert "138" not in answer.text
    assert gateway.read() == []


def test_trouble_comes_from_the_menu_of_faults(gateway):
    """Slow, 5xx and a refusal are set through the control plane and leave no message."""
    faults = f"{gateway.url}/_sandbox/faults"
    gateway.http.post(faults, json={"kind": "status", "status": 503})
    assert gateway.send("sms", SMS).status_code == 503
    gateway.http.post(faults, json={"kind": "status", "status": 422, "code": "rejected"})
    refused = gateway.send("sms", SMS)
    assert (refused.status_code, refused.json()["error"]) == (422, "rejected")
    assert gateway.read() == []
    gateway.http.post(faults, json={"kind": "slow", "seconds": 0.3})
    began = time.monotonic()
    assert gateway.send("sms", SMS).status_code == 202
    assert time.monotonic() - began > 0.25


def test_the_page_shows_messages_and_runs_nothing_of_them(gateway):
    """The readable page lists what was sent, escaped; clearing empties both."""
    gateway.send("mail", MAIL | {"subject": "<script>alert(1)</script>"})
    page = gateway.http.get(f"{gateway.url}/_sandbox/outbox.html")
    assert page.headers["Content-Type"].startswith("text/html")
    assert MAIL["to"] in page.text
    assert "&lt;script&gt;" in page.text
    assert "<script>" not in page.text
    gateway.http.delete(f"{gateway.url}/_sandbox/outbox")
    assert gateway.read() == []
    gateway.send("sms", SMS)
    gateway.http.post(f"{gateway.url}/_sandbox/reset")
    assert gateway.read() == []


def test_a_message_that_comes_again_under_its_own_id_is_kept_once(gateway):
    """The sender's id is an idempotency key: a repeat after a lost answer sends nothing more."""
    sent = [gateway.send("sms", SMS | {"id": "op-1"}).json() for _ in range(2)]

    assert sent == [{"id": "op-1"}, {"id": "op-1"}]
    assert [message["id"] for message in gateway.read()] == ["op-1"]
