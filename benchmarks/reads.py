"""`GET /v1/me`: straight to the upstream, through a plain proxy, the plain build, the bridge.

Not for: other routes. The bridge is the whole application over real Redis under the shipped access
rules, with its budget, access log and session checks; the upstream speaks plain HTTP to all alike.
"""

from benchmarks import load
from benchmarks.figures import Number, Rounds, added_p50, cpu, rate
from benchmarks.load import Source, same
from benchmarks.plain import SELECT
from benchmarks.plan import Plan
from benchmarks.stage import Member, Server, Stage

JUDGED = 20
Target = tuple[int, Source, list[int]]


def measure(stage: Stage, plan: Plan) -> tuple[list[Rounds], list[Number]]:
    """All cells, and the numbers of the judged ones."""
    member = stage.members(1)[0]
    bridge, plain, proxy = stage.bridge(), stage.plain(), stage.nginx()
    targets = _targets(stage, member, bridge, plain, proxy)
    cells: dict[tuple[int, int], Rounds] = {}
    for delay in plan.delays:
        stage.delay(delay)
        for _ in range(plan.rounds if delay == JUDGED else plan.other_rounds):
            for connections in plan.connections:
                what = f"read, CRM {delay} ms"
                cell = cells.setdefault((delay, connections), Rounds(what, connections))
                _round(cell, targets, plan.seconds)
    for server in (bridge, plain, proxy):
        if server:
            server.stop()
    return list(cells.values()), _numbers(cells)


def request(member: Member, path: str = "/v1/me") -> bytes:
    """A GET with the member's token."""
    head = (
        f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {member.access}\r\n\r\n"
    )
    return head.encode()


def _targets(
    stage: Stage, member: Member, bridge: Server, plain: Server, proxy: Server | None
) -> dict[str, Target]:
    row = same(request(member, f"/api/data/v9.2/contacts({member.id})?$select={SELECT}"))
    me = same(request(member))
    found = {"direct": (stage.upstream, row, [stage.upstream_child.pid])}
    if proxy:
        found["nginx"] = (proxy.port, row, proxy.pids)
    found["plain"] = (plain.port, me, plain.pids)
    found["bridge"] = (bridge.port, me, bridge.pids)
    return found


def _round(cell: Rounds, targets: dict[str, Target], seconds: float) -> None:
    for name, (port, source, pids) in targets.items():
        if name not in cell.results:  # connections and caches, once
            load.run(port, source, cell.connections, 0.4)
        cell.add(name, load.run(port, source, cell.connections, seconds, pids))


def _numbers(cells: dict[tuple[int, int], Rounds]) -> list[Number]:
    busy = cells[JUDGED, 128]
    share = busy.paired("bridge", "direct", rate)
    found = [
        Number("reads: share of direct throughput", share, at_least=0.30, in_the_end=0.60),
        Number("reads: the plain build's share", busy.paired("plain", "direct", rate)),
        Number("reads: throughput, times the plain build's", busy.paired("bridge", "plain", rate)),
    ]
    for connections in (1, 16):
        cell = cells[JUDGED, connections]
        name = f"reads: added p50 at {connections} connection{'s' * (connections > 1)}"
        added = cell.paired("bridge", "direct", added_p50)
        found.append(Number(name, added, "ms", at_most=1.5))
        found.append(Number(f"{name}, plain", cell.paired("plain", "direct", added_p50), "ms"))
    used = busy.paired("bridge", "plain", cpu)
    return [*found, Number("reads: CPU, share of the plain build's", used, at_most=0.55)]
