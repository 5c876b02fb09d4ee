"""The Dataverse sandbox as a part: authority, Web API and own control plane on one app."""

import json
import secrets
import uuid
from decimal import Decimal
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.dynamics import batch, errors, payload, url
from sandbox.dynamics.limits import Limits
from sandbox.dynamics.message import Reply, Request
from sandbox.dynamics.records import Records
from sandbox.dynamics.schema import Table, load
from sandbox.dynamics.service import Service, error_reply
from sandbox.dynamics.store import Reference, Row, Store
from sandbox.dynamics.tokens import Authority, AuthorityError, User
from sandbox.kit import Kit, Part
from sandbox.kit.gate import USER, target
from sandbox.kit.seen import parsed

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
VERSIONS = ("v9.0", "v9.1", "v9.2")
WRITES = ("POST", "PATCH", "PUT", "DELETE")


def make(kit: Kit) -> Part:
    """A fresh environment with its users and no members."""
    return Dynamics(kit).part


class Dynamics:
    """Holds the pieces together; each request passes authority, limits and service in turn."""

    def __init__(self, kit: Kit) -> None:
        self.schema = load()
        self.kit = kit
        self.store = Store(self.schema)
        self.records = Records(self.store, kit.clock)
        self.service = Service(self.schema, self.store, self.records)
        self.authority = Authority(self.schema, kit.clock, kit.state_dir)
        self.limits = Limits(kit.clock)
        self.latency = {"read": 0.0, "write": 0.0}
        self.reset()
        app = Flask("sandbox.dynamics", static_folder=None)
        app.url_map.merge_slashes = False
        self._route(app)
        self.part = Part(
            name="dynamics",
            kit=kit,
            app=app,
            tls=True,
            ready=self.ready,
            reset=self.reset,
            seed=self.seed,
            state=self.state,
            error_body=error_body,
        )

    def _route(self, app: Flask) -> None:
        app.add_url_rule("/<tenant>/v2.0/.well-known/openid-configuration", view_func=self.discover)
        app.add_url_rule("/<tenant>/oauth2/v2.0/token", view_func=self.token, methods=["POST"])
        for rule in ("/api/data/<version>/", "/api/data/<version>/<path:rest>"):
            app.add_url_rule(rule, view_func=self.data, methods=METHODS)
        for name in ("tokens", "limits", "latency", "users", "merge"):
            app.add_url_rule(
                f"/_sandbox/{name}", name, getattr(self, f"control_{name}"), methods=["POST"]
            )
        for kind in (ValueError, TypeError, KeyError):
            app.register_error_handler(kind, _bad_control)

    # -- authority ------------------------------------------------------------------------

    def discover(self, tenant: str) -> ResponseReturnValue:
        """The OIDC discovery document of a tenant."""
        here = f"{request.host_url}{tenant}"
        return jsonify(
            issuer=f"{here}/v2.0",
            authorization_endpoint=f"{here}/oauth2/v2.0/authorize",
            token_endpoint=f"{here}/oauth2/v2.0/token",
            jwks_uri=f"{here}/discovery/v2.0/keys",
            token_endpoint_auth_methods_supported=[
                "client_secret_post",
                "private_key_jwt",
                "client_secret_basic",
            ],
            response_types_supported=["code"],
            subject_types_supported=["pairwise"],
            id_token_signing_alg_values_supported=["RS256"],
            cloud_instance_name="sandbox",
        )

    def token(self, tenant: str) -> ResponseReturnValue:
        """Client credentials: by secret (form or Basic) or by a signed assertion."""
        header = request.headers.get("Authorization", "")
        here = request.host_url.rstrip("/")
        try:
            answer = self.authority.token(tenant, request.form.to_dict(), header, here)
        except AuthorityError as error:
            return jsonify(error.document), error.status
        return jsonify(answer), 200, {"Cache-Control": "no-store"}

    # -- Web API --------------------------------------------------------------------------

    def data(self, version: str, rest: str = "") -> ResponseReturnValue:
        """One HTTP request to the Web API."""
        prefer = request.headers.get("Prefer", "")
        try:
            user = self._caller(version)
            with self.limits.counted(user.name) as headers:
                self._take_time()
                reply = self._answer(user, version)
            reply = Reply(reply.status, headers | reply.headers, reply.body)
        except errors.DataverseError as error:
            reply = error_reply(error, "include-annotations" in prefer)
        return _response(reply)

    def _caller(self, version: str) -> User:
        user = self.authority.caller(request.headers.get("Authorization", ""))
        if user is None:
            here = f"{request.host_url}{self.authority.tenant}"
            challenge = (
                f"Bearer authorization_uri={here}/oauth2/authorize, resource_id={request.host_url}"
            )
            raise errors.DataverseError(
                401,
                "0x80060888",
                "The access token is absent or has expired.",
                {"WWW-Authenticate": challenge},
            )
        request.environ[USER] = user.name
        if user.id is None:
            raise errors.no_application_user()
        if version not in VERSIONS:
            raise errors.no_segment(version)
        return user

    def _take_time(self) -> None:
        seconds = self.latency["write" if request.method in WRITES else "read"]
        if seconds:
            self.kit.clock.sleep(seconds)

    def _answer(self, user: User, version: str) -> Reply:
        asked = Request(
            method=request.method,
            base=f"{request.host_url}api/data/{version}/",
            target=target(request.environ).partition(f"/api/data/{version}/")[2],
            headers={name.lower(): value for name, value in request.headers.items()},
            body=request.get_data(),
            user=user,
        )
        applied = asked.prefer.applied
        if asked.path == "$batch":
            reply = batch.run(self.service, asked, self._note)
        else:
            reply = self.service.execute(asked)
        extra = {"Preference-Applied": applied} if applied else {}
        return Reply(reply.status, extra | reply.headers, reply.body)

    def _note(self, inner: Request, reply: Reply) -> None:
        path = f"/{inner.base.split('/', 3)[3]}{inner.target}"
        self.part.seen.add(
            part="dynamics",
            time=self.kit.clock.now(),
            method=inner.method,
            path=path,
            headers=inner.headers,
            body=parsed(inner.body, "json"),
            status=reply.status,
            user=inner.user.name,
            in_batch=True,
        )

    # -- control plane --------------------------------------------------------------------

    def ready(self, url: str) -> dict[str, Any]:
        """What a client needs: the writer's credentials on top, each registration by name, and
        `options`, what the bridge's adapter is told."""
        apps = {
            name: {"client_id": user.client_id, "client_secret": user.client_secret}
            for name, user in self.authority.users.items()
        }
        options = {
            "url": url,
            "authority": f"{url}/{self.authority.tenant}",
            "tenant": self.authority.tenant,
            "ca_file": self.kit.ca.ca_file,
        }
        certificate = self.authority.certificate
        return {**options, **apps["writer"], **certificate, **apps, "options": options}

    def reset(self) -> None:
        """As at the start: only the rows that schema.json brings. Tokens stay good."""
        with self.store.transaction():
            self.store.clear()
            self._seed_rows(self.schema.rows)
        self.authority.reset()
        self.limits.reset()
        self.latency = {"read": 0.0, "write": 0.0}

    def seed(self, document: Any) -> Any:
        """{"contacts": [{…}], …}: payloads as a POST has them; gives the ids by set."""
        try:
            with self.store.transaction():
                return self._seed_rows(document)
        except errors.DataverseError as error:
            raise ValueError(f"{error.code} {error.message}") from None

    def _seed_rows(self, document: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
        made: dict[str, list[str]] = {}
        for name, sent in document.items():
            if name not in self.schema.sets:
                raise errors.no_segment(name)
            table = self.schema.sets[name]
            made[name] = [self._seed_row(table, entry).id for entry in sent]
        return made

    def _seed_row(self, table: Table, sent: dict[str, Any]) -> Row:
        exact = json.loads(json.dumps(sent), parse_float=Decimal)
        changes = payload.changes(self.schema, table, exact, self._seed_reference, seeding=True)
        row = self.records.create(table, changes, None)
        kept = {key: changes[key] for key in ("createdon", "modifiedon") if key in changes}
        return self.store.put(table, row.id, dict(row.values) | kept) if kept else row

    def _seed_reference(self, uri: Any) -> Reference:
        found = url.bound_reference(self.schema, "/", uri)
        row = self.service.find(found.table, found.key) if found.key else None
        if row is None:
            raise errors.not_found(found.table, "(seed)")
        return found.table.name, row.id

    def state(self) -> dict[str, Any]:
        """All rows by set as plain values, token calls, limits."""
        tables = {
            name: [_plain(row) for row in self.store.rows(table)]
            for name, table in self.schema.sets.items()
        }
        tokens = {
            "calls": self.authority.calls,
            "refused": self.authority.refused,
            "lifetime": self.authority.lifetime,
        }
        return {"tables": tables, "tokens": tokens, "limits": self.limits.state()}

    def control_tokens(self) -> ResponseReturnValue:
        """{"lifetime": seconds of tokens from now on, "expire": true ends those issued}."""
        sent = _sent("lifetime", "expire")
        self.authority.lifetime = int(sent.get("lifetime", self.authority.lifetime))
        if sent.get("expire"):
            self.authority.expire_all()
        return jsonify(lifetime=self.authority.lifetime)

    def control_limits(self) -> ResponseReturnValue:
        """{"requests", "milliseconds", "concurrent", "window"}, any of them."""
        self.limits.set(_sent("requests", "milliseconds", "concurrent", "window"))
        return jsonify(self.limits.state())

    def control_latency(self) -> ResponseReturnValue:
        """{"read": seconds, "write": seconds} that every data request takes, as server time."""
        self.latency |= {k: float(v) for k, v in _sent("read", "write").items()}
        return jsonify(self.latency)

    def control_users(self) -> ResponseReturnValue:
        """{"writer": {"privileges": {…}, "secured": bool, "id": null takes the user away}}."""
        for name, changes in _sent(*self.authority.users).items():
            if not set(changes) <= {"privileges", "secured", "id"}:
                raise ValueError("a user has privileges, secured and id")
            for field, value in changes.items():
                setattr(self.authority.users[name], field, value)
        return jsonify(ok=True)

    def control_merge(self) -> ResponseReturnValue:
        """{"set": "contacts", "subordinate": id, "master": id}: as staff merge two records."""
        sent = _sent("set", "subordinate", "master")
        table = self.schema.sets[sent.get("set", "contacts")]
        with self.store.transaction():
            rows = [self.store.get(table, sent[role]) for role in ("subordinate", "master")]
            if rows[0] is None or rows[1] is None:
                raise ValueError("no such record")
            return jsonify(_plain(self.records.merge(rows[0], rows[1])))


def _sent(*names: str) -> dict[str, Any]:
    document = request.get_json(force=True)
    if not set(document) <= set(names):
        raise ValueError(f"known here: {', '.join(names)}")
    return dict(document)


def _bad_control(error: Exception) -> ResponseReturnValue:
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


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status, reply.headers)
    if not reply.body:
        response.headers.pop("Content-Type", None)
    response.headers["OData-Version"] = "4.0"
    request_id = str(uuid.uuid4())
    response.headers["REQ_ID"] = request_id
    response.headers["x-ms-service-request-id"] = request_id
    affinity = secrets.token_hex(32)
    response.headers["Set-Cookie"] = f"ARRAffinity={affinity}; path=/; secure; HttpOnly"
    return response


def error_body(status: int, code: str | None, message: str) -> tuple[str, bytes]:
    """The body of a fault set through the control plane, in Dataverse's shape."""
    codes = {429: "0x80072322"}
    error = {"code": code or codes.get(status, "0x80040216"), "message": message}
    return "application/json; odata.metadata=minimal", json.dumps({"error": error}).encode()
