"""The web application: the edge, the API, and the other faces as blueprints.

Not for: making parts (`bridge/parts.py`), or what any route does.
"""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge import api, edge, oauth, pages, wechat
from bridge.parts import EXTENSION, WebParts


def create_app(parts: WebParts) -> Flask:
    """A Flask application that works with `parts`. It reads no configuration of its own."""
    app = Flask("bridge", static_folder=None)
    app.extensions[EXTENSION] = parts
    http = parts.settings.http
    if http.trusted_proxies:
        app.wsgi_app = ProxyFix(  # type: ignore[method-assign]
            app.wsgi_app, x_for=http.trusted_proxies, x_proto=http.trusted_proxies
        )
    edge.install(app, http.max_body, {c.client_id: c.cors_origins for c in parts.clients})
    api.install(app, parts)
    app.register_blueprint(oauth.blueprint(parts))
    app.register_blueprint(pages.blueprint(parts))
    if parts.settings.wechat.enabled:
        app.register_blueprint(wechat.blueprint(parts))
    return app
