"""When and how often a follower may be written to: one window for each kind of trigger.

Source: "Customer service messages", as in force since June 2021: a message of theirs opens
5 in 48 hours; following, scanning or a menu click each 3 in one minute; a payment any number
in 48 hours. Not stated by WeChat, so chosen here: a new trigger restarts its own window, and a
message sent is taken from the open window that ends first.
"""

import dataclasses

from sandbox.kit.clock import Clock
from sandbox.wechat.errors import fail

MINUTE = 60
TWO_DAYS = 48 * 3600
UNLIMITED = None
TRIGGERS: dict[str, tuple[int, int | None]] = {
    "follow": (MINUTE, 3),
    "scan": (MINUTE, 3),
    "menu": (MINUTE, 3),
    "message": (TWO_DAYS, 5),
    "payment": (TWO_DAYS, UNLIMITED),
}


@dataclasses.dataclass
class Window:
    """Open until `until`; `left` messages, or None for any number."""

    until: float
    left: int | None


class Windows:
    """The windows of all followers, by openid and trigger."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._of: dict[str, dict[str, Window]] = {}

    def open(self, openid: str, trigger: str) -> None:
        """Something the follower did; ValueError if there is no such trigger."""
        if trigger not in TRIGGERS:
            raise ValueError(f"triggers are {', '.join(TRIGGERS)}")
        seconds, number = TRIGGERS[trigger]
        window = Window(self._clock.now() + seconds, number)
        self._of.setdefault(openid, {})[trigger] = window

    def close(self, openid: str) -> None:
        """They no longer follow."""
        self._of.pop(openid, None)

    def spend(self, openid: str) -> None:
        """One message goes out: 45015 when no window is open, 45047 when all are used up."""
        now = self._clock.now()
        still_open = [w for w in self._of.get(openid, {}).values() if now < w.until]
        if not still_open:
            fail(45015)
        usable = [w for w in still_open if w.left is None or w.left > 0]
        if not usable:
            fail(45047)
        window = min(usable, key=lambda w: w.until)
        if window.left is not None:
            window.left -= 1

    def state(self) -> dict[str, dict[str, dict[str, float | None]]]:
        """Openid -> trigger -> until, left."""
        return {
            openid: {trigger: dataclasses.asdict(window) for trigger, window in windows.items()}
            for openid, windows in self._of.items()
        }
