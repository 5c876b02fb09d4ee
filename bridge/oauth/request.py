"""The request as Authlib sees it: parameters taken once, from one place, under our own URI.

Not for: judging parameters. Authlib's Flask request merges query and form, takes the first of a
repeated parameter, and reads the scheme and host that the request claims; so this one is made from
the configured issuer, never from `Host`, and refuses the rest.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

import flask
from authlib.oauth2.rfc6749 import OAuth2Payload, OAuth2Request

from bridge.oauth.errors import Refusal

LONGEST = 4096
_FORM = "application/x-www-form-urlencoded"
Pairs = Iterable[tuple[str, str]]


class Payload(OAuth2Payload):  # type: ignore[misc]
    """Parameters, each once."""

    def __init__(self, parameters: Mapping[str, str]) -> None:
        self._data = dict(parameters)
        self._lists: defaultdict[str, list[str]] = defaultdict(list)
        self._lists.update({name: [value] for name, value in parameters.items()})

    @property
    def data(self) -> dict[str, str]:
        """Name -> value."""
        return self._data

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        """Name -> values, of which there is one."""
        return self._lists


class BridgeRequest(OAuth2Request):  # type: ignore[misc]
    """A request to one of our endpoints."""

    def __init__(self, issuer: str, parameters: Mapping[str, str]) -> None:
        super().__init__(flask.request.method, issuer + flask.request.path, None, _headers())
        self.payload = Payload(parameters)

    @property
    def form(self) -> dict[str, str]:
        """Same as the payload: there is one place for parameters."""
        data: dict[str, str] = self.payload.data
        return data


def _headers() -> Any:
    return flask.request.headers


def posted() -> dict[str, str]:
    """The parameters of a POST endpoint: from the form, nothing in the query (RFC 6749 section
    3.2). Raises Refusal."""
    if flask.request.query_string:
        raise Refusal("invalid_request", "Parameters belong in the body.")
    if flask.request.mimetype != _FORM:
        raise Refusal("invalid_request", "Send application/x-www-form-urlencoded.")
    return once(flask.request.form.items(multi=True))


def navigated() -> dict[str, str]:
    """The parameters of an endpoint that a browser goes to: query of a GET, form of a POST."""
    if flask.request.method == "POST":
        return posted()
    return once(flask.request.args.items(multi=True))


def once(pairs: Pairs) -> dict[str, str]:
    """Each parameter once (RFC 6749 sections 3.1 and 3.2); empty ones count as absent. Raises
    Refusal."""
    found: dict[str, str] = {}
    for name, value in pairs:
        if name in found:
            raise Refusal("invalid_request", "A parameter is repeated.")
        if len(value) > LONGEST:
            raise Refusal("invalid_request", "A parameter is too long.")
        found[name] = value
    return {name: value for name, value in found.items() if value}
