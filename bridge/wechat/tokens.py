"""The account's access token: one for all processes, fetched by one of them.

Not for: web OAuth's tokens, which are thrown away at once. Source: "getStableAccessToken": the
platform gives the same token again and renews it five minutes ahead; unlike `cgi-bin/token` it
doesn't void what another system of the brand uses. A forced refresh does, and is allowed 20 times
a day, so it is never asked for.
"""

import requests

from adapters.base import TokenCache
from bridge.wechat.errors import WechatError
from bridge.wechat.transport import API_HOST, document

EARLY = 240.0
"""Seconds before the end at which a new one is asked for; the platform has it from 300 on."""
_FLIGHT = 10.0


class AccessToken:
    """`cache` is sealed and shared; nothing is kept in the process."""

    def __init__(
        self, appid: str, secret: str, cache: TokenCache, session: requests.Session
    ) -> None:
        self._appid = appid
        self._secret = secret
        self._cache = cache
        self._session = session

    def __repr__(self) -> str:
        return "AccessToken()"

    def current(self) -> str:
        """The token to use now. Raises WechatError, StoreDown."""
        kept = self._cache.get(self._appid)
        if kept and kept[1] > EARLY:
            return kept[0]
        try:
            return self._renewed(None)
        except WechatError:
            if kept and kept[1] > 1.0:
                return kept[0]
            raise

    def instead_of(self, failed: str) -> str:
        """Another token than `failed`, which WeChat refused: the one that somebody has fetched
        since, or a new one. Raises WechatError, StoreDown."""
        return self._renewed(failed)

    def _renewed(self, failed: str | None) -> str:
        with self._cache.single_flight(self._appid, _FLIGHT) as ours:
            kept = self._cache.get(self._appid)
            if kept and kept[0] != failed and kept[1] > EARLY:
                return kept[0]
            if not ours:  # whoever held the lock got none
                raise WechatError(None)
            token, seconds = self._fetched()
            self._cache.put(self._appid, token, seconds)
            return token

    def _fetched(self) -> tuple[str, float]:
        body = {"grant_type": "client_credential", "appid": self._appid, "secret": self._secret}
        answer = document(self._session.post(f"{API_HOST}/cgi-bin/stable_token", json=body))
        token, seconds = answer.get("access_token"), answer.get("expires_in")
        if not token or not isinstance(token, str) or not isinstance(seconds, int):
            raise WechatError(None)
        return token, float(min(seconds, 7200))
