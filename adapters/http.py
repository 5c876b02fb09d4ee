"""The transports to a CRM and what can go wrong on the way. Not for: any CRM's own errors.

Both answer with `Answer` or raise Unreachable, TimedOut or Malformed, with nothing inside. Neither
takes anything from the environment (proxies, netrc, CA bundles), keeps a cookie (Dataverse's
affinity cookie would pin us to one of its servers), or follows a redirect.
"""

import http.client
import ssl
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Protocol
from urllib.parse import urlsplit

import certifi
import requests
import requests.adapters
import urllib3.exceptions

from adapters.errors import Malformed, TimedOut, Unreachable

LARGEST_ANSWER = 4 * 1024 * 1024
_CHUNK = 64 * 1024
AGENT = "crm-bridge"


@dataclass(frozen=True)
class Answer:
    """What came back. Header names are in lower case; the body is decompressed."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


@dataclass(frozen=True)
class Limits:
    """Seconds and bytes. `read` bounds each wait and, from the call's start, the whole of it."""

    connect: float
    read: float
    largest: int = LARGEST_ANSWER

    def deadline(self) -> float:
        """When a call that starts now must be over (`time.monotonic`)."""
        return time.monotonic() + self.read


class Transport(Protocol):
    """A way to one server."""

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, end: float
    ) -> Answer:
        """One request; `target` begins with `/`, `end` is when it must be over. Raises Unreachable
        (no connection, or cut before an answer), TimedOut, Malformed (cut in the middle, too
        large, not HTTP)."""

    def close(self) -> None:
        """Let go of idle connections."""


def left(end: float, most: float) -> float:
    """Seconds until `end`, at most `most`. Raises TimedOut where there are none."""
    seconds = min(end - time.monotonic(), most)
    if seconds <= 0:
        raise TimedOut
    return seconds


class Wire:
    """A guarded `requests` session, to any host: tokens, metadata, writes."""

    def __init__(self, limits: Limits, ca_file: str | None = None, pool: int = 32) -> None:
        self._limits = limits
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or certifi.where()
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = requests.adapters.HTTPAdapter(pool_maxsize=pool, max_retries=0)
        self._session.mount("https://", adapter)
        self._session.mount("http://", adapter)

    def exchange(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes | None, end: float
    ) -> Answer:
        """One request. Raises as `Transport.send`."""
        connect, read = left(end, self._limits.connect), left(end, self._limits.read)
        try:
            with self._session.request(
                method,
                url,
                headers={"User-Agent": AGENT, "Accept-Encoding": "gzip", **headers},
                data=body,
                timeout=(connect, read),
                allow_redirects=False,
                stream=True,
            ) as response:
                found = {name.lower(): value for name, value in response.headers.items()}
                return Answer(response.status_code, found, self._body(response, end))
        except requests.exceptions.ConnectTimeout:
            raise Unreachable from None
        except requests.exceptions.Timeout:
            raise TimedOut from None
        except requests.exceptions.RequestException:
            raise Unreachable from None

    def close(self) -> None:
        """Let go of idle connections."""
        self._session.close()

    def _body(self, response: requests.Response, end: float) -> bytes:
        """Read in pieces, so that neither a huge nor a compressed-huge answer fills the memory."""
        whole = bytearray()
        try:
            # read1 gives what is there: `read` would wait for all of it, however slowly it drips.
            while piece := response.raw.read1(_CHUNK, decode_content=True):
                whole += piece
                if len(whole) > self._limits.largest:
                    raise Malformed
                left(end, self._limits.read)
        except urllib3.exceptions.ReadTimeoutError:
            raise TimedOut from None
        except (urllib3.exceptions.HTTPError, OSError):
            raise Malformed from None
        return bytes(whole)


class RequestsTransport:
    """`Wire` to one server."""

    def __init__(self, base: str, wire: Wire) -> None:
        self._base = base
        self._wire = wire

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, end: float
    ) -> Answer:
        """See Transport."""
        return self._wire.exchange(method, self._base + target, headers, body, end)

    def close(self) -> None:
        """See Transport."""
        self._wire.close()


