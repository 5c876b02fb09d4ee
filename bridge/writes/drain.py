"""The worker's side of one mailbox: take its head, bring it to its effect, settle, go on.

Everything that can end a drain early (its turn, the CRM, Redis, a kill) leaves the head where it
is, due again by itself. Not for: what an effect is (`effects.py`, `steps.py`, `erasing.py`), or
when a mailbox is due (`claim.py`).
"""

import hashlib
import itertools
import json
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as attribute
from typing import Any, Protocol

from adapters.base import Adapter
from adapters.errors import Misconfigured, Throttled, Unavailable
from bridge import log, security
from bridge.seal import Mac, Opener
from bridge.store import Redis, StoreDown
from bridge.writes import dead_letters, envelope, scripts
from bridge.writes.effects import Attempt, Ending, TryLater, update
from bridge.writes.envelope import Envelope, Unreadable
from bridge.writes.erasing import erase
from bridge.writes.mailbox import PAUSED, WAIT_MS
from bridge.writes.notices import Notifier, deliver
from bridge.writes.steps import several, too_late
from bridge.writes.turn import Turn, TurnLost
from bridge.writes.write import OTHERS_KEPT, Base, Outcome, Write
from mappings.loader import Mapping

CRM_LANES = ("now", "bulk")
_LONGEST_BACKOFF = 60.0
_MISCONFIGURED_PAUSE = 30.0
_LONGEST_PAUSE = 600.0
_MERGED = 16  # as many short ids as a record carries
_FAIR = 30.0  # seconds, after which another mailbox gets its turn
_OLD = 3600.0  # seconds of waiting that are worth an alarm


class Stop(Protocol):
    """Asked between two heads."""

    def __call__(self) -> bool: ...


@dataclass(frozen=True)
class DrainParts:
    """What the worker's process works with.

    `check_value`: names the keys that web and worker share; `replicas`: how many are to have an
    outcome; `call_seconds`: the longest that one CRM call may take, its retries of token included.
    """

    queue: Redis
    adapter: Adapter
    mapping: Mapping
    opener: Opener
    mac: Mac
    notifier: Notifier
    clock: Callable[[], float] = time.time
    check_value: str = ""
    replicas: int = 0
    call_seconds: float = 25.0


@dataclass(frozen=True)
class Waiting:
    """One element of a mailbox. `envelope` is None where it can't even be parsed."""

    text: str = attribute(repr=False)
    envelope: Envelope | None


class Later(Exception):
    """The head stays; due again after `seconds`."""

    def __init__(self, seconds: float) -> None:
        super().__init__()
        self.seconds = seconds


def drain(parts: DrainParts, mailbox: str, number: int, stop: Stop = lambda: False) -> None:
    """Work on `mailbox` while `number` is its turn. Raises StoreDown; the rest is dealt with."""
    with Turn(parts.queue, mailbox, number, parts.call_seconds) as turn:
        try:
            _Drain(parts, turn).run(stop)
        except TurnLost:
            log.event("write.turn_lost", lane=turn.lane, turn=number)


