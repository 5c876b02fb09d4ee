"""Messages out: the gateway's protocol, SMTP, and errors that say nothing."""

import json
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bridge.notify import (
    GatewayMisconfigured,
    GatewayUnavailable,
    HttpGateway,
    LogoutGateway,
    Notifier,
    NotifyError,
    SmtpGateway,
    Undeliverable,
)

TO, TEXT = "canary@example.com", "the code is 314159"


@contextmanager
def http(status: int) -> Iterator[tuple[str, list[Any]]]:
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            seen.append((self.path, self.headers["Authorization"], json.loads(body)))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", seen
        server.shutdown()


def test_the_gateway_gets_what_it_needs_and_no_more() -> None:
    """SMS without a subject, mail with one, the operation id as `id`, the token as bearer."""
    with http(202) as (url, seen):
        gateways = {channel: HttpGateway(url, channel, "t0") for channel in ("sms", "mail")}
        notifier = Notifier(gateways)
        notifier.send("sms", "+86", TEXT, subject="", key="op1")
        notifier.send("mail", TO, TEXT, subject="hello", key="op2")
    assert seen == [
        ("/sms", "Bearer t0", {"id": "op1", "to": "+86", "text": TEXT}),
        ("/mail", "Bearer t0", {"id": "op2", "to": TO, "text": TEXT, "subject": "hello"}),
    ]


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, Undeliverable),
        (422, Undeliverable),
        (401, GatewayMisconfigured),
        (403, GatewayMisconfigured),
        (302, GatewayMisconfigured),
        (408, GatewayUnavailable),
        (429, GatewayUnavailable),
        (500, GatewayUnavailable),
        (503, GatewayUnavailable),
    ],
)
def test_a_gateways_answer_says_what_to_do(status: int, error: type[NotifyError]) -> None:
    """Refused for good, later, or an operator must act; the error holds nothing."""
    with http(status) as (url, _), pytest.raises(error) as caught:
        HttpGateway(url, "mail", "t0").send(TO, TEXT, "s", "op")
    assert_silent(caught.value)


def assert_silent(error: BaseException) -> None:
    assert str(error) == ""
    assert error.__cause__ is None
    assert error.__context__ is None or error.__suppress_context__


def test_a_gateway_that_is_away_is_tried_later() -> None:
    """No connection is unavailable, for both kinds."""
    for gateway in (
        HttpGateway("http://127.0.0.1:9", "sms", "t"),
        SmtpGateway("127.0.0.1", 9, "a@example.com", starttls=False),
    ):
        with pytest.raises(GatewayUnavailable) as caught:
            gateway.send(TO, TEXT, "s", "op")
        assert_silent(caught.value)


def test_a_channel_that_is_not_set_up_is_told() -> None:
    """It is an operator's matter, not the member's."""
    with pytest.raises(GatewayMisconfigured):
        Notifier({}).send("sms", "+86", TEXT, subject="", key="op")


@contextmanager
def smtp(answers: dict[str, str]) -> Iterator[tuple[int, list[str]]]:
    """A server that answers each command as told; `answers` by the command's first word."""
    lines: list[str] = []

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.say("220 ready")
            while line := self.rfile.readline().decode().rstrip("\r\n"):
                word = line.split()[0].upper()
                lines.append(line)
                self.say(answers.get(word, "250 fine"))
                if word == "DATA" and answers.get("DATA", "354").startswith("354"):
                    while (data := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                        lines.append(data)
                    self.say(answers.get("BODY", "250 taken"))

        def say(self, text: str) -> None:
            self.wfile.write(f"{text}\r\n".encode())

    class Server(socketserver.ThreadingTCPServer):
        allow_reuse_address = True

    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_address[1], lines
        server.shutdown()


def test_a_mail_goes_by_smtp() -> None:
    """With its subject, and a Message-ID made of the operation id."""
    with smtp({"DATA": "354 go on"}) as (port, lines):
        gateway = SmtpGateway("127.0.0.1", port, "brand@example.com", starttls=False)
        gateway.send(TO, TEXT, "Hello", "op1")
    text = "\n".join(lines)
    # The server's odd goodbye (250 for QUIT) doesn't turn a sent mail into an unsent one.
    assert "Message-ID: <op1@example.com>" in text
    assert "Subject: Hello" in text
    assert TEXT in text


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        ({"RCPT": "550 no such user canary@example.com"}, Undeliverable),
        ({"RCPT": "450 greylisted"}, GatewayUnavailable),
        ({"DATA": "354 go", "BODY": "554 spam"}, Undeliverable),
        ({"DATA": "354 go", "BODY": "451 later"}, GatewayUnavailable),
        ({"MAIL": "530 must authenticate"}, Undeliverable),
    ],
)
def test_smtp_answers_say_what_to_do(answers: dict[str, str], error: type[NotifyError]) -> None:
    """5yz is for good, 4yz is not (RFC 5321), and nothing of the answer is kept."""
    with smtp({"DATA": "354 go on"} | answers) as (port, _), pytest.raises(error) as caught:
        SmtpGateway("127.0.0.1", port, "b@example.com", starttls=False).send(TO, TEXT, "s", "op")
    assert_silent(caught.value)


