"""One call to the Web API: address, headers, answer. Not for: what is asked, or the sending
(`adapters/caller.py`).

Every call goes through `Client.call`: it names the trace, and turns an answer that isn't a success
into an error.
"""

import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field

from adapters.base import Remote, Trace
from adapters.caller import Caller, Request, Ways, bearer
from adapters.dynamics.errors import error_of
from adapters.dynamics.options import Options
from adapters.dynamics.tokens import Tokens
from adapters.errors import CrmError, Malformed
from adapters.http import Answer, Limits, RequestsTransport, Transport, Wire
from adapters.thin import ThinTransport

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
        self._limits = Limits(remote.connect_timeout, remote.read_timeout)
        wire = Wire(self._limits, options.ca_file)
        full: Transport = RequestsTransport(options.url, wire)
        thin = options.hot_reads == "thin"
        hot = ThinTransport(options.url, self._limits, options.ca_file) if thin else full
        tokens = Tokens(options, remote.tokens, wire)
        self._caller = Caller(remote, Ways(hot, full), tokens, bearer, _speaks_odata)

    def call(self, call: Call, trace: Trace | None) -> Answer:
        """The answer, if it is a success (or a multipart one). Raises any CrmError."""
        headers = {**call.headers, **names_of(trace)}
        request = Request(call.method, self._root + call.target, headers, call.body, call.hot)
        answer = self._caller.send(request, self._limits.deadline())
        is_batch = answer.headers.get("content-type", "").startswith("multipart/mixed")
        if answer.status < 300 or (call.multipart and is_batch):
            return answer
        if answer.status < 400:  # a redirect, or a 304 that wasn't asked for
            raise Malformed
        raise self.error(answer, conditional="If-Match" in call.headers)

    def error(self, answer: Answer, *, conditional: bool) -> CrmError:
        """The error that an answer is; a throttling one pauses everybody."""
        error = error_of(answer.status, answer.headers, answer.body, conditional=conditional)
        return self._caller.told(error, answer)

    def close(self) -> None:
        """Let go of connections."""
        self._caller.close()


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
