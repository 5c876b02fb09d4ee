"""What the thin transport takes for an answer, and when it uses a connection again."""

import contextlib
import socket
import threading
import time

import pytest

from adapters.errors import CrmError, Malformed, TimedOut
from adapters.http import Limits
from adapters.thin import ThinTransport

LIMITS = Limits(connect=0.5, read=0.6, largest=1000)
OK = b"HTTP/1.1 200 OK\r\n"


@pytest.fixture
def serve():
    """`serve(answer…)`: a server that gives each request the next of these bytes, and its transport
    as `read()`; `connections` counts."""
    opened = []

    class Server:
        def __init__(self, answers, pause):
            self.answers, self.pause, self.connections = list(answers), pause, 0
            self.listener = socket.create_server(("127.0.0.1", 0))
            port = self.listener.getsockname()[1]
            self.transport = ThinTransport(f"http://127.0.0.1:{port}", LIMITS)
            threading.Thread(target=self.run, daemon=True).start()

        def run(self):
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = self.listener.accept()
                    self.connections += 1
                    threading.Thread(target=self.talk, args=(connection,), daemon=True).start()

        def talk(self, connection):
            with contextlib.suppress(OSError), connection:
                while self.answers and connection.recv(65536):
                    answer = self.answers.pop(0)
                    for piece in answer if isinstance(answer, list) else [answer]:
                        connection.sendall(piece)
                        time.sleep(self.pause)
                    if b"until-close" in answer:
                        return

        def read(self, target="/x", headers=None):
            end = time.monotonic() + 0.6
            return self.transport.send("GET", target, headers or {}, None, end)

    def begin(*answers, pause=0.0):
        opened.append(Server(answers, pause))
        return opened[-1]

    yield begin
    for server in opened:
        server.transport.close()
        server.listener.close()


CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (OK + b"Content-Length: 2\r\n\r\n{}", b"{}"),
        (CHUNKED + b"2\r\n{}\r\n0\r\n\r\n", b"{}"),
        (CHUNKED + b"1;x=y\r\n{\r\n1\r\n}\r\n0\r\nTrailer: z\r\n\r\n", b"{}"),
        (b"HTTP/1.1 204 No Content\r\n\r\n", b""),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", b""),
        (
            b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + OK + b"Content-Length: 2\r\n\r\n{}",
            b"{}",
        ),
        (OK + b"Content-Length: 0\r\n\r\n", b""),
        ([bytes([each]) for each in OK + b"Content-Length: 2\r\n\r\n{}"], b"{}"),
        ([bytes([each]) for each in CHUNKED + b"2\r\n{}\r\n0\r\n\r\n"], b"{}"),
    ],
    ids=["length", "chunks", "more", "none", "304", "early", "empty", "bytes", "chunk-bytes"],
)
def test_bodies(serve, answer, body):
    """A body ends where RFC 9112 section 6 says, and the connection serves the next read."""
    server = serve(answer, answer)
    assert [server.read().body, server.read().body] == [body, body]
    assert server.connections == 1


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\n",
        OK + b"Content-Length: 2\r\nConnection: close\r\n\r\n{}",
        b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"X: until-close\r\n\r\n{}",
    ],
    ids=["more than one answer", "close", "1.0", "until it closes"],
)
def test_not_used_again(serve, answer):
    """A connection that is to close, or holds bytes that nobody asked for, is used once."""
    server = serve(answer, answer)
    assert [server.read().body, server.read().body] == [b"{}", b"{}"]
    assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}}",
        OK + b"Content-Length: -2\r\n\r\n{}",
        OK + b"Content-Length: 1001\r\n\r\n" + b"x" * 1001,
        OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
        CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n",
        CHUNKED + b"2\r\n{}}}0\r\n\r\n",
        CHUNKED + b"-2\r\n{}\r\n0\r\n\r\n",
        OK + b"X: a\r\n folded\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"Content-Length : 2\r\n\r\n{}",
        OK + b"X: " + b"x" * 40_000 + b"\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/2 200\r\nContent-Length: 2\r\n\r\n{}",
        OK + b"X: until-close\r\n\r\n" + b"x" * 1001,
    ],
    ids=[
        "length and chunks", "two lengths", "negative", "too large", "two codings", "large chunk",
        "chunk's end", "negative chunk", "folded", "space before colon", "long head", "version",
        "endless",
    ],
)  # fmt: skip
def test_not_an_answer(serve, answer):
    """What two readers could read differently is Malformed."""
    with pytest.raises(Malformed):
        serve(answer).read()


def test_dripping_head(serve):
    """A head that drips in keeps the caller no longer than its time."""
    began = time.monotonic()
    with pytest.raises(TimedOut):
        serve([bytes([each]) for each in OK + b"X: y\r\n" * 20], pause=0.02).read()
    assert time.monotonic() - began < 0.9


@pytest.mark.parametrize(
    ("target", "headers"),
    [
        ("/x HTTP/1.1\r\nEvil: 1\r\n", {}),
        ("/x y", {}),
        ("/\u4e2d", {}),
        ("/x", {"A": "b\r\nEvil: 1"}),
        ("/x", {"A": "b\nEvil: 1"}),
        ("/x", {"A": "\u4e2d"}),
    ],
)
def test_nothing_smuggled_out(serve, target, headers):
    """Neither a target nor a header can become two; nothing is sent then."""
    server = serve(OK + b"Content-Length: 2\r\n\r\n{}")
    with pytest.raises(CrmError):
        server.read(target, headers)
    assert server.connections == 0
