"""The member API under /v1, its document, and health. Not for: OAuth, pages, or any CRM."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flask import Flask

from bridge.api import docs, shapes
from bridge.api.openapi import Document, blueprint

if TYPE_CHECKING:
    from bridge.parts import WebParts


def install(app: Flask, parts: WebParts) -> None:
    """Put the API's routes on `app`, and its document where settings serve it."""
    made = shapes.make(parts.mapping)
    document = Document(app)
    document.register_blueprint(blueprint(parts, made))
    if parts.settings.http.serve_docs:
        app.register_blueprint(docs.blueprint(document))
