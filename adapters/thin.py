"""Reads over keep-alive sockets, for the hot path: a fifth of the CPU of one through `requests`
(`docs/benchmarks.md`). Not for: anything that may not be repeated, redirects, cookies, proxies.

HTTP/1.1 as RFC 9112 has it, read strictly: what isn't clearly an answer is Malformed, and its
connection is not used again.
"""

import re
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

import certifi

from adapters.errors import BadMapping, Malformed, TimedOut, Unreachable
from adapters.http import AGENT, Answer, Limits, left

_CHUNK = 64 * 1024
_LARGEST_HEAD = 32 * 1024
_LONGEST_LINE = 1024  # of a chunk's size, or a trailer
_STATUS = re.compile(r"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: [^\r\n]*)?\Z")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+\Z")
_SIZE = re.compile(rb"([0-9a-fA-F]{1,8})[ \t]*(?:;.*)?\Z")
_UNSAFE_TARGET = re.compile(r"[^\x21-\x7e]")
_UNSAFE = re.compile("[\r\n\0]")


class ThinTransport:
    """A keep-alive pool to one server; see `adapters.http.Transport`.

    A connection that idled longer than `max_idle` isn't used again; it should be less than the
    CRM's keep-alive. Where one turns out to be closed, the read is repeated once on a new one.
    """

    def __init__(
        self,
        base: str,
        limits: Limits,
        ca_file: str | None = None,
        max_idle: float = 20.0,
        keep: int = 64,
    ) -> None:
        parts = urlsplit(base)
        secure = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if secure else 80)
        self._fixed = f"Host: {parts.netloc}\r\nUser-Agent: {AGENT}\r\nAccept-Encoding: identity"
        self._limits = limits
        self._tls: ssl.SSLContext | None = None
        if secure:
            # Not the default locations: OpenSSL takes those from the environment.
            try:
                self._tls = ssl.create_default_context(cafile=ca_file or certifi.where())
            except OSError:  # no such file, or no certificate in it (ssl.SSLError is one)
                raise BadMapping("ca-file") from None
        self._max_idle = max_idle
        self._keep = keep
        self._idle: deque[_Idle] = deque()
        self._lock = threading.Lock()

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, end: float
    ) -> Answer:
        """See Transport. It may be repeated: a GET, or a search that its caller sends by POST."""
        if (method, body is None) not in (("GET", True), ("POST", False)):
            raise ValueError("GET, or a search by POST")
        request = self._request(method, target, headers, body)
        connection = self._take()
        if connection is not None:
            try:
                return self._exchange(connection, request, end)
            except Unreachable:
                pass  # it was closed while it idled
        return self._exchange(self._connect(end), request, end)

    def close(self) -> None:
        """See Transport."""
        with self._lock:
            idle, self._idle = list(self._idle), deque()
        for entry in idle:
            entry.connection.close()

    def _request(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None
    ) -> bytes:
        """Raises Malformed where a header or the target would be more than one."""
        if _UNSAFE_TARGET.search(target) or any(map(_UNSAFE.search, headers.values())):
            raise Malformed
        lines = "".join([f"{name}: {value}\r\n" for name, value in headers.items()])
        if body is not None:
            lines += f"Content-Length: {len(body)}\r\n"
        text = f"{method} {target} HTTP/1.1\r\n{self._fixed}\r\n{lines}\r\n"
        try:
            return text.encode("latin-1") + (body or b"")
        except UnicodeEncodeError:
            raise Malformed from None

    def _take(self) -> "_Connection | None":
        """The idle connection used last, if it isn't too old; older ones are closed."""
        with self._lock:
            entry = self._idle.pop() if self._idle else None
            if entry and time.monotonic() - entry.since <= self._max_idle:
                return entry.connection
            stale, self._idle = [entry, *self._idle] if entry else [], deque()
        for old in stale:
            old.connection.close()
        return None

    def _give(self, connection: "_Connection") -> None:
        with self._lock:
            if len(self._idle) < self._keep:
                self._idle.append(_Idle(connection, time.monotonic()))
                return
        connection.close()

    def _connect(self, end: float) -> "_Connection":
        timeout = left(end, self._limits.connect)
        try:
            sock = socket.create_connection((self._host, self._port), timeout)
        except OSError:
            raise Unreachable from None
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls:
                sock = self._tls.wrap_socket(sock, server_hostname=self._host)
        except OSError:
            sock.close()
            raise Unreachable from None
        return _Connection(sock, self._limits)

    def _exchange(self, connection: "_Connection", request: bytes, end: float) -> Answer:
        kept = False
        try:
            answer = connection.get(request, end)
            kept = connection.reusable
            return answer
        except TimeoutError:
            raise TimedOut from None
        except (ConnectionError, ssl.SSLError):
            raise Unreachable from None
        except OSError:
            raise Malformed from None
        finally:
            if kept:
                self._give(connection)
            else:
                connection.close()


