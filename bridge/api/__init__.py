"""The member API under /v1, its document, and health. Not for: OAuth, pages, or any CRM."""

from flask import Flask

from bridge.api import docs, shapes
from bridge.api.openapi import Document, blueprint
from bridge.parts import WebParts


def install(app: Flask, parts: WebParts) -> Document:
    """Put the API's routes on `app`, and the document of them where settings serve it. Routes of
    others under /v1 are registered through the document that it gives."""
    document = Document(app)
    document.register_blueprint(blueprint(parts, shapes.make(parts.mapping)))
    if parts.settings.http.serve_docs:
        app.register_blueprint(docs.blueprint(document))
    return document
