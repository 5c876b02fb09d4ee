"""One call to the Web API: budget, token, headers, answer. Not for: what is asked.

Every call goes through `Client.call`: it asks the budget, sends a token (and once more with a new
one after a 401), names the trace, and turns an answer that isn't a success into an error.
"""

import json
import re
import secrets
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from adapters.base import Remote, Trace
from adapters.dynamics.errors import error_of
from adapters.dynamics.options import Options
from adapters.dynamics.tokens import Tokens
from adapters.errors import CrmError, Malformed, Misconfigured, Throttled
from adapters.http import Answer, Limits, RequestsTransport, Transport, Wire
from adapters.thin import ThinTransport

_JSON = json.JSONDecoder(parse_float=Decimal)
_TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}\Z")
PROTOCOL = {
    "Accept": "application/json",
    "OData-MaxVersion": "4.0",
    "OData-Version": "4.0",
}
# Without it an expanded collection may come from the server's cache:
# learn.microsoft.com/power-apps/developer/data-platform/webapi/compose-http-requests-handle-errors
READING = {**PROTOCOL, "If-None-Match": "null"}
JSON_BODY = {**PROTOCOL, "Content-Type": "application/json; charset=utf-8"}


@dataclass(frozen=True)
class Call:
    """One request; `target` is relative to the service root and already encoded.

    `hot`: a GET for the thin transport. `multipart`: an answer with status 400 is one too.
    """

    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=lambda: READING, repr=False)
    body: bytes | None = field(default=None, repr=False)
    hot: bool = False
    multipart: bool = False


class Client:
    """Calls as one application user. Safe to use from many threads."""

    def __init__(self, options: Options, remote: Remote) -> None:
        self._root = options.root
        self._budget, self._lane = remote.budget, remote.lane
        self._limits = Limits(remote.connect_timeout, remote.read_timeout)
        self._wire = Wire(self._limits, options.ca_file)
        self._tokens = Tokens(options, remote.tokens, self._wire)
        self._full: Transport = RequestsTransport(options.url, self._wire)
        self._hot: Transport = self._full
        if options.hot_reads == "thin":
            self._hot = ThinTransport(options.url, self._limits, options.ca_file)

    def call(self, call: Call, trace: Trace | None) -> Answer:
        """The answer, if it is a success (or a multipart one). Raises any CrmError."""
        end = self._limits.deadline()
        answer, token = self._once(call, lambda: self._tokens.get(end), trace, end)
        if answer.status == 401:
            answer, _ = self._once(call, lambda: self._tokens.replace(token, end), trace, end)
        is_batch = answer.headers.get("content-type", "").startswith("multipart/mixed")
        if answer.status < 300 or (call.multipart and is_batch):
            return answer
        if answer.status < 400:  # a redirect, or a 304 that wasn't asked for
            raise Malformed
        raise self.error(answer, conditional="If-Match" in call.headers)

    def error(self, answer: Answer, *, conditional: bool) -> CrmError:
        """The error that an answer is; a throttling one pauses everybody."""
        error = error_of(answer.status, answer.headers, answer.body, conditional=conditional)
        if isinstance(error, Throttled):
            self._budget.throttled(error.retry_after)
        return error

    def close(self) -> None:
        """Let go of connections."""
        self._full.close()
        self._hot.close()

    def _once(
        self, call: Call, token: Callable[[], str], trace: Trace | None, end: float
    ) -> tuple[Answer, str]:
        """The answer, and the token that went with it. Getting the token is part of the call: an
        authority that is down holds nobody up once the breaker is open."""
        transport = self._hot if call.hot else self._full
        self._budget.take(self._lane)
        began = time.monotonic()
        ok = False
        try:
            sent = token()
            headers = {"Authorization": f"Bearer {sent}", **call.headers, **names_of(trace)}
            target = self._root + call.target
            answer = transport.send(call.method, target, headers, call.body, end)
            ok = answer.status < 500 and _speaks_odata(answer)
        except Misconfigured:  # an answer too, and not one that passes by itself
            ok = True
            raise
        finally:
            self._budget.done(ok, time.monotonic() - began)
        return answer, sent


def _speaks_odata(answer: Answer) -> bool:
    """Is it an answer of the Web API's, by its type? A proxy's page is as bad as none."""
    content_type = answer.headers.get("content-type", "").lower()
    return not answer.body or content_type.startswith(("application/json", "multipart/mixed"))


def names_of(trace: Trace | None) -> dict[str, str]:
    """Headers that name the call in Dataverse's logs by our trace, or by a new one."""
    match = _TRACEPARENT.match(trace.traceparent) if trace else None
    number = match[1] if match else secrets.token_hex(16)
    parent = match[0] if match else f"00-{number}-{secrets.token_hex(8)}-01"
    as_uuid = str(uuid.UUID(number))
    return {
        "traceparent": parent,
        "x-ms-client-request-id": as_uuid,
        "x-ms-correlation-id": as_uuid,
    }


def document(answer: Answer) -> dict[str, Any]:
    """The JSON object in an answer; numbers never pass through a float. Raises Malformed."""
    content_type = answer.headers.get("content-type", "").lower()
    if not content_type.startswith("application/json"):
        raise Malformed
    try:
        found = _JSON.decode(answer.body.decode())
    except (ValueError, RecursionError):
        raise Malformed from None
    if not isinstance(found, dict):
        raise Malformed
    return found
