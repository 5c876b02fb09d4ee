"""Wakes the web requests that wait for an outcome: one subscriber per process, on `op:done`.

Without a subscription (lost connection) waiters look every 200 ms. Not for: reading an outcome.
"""

import threading
import time
from collections.abc import Callable
from typing import TypeVar

import redis

from bridge import log
from bridge.store import Redis

CHANNEL = "op:done"
_POLL = 0.2
_DOUBT = 1.0  # a subscription may be dead without our knowing
_AGAIN = 0.5
T = TypeVar("T")


class Subscriber:
    """Started by the first waiter, so that it lives in the process that serves (not its parent)."""

    def __init__(self, queue: Redis, slots: int) -> None:
        """`slots`: how many requests may wait at once."""
        self._queue = queue
        self._slots = threading.BoundedSemaphore(slots) if slots else None
        self._lock = threading.Lock()
        self._waiters: dict[str, list[threading.Event]] = {}
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        self.connected = False

    def wait(self, op: str, seconds: float, look: Callable[[], T | None]) -> T | None:
        """What `look` gives once `op` is done, or after `seconds`. Looks once and comes back at
        once where too many wait already."""
        if self._slots is None or not self._slots.acquire(blocking=False):
            return look()
        self._start()
        woken = threading.Event()
        with self._lock:
            self._waiters.setdefault(op, []).append(woken)
        try:
            return self._until(woken, time.monotonic() + seconds, look)
        finally:
            self._forget(op, woken)
            self._slots.release()

    def _until(
        self, woken: threading.Event, deadline: float, look: Callable[[], T | None]
    ) -> T | None:
        found = look()  # it may have been done before we listened
        while found is None and (left := deadline - time.monotonic()) > 0:
            woken.wait(min(left, _DOUBT if self.connected else _POLL))
            found = look()
        return found

    def _forget(self, op: str, woken: threading.Event) -> None:
        with self._lock:
            waiting = self._waiters[op]
            waiting.remove(woken)
            if not waiting:
                del self._waiters[op]

    def _start(self) -> None:
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._stopped.clear()
                self._thread = threading.Thread(target=self._run, name="op-done", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except (redis.RedisError, OSError, ValueError):
                log.event("outcomes.subscription_lost")
            self.connected = False
            self._stopped.wait(_AGAIN)

    def _listen(self) -> None:
        pubsub = self._queue.client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        try:
            pubsub.subscribe(CHANNEL)
            while not self._stopped.is_set():
                self.connected = pubsub.subscribed
                message = pubsub.get_message(timeout=1.0)
                if message:
                    self._wake(str(message["data"]))
        finally:
            pubsub.close()

    def _wake(self, op: str) -> None:
        with self._lock:
            for woken in self._waiters.get(op, ()):
                woken.set()

    def stop(self) -> None:
        """End the thread."""
        self._stopped.set()
        if self._thread:
            self._thread.join(2.0)
