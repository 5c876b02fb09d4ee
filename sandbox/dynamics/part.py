"""The Dataverse sandbox as a part: authority, Web API and control plane on one app."""

import json
import uuid
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.dynamics import batch, errors
from sandbox.dynamics.control import Control
from sandbox.dynamics.limits import Limits
from sandbox.dynamics.message import Reply, Request
from sandbox.dynamics.security import User
from sandbox.dynamics.servers import Servers
from sandbox.dynamics.service import Service, error_reply
from sandbox.dynamics.tenant import DEFAULT, Tenant
from sandbox.dynamics.tokens import Authority, AuthorityError
from sandbox.kit import Kit, Part
from sandbox.kit.gate import USER, target
from sandbox.kit.seen import parsed

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
VERSIONS = ("v9.0", "v9.1", "v9.2")
WRITES = ("POST", "PATCH", "PUT", "DELETE")


def make(kit: Kit, tenant: str = DEFAULT) -> Part:
    """A fresh environment with its users and no members; `tenant`: `bridge` or `stock`."""
    return Dynamics(kit, tenant).part


class Dynamics:
    """Holds the pieces together; each request passes authority, limits and service in turn."""

    def __init__(self, kit: Kit, tenant: str) -> None:
        self.kit = kit
        self.tenant = Tenant(tenant, kit.clock)
        self.service = Service(self.tenant)
        self.authority = Authority(self.tenant.schema, kit.clock, kit.state_dir)
        self.limits = Limits(kit.clock)
        self.servers = Servers()
        self.control = Control(self.tenant, self.authority, self.limits, self.servers)
        app = Flask("sandbox.dynamics", static_folder=None)
        app.url_map.merge_slashes = False
        self._route(app)
        self.control.route(app)
        self.part = Part(
            name="dynamics",
            kit=kit,
            app=app,
            tls=True,
            ready=self.ready,
            reset=self.control.reset,
            seed=self.control.seed,
            state=self.control.state,
            error_body=error_body,
        )

    def _route(self, app: Flask) -> None:
        app.add_url_rule("/<tenant>/v2.0/.well-known/openid-configuration", view_func=self.discover)
        app.add_url_rule("/<tenant>/oauth2/v2.0/token", view_func=self.token, methods=["POST"])
        for rule in ("/api/data/<version>/", "/api/data/<version>/<path:rest>"):
            app.add_url_rule(rule, view_func=self.data, methods=METHODS)

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
        server = self.servers.choose(request.headers.get("Cookie", ""))
        try:
            user = self._caller(version)
            with self.limits.counted(user.name, server) as headers:
                self._take_time()
                reply = self._answer(user, version)
            reply = Reply(reply.status, headers | reply.headers, reply.body)
        except errors.DataverseError as error:
            reply = error_reply(error, "include-annotations" in prefer)
        return _response(reply, self.servers.cookie(server))

    def _caller(self, version: str) -> User:
        registration = self.authority.caller(request.headers.get("Authorization", ""))
        if registration is None:
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
        request.environ[USER] = registration.name
        user = self.tenant.security.user(registration.name, registration.client_id)
        if user.id is None:
            raise errors.no_application_user()
        if version not in VERSIONS:
            raise errors.no_segment(version)
        return user

    def _take_time(self) -> None:
        seconds = self.control.latency["write" if request.method in WRITES else "read"]
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

    # -- what is printed ------------------------------------------------------------------

    def ready(self, url: str) -> dict[str, Any]:
        """What a client needs: the writer's credentials on top, each registration by name, and
        `options`, what the bridge's adapter is told."""
        apps = {
            name: {"client_id": user.client_id, "client_secret": user.client_secret}
            for name, user in self.authority.registrations.items()
        }
        options = {
            "url": url,
            "authority": f"{url}/{self.authority.tenant}",
            "tenant": self.authority.tenant,
            "ca_file": self.kit.ca.ca_file,
        }
        certificate = self.authority.certificate
        return {**options, **apps["writer"], **certificate, **apps, "options": options}


def _response(reply: Reply, cookie: str) -> Response:
    response = Response(reply.body, reply.status, reply.headers)
    if not reply.body:
        response.headers.pop("Content-Type", None)
    response.headers["OData-Version"] = "4.0"
    request_id = str(uuid.uuid4())
    response.headers["REQ_ID"] = request_id
    response.headers["x-ms-service-request-id"] = request_id
    response.headers["Set-Cookie"] = cookie
    return response


def error_body(status: int, code: str | None, message: str) -> tuple[str, bytes]:
    """The body of a fault set through the control plane, in Dataverse's shape."""
    codes = {429: "0x80072322"}
    error = {"code": code or codes.get(status, "0x80040216"), "message": message}
    return "application/json; odata.metadata=minimal", json.dumps({"error": error}).encode()
