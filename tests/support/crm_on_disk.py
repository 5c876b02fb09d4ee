"""A CRM that outlives processes: the memory adapter's records in a file, with faults on order.

For tests that kill workers. Each call is one locked step on the file; what happened stands in its
log. Not for: being faithful to any CRM (the sandbox is).
"""

import fcntl
import pickle
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from adapters import errors
from adapters.base import (
    Adapter,
    Criterion,
    Description,
    Found,
    FreeBudget,
    Operation,
    Page,
    Record,
    Remote,
    TokenCache,
    Trace,
)
from adapters.memory import Memory, Store
from mappings.loader import Mapping


class CrmOnDisk(Adapter):
    """Faults: {"verb", "when": "before"|"after"|"late", "error", "sleep", "times", "retry_after"}.

    `before`: nothing is done; `after`: done, and the reply is lost; `late`: no reply, and the
    request is done just before the next one that writes.
    """

    capabilities = Memory.capabilities

    def __init__(self, directory: Path, mapping: Mapping) -> None:
        self.directory = directory
        self.mapping = mapping
        directory.mkdir(exist_ok=True)

    # -- for the test --

    def fault(self, verb: str, when: str, error: str = "TimedOut", **more: Any) -> None:
        """The next `times` (1) calls of `verb` go wrong."""
        with self._locked() as (_, state):
            state["faults"].append({"verb": verb, "when": when, "error": error, "times": 1} | more)

    def calls(self) -> list[tuple[str, str, str]]:
        """(verb, kind, id) of everything that was asked, in order."""
        with self._locked() as (_, state):
            return [tuple(call) for call in state["calls"]]

    def effects(self) -> list[dict[str, Any]]:
        """The records written, in order, as they were sent."""
        with self._locked() as (_, state):
            return list(state["effects"])

    def seed(self, kind: str, id: str, record: Record) -> Found:
        """A record, without a call being counted."""
        with self._locked() as (memory, _):
            return memory.create(kind, id, record)

    def change(self, kind: str, id: str, record: Record) -> Found:
        """What staff would do in the CRM itself."""
        with self._locked() as (memory, _):
            return memory.update(kind, id, record, memory.get(kind, id, []).version)

    def remove(self, kind: str, id: str) -> None:
        """What staff would do in the CRM itself."""
        with self._locked() as (memory, _):
            memory.erase(kind, id)

    def shown(self, kind: str, id: str, *fields: str) -> Found:
        """A record as it is, without a call being counted."""
        with self._locked() as (memory, _):
            return memory.get(kind, id, fields)

    # -- the contract --

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        return self._call("get", kind, id, lambda m: m.get(kind, id, fields))

    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        return self._call("find", kind, "", lambda m: m.find(kind, key, value, fields))

    def query(
        self,
        kind: str,
        criteria: Iterable[Criterion],
        fields: Iterable[str],
        *,
        cursor: str | None = None,
        limit: int = 100,
        trace: Trace | None = None,
    ) -> Page:
        given = list(criteria)
        return self._call(
            "query", kind, "", lambda m: m.query(kind, given, fields, cursor=cursor, limit=limit)
        )

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        return self._call("create", kind, id, lambda m: m.create(kind, id, record), record)

    def update(
        self,
        kind: str,
        id: str,
        changes: Record,
        version: str,
        *,
        returning: Iterable[str] = (),
        trace: Trace | None = None,
    ) -> Found:
        return self._call(
            "update", kind, id, lambda m: m.update(kind, id, changes, version), changes
        )

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        self._call("erase", kind, id, lambda m: m.erase(kind, id, version), {})

    def apply(
        self, operations: Iterable[Operation], *, trace: Trace | None = None
    ) -> tuple[Found | None, ...]:
        given = list(operations)
        first = given[0]
        return self._call("apply", first.kind, first.id, lambda m: m.apply(given), first.record)

    def describe(self) -> Description:
        return self._call("describe", "", "", lambda m: m.describe())

    def ping(self) -> None:
        self._call("ping", "", "", lambda m: m.ping())

    def close(self) -> None:
        """Nothing is open."""

    # -- how --

    def _call(
        self, verb: str, kind: str, id: str, act: Callable[[Memory], Any], record: Any = None
    ) -> Any:
        fault = self._asked(verb, kind, id)
        when = fault.get("when")
        if when == "late":
            self._keep_for_later(verb, kind, id, record, act)
        if when in ("before", "late"):
            time.sleep(fault.get("sleep", 0))
            raise _error(fault)
        with self._locked() as (memory, state):
            if record is not None:
                _deliver(memory, state)
            answer = act(memory)
            if record is not None:
                state["effects"].append({k: str(v) for k, v in record.items()})
        if when == "after":
            time.sleep(fault.get("sleep", 0))
            if fault["error"]:
                raise _error(fault)
        return answer

    def _asked(self, verb: str, kind: str, id: str) -> dict[str, Any]:
        with self._locked() as (_, state):
            state["calls"].append((verb, kind, id))
            for fault in state["faults"]:
                if fault["verb"] == verb and fault["times"] > 0:
                    fault["times"] -= 1
                    return dict(fault)
        return {}

    def _keep_for_later(
        self, verb: str, kind: str, id: str, record: Any, act: Callable[[Memory], Any]
    ) -> None:
        with self._locked() as (memory, state):
            # The version that the request names is the one of now: it was sent before.
            assert verb == "update"
            version = memory.get(kind, id, []).version
            state["late"].append((kind, id, record, version))

    @contextmanager
    def _locked(self) -> Iterator[tuple[Memory, dict[str, Any]]]:
        with (self.directory / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            path = self.directory / "state"
            state = pickle.loads(path.read_bytes()) if path.exists() else _EMPTY()  # noqa: S301
            store = Store(rows=state["rows"], version=state["version"])
            memory = Memory(self.mapping, _remote(store))
            try:
                yield memory, state
            finally:
                state["rows"], state["version"] = store.rows, store.version
                fresh = self.directory / "fresh"
                fresh.write_bytes(pickle.dumps(state))
                fresh.replace(path)


def _deliver(memory: Memory, state: dict[str, Any]) -> None:
    for kind, id, record, version in state["late"]:
        try:
            memory.update(kind, id, record, version)
            state["effects"].append({k: str(v) for k, v in record.items()})
        except errors.CrmError:
            continue  # nobody hears it
    state["late"] = []


def _EMPTY() -> dict[str, Any]:
    return {"rows": {}, "version": 0, "faults": [], "calls": [], "effects": [], "late": []}


def _remote(store: Store) -> Remote:
    tokens: TokenCache = None  # type: ignore[assignment]
    return Remote({"store": store}, {}, tokens, FreeBudget(), "now")


def _error(fault: dict[str, Any]) -> errors.CrmError:
    kind = getattr(errors, fault["error"])
    if kind is errors.Throttled:
        return errors.Throttled(retry_after=fault.get("retry_after", 1.0))
    error: errors.CrmError = kind()
    return error
