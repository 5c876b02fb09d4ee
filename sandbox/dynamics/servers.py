"""The web servers behind the environment's one name, and the cookie that pins a client to one.

Source: learn.microsoft.com/power-apps/developer/data-platform/send-parallel-requests ("Server
affinity"): a client that keeps the cookie stays on one server, whose limits are its own; one that
doesn't is spread over all of them.
"""

import hashlib
import itertools
import re
import threading

COOKIE = "ARRAffinity"
MOST = 20


class Servers:
    """Chooses a server for each request. There is one unless the control plane sets more."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.set(1)

    def set(self, count: int) -> None:
        """So many servers from now on; ValueError where that can't be."""
        if not 1 <= count <= MOST:
            raise ValueError(f"1 to {MOST} servers")
        with self._lock:
            self.count = count
            self._turns = itertools.cycle(range(count))
            self._names = [hashlib.sha256(f"server {n}".encode()).hexdigest() for n in range(count)]

    def choose(self, header: str) -> int:
        """The server that a Cookie header names, or the next one in turn."""
        match = re.search(rf"\b{COOKIE}=([0-9a-f]{{64}})", header)
        with self._lock:
            if match and match[1] in self._names:
                return self._names.index(match[1])
            return next(self._turns)

    def cookie(self, server: int) -> str:
        """What pins a client to this server."""
        return f"{COOKIE}={self._names[server]}; path=/; secure; HttpOnly"
