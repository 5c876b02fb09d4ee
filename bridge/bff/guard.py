"""Which site calls, and whether it may: the origin, the header that only its own script can send,
the cookie. Not for: what is answered.

A browser sends `Origin` with every call of a script to another origin, and leaves it out only for
reads of its own. So the origin names the client, exactly as registered; a call without one comes
from our own origin. `X-CSRF: 1` can't be sent across origins without a preflight, which only
registered origins pass (RFC 10017 section 6.1.3.3); SameSite=Strict is the other lock.
"""

from collections.abc import Iterable
from typing import Any

import flask
from flask import Response

from bridge.errors import Problem
from bridge.services.clients import Client, Clients, origin_of

CSRF_HEADER = "X-CSRF"
LOGIN_COOKIE = "bff-login"
_ALLOWED = "Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, X-CSRF, X-Request-Id, \
traceparent"
_EXPOSED = "ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, \
X-Request-Id"


class Guard:
    """The sites that there are. `secure`: `__Host-` cookies; off only on plain-http loopback."""

    def __init__(self, clients: Clients, issuer: str, *, secure: bool) -> None:
        self._by_origin = dict(_origins(clients))
        self._own, self._secure = origin_of(issuer), secure

    def site(self) -> Client:
        """The client whose page calls. Raises Problem("forbidden")."""
        client = self._asking()
        if client is None or flask.request.headers.get(CSRF_HEADER) != "1":
            raise Problem("forbidden")
        return client

    def _asking(self) -> Client | None:
        return self._by_origin.get(flask.request.headers.get("Origin", self._own))

    def cookie_of(self, client: Client) -> str:
        """The session id that the browser holds for this site; "" for none."""
        return flask.request.cookies.get(self._name(f"bff-{client.client_id}"), "")

    def set_cookie(self, response: Response, client: Client, session_id: str) -> None:
        """For as long as the browser is open; the server's own time decides before."""
        self._set(response, f"bff-{client.client_id}", session_id, samesite="Strict")

    def drop_cookie(self, response: Response, client: Client) -> None:
        """The browser forgets it."""
        self._set(response, f"bff-{client.client_id}", "", samesite="Strict", max_age=0)

    def login_secret(self) -> str:
        """What ties a sign-in under way to this browser; "" for none."""
        return flask.request.cookies.get(self._name(LOGIN_COOKIE), "")

    def set_login_secret(self, response: Response, secret: str, seconds: int) -> None:
        """`Lax`, since a sign-in may come back by way of another site (WeChat's)."""
        self._set(response, LOGIN_COOKIE, secret, samesite="Lax", max_age=seconds)

    def _name(self, name: str) -> str:
        return f"__Host-{name}" if self._secure else name

    def _set(self, response: Response, name: str, value: str, **more: Any) -> None:
        response.set_cookie(
            self._name(name), value, path="/", secure=self._secure, httponly=True, **more
        )

    def share(self, response: Response) -> Response:
        """CORS with credentials, for this very origin and no other (Fetch, "CORS protocol")."""
        response.headers.pop("WWW-Authenticate", None)  # the browser has no token to send
        response.headers.add("Vary", "Origin")
        if "Origin" not in flask.request.headers or self._asking() is None:
            return response
        response.headers["Access-Control-Allow-Origin"] = flask.request.headers["Origin"]
        response.headers["Access-Control-Allow-Credentials"] = "true"
        response.headers["Access-Control-Expose-Headers"] = _EXPOSED
        response.headers["Cross-Origin-Resource-Policy"] = "same-site"
        if flask.request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
            response.headers["Access-Control-Allow-Headers"] = _ALLOWED
            response.headers["Access-Control-Max-Age"] = "600"
        return response


def _origins(clients: Clients) -> Iterable[tuple[str, Client]]:
    for client in clients:
        for origin in client.bff.origins if client.bff else ():
            yield origin, client