@dataclass(frozen=True)
class _Idle:
    connection: http.client.HTTPConnection
    since: float


class ThinTransport:
    """GET over `http.client` with a keep-alive pool of its own: the hot read costs a fourth of the
    CPU of one through `requests` (measured in `benchmarks/`).

    A connection that idled longer than `max_idle` isn't used again; it should be less than the
    CRM's keep-alive. Where one turns out to be closed, the GET is repeated once on a new one.
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
        self._host, self._port = parts.hostname or "", parts.port
        self._limits = limits
        self._tls: ssl.SSLContext | None = None
        if parts.scheme == "https":
            # Not the default locations: OpenSSL takes those from the environment.
            self._tls = ssl.create_default_context(cafile=ca_file or certifi.where())
        self._max_idle = max_idle
        self._keep = keep
        self._idle: deque[_Idle] = deque()
        self._lock = threading.Lock()

    def send(
        self, method: str, target: str, headers: Mapping[str, str], body: bytes | None, end: float
    ) -> Answer:
        """See Transport; only GET, since it may be repeated."""
        if method != "GET" or body is not None:
            raise ValueError("GET only")
        connection = self._take()
        if connection is not None:
            try:
                return self._exchange(connection, target, headers, end)
            except Unreachable:
                pass  # it was closed while it idled
        return self._exchange(self._connect(end), target, headers, end)

    def close(self) -> None:
        """See Transport."""
        with self._lock:
            idle, self._idle = list(self._idle), deque()
        for entry in idle:
            entry.connection.close()

    def _take(self) -> http.client.HTTPConnection | None:
        """The idle connection used last, if it isn't too old; older ones are closed."""
        with self._lock:
            entry = self._idle.pop() if self._idle else None
            if entry and time.monotonic() - entry.since <= self._max_idle:
                return entry.connection
            stale, self._idle = [entry, *self._idle] if entry else [], deque()
        for old in stale:
            old.connection.close()
        return None

    def _give(self, connection: http.client.HTTPConnection) -> None:
        with self._lock:
            if len(self._idle) < self._keep:
                self._idle.append(_Idle(connection, time.monotonic()))
                return
        connection.close()

    def _connect(self, end: float) -> http.client.HTTPConnection:
        timeout = left(end, self._limits.connect)
        if self._tls:
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                self._host, self._port, timeout=timeout, context=self._tls
            )
        else:
            connection = http.client.HTTPConnection(self._host, self._port, timeout=timeout)
        try:
            connection.connect()
        except OSError:
            connection.close()
            raise Unreachable from None
        return connection

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        target: str,
        headers: Mapping[str, str],
        end: float,
    ) -> Answer:
        kept = False
        try:
            connection.sock.settimeout(left(end, self._limits.read))
            connection.request("GET", target, headers={"User-Agent": AGENT, **headers})
            response = connection.getresponse()
            answer = self._answer(response, connection, end)
            response.close()
            kept = not response.will_close
            return answer
        except TimeoutError:
            raise TimedOut from None
        except (http.client.RemoteDisconnected, ConnectionError, ssl.SSLError):
            raise Unreachable from None
        except (http.client.HTTPException, OSError, ValueError):
            raise Malformed from None
        finally:
            if kept:
                self._give(connection)
            else:
                connection.close()

    def _answer(
        self,
        response: http.client.HTTPResponse,
        connection: http.client.HTTPConnection,
        end: float,
    ) -> Answer:
        headers = {name.lower(): value for name, value in response.getheaders()}
        whole = bytearray()
        while piece := response.read1(_CHUNK):
            whole += piece
            if len(whole) > self._limits.largest:
                raise Malformed
            seconds = left(end, self._limits.read)
            if connection.sock is not None:  # None where the server closes after its answer
                connection.sock.settimeout(seconds)
        # `read1` doesn't complain about a body that ended early.
        if response.length or headers.get("content-encoding", "identity") != "identity":
            raise Malformed
        return Answer(response.status, headers, bytes(whole))
