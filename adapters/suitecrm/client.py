"""One call to the V8 API: budget, token, answer. Not for: what is asked."""

import json
import time
from dataclasses import dataclass
from typing import Any

from adapters.base import Remote, Trace
from adapters.errors import Malformed, Throttled
from adapters.http import Answer, Limits, RequestsTransport, Transport, Wire
from adapters.suitecrm.errors import error_of
from adapters.suitecrm.options import Options
from adapters.suitecrm.tokens import Tokens
from adapters.thin import ThinTransport

_JSON = ("application/json", "application/vnd.api+json")
_HEADERS = {"Accept": "application/vnd.api+json", "Content-Type": "application/vnd.api+json"}


@dataclass(frozen=True)
class Turn:
    """One verb of a caller's: all its calls together have the time of one."""

    _client: "Client"
    _trace: Trace | None
    _end: float

    def call(self, method: str, target: str, sent: Any = None) -> Any:
        """`data` of the answer; `target` is what follows `/Api/V8/`, encoded. Raises any
        CrmError."""
        body = None if sent is None else json.dumps({"data": sent}, separators=(",", ":")).encode()
        headers = {"traceparent": self._trace.traceparent} if self._trace else {}
        return self._client.data(method, target, {**_HEADERS, **headers}, body, self._end)


class Client:
    """Calls as one CRM user. Safe to use from many threads."""

    def __init__(self, options: Options, remote: Remote) -> None:
        self._root = f"{options.root}V8/"
        self._budget, self._lane = remote.budget, remote.lane
        self._limits = Limits(remote.connect_timeout, remote.read_timeout)
        self._wire = Wire(self._limits, options.ca_file)
        self._tokens = Tokens(options, remote.tokens, self._wire)
        self._full: Transport = RequestsTransport(options.origin, self._wire)
        self._reads: Transport = ThinTransport(options.origin, self._limits, options.ca_file)

    def turn(self, trace: Trace | None = None) -> Turn:
        """A verb that begins now."""
        return Turn(self, trace, self._limits.deadline())

    def data(
        self, method: str, target: str, headers: dict[str, str], body: bytes | None, end: float
    ) -> Any:
        """One call, once more with a new token after a 401."""
        token = self._tokens.get(end)
        answer = self._once(method, target, headers, body, token, end)
        if answer.status == 401:
            token = self._tokens.get(end, refused=token)
            answer = self._once(method, target, headers, body, token, end)
        if answer.status not in (200, 201):
            error = error_of(answer) if answer.status >= 400 else Malformed()
            if isinstance(error, Throttled):
                self._budget.throttled(error.retry_after)
            raise error
        return _data(answer)

    def close(self) -> None:
        """Let go of connections."""
        self._full.close()
        self._reads.close()

    def _once(
        self,
        method: str,
        target: str,
        given: dict[str, str],
        body: bytes | None,
        token: str,
        end: float,
    ) -> Answer:
        headers = {"Authorization": f"Bearer {token}", **given}
        transport = self._reads if method == "GET" else self._full
        self._budget.take(self._lane)
        began, ok = time.monotonic(), False
        try:
            answer = transport.send(method, self._root + target, headers, body, end)
            ok = answer.status < 500 and _is_json(answer)
        finally:
            self._budget.done(ok, time.monotonic() - began)
        return answer


def _is_json(answer: Answer) -> bool:
    return answer.headers.get("content-type", "").lower().startswith(_JSON)


def _data(answer: Answer) -> Any:
    try:
        found = json.loads(answer.body.decode()) if _is_json(answer) else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or "data" not in found:
        raise Malformed
    return found["data"]
