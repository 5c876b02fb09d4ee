"""The way to the V8 API, and what its answers mean. Not for: what is asked, or the sending
(`adapters/turns.py`)."""

from collections.abc import Mapping
from typing import Any

from adapters.answers import document, is_json
from adapters.base import Remote
from adapters.caller import bearer
from adapters.errors import Malformed
from adapters.http import Answer, Wire
from adapters.suitecrm.errors import error_of
from adapters.suitecrm.options import Options
from adapters.suitecrm.tokens import Tokens
from adapters.turns import TurnClient

TYPES = ("application/json", "application/vnd.api+json")
HEADERS = {"Accept": TYPES[1], "Content-Type": TYPES[1]}


class Client(TurnClient):
    """Calls as one CRM user."""

    headers = HEADERS

    def __init__(self, options: Options, remote: Remote) -> None:
        self._options = options
        super().__init__(options.url, f"{options.root}V8/", remote, options.ca_file)

    def _tokens(self, remote: Remote, wire: Wire) -> Tokens:
        return Tokens(self._options, remote.tokens, wire)

    def _signed(self, token: str) -> Mapping[str, str]:
        return bearer(token)

    def _speaks(self, answer: Answer) -> bool:
        return is_json(answer, TYPES)

    def meaning(self, answer: Answer) -> Any:
        """`data` of the answer."""
        if answer.status not in (200, 201):
            error = error_of(answer) if answer.status >= 400 else Malformed()
            raise self.caller.told(error, answer)
        return data_of(answer)


def data_of(answer: Answer) -> Any:
    """What is under `data`. Raises Malformed."""
    found = document(answer, TYPES)
    if "data" not in found:
        raise Malformed
    return found["data"]
