"""Leave to call the CRM, shared by all processes of one role: pause, allowance, breaker.

Not for: limits on members or clients (`store/limits.py`). A call costs no round trip: a process
looks at Redis every quarter of a second for a pause or an open breaker, and leases its part of the
allowance for that slice. Trouble with Redis changes nothing that is known locally.

The breaker opens when half of at least 20 calls in 10 s failed; after 5 s one call tries.
"""

import threading
import time
from collections import deque
from collections.abc import Callable

from adapters.errors import Throttled, Unreachable
from bridge import log
from bridge.store.connection import Redis, StoreDown

SLICE = 0.25
_WINDOW, _ENOUGH, _SHARE = 10.0, 20, 0.5
_OPEN_FOR = 5.0
_LONGEST_PAUSE = 600.0
_PATIENCE = 1.0  # how long a call waits for a slice with room before it is refused
_LATER = """
local now = tonumber(redis.call('GET', KEYS[1]) or '0')
if tonumber(ARGV[1]) > now then redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2]) end
return 1
"""
_LEASE = """
local used = redis.call('INCRBY', KEYS[1], ARGV[1])
if used == tonumber(ARGV[1]) then redis.call('EXPIRE', KEYS[1], 5) end
return used
"""


class SharedBudget:
    """See `adapters.base.Budget`."""

    def __init__(
        self,
        redis: Redis,
        role: str,
        per_second: float = 0.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`role`: whose CRM user it is; each has limits of its own. `per_second`: its allowance
        over all processes; 0 paces nothing."""
        self._redis, self._clock = redis, clock
        self._pause_key, self._open_key = f"br:{role}:pause", f"br:{role}:open"
        self._slice_key = f"br:{role}:"
        self._span = max(SLICE, 1 / per_second) if per_second else SLICE
        self._per_slice = int(per_second * self._span)
        self._chunk = max(1, self._per_slice // 4)
        self._later, self._lease = redis.script(_LATER), redis.script(_LEASE)
        self._lock = threading.Lock()
        self._looked = 0.0
        self._paused_until = self._open_until = 0.0
        self._probing = False
        self._calls: deque[tuple[float, bool]] = deque()
        self._failed = 0  # of those; counted along, since a busy process has thousands
        self._slice, self._left, self._spent = -1, 0, False

    def take(self, lane: str) -> None:
        """Raises Throttled where the CRM asked for a pause or the allowance is spent, Unreachable
        where the breaker is open; both at once."""
        self._look()
        now = self._clock()
        if now < self._paused_until:
            raise Throttled(retry_after=self._paused_until - now)
        self._refuse_while_open(now)
        if self._per_slice:
            self._pace()
        self._pass_breaker(self._clock())  # last: a probe that isn't made would never end

    def throttled(self, retry_after: float) -> None:
        """The CRM answered 429: every process of the role pauses."""
        until = self._clock() + min(max(retry_after, 0.1), _LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, until)
        log.event("crm.paused", seconds=round(retry_after, 1))
        self._tell(self._pause_key, until)

    def done(self, ok: bool, seconds: float) -> None:
        """Counts a call, and opens or closes the breaker."""
        now = self._clock()
        with self._lock:
            if self._probing and ok:
                self._forget_calls()
                self._open_until, self._probing = 0.0, False
                log.event("crm.breaker_closed")
                return
            self._calls.append((now, ok))
            self._failed += not ok
            while self._calls and self._calls[0][0] < now - _WINDOW:
                self._failed -= not self._calls.popleft()[1]
            opens = (self._probing and not ok) or self._failing()
            self._probing = False
            if opens:
                self._forget_calls()
                self._open_until = now + _OPEN_FOR
        if opens:
            log.event("crm.breaker_open", seconds=_OPEN_FOR)
            self._tell(self._open_key, self._open_until)

    def is_open(self) -> bool:
        """True while calls are refused without being tried."""
        self._look()
        return self._clock() < max(self._open_until, self._paused_until)

    def _failing(self) -> bool:
        return len(self._calls) >= _ENOUGH and self._failed >= _SHARE * len(self._calls)

    def _forget_calls(self) -> None:
        self._calls.clear()
        self._failed = 0

    def _refuse_while_open(self, now: float) -> None:
        if now < self._open_until or self._probing:
            raise Unreachable

    def _pass_breaker(self, now: float) -> None:
        with self._lock:
            self._refuse_while_open(now)
            self._probing = bool(self._open_until)  # half open: this one call tries

    def _look(self) -> None:
        now = self._clock()
        if now - self._looked < SLICE:
            return
        self._looked = now
        try:
            paused, opened = self._redis.do("MGET", self._pause_key, self._open_key)
        except StoreDown:
            return
        self._paused_until = max(self._paused_until, float(paused or 0))
        if float(opened or 0) > now:
            self._open_until = max(self._open_until, float(opened))

    def _tell(self, key: str, until: float) -> None:
        try:
            self._later([key], [until, max(1, int(until - self._clock()) + 1)])
        except StoreDown:
            return

    def _pace(self) -> None:
        until = self._clock() + _PATIENCE
        while not self._leave():
            now = self._clock()
            if now > until:
                raise Throttled(retry_after=self._span)
            time.sleep(max(0.001, self._span - now % self._span))

    def _leave(self) -> bool:
        with self._lock:
            current = int(self._clock() / self._span)
            if current != self._slice:
                self._slice, self._left, self._spent = current, 0, False
            if not self._left and not self._spent:
                self._left = self._more(current)
                self._spent = not self._left
            self._left -= 1 if self._left else 0
            return not self._spent

    def _more(self, current: int) -> int:
        """Lease a part of this slice's allowance; 0 where others have it all."""
        try:
            used = int(self._lease([f"{self._slice_key}{current}"], [self._chunk]))
        except StoreDown:
            used = self._chunk
        return max(0, min(self._chunk, self._per_slice - (used - self._chunk)))
