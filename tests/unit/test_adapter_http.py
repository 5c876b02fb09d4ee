"""Both transports: limits, silence, and nothing of the environment."""

import contextlib
import gzip
import socket
import ssl
import threading
import time

import pytest

from adapters.errors import Malformed, TimedOut, Unreachable
from adapters.http import Limits, RequestsTransport, Wire
from adapters.thin import ThinTransport
from sandbox.kit.ca import make_ca

LIMITS = Limits(connect=0.5, read=0.6, largest=10_000)


class Server:
    """Answers each connection's requests with the next of `answers`; counts connections."""

    def __init__(self, answers, tls=None, between=None):
        self.answers = list(answers)
        self.connections = 0
        self.requests = []
        self.between = between
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._talk, args=(connection,), daemon=True).start()

    def _talk(self, connection):
        with contextlib.suppress(OSError), connection:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
            while self.answers:
                head = b""
                while b"\r\n\r\n" not in head:
                    piece = connection.recv(65536)
                    if not piece:
                        return
                    head += piece
                self.requests.append(head.decode())
                answer = self.answers.pop(0)
                if callable(answer):
                    answer(connection)
                    return
                connection.sendall(answer)
            connection.close()

    def close(self):
        self._listener.close()


def ok(body=b"{}", *headers):
    head = b"".join(h.encode() + b"\r\n" for h in headers)
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n%s\r\n%s" % (len(body), head, body)


@pytest.fixture
def serve():
    """`serve(answers…)`: a server until the test ends."""
    servers = []

    def begin(*answers, **kwargs):
        servers.append(Server(answers, **kwargs))
        return servers[-1]

    yield begin
    for server in servers:
        server.close()


def thin(url, limits=LIMITS, **kwargs):
    return ThinTransport(url, limits, **kwargs)


def full(url, limits=LIMITS, ca_file=None):
    return RequestsTransport(url, Wire(limits, ca_file))


BOTH = pytest.mark.parametrize("make", [thin, full])


def get(transport, seconds=0.6):
    try:
        return transport.send("GET", "/x", {}, None, time.monotonic() + seconds)
    finally:
        transport.close()


@BOTH
def test_answer(serve, make):
    """Status, headers in lower case and body come back."""
    answer = get(make(serve(ok(b'{"a":1}', "X-Thing: y")).url))
    assert (answer.status, answer.headers["x-thing"], answer.body) == (200, "y", b'{"a":1}')


@BOTH
@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda c: c.close(), Unreachable),
        (lambda c: time.sleep(1.5), TimedOut),
        (lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"), Malformed),
        (ok(b"x" * 10_001), Malformed),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", Malformed),
        (b"220 smtp ready\r\n\r\n", (Malformed, Unreachable)),
    ],
    ids=["closed", "silent", "short", "large", "chunks", "no-http"],
)
def test_trouble(serve, make, answer, error):
    """Each way to go wrong is its error, with no value inside, and in time."""
    began = time.monotonic()
    with pytest.raises(error) as caught:
        get(make(serve(answer, answer).url))
    assert time.monotonic() - began < 1.0
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@BOTH
def test_nobody_there(make):
    """A port where nobody listens is Unreachable."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(Unreachable):
        get(make(f"http://127.0.0.1:{port}"))


@BOTH
def test_slow_drip(serve, make):
    """A body that drips in keeps the caller no longer than its time."""

    def drip(connection):
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        with contextlib.suppress(OSError):
            for _ in range(30):
                connection.sendall(b"x" * 10)
                time.sleep(0.1)

    began = time.monotonic()
    with pytest.raises((TimedOut, Malformed)):
        get(make(serve(drip, drip).url))
    assert time.monotonic() - began < 1.5


@BOTH
def test_no_redirect_no_cookie(serve, make):
    """A redirect is an answer like any other, and a cookie is never sent back."""
    moved = b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n"
    server = serve(ok(b"{}", "Set-Cookie: ARRAffinity=1; path=/"), moved)
    transport = make(server.url)
    for expected in (200, 302):
        end = time.monotonic() + 0.6
        assert transport.send("GET", "/x", {}, None, end).status == expected
    transport.close()
    assert len(server.requests) == 2
    assert "cookie" not in server.requests[1].lower()


@BOTH
def test_nothing_of_the_environment(serve, make, monkeypatch, tmp_path):
    """Neither proxies nor netrc nor a CA bundle of the environment have a say."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    server = serve(ok())
    assert get(make(server.url)).status == 200
    assert "authorization" not in server.requests[0].lower()


