"""Headers that every answer has, and CORS. Not for: what one resource says of itself (ETag).

An answer that brings its own policy (the hosted pages) keeps it: these are defaults. Origins are
those that clients registered, compared exactly; never reflected, never `*`, never with cookies
(the Fetch standard, "CORS protocol"); `/bff`, which has cookies, shares its answers itself.
"""

from collections.abc import Iterable, Mapping

import flask
from flask import Flask, Response

DEFAULTS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SHARED = ("/v1/", "/oauth/", "/.well-known/")
"""Paths that a site's script may call."""
UNSHARED = ("/oauth/authorize", "/oauth/challenge")
"""The one is for navigation, the other for apps: neither is a script's."""
ALLOWED = "Authorization, Content-Type, Idempotency-Key, If-Match, If-None-Match, Prefer, \
traceparent, X-Request-Id"
EXPOSED = "ETag, Location, Preference-Applied, RateLimit, RateLimit-Policy, Retry-After, \
WWW-Authenticate, X-Request-Id"


def install(app: Flask, origins: Mapping[str, Iterable[str]]) -> None:
    """`origins`: client id -> origins. A preflight names no client, so any client's origin passes
    it; the answer itself is readable only from an origin of the token's own client."""
    by_client = {client: frozenset(each) for client, each in origins.items()}
    every = frozenset().union(*by_client.values())

    def finish(response: Response) -> Response:
        present = {name.lower() for name, _ in response.headers}
        for name, value in DEFAULTS.items():
            if name.lower() not in present:
                response.headers.add(name, value)
        if flask.request.is_secure:
            response.headers["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"
        path = flask.request.path
        if every and path.startswith(SHARED) and path not in UNSHARED:
            caller = flask.g.get("caller")
            allowed = by_client.get(caller.client_id, frozenset()) if caller else every
            _share(response, allowed)
        return response

    app.after_request(finish)


def _share(response: Response, allowed: frozenset[str]) -> None:
    response.headers.add("Vary", "Origin")
    origin = flask.request.headers.get("Origin")
    if origin is None or origin not in allowed:
        return
    response.headers["Access-Control-Allow-Origin"] = origin
    response.headers["Access-Control-Expose-Headers"] = EXPOSED
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if flask.request.method == "OPTIONS" and flask.request.url_rule:
        methods = sorted(flask.request.url_rule.methods or ())
        response.headers["Access-Control-Allow-Methods"] = response.headers.get(
            "Allow", ", ".join(methods)
        )
        response.headers["Access-Control-Allow-Headers"] = ALLOWED
        response.headers["Access-Control-Max-Age"] = "600"
