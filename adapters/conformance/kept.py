"""A TokenCache for tests: files in a directory, shared by processes as the one in Redis is.

Not for: production, where a token is sealed (`bridge/store/remote_tokens.py`).
"""

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path


class FileTokens:
    """One file for each token."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def get(self, name: str) -> tuple[str, float] | None:
        """See TokenCache."""
        try:
            token, until = json.loads((self._directory / name).read_text())
        except (OSError, ValueError):
            return None
        return (token, until - time.time()) if until > time.time() else None

    def put(self, name: str, token: str, seconds: float) -> None:
        """See TokenCache."""
        new = self._directory / f"{name}.new"
        new.write_text(json.dumps([token, time.time() + seconds]))
        new.rename(self._directory / name)

    @contextlib.contextmanager
    def single_flight(self, name: str, seconds: float) -> Iterator[bool]:
        """See TokenCache; who waited for the lock gets False."""
        with (self._directory / f"{name}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield True
            except BlockingIOError:
                fcntl.flock(lock, fcntl.LOCK_EX)
                yield False