class _Drain:
    """One drain under one turn."""

    def __init__(self, parts: DrainParts, turn: Turn) -> None:
        self.parts = parts
        self.turn = turn
        self.name = turn.mailbox
        self._box = f"mb:{turn.mailbox}"
        self._sent = f"sent:{turn.mailbox}"
        script = parts.queue.script
        self._mark = script(scripts.MARK)
        self._promote = script(scripts.PROMOTE)
        self._settle = script(scripts.SETTLE)
        self._rest = script(scripts.REST)
        self._pause = script(scripts.PAUSE)

    def run(self, stop: Stop) -> None:
        """Head after head."""
        until = time.monotonic() + _FAIR
        left = 1
        while left:
            waiting = self._waiting()
            if not waiting or stop() or time.monotonic() > until:
                self._rest_for(0.0)
                return
            try:
                left = self._step(waiting)
            except Later as later:
                self._rest_for(later.seconds)
                return

    def _waiting(self) -> list[Waiting]:
        texts = self.parts.queue.do("LRANGE", self._box, 0, -1)
        return [Waiting(text, _parsed(text, self.parts.mac)) for text in texts]

    def _rest_for(self, seconds: float) -> None:
        keys = [self._box, self.turn.key, self.turn.due]
        self._rest(keys, [self.turn.number, self.name, seconds])

    def _step(self, waiting: list[Waiting]) -> int:
        """One head, or several that go together. Gives how many wait then. Raises Later."""
        if self._erase_first(waiting):
            return 1
        started = time.monotonic()
        head = waiting[0]
        write = self._open(head)
        if write is None:
            return self._bury(head)
        tries = int(self._mark(self._marked(write), [self.turn.number, write.op]))
        if tries < 0:
            raise TurnLost
        if tries == 0:  # it has its outcome: a copy of it was put here
            return self._settled(waiting, Ending("cancelled"), [])
        ending = self._carry_out(waiting, write, tries)
        left = self._settled(waiting, ending, self._outcomes(waiting, ending))
        for each in waiting[: ending.count]:
            self._tell(each, ending.code, started, tries)
        return left

    def _marked(self, write: Write) -> list[str]:
        return [self.turn.key, self._sent, f"op:{write.op}"]

    def _erase_first(self, waiting: Sequence[Waiting]) -> bool:
        """Was an erase moved to the head?"""
        for n, each in enumerate(waiting):
            if each.envelope and each.envelope.verb == "erase" and self._open(each):
                if n == 0:
                    return False
                if not self._promote([self._box, self.turn.key], [self.turn.number, each.text]):
                    raise TurnLost
                return True
        return False

    def _open(self, each: Waiting) -> Write | None:
        if each.envelope is None:
            return None
        try:
            opener, mapping = self.parts.opener, self.parts.mapping
            return envelope.open_(each.envelope, self.name, opener, mapping)
        except Unreadable:
            return None

    # -- the effect -----------------------------------------------------------------------------

    def _carry_out(self, waiting: Sequence[Waiting], write: Write, tries: int) -> Ending:
        """Raises Later, TurnLost, StoreDown."""
        try:
            if write.verb == "notice":
                return self._notice(write)
            return self._effect(waiting, write, tries)
        except Throttled as error:
            self._pause_crm(error.retry_after)
            raise Later(error.retry_after) from None
        except Misconfigured as error:
            log.event("crm.misconfigured", logging.ERROR, code=error.code, lane=self.turn.lane)
            self._pause_crm(_MISCONFIGURED_PAUSE)
            raise Later(_MISCONFIGURED_PAUSE) from None
        except (Unavailable, TryLater) as error:
            self._still_waiting(write, tries, type(error).__name__)
            raise Later(_backoff(tries)) from None
        except (TurnLost, StoreDown, Later):
            raise
        except Exception as error:  # a mistake of ours must not turn into a hot loop
            log.failure("write.failed", error, op=write.op, verb=write.verb, attempts=tries)
            raise Later(_backoff(tries)) from None

    def _effect(self, waiting: Sequence[Waiting], write: Write, tries: int) -> Ending:
        at = Attempt(
            adapter=self.parts.adapter,
            mapping=self.parts.mapping,
            turn=self.turn,
            trace=write.trace,
            again=tries > 1,
            outcome_base=self._outcome_base,
        )
        if write.start_by is not None and self.parts.clock() > write.start_by:
            return too_late(at, write)
        if write.verb == "erase":
            return erase(at, write)
        if write.verb != "update":
            return several(at, write)
        group = self._group(waiting, write)
        ending = update(at, group)
        if len(group) > 1 and ending.code != "applied":
            return update(at, group[:1])  # one of them was refused: find out which
        return ending

    def _notice(self, write: Write) -> Ending:
        if write.start_by is not None and self.parts.clock() > write.start_by:
            return Ending("expired", "expired")
        return deliver(self.parts.notifier, write)

    def _group(self, waiting: Sequence[Waiting], write: Write) -> list[Write]:
        """The head, and the edits behind it that may be merged with it."""
        if not write.mergeable:
            return [write]
        behind = []
        for each in waiting[1:_MERGED]:
            other = self._open(each) if each.envelope and each.envelope.verb == "update" else None
            if other is None or not other.mergeable or _place(other) != _place(write):
                break
            behind.append(other)
        return [write, *itertools.takewhile(self._pending(behind), behind)]

    def _pending(self, writes: Sequence[Write]) -> Callable[[Write], bool]:
        """A copy of something that has its outcome must not be done again."""
        keys = [f"op:{write.op}" for write in writes]
        texts = self.parts.queue.do("MGET", *keys) if keys else []
        done = {write.op for write, text in zip(writes, texts, strict=True) if text}
        return lambda write: write.op not in done

    def _outcome_base(self, op: str) -> Base | None:
        text = self.parts.queue.do("GET", f"op:{op}")
        outcome = Outcome.load(op, text) if text else None
        return outcome.base if outcome and outcome.code == "applied" else None

    def _pause_crm(self, seconds: float) -> None:
        milliseconds = max(1, int(min(seconds, _LONGEST_PAUSE) * 1000))
        self._pause([*(f"pause:{lane}" for lane in CRM_LANES), PAUSED], [milliseconds])

    def _still_waiting(self, write: Write, tries: int, code: str) -> None:
        waited = self.parts.clock() - write.accepted_at
        level = logging.ERROR if waited > _OLD else logging.WARNING
        fields = {"op": write.op, "verb": write.verb, "attempts": tries, "code": code}
        log.event("write.waits", level, seconds=int(waited), trace=_trace_id(write.trace), **fields)

    # -- the end of it --------------------------------------------------------------------------

    def _outcomes(self, waiting: Sequence[Waiting], ending: Ending) -> list[Outcome]:
        found = []
        for n, each in enumerate(waiting):
            if each.envelope is None or not each.envelope.signed:
                continue
            if n < ending.count:
                found.append(self._outcome(each.envelope, ending))
            elif ending.close:
                found.append(self._outcome(each.envelope, _behind(each.envelope, ending)))
        return found

    def _outcome(self, each: Envelope, ending: Ending) -> Outcome:
        return Outcome(
            op=each.op,
            code=ending.code,
            reason=ending.reason,
            version=ending.base.version,
            operations=ending.base.operations,
            at=self.parts.clock(),
            owner=each.owner,
        )

    def _settled(
        self,
        waiting: Sequence[Waiting],
        ending: Ending,
        outcomes: Sequence[Outcome],
        dead: str = "",
    ) -> int:
        """Pop, store the outcomes, tell who waits. Gives how many are left. Raises TurnLost."""
        args: list[object] = [
            self.turn.number,
            self.name,
            hashlib.sha1(waiting[0].text.encode(), usedforsecurity=False).hexdigest(),
            len(waiting) if ending.close else ending.count,
            OTHERS_KEPT if ending.close else 0,
            dead,
            int(ending.code == "applied"),
        ]
        for outcome in outcomes:
            args += [outcome.op, outcome.dump(), outcome.kept]
        closed, letters = f"op:closed:{self.name}", f"dl:{self.name}"
        keys = [self._box, self.turn.key, self.turn.due, self._sent, closed, letters]
        answer, left = self._settle_durably(keys, args)
        if answer == "lost":
            raise TurnLost
        if answer == "moved":  # something came meanwhile: look again
            return 1
        return int(left)

    def _settle_durably(self, keys: list[str], args: list[object]) -> Any:
        """With replicas, on them too. An outcome that a failover loses all the same is found
        again, since the effect carries the operation; the operator is told."""
        if not self.parts.replicas:
            return self._settle(keys, args)
        answer, have = self.parts.queue.eval_and_wait(
            scripts.SETTLE, keys, args, self.parts.replicas, WAIT_MS
        )
        if have < self.parts.replicas:
            log.event("queue.replica_behind", logging.WARNING, count=have, lane=self.turn.lane)
        return answer

    def _bury(self, head: Waiting) -> int:
        """To the dead letters, sealed as it is; its outcome is `unreadable` if it was ours."""
        letter = dead_letters.entry(head.text, "unreadable", self.parts.clock())
        ending = Ending("refused", "unreadable")
        outcomes = []
        known = head.envelope
        if known and known.mailbox == self.name:
            owner = known.owner if known.signed else self._accepted_owner(known.op)
            if owner:
                outcomes.append(replace(self._outcome(known, ending), owner=owner))
        op = known.op if known else ""
        log.event("write.dead_letter", logging.ERROR, op=op, lane=self.turn.lane)
        security.tell("envelope-refused", reason=self.turn.lane)
        return self._settled([head], ending, outcomes, letter)

    def _accepted_owner(self, op: str) -> str:
        """Of an operation that was accepted for this mailbox; "" for any other: nobody may make an
        outcome for somebody else's."""
        text = self.parts.queue.do("GET", f"idem:{op}")
        known = json.loads(text) if text else {}
        return str(known["o"]) if known.get("m") == self.name else ""

    def _tell(self, each: Waiting, code: str, started: float, tries: int) -> None:
        if each.envelope is None:
            return
        log.event(
            "write.done",
            trace=_trace_id(each.envelope.trace),
            op=each.envelope.op,
            verb=each.envelope.verb,
            outcome=code,
            ms=int((time.monotonic() - started) * 1000),
            attempts=tries,
            lane=self.turn.lane,
        )


def _place(write: Write) -> tuple[str, str]:
    return write.operations[0].kind, write.operations[0].id


def _parsed(text: str, mac: Mac) -> Envelope | None:
    try:
        return envelope.parse(text, mac)
    except Unreadable:
        return None


def _behind(each: Envelope, ending: Ending) -> Ending:
    """What waits behind the last write of a mailbox."""
    if ending.code == "applied" and each.verb == "erase":
        return Ending("applied")  # it is erased
    return Ending("cancelled", "cancelled")


def _backoff(tries: int) -> float:
    """1, 2, 4 … 60 seconds."""
    return float(min(2 ** min(tries - 1, 6), _LONGEST_BACKOFF))


def _trace_id(traceparent: str) -> str:
    """What logs are joined by (Trace Context section 3.2.2)."""
    return traceparent[3:35]
