"""The one clock of a sandbox process. Not for measuring how long something took."""

import threading
import time


class Clock:
    """Epoch seconds that tests can move. It goes on running after it was moved."""

    def __init__(self) -> None:
        self._moved = threading.Condition()
        self._offset = 0.0

    def now(self) -> float:
        """Seconds since 1970 as the sandbox sees them."""
        return time.time() + self._offset

    def advance(self, seconds: float) -> None:
        """Move the clock; everything that sleeps by it wakes if its time has come."""
        with self._moved:
            self._offset += seconds
            self._moved.notify_all()

    def set(self, epoch: float | None) -> None:
        """Let it be `epoch` now; None goes back to the machine's own time."""
        with self._moved:
            self._offset = 0.0 if epoch is None else epoch - time.time()
            self._moved.notify_all()

    def sleep(self, seconds: float) -> None:
        """Wait until the clock shows `seconds` more, by itself or because it was moved."""
        until = self.now() + seconds
        with self._moved:
            while (left := until - self.now()) > 0:
                self._moved.wait(left)
