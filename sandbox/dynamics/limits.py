"""Service protection limits per application user and web server, by the sandbox clock.

Numbers and codes: learn.microsoft.com/power-apps/developer/data-platform/api-limits. A user who
goes on sending while refused waits longer, as that page says; by how much is our assumption.
"""

import collections
import contextlib
import dataclasses
import math
import threading
import time
from collections.abc import Iterator
from typing import Any

from sandbox.dynamics.errors import DataverseError
from sandbox.kit.clock import Clock

HAMMERING_SECONDS = 1.0
TOLD = ("requests", "milliseconds", "running", "refused")


@dataclasses.dataclass
class Thresholds:
    """What one user may do on one web server."""

    requests: int = 6000
    milliseconds: float = 1_200_000.0
    concurrent: int = 52
    window: float = 300.0


@dataclasses.dataclass
class _Use:
    calls: collections.deque[tuple[float, float]] = dataclasses.field(
        default_factory=collections.deque
    )
    milliseconds: float = 0.0
    running: int = 0
    blocked_until: float = 0.0
    refused: int = 0


class Limits:
    """Counts what each application user does and refuses what is too much."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self.reset()

    def reset(self) -> None:
        """Microsoft's thresholds, nothing used."""
        with self._lock:
            self.thresholds = Thresholds()
            self._uses: dict[tuple[str, int], _Use] = collections.defaultdict(_Use)

    def set(self, changes: dict[str, Any]) -> None:
        """Change thresholds; TypeError on an unknown one."""
        with self._lock:
            self.thresholds = dataclasses.replace(self.thresholds, **changes)

    def state(self) -> dict[str, Any]:
        """Thresholds and use on all servers, for the control plane."""
        with self._lock:
            users: dict[str, dict[str, float]] = {}
            for (name, _), use in self._uses.items():
                told = users.setdefault(name, dict.fromkeys(TOLD, 0))
                for key, value in zip(TOLD, _told(use), strict=True):
                    told[key] += value
            return {"thresholds": dataclasses.asdict(self.thresholds), "users": users}

    @contextlib.contextmanager
    def counted(self, name: str, server: int = 0) -> Iterator[dict[str, str]]:
        """Run one request of this user on a server; gives the headers, or raises the 429."""
        began = time.monotonic()
        with self._lock:
            use = self._uses[name, server]
            now = self._clock.now()
            self._forget(use, now)
            self._refuse(use, now)
            use.running += 1
            headers = self._headers(use)
        try:
            yield headers
        finally:
            spent = (time.monotonic() - began) * 1000
            with self._lock:
                use.running -= 1
                use.calls.append((self._clock.now(), spent))
                use.milliseconds += spent

    def _forget(self, use: _Use, now: float) -> None:
        while use.calls and use.calls[0][0] <= now - self.thresholds.window:
            use.milliseconds -= use.calls.popleft()[1]

    def _refuse(self, use: _Use, now: float) -> None:
        most = self.thresholds
        if use.running >= most.concurrent:
            use.refused += 1
            text = f"Number of concurrent requests exceeded the limit of {most.concurrent}."
            raise _too_many("0x80072326", text, 1)
        over_requests = len(use.calls) + use.running >= most.requests
        over_time = use.milliseconds >= most.milliseconds
        if not (over_requests or over_time or now < use.blocked_until):
            return
        use.refused += 1
        oldest = use.calls[0][0] if use.calls else now
        free = oldest + most.window if over_requests or over_time else 0.0
        use.blocked_until = max(free, use.blocked_until + HAMMERING_SECONDS)
        wait = max(1, math.ceil(use.blocked_until - now))
        if over_time and not over_requests:
            text = (
                "Combined execution time of incoming requests exceeded limit of "
                f"{most.milliseconds:,.0f} milliseconds over time window of "
                f"{most.window:.0f} seconds. Decrease number of concurrent requests or reduce the "
                "duration of requests and try again later."
            )
            raise _too_many("0x80072321", text, wait)
        text = (
            f"Number of requests exceeded the limit of {most.requests} over time window of "
            f"{most.window:.0f} seconds."
        )
        raise _too_many("0x80072322", text, wait)

    def _headers(self, use: _Use) -> dict[str, str]:
        most = self.thresholds
        left = max(0, most.requests - len(use.calls) - use.running)
        time_left = max(0.0, (most.milliseconds - use.milliseconds) / 1000)
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(left),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{time_left:.2f}",
            "x-ms-dop-hint": "4",
        }


def _told(use: _Use) -> tuple[float, ...]:
    return len(use.calls), use.milliseconds, use.running, use.refused


def _too_many(code: str, text: str, wait: int) -> DataverseError:
    return DataverseError(429, code, text, {"Retry-After": str(wait)})
