"""The web tier's side of writes: accept a sealed write, wait for its outcome, read an outcome.

Its Redis user may append to a mailbox and read outcomes, and nothing else: it can't read, take or
remove what waits (`deploy/redis/queue.acl`). Not for: applying anything (`drain.py`).
"""

import hmac
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from bridge.errors import Problem
from bridge.seal import Mac, Pseudonyms, Sealer, TooLarge
from bridge.store import Redis, StoreDown, StoreRefused
from bridge.writes import envelope, scripts
from bridge.writes.fit import Fit
from bridge.writes.waiting import Subscriber
from bridge.writes.write import DAY, Outcome, Write
from mappings.loader import Mapping

LANES = {"w": "now", "b": "bulk", "n": "notify"}
"""A mailbox name's first letter -> its lane."""
PAUSED = "op:paused"
WAIT_MS = 500
_OP = re.compile(r"[A-Za-z0-9_-]{22}")


@dataclass(frozen=True)
class Accepted:
    """`fresh` is False for a repetition of an operation that is known already."""

    op: str
    fresh: bool


class Mailboxes:
    """Every mailbox, from outside."""

    def __init__(
        self,
        queue: Redis,
        sealer: Sealer,
        mac: Mac,
        names: Pseudonyms,
        mapping: Mapping,
        *,
        capacity: int = 100,
        replicas: int = 0,
        waiters: int = 8,
        check_value: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`capacity`: writes that may wait in one mailbox. `replicas`: how many must have a write
        before it is acknowledged. `waiters`: requests of this process that may wait at once.
        `check_value`: must be the worker's, or nothing is accepted."""
        self._queue = queue
        self._sealer = sealer
        self._mac = mac
        self._names = names
        self._mapping = mapping
        self._capacity = capacity
        self._replicas = replicas
        self._fit = Fit(queue, mac, check_value, clock)
        self._subscriber = Subscriber(queue, waiters)
        self._append = queue.script(scripts.APPEND)

    def member_mailbox(self, member_id: str) -> str:
        """Where all writes of one member go, in order."""
        return "w" + self._names.of("mailbox", "member", member_id)

    def notice_mailbox(self, address: str) -> str:
        """Where messages to one address go; a lane of its own, which a blocked CRM doesn't hold."""
        return "n" + self._names.of("mailbox", "notice", address)

    def accept(self, write: Write, *, mailbox: str, owner: str, fingerprint: str) -> Accepted:
        """Seal and append. `owner`: the keyed hash of who may read the outcome; `fingerprint`: a
        keyed hash of the request, by which a repetition is told from another request under the
        same key.

        Raises Problem: too-large, mailbox-full, gone (erased, or its create was refused),
        key-reuse, store-unavailable (nothing was accepted), outcome-unknown (repeat with the
        same key).
        """
        try:
            if not self._fit.fresh():
                raise Problem("store-unavailable")
        except StoreDown:
            raise Problem("store-unavailable") from None
        try:
            answer, known = self._push(write, mailbox, owner, fingerprint)
        except TooLarge:
            raise Problem("too-large") from None
        except StoreRefused:
            raise Problem("store-unavailable") from None
        except StoreDown:  # no answer: it may stand in the mailbox
            raise Problem("outcome-unknown") from None
        if answer == "closed":
            raise Problem("gone")
        if answer == "full":
            raise Problem("mailbox-full")
        if answer == "known" and not _same(known, fingerprint):
            raise Problem("key-reuse")
        return Accepted(write.op, answer == "fresh")

    def _push(self, write: Write, mailbox: str, owner: str, fingerprint: str) -> tuple[str, str]:
        text = envelope.seal(write, mailbox, owner, self._sealer, self._mac, self._mapping)
        idempotency = json.dumps({"f": fingerprint, "o": owner, "m": mailbox})
        keys = [f"mb:{mailbox}", f"idem:{write.op}", f"op:closed:{mailbox}", "dirty"]
        args = [text, idempotency, DAY, self._capacity, mailbox, self._replicas]
        answer, known = self._replicated(keys, args) if self._replicas else self._append(keys, args)
        return answer, known

    def _replicated(self, keys: list[str], args: list[object]) -> tuple[str, str]:
        """Append, and know that the replicas have it. Raises Problem outcome-unknown."""
        (answer, known), have = self._queue.eval_and_wait(
            scripts.APPEND, keys, args, self._replicas, WAIT_MS
        )
        if have < self._replicas:
            raise Problem("outcome-unknown")
        return answer, known

    def wait(self, op: str, seconds: float) -> Outcome | None:
        """The outcome, as soon as it is there; None after `seconds`, and at once where the CRM is
        paused or too many requests wait already. Raises Problem store-unavailable."""
        try:
            if self.paused():
                return self._read(op)
            return self._subscriber.wait(op, seconds, lambda: self._read(op))
        except StoreDown:
            raise Problem("store-unavailable") from None

    def outcome(self, op: str, owner: str) -> Outcome | None:
        """The outcome; None while it waits. Raises Problem: not-found (also where it is somebody
        else's), store-unavailable."""
        if not _OP.fullmatch(op):
            raise Problem("not-found")
        try:
            found = self._read(op)
            held = found.owner if found else self._owner_of(op)
        except StoreDown:
            raise Problem("store-unavailable") from None
        if not held or not hmac.compare_digest(held.encode(), owner.encode()):
            raise Problem("not-found")
        return found

    def accepting(self) -> bool:
        """Does a worker say that the queue is durable? Raises StoreDown."""
        return self._fit.fresh()

    def knows(self, op: str) -> bool:
        """Was this operation accepted in the last day, or is its outcome still kept? Raises
        Problem store-unavailable."""
        try:
            return bool(self._owner_of(op)) or self._read(op) is not None
        except StoreDown:
            raise Problem("store-unavailable") from None

    def paused(self) -> bool:
        """Does the worker rest because the CRM asked for it, or refuses it? Raises StoreDown."""
        return self._queue.do("GET", PAUSED) is not None

    def _read(self, op: str) -> Outcome | None:
        text = self._queue.do("GET", f"op:{op}")
        return Outcome.load(op, text) if text else None

    def _owner_of(self, op: str) -> str:
        text = self._queue.do("GET", f"idem:{op}")
        return str(json.loads(text)["o"]) if text else ""

    def close(self) -> None:
        """End the subscriber."""
        self._subscriber.stop()


def _same(known: str, fingerprint: str) -> bool:
    held = str(json.loads(known)["f"])
    return hmac.compare_digest(held.encode(), fingerprint.encode())
