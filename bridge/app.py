"""The web application: the edge, and each face of the bridge put on it.

Not for: making parts (`bridge/parts.py`), or what any route does.
"""

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from bridge import api, bff, edge, oauth, pages
from bridge.parts import EXTENSION, WebParts
from bridge.wechat import routes as wechat
from bridge.wechat.app_codes import codes_of
from bridge.wechat.channel import Channel
from bridge.wechat.gateway import Gateway


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
    document = api.install(app, parts)
    channel = _channel(parts) if parts.settings.wechat.enabled else None
    app.register_blueprint(oauth.blueprint(parts, codes_of(channel) if channel else {}))
    app.register_blueprint(pages.blueprint(parts))
    if any(client.bff for client in parts.clients):
        app.register_blueprint(bff.blueprint(parts, app))
    if channel is not None:
        app.register_blueprint(wechat.pushes(channel))
        app.register_blueprint(wechat.browser(channel))
        document.register_blueprint(wechat.qr_codes(channel, parts.grants))
    return app


def _channel(parts: WebParts) -> Channel:
    account = parts.settings.wechat
    return Channel(
        account=account,
        issuer=parts.settings.issuer,
        brand=parts.settings.brand,
        gateway=Gateway(account, parts.wechat_tokens),
        scenes=parts.scenes,
        seen=parts.seen_events,
        sessions=parts.sessions,
        clock=parts.clock,
    )
