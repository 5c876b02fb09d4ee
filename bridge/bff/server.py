"""Our own server, asked as any client asks it: by its HTTP interface, but without a socket.

Not for: sessions. A request goes through the same WSGI application in this thread
(docs/decisions/0015-the-bff-asks-in-process.md), so every guard that holds for a stranger holds
here, and no call waits for a second thread of the same server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import orjson
from flask import Flask
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from werkzeug.datastructures import Headers
from werkzeug.datastructures.auth import Authorization
from werkzeug.test import EnvironBuilder, run_wsgi_app

from bridge.errors import Problem

_ALG = "ES256"


@dataclass(frozen=True)
class Answer:
    """What the server said."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    def json(self) -> dict[str, Any]:
        """The body as an object; {} for anything else."""
        try:
            found = orjson.loads(self.body)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True)
class Tokens:
    """A token response (RFC 6749 section 5.1). `seconds`: of the access token."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    id_token: str = field(repr=False)
    seconds: int


class NotGood(Exception):
    """The server refused the code, the token or the client for good; there is nothing to repeat."""


@dataclass(frozen=True)
class Credentials:
    """How a site's client authenticates, and where its answers go."""

    client_id: str
    secret: str = field(repr=False)
    redirect_uri: str


class Server:
    """One per process. Methods raise Problem where the server is in trouble."""

    def __init__(self, app: Flask, issuer: str) -> None:
        self._app, self.issuer = app, issuer

    def call(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        *,
        query: str = "",
        body: bytes = b"",
        address: str = "",
    ) -> Answer:
        """One request. `address`: whom the limits count it for."""
        builder = EnvironBuilder(
            method=method,
            path=quote(path),  # else a `?` in it would count as the query
            query_string=query,
            base_url=self.issuer,
            headers=Headers(list(headers.items())),
            data=body,
            environ_overrides={"REMOTE_ADDR": address},
        )
        with self._app.app_context():  # its own `flask.g`: the visitor's request keeps its own
            chunks, status, found = run_wsgi_app(
                self._app.wsgi_app, builder.get_environ(), buffered=True
            )
        return Answer(int(status.split()[0]), found, b"".join(chunks))

    def redeem(self, by: Credentials, code: str, verifier: str) -> Tokens:
        """A code's tokens. Raises NotGood."""
        return self._token(
            by,
            grant_type="authorization_code",
            code=code,
            redirect_uri=by.redirect_uri,
            code_verifier=verifier,
        )

    def refresh(self, by: Credentials, refresh_token: str) -> Tokens:
        """The next tokens. Raises NotGood."""
        return self._token(by, grant_type="refresh_token", refresh_token=refresh_token)

    def claims(self, by: Credentials, id_token: str, nonce: str) -> dict[str, Any]:
        """What an id_token says (OpenID Connect Core section 3.1.3.7). Raises NotGood."""
        keys = self.call("GET", "/oauth/jwks", {}).json()
        wanted = jwt.JWTClaimsRegistry(
            iss={"essential": True, "value": self.issuer},
            aud={"essential": True, "value": by.client_id},
            nonce={"essential": True, "value": nonce},
            exp={"essential": True},
        )
        try:
            token = jwt.decode(id_token, KeySet.import_key_set(keys), algorithms=[_ALG])  # type: ignore[arg-type]
            wanted.validate(token.claims)
        except (JoseError, ValueError):
            raise NotGood from None
        return dict(token.claims)

    def revoke(self, by: Credentials, refresh_token: str) -> None:
        """End the grant (RFC 7009)."""
        self._post("/oauth/revoke", by, token=refresh_token)

    def end_session(self, id_token: str, cookies: str) -> None:
        """RP-initiated logout for the browser that holds `cookies`: its session at the hosted
        pages ends too, if it is the one that the id_token came from."""
        form = urlencode({"id_token_hint": id_token}).encode()
        self.call("POST", "/oauth/logout", {**_FORM, "Cookie": cookies}, body=form)

    def _token(self, by: Credentials, **form: str) -> Tokens:
        answer = self._post("/oauth/token", by, **form)
        if answer.status >= 500:
            seconds = answer.headers.get("Retry-After", 5, type=int)
            raise Problem("busy", retry_after=seconds)
        given = answer.json()
        if answer.status != 200 or not {"access_token", "refresh_token", "id_token"} <= set(given):
            raise NotGood
        return Tokens(
            given["access_token"], given["refresh_token"], given["id_token"], given["expires_in"]
        )

    def _post(self, path: str, by: Credentials, **form: str) -> Answer:
        basic = Authorization("basic", {"username": by.client_id, "password": by.secret})
        headers = {**_FORM, "Authorization": basic.to_header()}
        return self.call("POST", path, headers, body=urlencode(form).encode())


_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
