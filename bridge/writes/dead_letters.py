"""Writes that the worker couldn't read: kept sealed, for an operator to replay or to drop.

What is shown is the envelope's clear header and the reason. Not for: opening one.
Keys: `dl:<mailbox>`, a list of entries in the order of their failure; a `-` says that a later write
of the mailbox was applied, so what stands before it can't be replayed any more.
"""

import base64
import binascii
import json
from collections.abc import Iterator
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Literal

from bridge.store import Redis
from bridge.writes import scripts

PASSED = "-"
Result = Literal["replayed", "unknown", "passed", "busy", "closed"]


@dataclass(frozen=True)
class DeadLetter:
    """`op`, `verb`, `accepted_at` and `kid` are what its header says, which may be forged.
    `replayable`: no later write of its mailbox was applied."""

    mailbox: str
    op: str
    verb: str
    kid: str
    reason: str
    accepted_at: float
    failed_at: float
    replayable: bool
    entry: str = attribute(repr=False)


def entry(text: str, reason: str, at: float) -> str:
    """How one is kept."""
    return json.dumps({"reason": reason, "at": round(at, 3), "envelope": text})


def each(queue: Redis) -> Iterator[DeadLetter]:
    """All of them, by mailbox, oldest first. Raises StoreDown."""
    for key in _keys(queue):
        texts = queue.do("LRANGE", key, 0, -1)
        for n, text in enumerate(texts):
            if text != PASSED:
                yield _read(key.removeprefix("dl:"), text, PASSED not in texts[n:])


def replay(queue: Redis, op: str) -> Result:
    """Put it back at the head of its mailbox. `busy`: the mailbox's head is under way, try again;
    `passed`, `closed`: it can't be any more."""
    for letter in each(queue):
        if letter.op == op:
            return _replay(queue, letter)
    return "unknown"


def _replay(queue: Redis, letter: DeadLetter) -> Result:
    box = letter.mailbox
    keys = [f"dl:{box}", f"mb:{box}", "dirty", f"op:{letter.op}", f"sent:{box}", f"op:closed:{box}"]
    text = json.loads(letter.entry)["envelope"]
    result: Result = queue.script(scripts.REPLAY)(keys, [letter.entry, text, box])
    return result


def drop(queue: Redis, op: str) -> bool:
    """Remove it for good; its outcome stays. False where there is none."""
    for letter in each(queue):
        if letter.op == op:
            key = f"dl:{letter.mailbox}"
            queue.do("LREM", key, 1, letter.entry)
            if set(queue.do("LRANGE", key, 0, -1)) <= {PASSED}:
                queue.do("DEL", key)
            return True
    return False


def _keys(queue: Redis) -> list[str]:
    found: set[str] = set()
    cursor = "0"
    while True:
        cursor, some = queue.do("SCAN", cursor, "MATCH", "dl:*", "COUNT", 500)
        found.update(some)
        if str(cursor) == "0":
            return sorted(found)


def _read(mailbox: str, text: str, replayable: bool) -> DeadLetter:
    kept = json.loads(text)
    header = _header(kept["envelope"])
    return DeadLetter(
        mailbox=mailbox,
        op=str(header.get("op", "")),
        verb=str(header.get("verb", "")),
        kid=str(header.get("kid", "")),
        reason=str(kept["reason"]),
        accepted_at=_seconds(header.get("at")),
        failed_at=float(kept["at"]),
        replayable=replayable,
        entry=text,
    )


def _header(envelope: str) -> dict[str, object]:
    """As far as there is one."""
    try:
        part = envelope.split(".")[1]
        header = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (IndexError, ValueError, binascii.Error):
        return {}
    return header if isinstance(header, dict) else {}


def _seconds(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0
