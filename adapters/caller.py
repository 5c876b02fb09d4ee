"""One request to a CRM as one of its users: budget, token, transport. Not for: what is asked, nor
what the answer means (`<crm>/client.py`).

A token that the CRM refuses is replaced once and the request sent once more; a 401 says that
nothing was done, so this holds for writes too.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from adapters.answers import pause
from adapters.base import Remote
from adapters.errors import CrmError, Misconfigured, Throttled
from adapters.http import Answer, Transport


class Tokens(Protocol):
    """The tokens of one CRM user."""

    def get(self, end: float) -> str:
        """One that is good for a while. Raises BadCredentials or an Unavailable."""

    def replace(self, refused: str, answer: Answer, end: float) -> str:
        """Another than `refused`, to which the CRM gave `answer`. Where another thread or process
        has replaced it already, that one."""


@dataclass(frozen=True)
class Request:
    """`target` begins with `/` and is encoded. `hot`: a read, which may be repeated, for the thin
    transport."""

    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    body: bytes | None = field(default=None, repr=False)
    hot: bool = False


@dataclass(frozen=True)
class Ways:
    """The transports to one CRM; for hot reads and for everything else."""

    hot: Transport
    full: Transport


class Counted:
    """Asks the budget before each call and tells it after it whether the CRM was well."""

    def __init__(self, remote: Remote, speaks: Callable[[Answer], bool]) -> None:
        """`speaks`: is it an answer of the CRM's own?"""
        self._budget, self._lane, self._speaks = remote.budget, remote.lane, speaks

    def __call__(self, exchange: Callable[[], Answer]) -> Answer:
        """One call. Raises what the budget and `exchange` raise."""
        self._budget.take(self._lane)
        began, ok = time.monotonic(), False
        try:
            answer = exchange()
            ok = answer.status < 500 and self._speaks(answer)
        except Misconfigured:  # an answer too, and not one that passes by itself
            ok = True
            raise
        finally:
            self._budget.done(ok, time.monotonic() - began)
        return answer


class Caller:
    """Sends requests as one CRM user. Safe to use from many threads."""

    def __init__(
        self,
        remote: Remote,
        ways: Ways,
        tokens: Tokens,
        signed: Callable[[str], Mapping[str, str]],
        speaks: Callable[[Answer], bool],
    ) -> None:
        """`signed`: the headers that carry a token. `speaks`: see `Counted`."""
        self._budget, self._ways, self.counted = remote.budget, ways, Counted(remote, speaks)
        self._tokens, self._signed = tokens, signed

    def send(self, request: Request, end: float) -> Answer:
        """The answer, whatever it says. Raises an Unavailable, and what getting a token raises."""
        answer, token = self._once(request, lambda: self._tokens.get(end), end)
        if answer.status == 401:
            refusal = answer
            answer, _ = self._once(request, lambda: self._tokens.replace(token, refusal, end), end)
        return answer

    def told(self, error: CrmError, answer: Answer) -> CrmError:
        """The error, after the budget was told of the pause that the CRM asks for. A 503 with
        `Retry-After` pauses everybody too, but doesn't say that nothing was done."""
        if isinstance(error, Throttled):
            self._budget.throttled(error.retry_after)
        elif answer.status == 503 and "retry-after" in answer.headers:
            self._budget.throttled(pause(answer.headers))
        return error

    def close(self) -> None:
        """Let go of connections."""
        self._ways.hot.close()
        self._ways.full.close()

    def _once(self, request: Request, token: Callable[[], str], end: float) -> tuple[Answer, str]:
        """The answer, and the token that went with it. Getting the token is part of the call: an
        authority that is down holds nobody up once the breaker is open."""
        transport = self._ways.hot if request.hot else self._ways.full
        sent: list[str] = []

        def exchange() -> Answer:
            sent.append(token())
            headers = {**self._signed(sent[0]), **request.headers}
            return transport.send(request.method, request.target, headers, request.body, end)

        return self.counted(exchange), sent[0]


def bearer(token: str) -> Mapping[str, str]:
    """RFC 6750 section 2.1."""
    return {"Authorization": f"Bearer {token}"}
