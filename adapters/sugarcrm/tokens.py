"""Sugar's access and refresh tokens, one pair for all processes of a role. Not for: the calls they
are for.

Sugar has one live pair per user and platform: each refresh ends the earlier pair, and a second
login ends the first. So the pair is kept whole, as one string, in the shared cache; one process of
all refreshes or logs in. The rule of Sugar's own client: `invalid_grant` -> refresh, once; anything
else -> log in again; a refresh that fails -> log in, once.
"""

import json
import time
from collections.abc import Mapping
from typing import Any

from adapters.answers import said
from adapters.base import FlightLock, TokenCache
from adapters.errors import BadCredentials, Throttled
from adapters.http import Answer, Wire
from adapters.kept import KeptToken, issued, name_of
from adapters.sugarcrm.errors import error_of, label_of
from adapters.sugarcrm.options import Options

JSON_BODY = {"Content-Type": "application/json", "Accept": "application/json"}


class Tokens:
    """The pair of one CRM user. Safe to use from many threads."""

    def __init__(self, options: Options, cache: TokenCache, wire: Wire) -> None:
        self._url = f"{options.url}/rest/{options.api_version}/oauth2/token"
        self._wire = wire
        own = {"client_id": "sugar", "client_secret": "", "platform": options.platform}
        self._login = {"grant_type": "password", **own, **options.credential}
        client = {name: self._login[name] for name in own}
        self._refresh = {"grant_type": "refresh_token", **client}
        who = (options.url, client["client_id"], options.credential["username"], options.platform)
        self._name = name_of("sugarcrm", *who)
        self._pairs = _Pairs(cache)
        self._no_use = ""  # the access token beside which the refresh token is no good either
        self._kept = KeptToken(self._name, self._pairs, self._fetch)

    def get(self, end: float) -> str:
        """See `adapters.caller.Tokens`."""
        return self._kept.get(end)

    def replace(self, refused: str, answer: Answer, end: float) -> str:
        """See `adapters.caller.Tokens`."""
        if label_of(answer) != "invalid_grant":
            self._no_use = refused
        return self._kept.get(end, refused)

    def _fetch(self, end: float) -> tuple[str, float]:
        """A new pair: one process at a time, one thread of it."""
        access, refresh = self._pairs.newest(self._name)
        document: Mapping[str, Any] = {}
        if refresh and access != self._no_use:
            document = self._ask({**self._refresh, "refresh_token": refresh}, end, spare=True)
        document = document or self._ask(self._login, end)
        token, seconds = issued(document)
        self._pairs.keep(document)
        return token, seconds

    def _ask(
        self, sent: Mapping[str, str], end: float, *, spare: bool = False
    ) -> Mapping[str, Any]:
        """The pair; with `spare` nothing where it is refused, as a used refresh token is."""
        body = json.dumps(sent).encode()
        answer = self._wire.exchange("POST", self._url, JSON_BODY, body, end)
        if answer.status == 200:
            return said(answer)
        error, label = error_of(answer), label_of(answer)
        if label and 400 <= answer.status < 500 and not isinstance(error, Throttled):
            if spare:
                return {}
            error = BadCredentials(label)  # also a platform that isn't registered
        raise error


class _Pairs:
    """The shared cache, whose one string holds both tokens: its own life is the refresh token's,
    what `get` and `put` tell is the access token's."""

    def __init__(self, cache: TokenCache) -> None:
        self._cache = cache
        self._refresh, self._lasts = "", 0.0

    def get(self, name: str) -> tuple[str, float] | None:
        """See TokenCache."""
        access, until, _ = self._read(name)
        return (access, until - time.time()) if access else None

    def put(self, name: str, token: str, seconds: float) -> None:
        """See TokenCache; with the refresh token that came along."""
        pair = json.dumps([token, time.time() + seconds, self._refresh])
        self._cache.put(name, pair, max(seconds, self._lasts))

    def single_flight(self, name: str, seconds: float) -> FlightLock:
        """See TokenCache."""
        return self._cache.single_flight(name, seconds)

    def newest(self, name: str) -> tuple[str, str]:
        """The access and the refresh token that were kept last, good or not."""
        access, _, refresh = self._read(name)
        return access, refresh

    def keep(self, document: Mapping[str, Any]) -> None:
        """What came beside the access token that is put next."""
        refresh, lasts = document.get("refresh_token"), document.get("refresh_expires_in")
        self._refresh = refresh if isinstance(refresh, str) else ""
        self._lasts = float(lasts) if isinstance(lasts, int | float) else 0.0

    def _read(self, name: str) -> tuple[str, float, str]:
        found = self._cache.get(name)
        try:
            access, until, refresh = json.loads(found[0]) if found else ("", 0.0, "")
            return str(access), float(until), str(refresh)
        except (ValueError, TypeError):
            return "", 0.0, ""
