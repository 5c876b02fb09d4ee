"""A load client on asyncio: N keep-alive connections, each sending its next request at once.

Not for: anything off this machine (it knows no other address) or without an end: a run has a time.
"""

import asyncio
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

LOOPBACK = "127.0.0.1"
_TICKS = os.sysconf("SC_CLK_TCK")

Next = Callable[[bytes], bytes]
"""The next request of one connection, from the body of its last answer (b"" at first)."""
Source = Callable[[int], Next]
"""Of the n-th connection."""


def same(request: bytes) -> Source:
    """Every connection sends this one request again and again."""
    return lambda _: lambda _: request


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
    def __init__(self, make: Next, result: Result, end: float) -> None:
        self._make, self._result, self._end = make, result, end
        self._buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport
        self._next(b"")

    def _next(self, last: bytes) -> None:
        request = self._make(last)
        self._started = time.perf_counter()
        if self._started >= self._end:
            self._transport.close()
            return
        self._transport.write(request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._buffer[:end].lower()
        length = _length(head)
        if length is None or len(self._buffer) < end + 4 + length:
            return
        body = self._buffer[end + 4 : end + 4 + length]
        self._buffer = self._buffer[end + 4 + length :]
        self._count(head)
        self._next(body)

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


def _length(head: bytes) -> int | None:
    at = head.find(b"content-length:")
    if at >= 0:
        return int(head[at + 15 :].split(b"\r\n", 1)[0])
    return 0 if head[9:12] in (b"204", b"304") else None


def run(
    port: int, source: Source, connections: int, seconds: float, pids: Sequence[int] = ()
) -> Result:
    """`pids`: processes whose CPU, with that of their children, is counted."""
    result = Result(connections, seconds)
    before = cpu_of(pids)
    with ThreadPoolExecutor(1) as thread:  # the caller's thread may run a loop of its own
        thread.submit(asyncio.run, _run(port, source, result)).result()
    result.cpu_seconds = cpu_of(pids) - before
    return result


async def _run(port: int, source: Source, result: Result) -> None:
    loop = asyncio.get_running_loop()
    end = time.perf_counter() + result.seconds
    opened = [
        loop.create_connection(partial(_Connection, source(n), result, end), LOOPBACK, port)
        for n in range(result.connections)
    ]
    protocols = [protocol for _, protocol in await asyncio.gather(*opened)]
    waiting = asyncio.gather(*(protocol.done for protocol in protocols))
    await asyncio.wait_for(waiting, result.seconds + 15)


def cpu_of(pids: Sequence[int]) -> float:
    """User and system seconds of `pids` and of their living children."""
    return sum(_cpu(pid) for root in pids for pid in _family(root)) / _TICKS


def _family(pid: int) -> list[int]:
    children: list[int] = []
    try:
        for task in os.listdir(f"/proc/{pid}/task"):
            with open(f"/proc/{pid}/task/{task}/children") as file:
                children += [int(child) for child in file.read().split()]
    except OSError:
        pass
    return [pid, *(grand for child in children for grand in _family(child))]


def _cpu(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/stat") as file:
            fields = file.read().rsplit(")", 1)[1].split()
    except OSError:
        return 0
    return int(fields[11]) + int(fields[12])
