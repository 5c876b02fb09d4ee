"""The way to Sugar's REST API, and what its answers mean. Not for: what is asked, or the sending
(`adapters/turns.py`)."""

from collections.abc import Mapping
from typing import Any

from adapters.answers import decoded, is_json
from adapters.base import Remote
from adapters.http import Answer, Wire
from adapters.sugarcrm.errors import error_of
from adapters.sugarcrm.options import Options
from adapters.sugarcrm.portal import Portal
from adapters.sugarcrm.tokens import JSON_BODY, Tokens
from adapters.turns import TurnClient


class Client(TurnClient):
    """Calls as one CRM user on one platform."""

    headers = JSON_BODY

    def __init__(self, options: Options, remote: Remote) -> None:
        self._options = options
        super().__init__(options.url, options.root, remote, options.ca_file)
        self.portal = Portal(options, self._wire, self.limits, self.caller.counted)

    def _tokens(self, remote: Remote, wire: Wire) -> Tokens:
        return Tokens(self._options, remote.tokens, wire)

    def _signed(self, token: str) -> Mapping[str, str]:
        return {"OAuth-Token": token}

    def _speaks(self, answer: Answer) -> bool:
        return is_json(answer)

    def meaning(self, answer: Answer) -> tuple[int, Any]:
        """Status and JSON: a create answers 200, an upsert that made something 201."""
        if answer.status not in (200, 201):
            raise self.caller.told(error_of(answer), answer)
        return answer.status, decoded(answer)
