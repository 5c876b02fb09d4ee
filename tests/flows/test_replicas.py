"""With a replica, an accepted write and its outcome are on both servers before they are told."""

import hashlib
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bridge.cli.embedded import Embedded, Server
from bridge.store import Redis
from bridge.writes import scripts

KEYS = ["mb:x", "turn:x", "due:now", "sent:x", "op:closed:x", "dl:x"]


@pytest.fixture
def primary(tmp_path: Path) -> Iterator[Embedded]:
    """A queue with a user that replicas sign in as."""
    acl = "user replica on nopass +psync +replconf +ping"
    with Embedded(tmp_path / "primary", {"queue": [acl]}) as running:
        yield running


@pytest.fixture
def replica(primary: Embedded, tmp_path: Path) -> Iterator[redis.Redis]:
    """Another server that follows the queue; stopped by the tests that need it gone."""
    queue = primary.servers["queue"]
    server = Server("queue", tmp_path / "replica")
    server.stop()
    follow = ["--replicaof", f"127.0.0.1 {queue.port}", "--masteruser", "replica"]
    server.restart(*follow, "--masterauth", "none")
    client = redis.Redis.from_url(server.url("doctor"))
    for _ in range(200):
        if client.info("replication")["master_link_status"] == "up":
            break
        time.sleep(0.05)
    yield client
    client.close()
    server.stop()
    shutil.rmtree(tmp_path / "replica", ignore_errors=True)


def test_what_is_waited_for_is_on_the_replica(primary: Embedded, replica: redis.Redis) -> None:
    """`eval_and_wait` counts the replicas that have just this script's write."""
    queue = Redis(primary.url("queue", "worker"))

    answer, have = queue.eval_and_wait(
        "return redis.call('SET', KEYS[1], ARGV[1])", ["op:a"], ["done"], 1, 2000
    )

    assert (answer, have) == ("OK", 1)
    assert replica.get("op:a") == b"done"


def test_a_settled_outcome_is_on_the_replica(primary: Embedded, replica: redis.Redis) -> None:
    """The worker's settle is such a script: its outcome outlives the primary."""
    queue = Redis(primary.url("queue", "worker"))
    queue.do("RPUSH", "mb:x", "sealed")
    queue.do("SET", "turn:x", "7")
    head = hashlib.sha1(b"sealed").hexdigest()
    args = [7, "x", head, 1, 0, "", 1, "op1", "outcome", 60]

    _, have = queue.eval_and_wait(scripts.SETTLE, KEYS, args, 1, 2000)

    assert have == 1
    assert replica.get("op:op1") == b"outcome"
