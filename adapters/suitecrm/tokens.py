"""Access tokens of V8. Not for: the calls they are for.

No refresh token is used: refreshing ends the old access token at once, under the hands of every
process that still uses it. A token is asked for anew, by one process of all.
"""

import json

from adapters.answers import pause, said
from adapters.base import TokenCache
from adapters.errors import BadCredentials, Malformed, Throttled
from adapters.http import Answer, Wire
from adapters.kept import KeptToken, issued, name_of
from adapters.suitecrm.options import Options


class Tokens:
    """The token of one CRM user. Safe to use from many threads."""

    def __init__(self, options: Options, cache: TokenCache, wire: Wire) -> None:
        self._url = f"{options.url}/Api/access_token"
        grant = "password" if "username" in options.credential else "client_credentials"
        self._sent = json.dumps({"grant_type": grant, **options.credential}).encode()
        self._wire = wire
        who = (options.url, options.credential["client_id"], options.credential.get("username", ""))
        self._kept = KeptToken(name_of("suitecrm", *who), cache, self._fetch)

    def get(self, end: float) -> str:
        """See `adapters.caller.Tokens`."""
        return self._kept.get(end)

    def replace(self, refused: str, answer: Answer, end: float) -> str:
        """See `adapters.caller.Tokens`."""
        return self._kept.get(end, refused)

    def _fetch(self, end: float) -> tuple[str, float]:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        return _checked(self._wire.exchange("POST", self._url, headers, self._sent, end))


def _checked(answer: Answer) -> tuple[str, float]:
    """(token, seconds). A wrong password, user or client is a 500 whose body repeats what was
    sent; the body is looked at for its shape alone."""
    if answer.status == 429:
        raise Throttled("429", pause(answer.headers))
    document = said(answer)
    refused = answer.status in (400, 401) and "error" in document
    if refused or (answer.status == 500 and document.get("error") == "unknown_error"):
        raise BadCredentials(str(answer.status))
    if answer.status != 200:
        raise Malformed
    return issued(document)
