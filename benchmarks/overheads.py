"""CPU of one read through each adapter alone, beside a bare exchange of the same bytes.

Not for: the whole application (`reads.py`). Everything is one thread of this process, so its CPU
clock is exact; the upstream is another process. What an adapter adds is to translate, send, parse
and bind: its transport, token and budget are in the figure, the kernel's part of a bare exchange
isn't.
"""

import json
import socket
import time
from collections.abc import Callable
from statistics import median
from typing import Any

from adapters.base import Adapter, FlightLock, FreeBudget, Remote, TokenCache
from adapters.registry import make
from benchmarks.crm import TOKEN
from benchmarks.figures import Number, Rounds
from benchmarks.plan import Plan
from benchmarks.stage import ROOT, Stage
from benchmarks.upstream import THE_ID
from mappings.canonical import client_readable
from mappings.loader import Mapping, load

LIMIT_MS = 0.5
_CALLS = 400
_GUARDS = ("stamp", "state")
_CREDENTIALS = {
    "dynamics": {"client_id": "bench", "client_secret": "bench"},
    "sugarcrm": {"username": "bench", "password": "bench"},
    "suitecrm": {"client_id": "bench", "client_secret": "bench"},
}
_OPTIONS = {
    "dynamics": {"authority": "https://127.0.0.1", "tenant": "bench"},
    "sugarcrm": {"platform": "bench"},
    "suitecrm": {},
}
_PATHS = {"dynamics": "benchmarks.crm:OverPlainHttp"}


class _Given(TokenCache, FlightLock):
    """Always holds a token, as each adapter keeps it."""

    def __init__(self, token: str) -> None:
        self._token = token

    def get(self, name: str) -> tuple[str, float] | None:
        return self._token, 1e9

    def put(self, name: str, token: str, seconds: float) -> None:
        return

    def single_flight(self, name: str, seconds: float) -> FlightLock:
        return self

    def __enter__(self) -> bool:
        return False

    def __exit__(self, *exc: object) -> None:
        return


def measure(stage: Stage, plan: Plan) -> tuple[list[Rounds], list[Number]]:
    """No cells: a number per adapter."""
    stage.delay(0)
    return [], [_number(stage, name, plan.rounds) for name in _CREDENTIALS]


def _number(stage: Stage, name: str, rounds: int) -> Number:
    mapping = load(ROOT / "mappings" / f"{name}.yaml")
    crm = _adapter(stage, name, mapping)
    fields = (*client_readable("member", mapping.schema("member")), *_GUARDS)
    held = tuple(field for field in fields if field not in mapping.kinds["member"].not_held)
    bare = _Bare(stage.upstream, name)
    added: list[float] = []
    for _ in range(rounds + 1):  # the first is for connections and caches
        mine = _cpu(lambda: crm.get("member", THE_ID, held))
        added.append(mine - _cpu(bare))
    crm.close()
    bare.close()
    title = f"adapter {name}: CPU added to a bare read"
    return Number(title, median(added[1:]) * 1e3, "ms", at_most=LIMIT_MS)


def _adapter(stage: Stage, name: str, mapping: Mapping) -> Adapter:
    url = f"http://127.0.0.1:{stage.upstream}"
    token = json.dumps([TOKEN, time.time() + 1e6, ""]) if name == "sugarcrm" else TOKEN
    options: dict[str, Any] = {"url": url, **_OPTIONS[name]}
    remote = Remote(options, _CREDENTIALS[name], _Given(token), FreeBudget(), "now")
    return make(_PATHS.get(name, name), mapping, remote)


def _cpu(call: Callable[[], object]) -> float:
    """Seconds of this thread's CPU for one call."""
    began = time.thread_time()
    for _ in range(_CALLS):
        call()
    return (time.thread_time() - began) / _CALLS


class _Bare:
    """One request of that adapter's kind over a kept socket, read until its length is there."""

    def __init__(self, port: int, name: str) -> None:
        line = {
            "dynamics": f"GET /api/data/v9.2/contacts({THE_ID})",
            "sugarcrm": "POST /rest/v11_10/Contacts/filter",
            "suitecrm": f"GET /Api/V8/module/Contacts/{THE_ID}",
        }[name]
        self._request = (
            f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n"
            "Content-Length: 0\r\n\r\n"
        ).encode()
        self._socket = socket.create_connection(("127.0.0.1", port))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __call__(self) -> None:
        self._socket.sendall(self._request)
        came = b""
        while True:
            came += self._socket.recv(65536)
            head, mark, body = came.partition(b"\r\n\r\n")
            if mark and len(body) >= int(head.rpartition(b"Content-Length: ")[2].split(b"\r")[0]):
                return

    def close(self) -> None:
        self._socket.close()
