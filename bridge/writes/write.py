"""A write and its outcome, and the ids that go with its effect. Not for: sealing (`envelope.py`).

The operation id comes from the client's Idempotency-Key, so a retry gives the same id even after
Redis was wiped; the ids of the records it makes come from it in turn.
"""

import json
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Literal

from adapters.base import Operation
from bridge.seal import Pseudonyms

Verb = Literal["create", "update", "apply", "erase", "notice"]
VERBS = ("create", "update", "apply", "erase", "notice")
Code = Literal["applied", "refused", "stale", "expired", "cancelled"]
DAY = 86_400
KEPT: dict[str, int] = {"applied": 2 * DAY}
"""How long an outcome is kept, in seconds, where it isn't OTHERS_KEPT."""
OTHERS_KEPT = 30 * DAY
LAST_OPERATIONS = "last_operations"
_LISTED = 16


@dataclass(frozen=True)
class Base:
    """A record's version, and the short ids of the operations that it carries at that version."""

    version: str
    operations: tuple[str, ...] = ()


@dataclass(frozen=True)
class Write:
    """One change that a client asked for.

    `based_on`: what If-Match named; None for "whatever it is now", a string for the operation id
    of a write of the client's own that may still be waiting. `accepted_at`, `start_by`: seconds
    since the epoch; past `start_by` it is dropped, never applied late. `trace`: a traceparent.
    `notice`: {"channel": "sms"|"mail", "to", "text", "subject"} for the verb `notice`.
    """

    verb: Verb
    op: str
    accepted_at: float
    operations: tuple[Operation, ...] = attribute(default=(), repr=False)
    based_on: Base | str | None = None
    start_by: float | None = None
    trace: str = ""
    notice: dict[str, str] | None = attribute(default=None, repr=False)

    @property
    def mergeable(self) -> bool:
        """An edit of one record that names no version: it may be joined with its neighbours."""
        return self.verb == "update" and self.based_on is None and self.start_by is None


@dataclass(frozen=True)
class Outcome:
    """What became of a write. `reason`: a problem type (`bridge.errors.KINDS`), or `merged` or
    `unreadable`; "" where applied. `version`, `operations`: the record after it, "" where the CRM
    didn't tell. `at`: seconds since the epoch. `owner`: the keyed hash that may read it."""

    op: str
    code: Code
    reason: str = ""
    version: str = ""
    operations: tuple[str, ...] = ()
    at: float = 0.0
    owner: str = ""

    @property
    def base(self) -> Base:
        """What an ETag of the record is made of."""
        return Base(self.version, self.operations)

    @property
    def kept(self) -> int:
        """Seconds."""
        return KEPT.get(self.code, OTHERS_KEPT)

    def dump(self) -> str:
        """As it rests in Redis: references and codes only."""
        short_names = {"c": self.code, "r": self.reason, "v": self.version, "w": self.owner}
        rest = {"o": list(self.operations), "t": round(self.at, 3)}
        return json.dumps(short_names | rest, separators=(",", ":"))

    @classmethod
    def load(cls, op: str, text: str) -> "Outcome":
        """The reverse of `dump`."""
        raw = json.loads(text)
        return cls(op, raw["c"], raw["r"], raw["v"], tuple(raw["o"]), raw["t"], raw["w"])


def operation_id(
    key: Pseudonyms,
    client: str,
    principal: str,
    route: str,
    idempotency_key: str,
    known: Callable[[str], bool] = lambda op: False,
) -> str:
    """22 characters of base64url. `principal`: the member's reference, or the keyed identifier of
    the proof that a registration came with. `known`: was this id accepted? It is asked only of
    ids under keys before a rotation, so that a retry across it is still the same operation."""
    parts = "operation", client, principal, route, idempotency_key
    before = (older.of(*parts) for older in key.older)
    return next((op for op in before if known(op)), key.of(*parts))


def record_id(key: Pseudonyms, op: str, kind: str, n: int = 0) -> str:
    """The id of the n-th record of `kind` that `op` makes: a UUID of version 8 (RFC 9562
    section 5.8), so that a repeated create meets itself."""
    raw = bytearray(key.raw("record", op, kind, str(n))[:16])
    raw[6] = (raw[6] & 0x0F) | 0x80
    raw[8] = (raw[8] & 0x3F) | 0x80
    return str(uuid.UUID(bytes=bytes(raw)))


def short(op: str) -> str:
    """The 10 characters (60 bits) that a record carries of an operation id."""
    return op[:10]


def operations_of(text: str | None) -> tuple[str, ...]:
    """The short ids in a record's `last_operations`, the newest last."""
    return tuple((text or "").split())


def operations_text(operations: Iterable[str]) -> str:
    """What `last_operations` is to hold: the last 16 of these, each once."""
    return " ".join(list(dict.fromkeys(operations))[-_LISTED:])


def notice(
    op: str, channel: str, to: str, text: str, *, now: float, start_by: float, **more: Any
) -> Write:
    """A message to one address; `more`: `subject` (mail), `trace`."""
    content = {"channel": channel, "to": to, "text": text, "subject": more.get("subject", "")}
    return Write("notice", op, now, start_by=start_by, trace=more.get("trace", ""), notice=content)
