"""A load client on asyncio: N keep-alive connections, each sending its next request at once.

Not for: anything off this machine (it refuses other addresses) or without an end: a run has a time.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

LOOPBACK = "127.0.0.1"


@dataclass
class Result:
    """One run. Latencies in seconds; `failed` counts answers that aren't 2xx."""

    connections: int
    seconds: float
    latencies: list[float] = field(default_factory=list)
    failed: int = 0
    cpu_seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Good answers a second."""
        return len(self.latencies) / self.seconds

    def quantile(self, q: float) -> float:
        """In seconds; 0 where nothing came back."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(len(ordered) * q))] if ordered else 0.0

    @property
    def cpu_per_answer(self) -> float:
        """CPU seconds of the watched processes per good answer."""
        return self.cpu_seconds / max(1, len(self.latencies))


class _Connection(asyncio.Protocol):
    def __init__(self, make: Callable[[], bytes], result: Result, end: float) -> None:
        self._make, self._result, self._end = make, result, end
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next()

    def _next(self) -> None:
        self._started = time.perf_counter()
        if self._started >= self._end:
            self._transport.close()
            return
        self._transport.write(self._make())  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = self._length(head)
        if length is None or len(self._buffer) < end + 4 + length:
            return
        self._buffer = self._buffer[end + 4 + length :]
        self._count(head)
        self._next()

    def _length(self, head: bytes) -> int | None:
        at = head.find(b"content-length:")
        if at >= 0:
            return int(head[at + 15 :].split(b"\r\n", 1)[0])
        return 0 if head[9:12] in (b"204", b"304") else None

    def _count(self, head: bytes) -> None:
        now = time.perf_counter()
        if now > self._end:
            return
        if head[9:10] == b"2":
            self._result.latencies.append(now - self._started)
        else:
            self._result.failed += 1

    def connection_lost(self, exc: Exception | None) -> None:
        if time.perf_counter() < self._end:
            self._result.failed += 1
        if not self.done.done():
            self.done.set_result(None)


def run(
    port: int, make: Callable[[], bytes], connections: int, seconds: float, pids: list[int]
) -> Result:
    """`make` gives the bytes of the next request. `pids`: processes whose CPU is counted."""
    result = Result(connections, seconds)
    before = cpu_of(pids)
    asyncio.run(_run(port, make, result))
    result.cpu_seconds = cpu_of(pids) - before
    return result


async def _run(port: int, make: Callable[[], bytes], result: Result) -> None:
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + result.seconds
    opened = [
        loop.create_connection(lambda: _Connection(make, result, end), LOOPBACK, port)
        for _ in range(result.connections)
    ]
    protocols = [protocol for _, protocol in await asyncio.gather(*opened)]
    waiting = asyncio.gather(*(protocol.done for protocol in protocols))
    await asyncio.wait_for(waiting, result.seconds + 15)


def cpu_of(pids: list[int]) -> float:
    """User and system seconds of `pids` and of their living children."""
    return sum(_ticks(pid) for root in pids for pid in _family(root)) / 100


def _family(pid: int) -> list[int]:
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            children = [int(child) for child in file.read().split()]
    except OSError:
        children = []
    return [pid, *(grand for child in children for grand in _family(child))]


def _ticks(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
