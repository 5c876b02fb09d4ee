"""Access tokens for Dataverse by MSAL's client credentials. Not for: the calls they are for.

A token is kept in three places: in this process, in the shared cache that we were given (sealed,
for all processes of the role), and nowhere in MSAL: its own cache would give a refused token again.
Source: learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

import json
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msal

from adapters.base import TokenCache
from adapters.dynamics.options import Options
from adapters.errors import BadCredentials, CrmError, Malformed, Throttled
from adapters.http import Answer, Wire
from adapters.kept import EARLY, KeptToken, name_of

__all__ = ["EARLY", "Tokens"]


class Tokens:
    """The token of one application user. Safe to use from many threads."""

    def __init__(self, options: Options, cache: TokenCache, wire: Wire) -> None:
        self._options = options
        self._http = _MsalHttp(wire)
        self._app: msal.ConfidentialClientApplication | None = None
        parts = (options.authority, options.tenant, options.scope, options.credential["client_id"])
        self._kept = KeptToken(name_of("dynamics", *parts), cache, self._fetch)

    def get(self, end: float) -> str:
        """See `adapters.caller.Tokens`."""
        return self._kept.get(end)

    def replace(self, refused: str, answer: Answer, end: float) -> str:
        """See `adapters.caller.Tokens`: so many that are refused at once make one token call."""
        return self._kept.get(end, refused)

    def _fetch(self, end: float) -> tuple[str, float]:
        """Ask the authority. MSAL's own errors and texts stop here."""
        self._http.end = end
        try:
            if self._app is None:
                self._app = self._make()
            answer = self._app.acquire_token_for_client([self._options.scope])
        except CrmError:
            raise
        except (ValueError, OSError):  # no such tenant, or a key that can't be read
            raise BadCredentials from None
        except Exception:  # whatever a garbled answer makes of MSAL
            raise Malformed from None
        return _checked(answer)

    def _make(self) -> msal.ConfidentialClientApplication:
        options = self._options
        return msal.ConfidentialClientApplication(
            options.credential["client_id"],
            client_credential=_credential(options.credential),
            authority=f"{options.authority}/{options.tenant}",
            instance_discovery=options.instance_discovery,
            token_cache=_Forgetful(),
            http_client=self._http,
            http_cache=_Nothing(),
        )


def _credential(given: Mapping[str, str]) -> str | dict[str, Any]:
    """As MSAL takes it. A thumbprint is computed by MSAL (SHA-256)."""
    if "client_secret" in given:
        return given["client_secret"]
    secret = {"passphrase": given["passphrase"]} if "passphrase" in given else {}
    if "pfx_path" in given:
        # True: send the certificate along, so that it may be renewed under the same subject.
        return {"private_key_pfx_path": given["pfx_path"], "public_certificate": True, **secret}
    return {
        "private_key": given["private_key"],
        "public_certificate": given["certificate"],
        **secret,
    }


def _checked(answer: Any) -> tuple[str, float]:
    """(token, seconds). An OAuth error (RFC 6749 section 5.2) is a credential's."""
    if not isinstance(answer, dict):
        raise Malformed
    token, seconds = answer.get("access_token"), answer.get("expires_in")
    if isinstance(token, str) and token.isascii() and token.isprintable() and token:
        try:
            return token, float(seconds or 0)
        except (TypeError, ValueError):
            raise Malformed from None
    if answer.get("error") in ("temporarily_unavailable", "server_error"):
        raise Malformed
    if "error" in answer:
        raise BadCredentials(_number(answer))
    raise Malformed


def _number(answer: Mapping[str, Any]) -> str:
    """The authority's own constant for what it refuses (`AADSTS7000215`), or ""."""
    numbers = answer.get("error_codes")
    first = numbers[0] if isinstance(numbers, list) and numbers else None
    return f"AADSTS{first}" if isinstance(first, int) else ""


class _Forgetful(msal.TokenCache):  # type: ignore[misc]
    """Keeps nothing: the sealed cache is the only one."""

    def add(self, event: Any, now: Any = None) -> None:
        """Not kept."""


class _Nothing(dict[Any, Any]):
    """MSAL's memory of answers, switched off: who may call when is the budget's matter, and one
    answer of 400 would be repeated for a minute after the operator has mended the credential."""

    def __setitem__(self, key: Any, value: Any) -> None:
        """Not kept."""


@dataclass(frozen=True)
class _Reply:
    """What MSAL looks at."""

    status_code: int
    text: str = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)

    def raise_for_status(self) -> None:
        """Never needed: what isn't an answer of the protocol was raised before."""


class _MsalHttp:
    """MSAL's HTTP client, over our wire: our timeouts, CA and caps, nothing of the environment."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.end = 0.0

    def get(self, url: str, params: Any = None, headers: Any = None, **_: Any) -> _Reply:
        """A discovery document."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        return self._exchange("GET", url + query, headers, None)

    def post(
        self, url: str, params: Any = None, data: Any = None, headers: Any = None, **_: Any
    ) -> _Reply:
        """A token request."""
        query = f"?{urllib.parse.urlencode(params)}" if params else ""
        form = {"Content-Type": "application/x-www-form-urlencoded", **(headers or {})}
        return self._exchange("POST", url + query, form, urllib.parse.urlencode(data).encode())

    def close(self) -> None:
        """The wire isn't ours to close."""

    def _exchange(self, method: str, url: str, headers: Any, body: bytes | None) -> _Reply:
        answer = self._wire.exchange(method, url, dict(headers or {}), body, self.end)
        if answer.status == 429:
            raise Throttled(retry_after=5.0)
        if answer.status >= 500 or 300 <= answer.status < 400:
            raise Malformed
        try:
            found = json.loads(answer.body)
        except ValueError:  # MSAL would take it for a mistake in the authority's name
            raise Malformed from None
        if method == "GET" and answer.status >= 400:  # no discovery document: no such tenant
            raise BadCredentials(_number(found if isinstance(found, dict) else {}))
        return _Reply(answer.status, answer.body.decode("utf-8", "replace"), answer.headers)
