"""Bursts of edits brought to the CRM in order: the bridge's mailboxes beside RQ in shards.

Not for: accepting them. 40 members with 25 edits each, a CRM call of 4 ms, four worker processes on
either side. RQ's jobs are kept in order by one queue with one worker per shard, each job one PATCH.
"""

import secrets
import time
from collections.abc import Callable
from statistics import median

from rq import Queue
from rq.serializers import JSONSerializer

from adapters.base import Operation
from benchmarks.accepts import CHANGE, Fitness
from benchmarks.figures import Number, Rounds
from benchmarks.plain import SHARDS
from benchmarks.plan import Plan
from benchmarks.stage import Member, Stage
from bridge.parts import WebParts
from bridge.writes.write import Write, operation_id

MEMBERS, EDITS, DELAY = 40, 25, 4
_PATIENCE = 60.0
_PAUSE_MS = 120_000
_STARTED = 3.0  # seconds in which a worker has started


def measure(stage: Stage, plan: Plan) -> tuple[list[Rounds], list[Number]]:
    """Rounds of both, one after the other."""
    members = stage.members(MEMBERS)
    stage.delay(DELAY)
    ratios, calls = [], []
    for _ in range(plan.drains):
        plain, _ = _plain(stage, members)
        bridge, made = _bridge(stage, members)
        ratios.append(plain / bridge)
        calls.append(made / (MEMBERS * EDITS))
    return [], [
        Number("drain: times RQ with a worker per shard", median(ratios), at_least=5.0),
        Number("drain: CRM calls per edit", median(calls), "calls"),
    ]


def _plain(stage: Stage, members: list[Member]) -> tuple[float, int]:
    """Seconds, and calls of the CRM."""
    redis = stage.redis("queue")
    redis.flushdb()
    queues = [
        Queue(f"shard-{n}", connection=redis, serializer=JSONSerializer) for n in range(SHARDS)
    ]
    for _ in range(EDITS):
        for n, member in enumerate(members):
            queues[n % SHARDS].enqueue("benchmarks.plain.apply", member.id, CHANGE)
    workers = [stage.plain_worker(n) for n in range(SHARDS)]
    time.sleep(_STARTED)
    stage.delay(DELAY)
    began = time.monotonic()
    redis.set("plain:go", 1)
    _until(lambda: sum(queue.finished_job_registry.count for queue in queues) == MEMBERS * EDITS)
    seconds = time.monotonic() - began
    for worker in workers:
        worker.stop()
    redis.flushdb()
    return seconds, stage.delay(DELAY)


def _bridge(stage: Stage, members: list[Member]) -> tuple[float, int]:
    """Seconds, and calls of the CRM."""
    redis = stage.redis("queue")
    redis.set("pause:now", 1, px=_PAUSE_MS)
    parts = stage.web_parts()
    workers = [stage.worker(n) for n in range(SHARDS)]
    with Fitness(stage.worker_parts()):
        ops = [_accept(parts, member) for _ in range(EDITS) for member in members]
    time.sleep(_STARTED)
    mailbox = parts.mailboxes.member_mailbox(members[0].id)
    stage.delay(DELAY)
    began = time.monotonic()
    redis.delete("pause:now")
    redis.sadd("dirty", mailbox)  # wakes the claims
    _until(lambda: not redis.exists("dirty") and redis.zcard("due:now") == 0)
    seconds = time.monotonic() - began
    calls = stage.delay(DELAY)
    outcomes = redis.mget([f"op:{op}" for op in ops])
    assert all(text and b'"c":"applied"' in text for text in outcomes)
    for worker in workers:
        worker.stop()
    redis.flushdb()
    return seconds, calls


def _accept(parts: WebParts, member: Member) -> str:
    op = operation_id(parts.operation_key, "site", member.id, "bench", secrets.token_hex(16))
    change = {"given_name": CHANGE["given_name"], "family_name": CHANGE["family_name"]}
    operation = Operation("update", "member", member.id, change)
    write = Write("update", op, parts.clock(), (operation,))
    mailbox = parts.mailboxes.member_mailbox(member.id)
    parts.mailboxes.accept(write, mailbox=mailbox, owner="bench", fingerprint="bench")
    return op


def _until(done: Callable[[], bool]) -> None:
    """Raises TimeoutError."""
    end = time.monotonic() + _PATIENCE
    while not done():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.005)
