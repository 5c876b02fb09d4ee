"""What each user did, so that a page can show it between what they received."""

import collections
from typing import Any, NamedTuple

from sandbox.kit.clock import Clock

KEPT = 5_000


class Act(NamedTuple):
    """`event` is as pushed, or "text"; `after` is how many messages everybody had received."""

    openid: str
    event: str
    text: str
    after: int
    at: float


class Diary:
    """The last acts of everybody, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._acts: collections.deque[Act] = collections.deque(maxlen=KEPT)

    def add(self, openid: str, fields: dict[str, Any], after: int) -> None:
        """One act, from the fields of its push."""
        event = str(fields.get("Event") or fields["MsgType"])
        text = str(fields.get("Content", ""))
        self._acts.append(Act(openid, event, text, after, self._clock.now()))

    def of(self, openid: str) -> list[Act]:
        """What one user did."""
        return [act for act in self._acts if act.openid == openid]
