"""Is the queue's Redis durable, and has it room? The worker looks and says so; the web tier may
not ask Redis.

`op:fit` is `<expiry>.<signature>` under the envelope HMAC, which only web and worker hold, and its
message names the other keys that both must share. Not for: the tokens role, which may be lost.
"""

import logging
import time
from collections.abc import Callable, Mapping

from bridge import log
from bridge.seal import Mac, pack
from bridge.store import Redis, StoreDown

KEY = "op:fit"
WANTED: Mapping[str, str] = {
    "appendonly": "yes",
    "appendfsync": "always",
    "maxmemory-policy": "noeviction",
}
"""What the queue's Redis must be set to, or an acknowledged write could be lost."""
_SECONDS = 15
_CACHED = 1.0
_ROOM = 0.9  # of `maxmemory`


def problems(queue: Redis) -> list[str]:
    """Every wrong setting of the queue's Redis, as a sentence. Raises StoreDown."""
    found = []
    for name, wanted in WANTED.items():
        answer = queue.do("CONFIG", "GET", name)
        pairs = answer if isinstance(answer, dict) else dict(zip(*[iter(answer)] * 2, strict=True))
        if pairs.get(name) != wanted:
            found.append(f"the queue's Redis: {name} must be {wanted}")
    return found


def has_room(queue: Redis) -> bool:
    """False near `maxmemory`: a server that is full takes no mark either, so what waits could not
    even be done to make room. Raises StoreDown."""
    memory = queue.do("INFO", "memory")
    return not memory["maxmemory"] or memory["used_memory"] < _ROOM * memory["maxmemory"]


def _message(expiry: str, check_value: str) -> bytes:
    return pack("bridge/fit", expiry, check_value)


class FitKeeper:
    """The worker's side. `check_value`: names the keys that web and worker share (`Pseudonyms`)."""

    def __init__(
        self,
        queue: Redis,
        mac: Mac,
        check_value: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._mac = mac
        self._check_value = check_value
        self._clock = clock

    def renew(self) -> bool:
        """Look, and say so for 15 s; or take it back. False where it isn't fit."""
        try:
            wrong = problems(self._queue)
            full = not has_room(self._queue)
            if wrong or full:
                self._queue.do("DEL", KEY)
                state = "full" if full else "settings"
                log.event("queue.unfit", logging.ERROR, count=len(wrong), state=state)
                return False
            expiry = f"{self._clock() + _SECONDS:.3f}"
            signature = self._mac.sign(_message(expiry, self._check_value))
            self._queue.do("SET", KEY, f"{expiry}_{signature}", "EX", _SECONDS)
        except StoreDown:
            log.event("queue.unreachable", logging.ERROR)
            return False
        return True


class Fit:
    """The web tier's side: believes what it read for at most a second."""

    def __init__(
        self,
        queue: Redis,
        mac: Mac,
        check_value: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._queue = queue
        self._mac = mac
        self._check_value = check_value
        self._clock = clock
        self._good_until = 0.0

    def fresh(self) -> bool:
        """May writes be accepted? Raises StoreDown."""
        now = self._clock()
        if now < self._good_until:
            return True
        expiry, _, signature = (self._queue.do("GET", KEY) or "").partition("_")
        if not signature or not self._mac.check(_message(expiry, self._check_value), signature):
            return False
        self._good_until = min(now + _CACHED, float(expiry))
        return now < self._good_until
