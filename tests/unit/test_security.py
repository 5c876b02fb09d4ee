"""Security events: a closed list, keyed hashes only, and a collector that may be down."""

import json
import re
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge import security
from bridge.cli import security_docs
from bridge.seal import Pseudonyms
from bridge.security import Collector, Event
from tests.support.collector import Taking

ROOT = Path(__file__).parents[2]
MEMBER, NETWORK = "10000000-0000-4000-8000-000000000001", "203.0.113.0/24"


@pytest.fixture
def taking() -> Iterator[Taking]:
    made = Taking()
    yield made
    made.stop()


@pytest.fixture
def told(taking: Taking, monkeypatch: pytest.MonkeyPatch) -> Iterator[Taking]:
    """A process that is set up to tell `taking`; put back as it was."""
    monkeypatch.setattr(security, "_EVERY", 0.01)
    before = dict(vars(security._state))
    security.setup("web", Pseudonyms(b"n" * 32), taking.url, "s3cret")
    yield taking
    security._state.sink.close()
    vars(security._state).update(before)


def test_an_event_reaches_the_collector_by_pseudonym(told: Taking) -> None:
    """With its token, and with keyed hashes for the member and the network: the same for the same
    member, another for another."""
    for member in (MEMBER, MEMBER, "another"):
        security.tell("sign-in", member=member, network=NETWORK, client="portal", reason="password")
    first, second, third = told.wait(3)
    assert set(told.seen) == {"Bearer s3cret"}
    assert (first["event"], first["role"], first["client"]) == ("sign-in", "web", "portal")
    assert first["who"] == second["who"] != third["who"]
    assert len(first["who"]) == 22
    assert MEMBER not in json.dumps(told.lines)
    assert NETWORK not in json.dumps(told.lines)


def test_an_event_that_is_not_on_the_list_is_a_mistake() -> None:
    """The list is closed."""
    with pytest.raises(KeyError):
        security.tell("something")


def test_every_event_is_told_somewhere_and_every_telling_is_on_the_list() -> None:
    """No name without a place in the code, and none by accident."""
    sources = [p.read_text() for p in (ROOT / "bridge").rglob("*.py")]
    used = {name for text in sources for name in re.findall(r'\btell\(\s*"([a-z-]+)"', text)}
    used |= {"events-lost"}
    assert used == set(security.EVENTS)


def test_what_the_collector_does_not_take_waits(told: Taking) -> None:
    """A collector that is down loses nothing that fits."""
    told.status = 503
    security.tell("mix-up", member=MEMBER)
    until = time.monotonic() + 10
    while not told.seen and time.monotonic() < until:
        time.sleep(0.02)
    assert told.lines == []
    told.status = 200
    assert [line["event"] for line in told.wait(1)] == ["mix-up"]


def test_when_too_many_wait_the_oldest_go_and_are_counted(taking: Taking) -> None:
    """Memory is bounded, and the loss is told."""
    collector = Collector(taking.url, "t", held=3)
    with collector._lock:
        collector._thread = threading.current_thread()  # nothing is sent yet
    for number in range(5):
        collector.put(Event("sign-in", float(number), "web"))
    assert collector._sent(collector._take())
    assert [line["at"] for line in taking.lines[:3]] == [2.0, 3.0, 4.0]
    assert (taking.lines[3]["event"], taking.lines[3]["count"]) == ("events-lost", 2)


def test_what_waits_is_sent_before_the_process_ends(told: Taking) -> None:
    """`close` empties the queue, over several batches."""
    for _ in range(450):
        security.tell("sign-in-failed")
    security._state.sink.close(10)
    assert len(told.lines) == 450


def test_telling_never_waits_for_the_collector(told: Taking, monkeypatch) -> None:
    """A request goes on at once, however slow the collector is."""
    monkeypatch.setattr(Collector, "_sent", lambda self, batch: time.sleep(0.5) or True)
    began = time.monotonic()
    for _ in range(100):
        security.tell("sign-in-failed")
    assert time.monotonic() - began < 0.4


def test_without_a_collector_the_log_gets_no_pseudonym(monkeypatch) -> None:
    """What could tie a line to a person isn't kept on a web host."""
    lines: list[dict] = []
    monkeypatch.setattr(security.log, "event", lambda name, level, **f: lines.append({name: f}))
    monkeypatch.setattr(security._state, "sink", security.LogSink())
    monkeypatch.setattr(security._state, "names", Pseudonyms(b"n" * 32))
    security.tell("sign-in", member=MEMBER, network=NETWORK, client="portal")
    ((name, fields),) = lines[0].items()
    assert name == "security.sign-in"
    assert set(fields) == {"client", "reason", "trace", "count"}


def test_the_document_is_the_list() -> None:
    """docs/security-events.md is what `python -m bridge.cli.security_docs` writes."""
    assert (ROOT / "docs/security-events.md").read_text() == security_docs.render()
