"""What our log keeps of what it is told: listed fields, and of libraries where they spoke."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from bridge import log

SECRET = "+8613800138000"


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    """The process's only log, at DEBUG; put back as it was afterwards."""
    root, ours = logging.getLogger(), logging.getLogger("bridge")
    before = root.handlers[:], root.level, ours.level, logging.raiseExceptions
    found = io.StringIO()
    log.setup("DEBUG", found)
    yield found
    root.handlers[:], root.level, level, logging.raiseExceptions = before
    ours.setLevel(level)


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    """What was written."""
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_field_that_is_not_listed_is_dropped(stream: io.StringIO) -> None:
    """A call that hands in more than it may can't leak it."""
    log.event("tried", mobile=SECRET, value=SECRET, op="an-op")
    (line,) = lines(stream)
    assert (line["event"], line["op"]) == ("tried", "an-op")
    assert set(line) == {"time", "level", "event", "op"}


def test_an_error_is_its_type_and_place(stream: io.StringIO) -> None:
    """Neither its text nor that of what it came from."""
    try:
        raise ValueError(SECRET)
    except ValueError as error:
        log.failure("broken", error)
    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["code"] == "ValueError"


@pytest.mark.parametrize("name", ["urllib3.connectionpool", "rq.worker", "msal", "bridge", "x"])
def test_what_others_log_is_without_their_words(stream: io.StringIO, name: str) -> None:
    """Also where a library has a logger of our name, as Flask's is called after its application."""
    logger = logging.getLogger(name)
    try:
        raise ValueError(SECRET)
    except ValueError:
        logger.exception(f"failed for {SECRET} %s", SECRET)
    assert SECRET not in stream.getvalue()
    assert lines(stream)[0]["event"] == "library"


@pytest.mark.parametrize("name", ["urllib3", "msal", "rq.worker", "redis", "authlib", "requests"])
def test_libraries_are_silent_below_warning(stream: io.StringIO, name: str) -> None:
    """DEBUG is for our own events; urllib3 would tell every URL."""
    logging.getLogger(name).info("a")
    logging.getLogger(f"{name}.inner").debug("b")
    assert lines(stream) == []
