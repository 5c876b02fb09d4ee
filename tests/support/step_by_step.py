"""A CRM on disk that can't change several records at once, cut off at any of its writes.

For the tests of writes in steps. After every call it looks at what a sign-in would see, so that no
moment between two steps goes unseen. Not for: being faithful to any CRM (the sandbox is).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from adapters.base import Found, Record, Trace
from adapters.errors import Conflict, CrmError, NotFound
from adapters.memory import Memory
from tests.support.crm_on_disk import CrmOnDisk

WRITES = ("create", "update", "erase")


class Killed(BaseException):
    """The worker's process died here."""


class StepByStep(CrmOnDisk):
    """`capabilities` without the atomic batch. `keeps_ids`: a deleted record's id is never free
    again, as with SuiteCRM's soft delete."""

    capabilities = replace(Memory.capabilities, atomic_batch=False)
    keeps_ids = False

    def start(self, watch: Callable[[], None] = lambda: None) -> "StepByStep":
        """Nothing goes wrong, and `watch` is called after each call."""
        self.writes, self._cut, self.gone = 0, (-1, "", Killed()), set[tuple[str, str]]()
        self.refuse: dict[tuple[str, str], CrmError] = {}
        self.between: dict[int, Callable[[], None]] = {}
        self._watch = watch
        return self

    def cut(self, at: int, when: str, error: BaseException) -> None:
        """The write number `at` from now on (0 is the next) ends in `error`, before or after it
        was done."""
        self._cut = (self.writes + at, when, error)

    def apply(self, operations: Any, *, trace: Trace | None = None) -> Any:
        raise AssertionError("there is no batch here")

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        if (kind, id) in self.gone:
            return self._call("create", kind, id, lambda _: _raise(Conflict()), record)
        return super().create(kind, id, record, trace=trace)

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        super().erase(kind, id, version, trace=trace)
        if self.keeps_ids:
            self.gone.add((kind, id))

    def _call(
        self, verb: str, kind: str, id: str, act: Callable[[Memory], Any], record: Any = None
    ) -> Any:
        if verb not in WRITES:
            return super()._call(verb, kind, id, act, record)
        if refusal := self.refuse.get((verb, id)):
            raise refusal
        n, self.writes = self.writes, self.writes + 1
        if n in self.between:
            self.between.pop(n)()
        if self._cut[:2] == (n, "before"):
            raise self._cut[2]
        answer = super()._call(verb, kind, id, act, record)
        self._watch()
        if self._cut[:2] == (n, "after"):
            if verb == "erase" and self.keeps_ids:
                self.gone.add((kind, id))
            raise self._cut[2]
        return answer

    def there(self, kind: str, id: str, *fields: str) -> Found | None:
        """A record as it is, None where there is none."""
        try:
            return self.shown(kind, id, *fields)
        except NotFound:
            return None


def _raise(error: CrmError) -> Any:
    raise error