def test_gzip_is_capped(serve):
    """A small answer that would unpack to a large one is refused; a fair one is unpacked."""
    bomb = gzip.compress(b"x" * 1_000_000)
    with pytest.raises(Malformed):
        get(full(serve(ok(bomb, "Content-Encoding: gzip")).url))
    fair = gzip.compress(b'{"a":1}')
    assert get(full(serve(ok(fair, "Content-Encoding: gzip")).url)).body == b'{"a":1}'


def test_thin_takes_no_compressed_answer(serve):
    """The thin transport asks for none, so one that comes all the same is Malformed."""
    with pytest.raises(Malformed):
        get(thin(serve(ok(gzip.compress(b"{}"), "Content-Encoding: gzip")).url))


def test_thin_keeps_the_connection(serve):
    """Reads one after the other share a connection."""
    server = serve(ok(), ok(), ok())
    transport = thin(server.url)
    for _ in range(3):
        transport.send("GET", "/x", {}, None, time.monotonic() + 0.6)
    transport.close()
    assert server.connections == 1


def test_thin_repeats_on_a_stale_connection(serve):
    """A connection that was closed while it idled costs no error, only a new connection."""

    def one(connection):
        connection.sendall(ok())
        connection.shutdown(socket.SHUT_RDWR)

    server = serve(one, one, one)
    transport = thin(server.url)
    for _ in range(3):
        assert transport.send("GET", "/x", {}, None, time.monotonic() + 0.6).status == 200
        time.sleep(0.05)
    transport.close()
    assert server.connections == 3


def test_thin_forgets_old_connections(serve):
    """A connection that idled too long isn't used again."""
    server = serve(ok(), ok())
    transport = thin(server.url, max_idle=0.05)
    transport.send("GET", "/x", {}, None, time.monotonic() + 0.6)
    time.sleep(0.1)
    transport.send("GET", "/x", {}, None, time.monotonic() + 0.6)
    transport.close()
    assert server.connections == 2


def test_thin_is_for_reads():
    """What may be repeated in silence is a GET, or a search that its caller sends by POST."""
    for method, body in (("PUT", b"{}"), ("DELETE", None), ("GET", b"{}"), ("POST", None)):
        with pytest.raises(ValueError, match="search by POST"):
            thin("http://127.0.0.1:1").send(method, "/x", {}, body, time.monotonic() + 1)


def test_thin_sends_a_search(serve):
    """Its body goes whole, with its length, again where the connection had been closed."""
    server = serve(ok(b"{}"), ok(b"[]"))
    transport = thin(server.url)
    for body in (b'{"filter":[]}', b"{}"):
        transport.send("POST", "/x", {"A": "b"}, body, time.monotonic() + 0.6)
    transport.close()
    assert server.connections == 1
    assert server.requests[0].startswith("POST /x HTTP/1.1\r\n")
    assert "\r\nContent-Length: 13\r\n" in server.requests[0]
    assert server.requests[0].endswith('\r\n\r\n{"filter":[]}')


@BOTH
@pytest.mark.parametrize("names", [("127.0.0.1",), ("example.com",)])
def test_tls(serve, make, tmp_path, monkeypatch, names):
    """TLS needs a certificate of the configured CA for this very host."""
    ca = make_ca(tmp_path)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(ca.ca_file))
    monkeypatch.setenv("SSL_CERT_FILE", str(ca.ca_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*ca.issue(*names))
    if names == ("127.0.0.1",):
        assert get(make(serve(ok(), tls=context).url, ca_file=ca.ca_file)).status == 200
    else:
        with pytest.raises(Unreachable):
            get(make(serve(ok(), tls=context).url, ca_file=ca.ca_file))
    with pytest.raises(Unreachable):  # the environment's CA isn't ours
        get(make(serve(ok(), tls=context).url))
