"""A verb that takes several calls, which together have the time of one. Not for: the sending
(`adapters/caller.py`), or what an answer means (`<crm>/client.py`)."""

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from adapters.base import Remote, Trace
from adapters.caller import Caller, Request, Tokens, Ways
from adapters.http import Answer, Limits, RequestsTransport, Wire
from adapters.places import origin
from adapters.thin import ThinTransport

_JSON = json.JSONEncoder(separators=(",", ":"))


class TurnClient(ABC):
    """One CRM user's way to a JSON API. Safe to use from many threads.

    `root`: the path before every target. `headers`: of every call.
    """

    headers: Mapping[str, str]

    def __init__(self, url: str, root: str, remote: Remote, ca_file: str | None) -> None:
        self.root = root
        self.limits = Limits(remote.connect_timeout, remote.read_timeout)
        self._wire, base = Wire(self.limits, ca_file), origin(url)
        thin = ThinTransport(base, self.limits, ca_file)
        self.caller = Caller(
            remote,
            Ways(thin, RequestsTransport(base, self._wire)),
            self._tokens(remote, self._wire),
            self._signed,
            self._speaks,
        )

    @abstractmethod
    def _tokens(self, remote: Remote, wire: Wire) -> Tokens:
        """The user's tokens."""

    @abstractmethod
    def _signed(self, token: str) -> Mapping[str, str]:
        """The headers that carry a token."""

    @abstractmethod
    def _speaks(self, answer: Answer) -> bool:
        """Is it an answer of the CRM's own?"""

    @abstractmethod
    def meaning(self, answer: Answer) -> Any:
        """What it brings. Raises what it means, if it isn't a success."""

    def turn(self, trace: Trace | None = None) -> "Turn":
        """A verb that begins now."""
        return Turn(self, trace, self.limits.deadline())

    def close(self) -> None:
        """Let go of connections."""
        self.caller.close()


@dataclass(frozen=True)
class Turn:
    """One verb of a caller's."""

    _client: TurnClient
    _trace: Trace | None
    _end: float

    def call(
        self,
        method: str,
        target: str,
        sent: Any = None,
        *,
        reads: bool = False,
        headers: Mapping[str, str] | None = None,
    ) -> Any:
        """What the answer brings; `target` is what follows the root, encoded. `reads`: a search,
        which may be repeated. Raises any CrmError."""
        client = self._client
        body = None if sent is None else _JSON.encode(sent).encode()
        named = {**client.headers, **(headers or {})}
        if self._trace:
            named["traceparent"] = self._trace.traceparent
        hot = reads or method == "GET"
        request = Request(method, client.root + target, named, body, hot)
        return client.meaning(client.caller.send(request, self._end))
