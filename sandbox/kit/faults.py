"""The menu of faults and the rules that say which request meets one.

Only the choosing happens here; `gate.py` plays the fault out on the connection.
"""

import dataclasses
import re
import threading
from typing import Any

KINDS = frozenset(
    (
        "slow",  # answered truly, `seconds` later
        "status",  # no effect; answered with `status`
        "throttle",  # no effect; 429 with Retry-After and the remote's own code
        "html",  # no effect; an HTML page as a proxy would send it
        "foreign",  # no effect; answered with `status`, `headers` and `body`, at least `size` bytes
        "malformed",  # effect; the answer's JSON stops half-way
        "cut_before",  # connection closed, no effect
        "cut_after",  # effect, then the connection is closed without an answer
        "reset",  # TCP reset, no effect
        "late",  # connection closed, and `seconds` later the effect all the same
    )
)


@dataclasses.dataclass
class Rule:
    """One fault for the next `times` requests that match, after `skip` that are let through."""

    kind: str
    match: dict[str, str] = dataclasses.field(default_factory=dict)
    times: int = 1
    skip: int = 0
    status: int = 503
    seconds: float = 1.0
    retry_after: int | None = None
    code: str | None = None
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    body: str = ""
    size: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError("unknown kind of fault")
        if not set(self.match) <= {"method", "path_prefix", "path_regex"}:
            raise ValueError("match knows method, path_prefix and path_regex")
        re.compile(self.match.get("path_regex", ""))

    def meets(self, method: str, path: str) -> bool:
        """Whether it is for this request; `path` is what follows the host, query included."""
        return (
            self.match.get("method", method).upper() == method
            and path.startswith(self.match.get("path_prefix", ""))
            and re.search(self.match.get("path_regex", ""), path) is not None
        )


class Faults:
    """The rules of one part, in the order they were set. The first that meets is consumed once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self.generation = 0  # a request that is to arrive late is dropped once this has moved

    def add(self, rule: dict[str, Any]) -> None:
        """Raises ValueError or TypeError when the rule isn't one."""
        made = Rule(**rule)
        with self._lock:
            self._rules.append(made)

    def clear(self) -> None:
        """Forget all rules and all requests that were to arrive late."""
        with self._lock:
            self._rules.clear()
            self.generation += 1

    def left(self) -> list[dict[str, Any]]:
        """The rules with what is left of their `times`."""
        with self._lock:
            return [dataclasses.asdict(rule) for rule in self._rules]

    def take(self, method: str, path: str) -> Rule | None:
        """The fault this request meets, used up by one."""
        with self._lock:
            for rule in self._rules:
                if not rule.meets(method, path):
                    continue
                if rule.skip > 0:
                    rule.skip -= 1
                    continue
                rule.times -= 1
                if rule.times <= 0:
                    self._rules.remove(rule)
                return rule
            return None
