"""The SuiteCRM sandbox as a part: token endpoint, V8 API and own control plane on one app."""

import json
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.kit import Kit, Part
from sandbox.kit.gate import USER, target
from sandbox.kit.package import read
from sandbox.suitecrm import schema
from sandbox.suitecrm.errors import SuiteError, error_body, not_played
from sandbox.suitecrm.install import install
from sandbox.suitecrm.service import RIGHTS, Reply, Service
from sandbox.suitecrm.store import Store
from sandbox.suitecrm.tokens import CLIENTS, USERS, Authority

_RIGHTS = {"admin": RIGHTS, "writer": RIGHTS, "reader": frozenset(("view",))}
METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]


def make(kit: Kit) -> Part:
    """A fresh server on which our package is installed, without records."""
    return SuiteCrm(kit).part


class SuiteCrm:
    """Holds the pieces together; each request passes authority and service in turn."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.store = Store(kit.clock)
        self.document = schema.bridged()
        self.service = Service(schema.schema_of(self.document), self.store)
        self.authority = Authority(kit.clock)
        self.rights = dict(_RIGHTS)
        app = Flask("sandbox.suitecrm", static_folder=None)
        app.url_map.merge_slashes = False
        app.add_url_rule("/Api/access_token", view_func=self.token, methods=["POST"])
        app.add_url_rule("/Api/V8/<path:rest>", view_func=self.data, methods=METHODS)
        app.add_url_rule("/_sandbox/tokens", view_func=self.control_tokens, methods=["POST"])
        app.add_url_rule("/_sandbox/users", view_func=self.control_users, methods=["POST"])
        app.add_url_rule("/_sandbox/package", view_func=self.control_package, methods=["POST"])
        app.register_error_handler(SuiteError, _refusal)
        app.register_error_handler(404, _unknown)
        app.register_error_handler(405, _unknown)
        self.part = Part(
            name="suitecrm",
            kit=kit,
            app=app,
            tls=True,
            ready=self.ready,
            reset=self.reset,
            seed=self.seed,
            state=self.state,
            error_body=error_body,
        )

    def token(self) -> ResponseReturnValue:
        """A token request, as form or JSON."""
        sent = request.form.to_dict() if request.form else request.get_json(silent=True)
        answer = self.authority.token(sent if isinstance(sent, dict) else {})
        return _response(Reply(200, answer, "application/json; charset=UTF-8"))

    def data(self, rest: str) -> ResponseReturnValue:
        """One request to the V8 API."""
        token = self.authority.check(request.headers.get("Authorization", ""))
        request.environ[USER] = self.authority.name(token)
        raw = target(request.environ).partition("/Api/V8/")[2]
        path, _, search = raw.partition("?")
        if request.method == "POST" and path == "logout":
            self.authority.end(token)
            said = {"message": "You have been successfully logged out"}
            return _response(Reply(200, {"meta": said, "data": []}))
        body = request.get_json(force=True, silent=True)
        rights = self.rights[request.environ[USER]]
        return _response(self.service.answer(request.method, path, search, body, rights))

    # -- control plane --------------------------------------------------------------------

    def ready(self, url: str) -> dict[str, Any]:
        """What a client needs: client credentials on top; below them the password grant's, the
        clients of the bridge's two roles, and `options`, what its adapter is told."""
        first, second, reader, writer = (
            {"client_id": client, "client_secret": secret}
            for client, (secret, _) in CLIENTS.items()
        )
        ((name, password),) = USERS.items()
        options = {"url": url, "ca_file": self.kit.ca.ca_file}
        return {
            **options,
            **first,
            "password_grant": second | {"username": name, "password": password},
            "reader": reader,
            "writer": writer,
            "options": options,
        }

    def reset(self) -> None:
        """No records, the package installed, the reader's role without a right to write. Tokens
        stay good."""
        self.store.clear()
        self.rights = dict(_RIGHTS)
        self._show(schema.bridged())

    def seed(self, document: Any) -> Any:
        """{"Contacts": [{…attributes, "id"?}], …}; gives the ids by module."""
        made: dict[str, list[str]] = {}
        for name, rows in document.items():
            if name not in self.service.schema.modules:
                raise ValueError("no such module")
            module = self.service.schema.modules[name]
            for row in rows:
                attributes = {key: value for key, value in row.items() if key != "id"}
                try:
                    new = self.store.create(module, row.get("id"), attributes)
                except SuiteError as error:
                    raise ValueError(json.dumps(error.document)) from None
                made.setdefault(name, []).append(new.id)
        return made

    def state(self) -> dict[str, Any]:
        """Rows by module, and how many tokens were issued."""
        calls = dict(self.authority.calls)
        return {"tables": self.store.everything(), "tokens": {"calls": calls}}

    def control_tokens(self) -> ResponseReturnValue:
        """{"expire": true}: every access token issued so far is refused from now on."""
        if request.get_json(force=True) != {"expire": True}:
            return jsonify(error="known here: expire"), 400
        self.authority.end()
        return jsonify(ok=True)

    def control_users(self) -> ResponseReturnValue:
        """{"reader": {"rights": ["view", "edit", "delete"]}}: what its role allows."""
        sent = request.get_json(force=True)
        if not all(name in _RIGHTS and set(sent[name]["rights"]) <= RIGHTS for name in sent):
            return jsonify(error=f"known here: rights {sorted(RIGHTS)} of {list(_RIGHTS)}"), 400
        self.rights |= {name: frozenset(each["rights"]) for name, each in sent.items()}
        return jsonify(ok=True)

    def control_package(self) -> ResponseReturnValue:
        """{"installed": false}: a stock server, without records. A zip file: what the module loader
        makes of it; records stay, and nothing is taken away."""
        if request.mimetype == "application/zip":
            try:
                self._show(install(self.document, read(request.get_data())))
            except ValueError as error:
                return jsonify(error=str(error)), 400
            return jsonify(ok=True)
        installed = request.get_json(force=True).get("installed")
        if not isinstance(installed, bool):
            return jsonify(error="known here: installed, or a zip file"), 400
        self.store.clear()
        self._show(schema.bridged() if installed else schema.stock())
        return jsonify(ok=True)

    def _show(self, document: schema.Document) -> None:
        with self.store.lock:
            self.document = document
            self.service.schema = schema.schema_of(document)
            self.store.fill(self.service.schema.modules.values())


def _response(reply: Reply) -> Response:
    body = json.dumps(reply.document, ensure_ascii=False)
    return Response(body, reply.status, {"Content-Type": reply.content_type})


def _refusal(error: SuiteError) -> Response:
    return _response(Reply(error.status, error.document, error.content_type))


def _unknown(_error: Exception) -> Response:
    return _refusal(not_played("this address"))
