"""Where something may rest: Redis of every type, files, logs, processes. Not for: what to look for.

Each function yields (place, bytes); a place is named so that an operator finds it again, and never
holds a value: a key is named by its prefix.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import redis

from bridge.store.prefixes import prefix_of

Piece = tuple[str, bytes]


def redis_contents(name: str, client: redis.Redis) -> Iterator[Piece]:
    """Every key, with its name, and what the server remembers besides (SLOWLOG, clients).

    `client` must not decode answers and must be allowed to read everything.
    """
    for key in client.scan_iter(count=500):
        known = prefix_of(key.decode("utf-8", "replace"))
        place = f"{name} Redis, {known.name if known else 'a key that is not on the list'}"
        yield f"{place} (name)", key
        yield from ((place, piece) for piece in _value(client, key))
    for entry in client.slowlog_get(256):
        yield f"{name} Redis, SLOWLOG", repr(entry).encode() + b" " + entry["command"]
    for row in client.client_list():
        yield f"{name} Redis, CLIENT LIST", str(row.get("name", "")).encode()


def _value(client: Any, key: bytes) -> Iterator[bytes]:
    kind = client.type(key).decode()
    if kind == "string":
        yield client.get(key) or b""
    elif kind == "hash":
        for field, value in client.hgetall(key).items():
            yield field
            yield value
    elif kind == "list":
        yield from client.lrange(key, 0, -1)
    elif kind == "set":
        yield from client.smembers(key)
    elif kind == "zset":
        yield from client.zrange(key, 0, -1)
    elif kind == "stream":
        for _, fields in client.xrange(key):
            yield from fields.values()


def files(paths: Iterable[Path], since: float = 0.0) -> Iterator[Piece]:
    """Every file below `paths` that changed after `since` (epoch seconds)."""
    for root in paths:
        found = [root] if root.is_file() else sorted(p for p in root.rglob("*") if p.is_file())
        for path in found:
            try:
                if path.stat().st_mtime >= since:
                    yield f"file {path.name}", path.read_bytes()
            except OSError:
                continue


def processes(pids: Iterable[int]) -> Iterator[Piece]:
    """Command line and environment of processes on this host."""
    for pid in pids:
        for what in ("cmdline", "environ"):
            try:
                yield f"process, {what}", Path(f"/proc/{pid}/{what}").read_bytes()
            except OSError:
                continue


def answers(responses: Iterable[Any]) -> Iterator[Piece]:
    """What we answered: status line's URL, headers, cookies and body of `requests` responses.

    For answers that may hold no member data at all (errors, redirects, pages before sign-in).
    """
    for response in responses:
        yield "answer, its URL", response.url.encode()
        yield from (
            (f"answer, header {name}", value.encode()) for name, value in response.headers.items()
        )
        yield "answer, body", response.content


def addresses(urls: Iterable[str]) -> Iterator[Piece]:
    """URLs that we called, with their queries: they end up in other people's logs."""
    yield from (("URL that we called", url.encode()) for url in urls)
