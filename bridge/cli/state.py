"""STATE: what an outside client needs to go on from a demo. Not for: production, whose secrets are
nobody's to write down; these are the sandbox's."""

from typing import Any

from bridge.cli.embedded import ROLES, USERS
from bridge.cli.journey import Journey
from bridge.cli.line import Line
from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from bridge.services.clients import Client, load


def state_of(journey: Journey) -> dict[str, Any]:
    """Base URL, CA file, OAuth clients, the member's sign-in, the sandbox's own JSON object and
    outbox; and for whoever looks inside: logs, processes and both Redis roles by user."""
    line, member = journey.line, journey.member
    return {
        "base_url": line.url,
        "issuer": line.url,
        "site": line.site_url,
        "ca_file": line.crm["ca_file"],
        "clients": {client.client_id: _client(client) for client in load(line.clients_file)},
        "member": {
            "sign_in_name": member.mobile,
            "password": member.password,
            "openid": journey.follower["openid"],
        },
        "sandbox": line.sandbox,
        "outbox": f"{line.sandbox['outbox']['url']}/_sandbox/outbox",
        "logs": {path.stem: str(path) for path in line.logs()},
        "processes": {name: child.pid for name, child in line.children.items()},
        "redis": _redis(line),
    }


def _client(client: Client) -> dict[str, Any]:
    known: dict[str, Any] = {
        "client_id": client.client_id,
        "type": "public" if client.public else "confidential",
        "redirect_uris": list(client.redirect_uris),
        "grant_types": sorted(client.grant_types),
        "scope": " ".join(sorted(client.scopes)),
    }
    secret = SANDBOX_CLIENT_SECRETS.get(client.client_id)
    return known | ({"client_secret": secret} if secret else {})


def _redis(line: Line) -> dict[str, dict[str, str]]:
    if line.redis is None:
        return {}
    return {role: {user: line.redis.url(role, user) for user in USERS} for role in ROLES}
