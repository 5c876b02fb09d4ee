"""`dead-letters` from the worker's host: listed without contents, replayed, dropped."""

import base64
import json
import time
from collections.abc import Iterator

import pytest

from bridge.cli import dead_letters as command
from bridge.cli.embedded import Embedded
from bridge.cli.line import Line
from bridge.store import Redis
from bridge.writes.dead_letters import entry

BOX = "wboxboxboxboxboxboxbox1"


@pytest.fixture(scope="module")
def environ() -> Iterator[dict[str, str]]:
    """The line without its worker, so that nothing moves by itself."""
    with Line() as line:
        line.children["worker"].stop()
        yield line.environ("worker")


@pytest.fixture
def queue(environ: dict[str, str]) -> Iterator[Redis]:
    made = Redis(environ["BRIDGE_REDIS__QUEUE_URL"])
    for key in (f"dl:{BOX}", f"mb:{BOX}"):
        made.do("DEL", key)
    yield made
    made.client.close()


def _letter(op: str) -> str:
    head = {"op": op, "verb": "update", "kid": "k1", "at": time.time()}
    header = base64.urlsafe_b64encode(json.dumps(head).encode()).rstrip(b"=").decode()
    return entry(f"v1.{header}.sealed-text-of-it.mac", "unreadable", time.time())


def test_no_dead_letters_is_said(
    environ: dict[str, str], queue: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty list is a sentence and status 0."""
    assert command.show(environ) == 0
    assert "no dead letters" in capsys.readouterr().out


def test_a_list_shows_references_and_no_contents(
    environ: dict[str, str], queue: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Operation, verb, reason and times; nothing of the envelope; no control codes of a forged
    header."""
    queue.do("RPUSH", f"dl:{BOX}", _letter("op-one"), _letter("red\x9b31m\r\x07"))

    assert command.show(environ) == 0
    said = capsys.readouterr().out

    assert "op-one" in said
    assert "unreadable" in said
    assert "sealed-text" not in said
    assert "red?31m??" in said


def test_replay_and_drop_answer_for_what_they_did(
    environ: dict[str, str], queue: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Replay puts it back, drop removes it, and an unknown one is status 1."""
    queue.do("RPUSH", f"dl:{BOX}", _letter("op-one"), _letter("op-two"))

    assert command.replay("op-one", environ) == 0
    assert command.drop("op-two", environ) == 0
    assert command.replay("op-one", environ) == 1
    assert command.drop("op-none", environ) == 1

    assert queue.do("LLEN", f"mb:{BOX}") == 1
    assert queue.do("LLEN", f"dl:{BOX}") == 0
    assert "no dead letter of this operation" in capsys.readouterr().err


def test_a_letter_that_a_later_write_has_passed_stays(
    environ: dict[str, str], queue: Redis, capsys: pytest.CaptureFixture[str]
) -> None:
    """Replaying it would undo the later one: refused, and the list says so."""
    queue.do("RPUSH", f"dl:{BOX}", _letter("op-one"), "-")

    assert command.replay("op-one", environ) == 1
    assert "later write" in capsys.readouterr().err
    assert command.show(environ) == 0
    assert " no" in capsys.readouterr().out.splitlines()[-1]


def test_a_queue_that_is_away_is_said(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Status 1 and a sentence, no traceback."""
    with Embedded() as other:
        url = other.url("queue", "worker")
    away = environ | {"BRIDGE_REDIS__QUEUE_URL": url}

    assert (command.show(away), command.replay("x", away), command.drop("x", away)) == (1, 1, 1)
    assert capsys.readouterr().err.count("doesn't answer") == 3
