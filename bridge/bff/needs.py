"""What the BFF works with. Not for: making the store's part (`bridge/parts.py`)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from flask import Flask

from bridge.bff.guard import Guard
from bridge.bff.server import Credentials, Server
from bridge.bff.tokens import Keeper
from bridge.services.clients import BFF_CALLBACK, Client, Clients
from bridge.store.bff_sessions import BffSessions


class Needs(Protocol):
    """The web process's parts have all of it."""

    @property
    def settings(self) -> Any: ...
    @property
    def clients(self) -> Clients: ...
    @property
    def bff_sessions(self) -> BffSessions: ...


@dataclass(frozen=True)
class Desk:
    """One per process; it holds no state of its own."""

    clients: Clients
    sessions: BffSessions
    guard: Guard
    server: Server
    keeper: Keeper
    secrets: Mapping[str, str] = field(repr=False)

    def by(self, client: Client) -> Credentials:
        """How this site's client comes to our server."""
        secret = self.secrets[client.client_id]
        return Credentials(client.client_id, secret, self.server.issuer + BFF_CALLBACK)


def desk(parts: Needs, app: Flask) -> Desk:
    """Out of the process's parts; asks `app` itself."""
    settings = parts.settings
    server = Server(app, settings.issuer)
    return Desk(
        parts.clients,
        parts.bff_sessions,
        Guard(parts.clients, settings.issuer, secure=settings.http.secure_cookies),
        server,
        Keeper(parts.bff_sessions, server),
        settings.bff.secrets,
    )
