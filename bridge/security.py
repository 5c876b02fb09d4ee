"""Security events: a closed list, told by pseudonym to a collector outside the web tier.

Not for: the log of what a process does (`log.py`), or an audit trail of the CRM. An event has the
fields of `Event` and no others: no value, address, identifier or token. `who` and `network` are
keyed hashes, so that many events of one member can be seen to belong together, and nothing more.

The collector takes `POST <url>` with one JSON object a line (application/x-ndjson), a bearer token,
and answers 2xx for "kept". What it doesn't take waits in memory, the oldest is dropped first, and
how many were dropped is told. Without a collector the event is a line of the log, without `who`
and `network`: those don't belong on a web host.
"""

import atexit
import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Protocol

import orjson
import requests

from bridge import log
from bridge.seal import Pseudonyms

EVENTS: Mapping[str, str] = {
    "sign-in": "A member signed in; `reason` says how",
    "sign-in-failed": "Wrong password, or nobody by that name",
    "sign-in-limited": "Too many tries for one name, network or client",
    "password-set": "A new password was accepted; `reason`: `reset` or `change`",
    "address-changed": "Another mobile or e-mail was accepted; `reason`: its kind",
    "identity-linked": "A way to sign in was added; `reason`: its kind",
    "identity-unlinked": "A way to sign in was taken away; `reason`: its kind",
    "claimed": "A record that the CRM had was claimed",
    "claim-refused": "A record was not claimed: the second fact was wrong",
    "registered": "A registration was accepted",
    "erase-asked": "A member asked for their data to be erased",
    "code-replayed": "An authorization code came a second time: its grant is dead",
    "refresh-reused": "A spent refresh token came again: its grant is dead",
    "client-refused": "A client's credentials were wrong",
    "row-not-ours": "An identity row that the bridge didn't bind was met in the CRM",
    "mix-up": "A record of somebody else's was about to leave, and didn't",
    "callback-refused": "A push that isn't WeChat's, or is too old",
    "envelope-refused": "A forged, moved or repeated envelope was put aside",
    "events-lost": "`count` events could not be kept for the collector",
}
"""Name -> what it means. `docs/security-events.md` is written from it."""

_HELD, _BATCH = 10_000, 200
_CONNECT, _READ = 2.0, 5.0
_EVERY = 0.5  # seconds between two batches
_LONGEST_PAUSE = 30.0


@dataclass(frozen=True)
class Event:
    """One line at the collector. `at`: seconds since the epoch. `who`, `network`: keyed hashes of
    a member and of a /24 or /64. `trace`: the W3C trace id. `reason`: a constant of ours."""

    event: str
    at: float
    role: str
    client: str = ""
    who: str = ""
    network: str = ""
    reason: str = ""
    trace: str = ""
    count: int = 1


class Sink(Protocol):
    """Where events go."""

    def put(self, event: Event) -> None:
        """Never blocks, never raises."""


class LogSink:
    """For want of a collector: the process's own log."""

    def put(self, event: Event) -> None:
        """A line without what could tie it to a person."""
        log.event(
            f"security.{event.event}",
            logging.WARNING,
            client=event.client,
            reason=event.reason,
            trace=event.trace,
            count=event.count,
        )


class Collector:
    """Sends from a thread of its own, in batches."""

    def __init__(self, url: str, token: str, ca_file: str | None = None, held: int = _HELD) -> None:
        self._url = url
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ca_file or True
        self._session.headers["Content-Type"] = "application/x-ndjson"
        self._session.headers["Authorization"] = f"Bearer {token}"
        self._waiting: deque[Event] = deque()
        self._held, self._lost = held, 0
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def put(self, event: Event) -> None:
        """Queue it; the oldest makes room."""
        with self._lock:
            if self._thread is None:  # not before: a server forks after its parts are made
                self._thread = threading.Thread(target=self._run, name="security", daemon=True)
                self._thread.start()
                atexit.register(self.close)
            if len(self._waiting) >= self._held:
                self._waiting.popleft()
                self._lost += 1
            self._waiting.append(event)

    def close(self, seconds: float = 2.0) -> None:
        """Send what waits, for at most `seconds`."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join(seconds)

    def _run(self) -> None:
        batch: list[Event] = []
        pause = _EVERY
        while True:
            ending = self._ended.wait(pause)
            batch = batch or self._take()
            if batch and not self._sent(batch):
                if ending:
                    return
                pause = min(pause * 2, _LONGEST_PAUSE)
                continue
            pause = _EVERY if len(batch) < _BATCH else 0.0
            batch = []
            if ending and not self._waiting:
                return

    def _take(self) -> list[Event]:
        with self._lock:
            count = min(_BATCH, len(self._waiting))
            taken = [self._waiting.popleft() for _ in range(count)]
            if self._lost and taken:
                taken.append(Event("events-lost", time.time(), taken[0].role, count=self._lost))
                self._lost = 0
            return taken

    def _sent(self, batch: list[Event]) -> bool:
        body = b"".join(orjson.dumps(asdict(event)) + b"\n" for event in batch)
        try:
            answer = self._session.post(
                self._url, data=body, timeout=(_CONNECT, _READ), allow_redirects=False
            )
            kept = 200 <= answer.status_code < 300
        except requests.RequestException:
            kept = False
        if not kept:
            log.event("security.collector_down", logging.ERROR, count=len(batch))
        return kept


@dataclass
class _State:
    sink: Sink
    names: Pseudonyms | None = None
    role: str = ""


_state = _State(LogSink())


def setup(
    role: str, names: Pseudonyms, url: str = "", token: str = "", ca_file: str | None = None
) -> None:
    """Once, when a process starts. `names` is of the index key, which both roles share."""
    _state.role, _state.names = role, names
    _state.sink = Collector(url, token, ca_file) if url else LogSink()


def tell(
    event: str,
    *,
    member: str | None = None,
    network: str = "",
    client: str = "",
    reason: str = "",
    trace: str = "",
) -> None:
    """`event`: a key of EVENTS. `member`, `network`: as they are; only keyed hashes leave here.
    Raises KeyError for an event that isn't on the list."""
    EVENTS[event]  # a closed list
    _state.sink.put(
        Event(
            event,
            round(time.time(), 3),
            _state.role,
            client,
            who=_hashed("security.member", member or ""),
            network=_hashed("security.network", network),
            reason=reason,
            trace=trace,
        )
    )


def _hashed(purpose: str, value: str) -> str:
    return _state.names.of(purpose, value) if value and _state.names else ""
