"""Something to be done once in a while for each of many. Not for: anything that must be exact."""

import threading
import time
from collections import OrderedDict


class Seldom:
    """Remembers, in this process, when it last said yes for a name; the oldest are forgotten."""

    def __init__(self, seconds: float, most: int = 10_000) -> None:
        self._seconds, self._most = seconds, most
        self._at: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def due(self, name: str) -> bool:
        """True the first time, and once after each `seconds`."""
        now = time.monotonic()
        last = self._at.get(name)
        if last is not None and now - last < self._seconds:
            return False
        with self._lock:
            self._at[name] = now
            self._at.move_to_end(name)
            if len(self._at) > self._most:
                self._at.popitem(last=False)
        return True
