"""The part's own control plane: data, tenants, tokens, limits, latency, users, merges."""

from decimal import Decimal
from typing import Any

from flask import Flask, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.dynamics import errors
from sandbox.dynamics.limits import Limits
from sandbox.dynamics.servers import Servers
from sandbox.dynamics.store import Row
from sandbox.dynamics.tenant import Tenant
from sandbox.dynamics.tokens import Authority

NAMES = ("tenant", "tokens", "limits", "latency", "users", "merge", "keys", "servers")


class Control:
    """What tests change behind the Web API's back."""

    def __init__(
        self, tenant: Tenant, authority: Authority, limits: Limits, servers: Servers
    ) -> None:
        self._servers = servers
        self._tenant = tenant
        self._authority = authority
        self._limits = limits
        self._kind = tenant.schema.tenant
        self.reset()

    def route(self, app: Flask) -> None:
        """Put the routes on the app."""
        for name in NAMES:
            view = getattr(self, f"_post_{name}")
            app.add_url_rule(f"/_sandbox/{name}", f"control_{name}", view, methods=["POST"])
        for kind in (ValueError, TypeError, KeyError):
            app.register_error_handler(kind, _bad)

    def reset(self) -> None:
        """As at the start: schema, rows and roles. Tokens stay good, the kind of tenant stays."""
        self._tenant.restore(self._kind)
        self._authority.reset()
        self._limits.reset()
        self._servers.set(1)
        self.latency = {"read": 0.0, "write": 0.0}

    def seed(self, document: Any) -> Any:
        """{"contacts": [{…}], …}: payloads as a POST has them; gives the ids by set."""
        try:
            with self._tenant.store.transaction():
                return self._tenant.seed(document)
        except errors.DataverseError as error:
            raise ValueError(f"{error.code} {error.message}") from None

    def state(self) -> dict[str, Any]:
        """All rows by set as plain values, but those of the system's own tables; tokens, limits."""
        schema, store = self._tenant.schema, self._tenant.store
        system = schema.parts[1]["tables"]
        tables = {
            name: [_plain(row) for row in store.rows(table)]
            for name, table in schema.sets.items()
            if table.name not in system
        }
        tokens = {
            "calls": self._authority.calls,
            "refused": self._authority.refused,
            "lifetime": self._authority.lifetime,
        }
        limits = self._limits.state()
        return {"tenant": self._kind, "tables": tables, "tokens": tokens, "limits": limits}

    def _post_tenant(self) -> ResponseReturnValue:
        """{"kind": "stock" or "bridge"}: a fresh tenant of that kind, from now on at resets too."""
        kind = _sent("kind")["kind"]
        self._tenant.restore(kind)
        self._kind = kind
        return jsonify(kind=kind)

    def _post_tokens(self) -> ResponseReturnValue:
        """{"lifetime": seconds of tokens from now on, "expire": true ends those issued}."""
        sent = _sent("lifetime", "expire")
        self._authority.lifetime = int(sent.get("lifetime", self._authority.lifetime))
        if sent.get("expire"):
            self._authority.expire_all()
        return jsonify(lifetime=self._authority.lifetime)

    def _post_limits(self) -> ResponseReturnValue:
        """{"requests", "milliseconds", "concurrent", "window"}, any of them."""
        self._limits.set(_sent("requests", "milliseconds", "concurrent", "window"))
        return jsonify(self._limits.state())

    def _post_latency(self) -> ResponseReturnValue:
        """{"read": seconds, "write": seconds} that every data request takes, as server time."""
        self.latency |= {k: float(v) for k, v in _sent("read", "write").items()}
        return jsonify(self.latency)

    def _post_keys(self) -> ResponseReturnValue:
        """{"seconds": 4.0}: how long the index of a new alternate key takes to build."""
        self._tenant.keys.seconds = float(_sent("seconds")["seconds"])
        return jsonify(seconds=self._tenant.keys.seconds)

    def _post_servers(self) -> ResponseReturnValue:
        """{"count": 3}: web servers, each with limits of its own."""
        self._servers.set(int(_sent("count")["count"]))
        return jsonify(count=self._servers.count)

    def _post_users(self) -> ResponseReturnValue:
        """{"writer": {"privileges": {…}, "secured": bool, "id": null takes the user away}}."""
        for name, changes in _sent(*self._authority.registrations).items():
            if not set(changes) <= {"privileges", "secured", "id"} or changes.get("id"):
                raise ValueError("a user has privileges, secured and an id that may become null")
            with self._tenant.store.transaction():
                self._change_user(name, changes)
        return jsonify(ok=True)

    def _change_user(self, name: str, changes: dict[str, Any]) -> None:
        security, store = self._tenant.security, self._tenant.store
        user = security.user(name, self._authority.registrations[name].client_id)
        if user.id is None:
            raise ValueError(f"{name} has no application user")
        if "privileges" in changes:
            security.replace_roles(user.id, changes["privileges"])
        if "secured" in changes:
            at_start = self._tenant.profiles_at_start(user.id)
            security.secure(user.id, at_start if changes["secured"] else [])
        if "id" in changes:
            row = store.get(self._tenant.schema.tables["systemuser"], user.id)
            if row is not None:
                self._tenant.records.delete(row)

    def _post_merge(self) -> ResponseReturnValue:
        """{"set": "contacts", "subordinate": id, "master": id}: as staff merge two records."""
        sent = _sent("set", "subordinate", "master")
        table = self._tenant.schema.sets[sent.get("set", "contacts")]
        with self._tenant.store.transaction():
            store = self._tenant.store
            rows = [store.get(table, sent[role]) for role in ("subordinate", "master")]
            if rows[0] is None or rows[1] is None:
                raise ValueError("no such record")
            return jsonify(_plain(self._tenant.records.merge(rows[0], rows[1])))


def _sent(*names: str) -> dict[str, Any]:
    document = request.get_json(force=True)
    if not set(document) <= set(names):
        raise ValueError(f"known here: {', '.join(names)}")
    return dict(document)


def _bad(error: Exception) -> ResponseReturnValue:
    if not request.path.startswith("/_sandbox/"):
        raise error
    return jsonify(error=str(error)), 400


def _plain(row: Row) -> dict[str, Any]:
    shown: dict[str, Any] = {"@odata.etag": row.etag}
    for column in row.table.columns.values():
        value = row.values.get(column.name)
        if isinstance(value, Decimal):
            value = str(value)
        shown[column.wire] = value[1] if column.type == "lookup" and value else value
    return shown
