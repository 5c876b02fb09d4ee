"""What the benchmark's figures stand on: its client, its upstream, its arithmetic."""

import json
import socket
import subprocess
import sys
import threading

import pytest

from benchmarks import load
from benchmarks.figures import Number, Rounds, added_p50, rate
from benchmarks.load import Result

ROW = b"GET /api/data/v9.2/contacts(00000000-0000-4000-8000-000000000001) HTTP/1.1\r\n\r\n"


@pytest.fixture
def upstream():
    """The upstream as a process of its own; its port and pid."""
    command = [sys.executable, "-m", "benchmarks.upstream"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield json.loads(process.stdout.readline())["port"], process.pid
        process.terminate()


def test_client_and_upstream(upstream):
    """Connections send one request after the other; the delay is kept and costs no answer."""
    port, pid = upstream
    load.run(port, load.same(b"PUT /delay/30 HTTP/1.1\r\n\r\n"), 1, 0.05)
    result = load.run(port, load.same(ROW), 4, 0.5, [pid])
    assert result.failed == 0
    assert 20 <= len(result.latencies) <= 4 * 0.5 / 0.03
    assert result.quantile(0.5) >= 0.03
    assert load.cpu_of([pid]) > 0


def test_a_connection_goes_on_from_its_last_answer(upstream):
    """The source sees nothing first and then each body, so that a refresh can follow a refresh."""
    port, _ = upstream
    seen = []

    def following(last):
        seen.append(last)
        return ROW

    load.run(port, lambda n: following, 1, 0.1)
    assert seen[0] == b""
    assert json.loads(seen[1])["contactid"] == "00000000-0000-4000-8000-000000000001"


def test_a_refusal_is_no_answer():
    """An answer that isn't 2xx, or none, counts as failed, never as fast."""

    def refuse(listener):
        for answer in (b"HTTP/1.1 503 Down\r\nContent-Length: 0\r\n\r\n", b""):
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=refuse, args=(listener,), daemon=True).start()
        for _ in range(2):
            result = load.run(listener.getsockname()[1], load.same(ROW), 1, 0.3)
            assert result.failed > 0
            assert result.latencies == []


def test_ratios_are_taken_within_a_round():
    """A slow hour that hits both targets of a round alike changes no ratio."""
    rounds = Rounds("x", 1)
    for slow in (1, 5, 2):
        rounds.add("direct", Result(1, 1.0, [0.02] * (100 // slow)))
        rounds.add("bridge", Result(1, 1.0, [0.03] * (50 // slow)))
    assert rounds.paired("bridge", "direct", rate) == 0.5
    assert rounds.paired("bridge", "direct", added_p50) == pytest.approx(10.0)


def test_what_is_reached():
    """At least and at most count their own way; a number without either judges nothing."""
    assert Number("a", 1.5, at_least=1.5).holds is True
    assert Number("a", 1.49, at_least=1.5).holds is False
    assert Number("a", 1.51, at_most=1.5).holds is False
    assert Number("a", 9.0).holds is None
