"""Who a good access token's caller is, kept in the process as long as nothing about it changed.

Not for: deciding whether a token is good (`grants.py`). Redis tells this process of every change
under `at:`, `gr:` and `ep:` (CLIENT TRACKING in broadcast mode, RESP3), so that a revocation
reaches every process within milliseconds. While that connection isn't known to be alive the cache
is empty and stays empty, and each check goes to Redis.

redis-py's own client-side cache refuses Redis 7.0 and Valkey, hence this small one.
"""

import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import redis

from bridge import log
from bridge.store.connection import Redis

PREFIXES = ("at:", "gr:", "ep:")
HEARTBEAT_SECONDS = 1.0
Value = TypeVar("Value")


@dataclass(frozen=True)
class _Entry(Generic[Value]):
    value: Value
    expires_at: float
    keys: tuple[str, ...]


class CallerCache(Generic[Value]):
    """A bounded dict whose entries go when one of their Redis keys changes."""

    def __init__(self, redis_: Redis, size: int = 10_000) -> None:
        """Connects at the first `get`, in a thread of this process (so after a fork)."""
        self._redis = redis_
        self._size = size
        self._lock = threading.Lock()
        self._entries: OrderedDict[str, _Entry[Value]] = OrderedDict()
        self._by_key: dict[str, set[str]] = {}
        self._changed: OrderedDict[str, int] = OrderedDict()  # key -> when, in counts of changes
        self._count = 0
        self._floor = 0  # nothing is known of changes before this count
        self._alive = False
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def alive(self) -> bool:
        """True while changes reach us."""
        return self._alive

    def get(self, name: str, now: float) -> Value | None:
        """What was put under `name`, unless it changed or expired."""
        if self._thread is None:
            self._start()
        entry = self._entries.get(name) if self._alive else None
        return entry.value if entry is not None and entry.expires_at > now else None

    def mark(self) -> int:
        """To be taken before Redis is read, and given to `put`."""
        return self._count

    def put(
        self, name: str, value: Value, expires_at: float, keys: Iterable[str], mark: int
    ) -> None:
        """Keep `value`, which was read after `mark` and stands on `keys`; not if one of them has
        changed since, or may have."""
        keys = tuple(keys)
        with self._lock:
            if not self._alive or mark < self._floor:
                return
            if any(self._changed.get(key, -1) >= mark for key in keys):
                return
            if len(self._entries) >= self._size:
                self._drop(next(iter(self._entries)))
            self._drop(name)
            self._entries[name] = _Entry(value, expires_at, keys)
            for key in keys:
                self._by_key.setdefault(key, set()).add(name)

    def close(self) -> None:
        """End the thread."""
        self._closed.set()
        if self._thread is not None:
            self._thread.join(2 * HEARTBEAT_SECONDS)

    def _drop(self, name: str) -> None:
        entry = self._entries.pop(name, None)
        for key in entry.keys if entry else ():
            names = self._by_key.get(key, set())
            names.discard(name)
            if not names:
                self._by_key.pop(key, None)

    def _change(self, key: str) -> None:
        with self._lock:
            self._changed[key] = self._count
            self._changed.move_to_end(key)
            self._count += 1
            if len(self._changed) > self._size:
                self._floor = self._changed.popitem(last=False)[1] + 1
            for name in tuple(self._by_key.get(key, ())):
                self._drop(name)

    def _forget(self, alive: bool) -> None:
        """Everything is unknown now: the connection came, went, or Redis was flushed."""
        with self._lock:
            self._alive = alive
            self._entries.clear()
            self._by_key.clear()
            self._changed.clear()
            self._count += 1
            self._floor = self._count

    def _start(self) -> None:
        with self._lock:
            if self._thread is None and not self._closed.is_set():
                self._thread = threading.Thread(target=self._run, name="caller-cache", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        pause = 0.1
        while not self._closed.is_set():
            with contextlib.suppress(redis.RedisError, OSError):
                self._listen()
            if self._alive:
                log.event("caller-cache-lost", logging.WARNING)
                pause = 0.1
            self._forget(alive=False)
            self._closed.wait(pause)
            pause = min(pause * 2, 5.0)

    def _listen(self) -> None:
        connection = self._connect()
        try:
            self._forget(alive=True)
            asked = False
            while not self._closed.is_set():
                try:
                    connection.read_response(
                        timeout=HEARTBEAT_SECONDS, push_request=True, disconnect_on_error=False
                    )
                    asked = False
                except redis.TimeoutError:
                    if asked:  # a heartbeat went unanswered: half-open
                        return
                    connection.send_command("PING", check_health=False)
                    asked = True
        finally:
            self._forget(alive=False)
            connection.disconnect()

    def _connect(self) -> Any:
        pool = self._redis.client.connection_pool
        given = {**pool.connection_kwargs, "protocol": 3}
        connection: Any = pool.connection_class(**given)
        connection.connect()
        connection._parser.set_invalidation_push_handler(self._pushed)
        prefixes = [word for prefix in PREFIXES for word in ("PREFIX", prefix)]
        connection.send_command("CLIENT", "TRACKING", "ON", "BCAST", *prefixes)
        connection.read_response()
        return connection

    def _pushed(self, message: Any) -> None:
        keys = message[1]
        if keys is None:  # FLUSHALL
            self._forget(alive=True)
            return
        for key in keys:
            self._change(key.decode() if isinstance(key, bytes) else key)