class _Connection:
    """One socket, and what came over it that hasn't been read yet."""

    def __init__(self, sock: socket.socket, limits: Limits) -> None:
        self._sock = sock
        self._limits = limits
        self._came = bytearray()
        self.reusable = False

    def get(self, request: bytes, end: float) -> Answer:
        """One answer. Raises Malformed, TimedOut, Unreachable (closed before it) and OSError."""
        self.reusable = False
        self._sock.settimeout(left(end, self._limits.read))
        self._sock.sendall(request)
        version, status, headers = self._head(end)
        while status < 200:
            version, status, headers = self._head(end)
        encoding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        bounded = True
        if headers.get("content-encoding", "identity").lower() != "identity":
            raise Malformed
        if status in (204, 304):
            body = b""
        elif encoding is not None:
            if encoding.lower() != "chunked" or length is not None:
                raise Malformed
            body = self._chunks(end)
        elif length is not None:
            body = self._exactly(_number(length, self._limits.largest), end)
        else:
            body, bounded = self._rest(end), False
        closes = version == "0" or "close" in headers.get("connection", "").lower()
        self.reusable = bounded and not closes and not self._came
        return Answer(status, headers, body)

    def close(self) -> None:
        self._sock.close()

    def _more(self, end: float) -> bool:
        """Wait for what comes next; False where nothing will."""
        self._sock.settimeout(left(end, self._limits.read))
        piece = self._sock.recv(_CHUNK)
        self._came += piece
        return bool(piece)

    def _until(self, mark: bytes, most: int, end: float) -> bytes:
        """What comes before `mark`, which is dropped. Raises Malformed."""
        while (at := self._came.find(mark)) < 0:
            if len(self._came) > most or not self._more(end):
                raise Malformed
        found = bytes(self._came[:at])
        del self._came[: at + len(mark)]
        if at > most:
            raise Malformed
        return found

    def _head(self, end: float) -> tuple[str, int, dict[str, str]]:
        """Minor version, status, headers by lower-case name."""
        if not self._came and not self._more(end):
            raise Unreachable
        lines = self._until(b"\r\n\r\n", _LARGEST_HEAD, end).decode("latin-1").split("\r\n")
        first = _STATUS.match(lines[0])
        if first is None:
            raise Malformed
        headers: dict[str, str] = {}
        for line in lines[1:]:
            name, colon, value = line.partition(":")
            if not colon or not _NAME.match(name):  # a folded line too (RFC 9112 section 5.2)
                raise Malformed
            name, value = name.lower(), value.strip(" \t")
            headers[name] = f"{headers[name]}, {value}" if name in headers else value
        return first[1], int(first[2]), headers

    def _exactly(self, length: int, end: float) -> bytes:
        while len(self._came) < length:
            if not self._more(end):
                raise Malformed
        found = bytes(self._came[:length])
        del self._came[:length]
        return found

    def _rest(self, end: float) -> bytes:
        while len(self._came) <= self._limits.largest:
            if not self._more(end):
                return self._exactly(len(self._came), end)
        raise Malformed

    def _chunks(self, end: float) -> bytes:
        """RFC 9112 section 7.1; trailers are dropped."""
        body = bytearray()
        while True:
            found = _SIZE.match(self._until(b"\r\n", _LONGEST_LINE, end))
            if found is None:
                raise Malformed
            size = int(found[1], 16)
            if size == 0:
                while self._until(b"\r\n", _LONGEST_LINE, end):
                    pass
                return bytes(body)
            if len(body) + size > self._limits.largest:
                raise Malformed
            body += self._exactly(size, end)
            if self._exactly(2, end) != b"\r\n":
                raise Malformed


@dataclass(frozen=True)
class _Idle:
    connection: _Connection
    since: float


def _number(text: str, most: int) -> int:
    """Of bytes. Raises Malformed: no number, several, or over `most`."""
    if not (text.isascii() and text.isdigit() and len(text) < 16) or int(text) > most:
        raise Malformed
    return int(text)
