"""The right to work on one mailbox, for as long as it is renewed. Not for: what is done with it.

A turn is a number from one global counter; a later number takes the mailbox away from an earlier
one. It lapses by itself 4 s after its last renewal, since the mailbox is due again by then.
"""

import threading
import time
from types import TracebackType

from adapters.base import Trace
from bridge.store import Redis, StoreDown
from bridge.writes import scripts
from bridge.writes.mailbox import LANES

LEASE = 4.0
_EVERY = 1.0


class TurnLost(Exception):
    """Another turn has the mailbox: stop, touch nothing."""


class Turn:
    """Use as a context manager: a thread of its own renews the turn every second, and stops when
    the deadline of the CRM call that is under way has passed."""

    def __init__(self, queue: Redis, mailbox: str, number: int, call_seconds: float) -> None:
        """`call_seconds`: the longest that one CRM call may take."""
        self._queue = queue
        self.mailbox = mailbox
        self.number = number
        self.lane = LANES[mailbox[0]]
        self._call_seconds = call_seconds
        self._call_until = time.monotonic() + call_seconds
        self._ended = threading.Event()
        self._renew = queue.script(scripts.RENEW)

    @property
    def key(self) -> str:
        """Of the turn itself."""
        return f"turn:{self.mailbox}"

    @property
    def due(self) -> str:
        """The due set of its lane."""
        return f"due:{self.lane}"

    def check(self) -> None:
        """Before each call: is it still ours? Raises TurnLost; StoreDown where nobody can say."""
        if self._renew([self.key, self.due], [self.number, self.mailbox, LEASE]) != 1:
            raise TurnLost
        self._call_until = time.monotonic() + self._call_seconds

    def _keep(self) -> None:
        while not self._ended.wait(_EVERY):
            if time.monotonic() > self._call_until:
                return
            try:
                self._renew([self.key, self.due], [self.number, self.mailbox, LEASE])
            except StoreDown:
                continue

    def __enter__(self) -> "Turn":
        threading.Thread(target=self._keep, name="turn", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()


def trace_of(traceparent: str) -> Trace | None:
    """For the adapter's calls."""
    return Trace(traceparent) if traceparent else None
