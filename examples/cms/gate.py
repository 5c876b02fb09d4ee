"""A headless CMS that gives members' articles only to whoever brings a member's token for it.

The part to copy is `member_of`: it asks the bridge about each token (RFC 7662), and lets nobody in
whom the bridge doesn't vouch for, to this very CMS. A token of a member who signed out a second ago
isn't good any more; keep no answer for longer than you can bear that.

Not for: signing in. The site's server did that by authorization code and sends its access token
along, as `Authorization: Bearer …`. Its client must list this CMS under `audiences`; the CMS is a
client of its own, with `resource_server: {audience: …}` and no grants.

    BRIDGE=http://127.0.0.1:8000 SECRET=… python examples/cms/gate.py --port 8002
"""

import argparse
import os
from typing import Any

import requests
from flask import Flask, Response, request

AUDIENCE = "https://cms.sandbox.invalid"
ARTICLES = {
    "opening": ("everyone", "We open at ten."),
    "preview": ("members", "The autumn watch, a week before everybody else sees it."),
}
NO_ARTICLE = ("nobody", "")


class Unsure(Exception):
    """The bridge can't be asked now."""


def member_of(token: str) -> str | None:
    """The member's `sub` in our own sector: the same member, the same string, and no name. None for
    a token that isn't good, isn't for us, or has no member behind it. Raises Unsure."""
    try:
        answer = requests.post(
            f"{os.environ['BRIDGE']}/oauth/introspect",
            data={"token": token},
            auth=("cms", os.environ["SECRET"]),
            timeout=3,
        )
        answer.raise_for_status()
        told: dict[str, Any] = answer.json()
    except (requests.RequestException, ValueError):
        raise Unsure from None
    if not told.get("active") or told.get("aud") != AUDIENCE:
        return None
    return told.get("sub")


def article(slug: str) -> Response:
    """The article, or what to do to read it: 401 sign in, 503 try again."""
    readers, text = ARTICLES.get(slug, NO_ARTICLE)
    if readers == "nobody":
        return page(404, "There is no such article.")
    if readers == "everyone":
        return page(200, text)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        member = member_of(token.strip()) if scheme.lower() == "bearer" and token else None
    except Unsure:
        return page(503, "Please come back in a moment.")
    if member is None:
        refused = page(401, "This one is for members. Please sign in.")
        refused.headers["WWW-Authenticate"] = "Bearer"
        return refused
    return page(200, text)


def page(status: int, text: str) -> Response:
    """Never kept by a cache between us and the reader."""
    html = f"<!doctype html><html lang=en><title>CMS</title><main><p>{text}</p></main>"
    return Response(html, status, {"Cache-Control": "private, no-store", "Vary": "Authorization"})


app = Flask(__name__)
app.add_url_rule("/articles/<slug>", view_func=article)

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=8002)
    app.run("127.0.0.1", parser.parse_args().port)