def test_starttls_is_not_dropped() -> None:
    """A server that offers no TLS gets no mail where TLS is asked for."""
    with smtp({}) as (port, lines), pytest.raises(GatewayMisconfigured):
        SmtpGateway("127.0.0.1", port, "b@example.com").send(TO, TEXT, "s", "op")
    assert not [line for line in lines if line.startswith("MAIL")]


def test_a_line_break_makes_no_header() -> None:
    """An address or subject with a line break is refused before anything is sent."""
    gateway = SmtpGateway("127.0.0.1", 9, "b@example.com", starttls=False)
    for to, subject in ((f"{TO}\nBcc: x@example.com", "s"), (TO, "s\r\nBcc: x@example.com")):
        with pytest.raises(Undeliverable):
            gateway.send(to, TEXT, subject, "op")


@contextmanager
def client(status: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """A client's back-channel address."""
    seen: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            seen.append((self.path, self.headers["Content-Type"], body))
            self.send_response(status)
            self.send_header("Location", "http://127.0.0.1:9/")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            """Quiet."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/signed-out", seen
        server.shutdown()


def test_a_logout_token_is_posted_as_a_form() -> None:
    """OpenID Connect Back-Channel Logout 1.0 section 2.5."""
    with client() as (url, seen):
        LogoutGateway([], loopback=True).send(url, "a.b.c", "", "op1")
    form = "application/x-www-form-urlencoded"
    assert seen == [("/signed-out", form, "logout_token=a.b.c")]


@pytest.mark.parametrize(
    ("status", "error"),
    [(400, Undeliverable), (503, GatewayUnavailable), (302, GatewayMisconfigured)],
)
def test_a_client_that_does_not_take_a_logout(status: int, error: type[NotifyError]) -> None:
    """400 is final (section 2.8), trouble is tried again, a redirect is not followed."""
    with client(status) as (url, _), pytest.raises(error):
        LogoutGateway([], loopback=True).send(url, "a.b.c", "", "op1")


@pytest.mark.parametrize(
    "url",
    [
        "https://elsewhere.example.com/signed-out",
        "http://www.example.com/signed-out",
        "https://www.example.com@elsewhere.example.com/",
        "https://169.254.169.254/latest",
        "file:///etc/passwd",
        "http://127.0.0.1:{port}/signed-out",
        "https://[broken",
    ],
)
def test_only_listed_hosts_are_told(url: str) -> None:
    """The address comes from the web tier; in production the worker calls https hosts of `egress`
    and nothing else, this machine included."""
    with client() as (own, seen):
        gateway = LogoutGateway(["www.example.com"], loopback=False)
        port = own.split(":")[2].split("/")[0]
        with pytest.raises(Undeliverable):
            gateway.send(url.format(port=port), "a.b.c", "", "op1")
    assert seen == []


def test_a_listed_host_is_called() -> None:
    """It is refused by nobody but the network."""
    gateway = LogoutGateway(["localhost.invalid", "localhost.invalid:8443"], loopback=False)
    for url in ("https://localhost.invalid/x", "https://localhost.invalid:8443/x"):
        with pytest.raises(GatewayUnavailable):
            gateway.send(url, "a.b.c", "", "op1")
