"""The way to a CRM and what can go wrong on it. Not for: any CRM's own errors.

This transport and the thin one (`thin.py`) answer with `Answer` or raise Unreachable, TimedOut or
Malformed, with nothing inside. Neither takes anything from the environment (proxies, netrc, CA
bundles), keeps a cookie (Dataverse's affinity cookie would pin us to one of its servers), or
follows a redirect.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from typing import Protocol

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
