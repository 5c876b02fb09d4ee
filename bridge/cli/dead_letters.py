"""`dead-letters list|replay|drop`: what an operator decides about writes that couldn't be read.

Not for: opening one. What is shown is a reference, a verb, a reason and times.
"""

import os
import sys
import time
from collections.abc import Mapping

import click

from bridge.cli.tables import table
from bridge.parts import foundation
from bridge.store import Redis, StoreDown
from bridge.writes import dead_letters
from bridge.writes.dead_letters import DeadLetter

_HEAD = ("operation", "verb", "reason", "key", "accepted", "failed", "can be replayed")
_TOLD: Mapping[dead_letters.Result, tuple[int, str]] = {
    "replayed": (0, "✓ It is at the head of its mailbox again; the worker takes it up."),
    "unknown": (1, "✗ There is no dead letter of this operation."),
    "passed": (1, "✗ A later write of the same member was applied: it would undo that one."),
    "busy": (1, "✗ The mailbox's head is under way. Try again in a moment."),
    "closed": (1, "✗ Its mailbox is closed: the member was erased. Drop it."),
}
_DOWN = "✗ The queue's Redis doesn't answer, or refuses this user: see `doctor --role worker`."


def show(environ: Mapping[str, str] = os.environ) -> int:
    """A table, or a sentence that there are none. 0; 1 where the queue doesn't answer."""
    queue = _queue(environ)
    try:
        letters = list(dead_letters.each(queue))
    except StoreDown:
        return _say(1, _DOWN)
    finally:
        queue.client.close()
    for line in table(_HEAD, map(_row, letters)) if letters else ["There are no dead letters."]:
        click.echo(line)
    return 0


def replay(op: str, environ: Mapping[str, str] = os.environ) -> int:
    """Put it back. 0, or 1 with the reason why it can't be."""
    queue = _queue(environ)
    try:
        return _say(*_TOLD[dead_letters.replay(queue, op)])
    except StoreDown:
        return _say(1, _DOWN)
    finally:
        queue.client.close()


def drop(op: str, environ: Mapping[str, str] = os.environ) -> int:
    """Remove it for good. 0, or 1 where there is none."""
    queue = _queue(environ)
    try:
        if dead_letters.drop(queue, op):
            return _say(0, "✓ Dropped; its outcome stays.")
        return _say(*_TOLD["unknown"])
    except StoreDown:
        return _say(1, _DOWN)
    finally:
        queue.client.close()


def _queue(environ: Mapping[str, str]) -> Redis:
    settings, _, _ = foundation("worker", environ)
    return Redis(settings.redis.queue_url)


def _row(letter: DeadLetter) -> tuple[str, ...]:
    moments = (_when(letter.accepted_at), _when(letter.failed_at))
    shown = (letter.op, letter.verb, letter.reason, letter.kid)
    return (*map(_plain, shown), *moments, "yes" if letter.replayable else "no")


def _plain(text: str) -> str:
    """A forged header may hold anything, a terminal's control codes too."""
    return "".join(c if c.isascii() and c.isprintable() else "?" for c in text)[:40] or "?"


def _when(seconds: float) -> str:
    try:
        return time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime(seconds))
    except (ValueError, OverflowError, OSError):
        return "?"


def _say(status: int, sentence: str) -> int:
    (sys.stderr if status else sys.stdout).write(sentence + "\n")
    return status
