"""Accepting a write: the bridge's sealed, ordered one beside a plain RQ enqueue.

Not for: applying them (`drains.py`). Both on the same web server with as many workers and threads,
and on the same Redis with `appendfsync always`; nothing takes from the queues meanwhile.
"""

import json
import threading
from itertools import cycle

from benchmarks import load
from benchmarks.figures import Number, Rounds, cpu, rate
from benchmarks.load import Next, Source
from benchmarks.plan import Plan
from benchmarks.stage import Member, Stage
from bridge.writes.drain import DrainParts
from bridge.writes.fit import FitKeeper

CONNECTIONS = 64
MEMBERS = 128
CHANGE = {
    "given_name": "Xiaoming",
    "family_name": "Ouyang",
    "email": "bench.member@example.cn",
    "birth_date": "1990-05-17",
    "language": "zh-CN",
}


def measure(stage: Stage, plan: Plan) -> tuple[list[Rounds], list[Number]]:
    """One cell."""
    members = stage.members(MEMBERS)
    bridge, plain, whole = stage.bridge(), stage.plain_on_granian(), stage.plain()
    targets = {
        "plain build": (whole, _source(members)),
        "plain RQ": (plain, _source(members)),
        "bridge": (bridge, _source(members)),
    }
    for server, source in targets.values():
        load.run(server.port, source, CONNECTIONS, 1.0)  # every token once
    cell = Rounds("accept of a write", CONNECTIONS)
    with Fitness(stage.worker_parts()) as fit:
        for _ in range(plan.rounds):
            for name, (server, source) in targets.items():
                load.run(server.port, source, CONNECTIONS, 0.3)
                run = load.run(server.port, source, CONNECTIONS, plan.seconds, server.pids)
                cell.add(name, run)
                stage.redis("queue").flushdb()
                fit.renew()
    for server, _ in targets.values():
        server.stop()
    return [cell], [
        Number("accept: times a plain RQ enqueue", cell.paired("bridge", "plain RQ", rate),
               at_least=1.5),
        Number("accept: times the plain build behind gunicorn",
               cell.paired("bridge", "plain build", rate)),
        Number("accept: CPU of the web server, share of plain's",
               cell.paired("bridge", "plain RQ", cpu)),
    ]  # fmt: skip


def _source(members: list[Member]) -> Source:
    """Each connection goes round its own members, so that no mailbox fills."""
    body = json.dumps(CHANGE).encode()

    def of(n: int) -> Next:
        requests = cycle([_request(member, body) for member in members[n::CONNECTIONS]])
        return lambda _: next(requests)

    return of


def _request(member: Member, body: bytes) -> bytes:
    head = (
        "PATCH /v1/me HTTP/1.1\r\nHost: 127.0.0.1\r\nPrefer: respond-async\r\n"
        f"Authorization: Bearer {member.access}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


class Fitness:
    """Says that the queue is durable, as a worker would that stands still."""

    def __init__(self, parts: DrainParts) -> None:
        self._keeper = FitKeeper(parts.queue, parts.mac, parts.check_value, parts.clock)
        self._ended = threading.Event()

    def renew(self) -> None:
        """Now."""
        assert self._keeper.renew()

    def _keep(self) -> None:
        while not self._ended.wait(3.0):
            self.renew()

    def __enter__(self) -> "Fitness":
        self.renew()
        threading.Thread(target=self._keep, daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._ended.set()
