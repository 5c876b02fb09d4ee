"""A tokens server under the shipped ACL, spoken to as the web user. Not for: the queue role."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from bridge.cli.embedded import Server
from bridge.store.caller_cache import CallerCache
from bridge.store.connection import Redis

T = TypeVar("T")


@contextmanager
def tokens_server(directory: Path) -> Iterator[Server]:
    """One server; stopped at the end."""
    server = Server("tokens", directory)
    try:
        yield server
    finally:
        server.stop()


def web(server: Server) -> Redis:
    """A connection pool of the web user."""
    return Redis(server.url("web"))


def at_once(times: int, call: Callable[[], T]) -> list[T]:
    """`call` from `times` threads that start together; what each gave."""
    gate, results = threading.Barrier(times), []

    def run() -> None:
        gate.wait()
        results.append(call())

    threads = [threading.Thread(target=run) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def wait_alive(cache: CallerCache[Any], seconds: float = 2.0) -> bool:
    """Wait until changes reach the cache."""
    cache.get("", 0)
    until = time.monotonic() + seconds
    while not cache.alive and time.monotonic() < until:
        time.sleep(0.005)
    return cache.alive
