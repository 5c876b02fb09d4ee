"""The SugarCRM sandbox as a part: REST API, token endpoint and own control plane on one app."""

import json
import re
from typing import Any

from flask import Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.kit import Kit, Part
from sandbox.kit.gate import USER, target
from sandbox.sugarcrm import schema, wire
from sandbox.sugarcrm.bulk import bulk
from sandbox.sugarcrm.errors import SugarError, error_body, not_played
from sandbox.sugarcrm.integrate import Made
from sandbox.sugarcrm.packages import Packages
from sandbox.sugarcrm.portal import Portal
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.service import Service
from sandbox.sugarcrm.settings import Settings
from sandbox.sugarcrm.store import Store
from sandbox.sugarcrm.tokens import KEYS, Authority
from sandbox.sugarcrm.users import users

METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
PLATFORM = "crm_bridge"
_VERSION = re.compile(r"v(1[01])(?:_(\d+))?\Z")
_ACCEPT = re.compile(r"application/vnd\.sugarcrm\.core\+json;\s*version=v?(\d+(?:[._]\d+)?)")


def make(kit: Kit) -> Part:
    """A fresh server on which our package is installed, without records."""
    return SugarCrm(kit).part


class SugarCrm:
    """Holds the pieces together; each request passes version, authority and service in turn."""

    def __init__(self, kit: Kit) -> None:
        self.kit = kit
        self.settings = Settings()
        self.store = Store()
        self.authority = Authority(kit.clock, self.settings, Portal(self.settings, self.store))
        self.records = Records(
            schema.build(schema.bridged()),
            self.store,
            self.settings,
            kit.clock,
            self.authority.users,
        )
        self.service = Service(self.records)
        self.packages = Packages(self.records)
        app = Flask("sandbox.sugarcrm", static_folder=None)
        app.url_map.merge_slashes = False
        app.add_url_rule("/rest/<path:rest>", view_func=self.rest, methods=METHODS)
        for name in ("tokens", "settings", "users", "package"):
            view = getattr(self, f"control_{name}")
            app.add_url_rule(f"/_sandbox/{name}", name, view, methods=["POST"])
        app.register_error_handler(SugarError, _refusal)
        app.register_error_handler(404, _unknown)
        app.register_error_handler(405, _unknown)
        for kind in (ValueError, TypeError, KeyError):
            app.register_error_handler(kind, _bad_control)
        self.part = Part(
            name="sugarcrm",
            kit=kit,
            app=app,
            tls=True,
            ready=self.ready,
            reset=self.reset,
            seed=self.seed,
            state=self.state,
            error_body=error_body,
        )

    # -- REST API -------------------------------------------------------------------------

    def rest(self, rest: str) -> ResponseReturnValue:
        """One HTTP request below /rest."""
        path, _, search = target(request.environ).partition("/rest/")[2].partition("?")
        version, steps = self._version(wire.steps(path))
        sent = _sent()
        if request.method == "POST" and steps == ("oauth2", "token"):
            return _response(Made(self.authority.token(wire.query(search) | sent), 200))
        token = _token()
        caller = self.authority.check(token)
        request.environ[USER] = caller.user.name
        stamp = request.headers.get("X-Timestamp")
        args = wire.query(search) | sent
        call = wire.Call(caller, version, request.method, steps, args, stamp)
        return _response(self._answer(call, token))

    def _version(self, steps: tuple[str, ...]) -> tuple[str, tuple[str, ...]]:
        """The version in the path or in Accept, and the steps behind it. Raises SugarError."""
        accepted = _ACCEPT.match(request.headers.get("Accept", ""))
        if not accepted:
            self.check_version(steps[0] if steps else "")
            return steps[0], steps[1:]
        version = f"v{accepted[1].replace('.', '_')}"
        if steps and _VERSION.match(steps[0]):
            raise not_played("a version both in the path and in Accept")
        self.check_version(version)
        return version, steps

    def check_version(self, version: str) -> None:
        """Raises SugarError (301) where the server doesn't know it."""
        match, newest = _VERSION.match(version), _VERSION.match(self.settings.newest_version)
        if match is None or newest is None or _number(match) > _number(newest):
            raise SugarError("incorrect_version")

    def _answer(self, call: wire.Call, token: str) -> Made:
        match call.method, call.steps:
            case "POST", ("oauth2", "logout"):
                self.authority.logout(token)
                return Made({"success": True}, 200)
            case "POST", ("oauth2", "sudo", name):
                return Made(self.authority.sudo(call.caller, name), 200)
            case "POST", ("bulk",):
                return Made(bulk(self, call), 200)
            case _, ("Administration", *_rest):
                return Made(self.packages.answer(call), 200)
        return self.service.answer(call)

    # -- control plane --------------------------------------------------------------------

    def ready(self, url: str) -> dict[str, Any]:
        """What a client needs: an administrator on top; below, the bridge's two users, neither of
        them one, and `options`, what its adapter is told."""
        admin, writer, reader = (
            {"username": user.name, "password": user.password} for user in users().values()
        )
        options = {"url": url, "ca_file": self.kit.ca.ca_file, "platform": PLATFORM}
        return {
            **options,
            **admin,
            "client_id": "sugar",
            "client_secret": KEYS["sugar"],
            "version": self.settings.newest_version,
            "administrators": [user.name for user in users().values() if user.admin],
            "reader": reader,
            "writer": writer,
            "options": options,
        }

    def reset(self) -> None:
        """No records, the package installed, settings and users as at the start. Tokens stay."""
        self.store.clear()
        self.settings.change(vars(Settings()))
        for name, user in users().items():
            vars(self.authority.users[name]).update(vars(user))
        self.packages.begin(schema.bridged())

    def seed(self, document: Any) -> Any:
        """{"Contacts": [{…fields, "id"?, "sync_key"?}], …}; gives the ids by module."""
        admin = self.authority.users["admin"]
        made: dict[str, list[str]] = {}
        for name, rows in document.items():
            try:
                module = self.records.module(name)
                for given in rows:
                    id, key = given.get("id"), given.get("sync_key")
                    row = self.records.create(admin, module, given, id=id, key=key)
                    made.setdefault(name, []).append(row.id)
            except SugarError as error:
                raise ValueError(json.dumps(error.document)) from None
        return made

    def state(self) -> dict[str, Any]:
        """Rows by module, tokens asked for and living, and the settings."""
        tokens = {"calls": dict(self.authority.calls), "living": self.authority.living()}
        return {
            "tables": self.store.everything(),
            "tokens": tokens,
            "settings": vars(self.settings),
        }

    def control_tokens(self) -> ResponseReturnValue:
        """{"expire": true}: access tokens end, refresh tokens stay; {"forget": true}: both end."""
        document = request.get_json(force=True)
        if document == {"expire": True}:
            self.authority.expire()
        elif document == {"forget": True}:
            self.authority.forget()
        else:
            raise ValueError("known here: expire, forget")
        return jsonify(ok=True)

    def control_settings(self) -> ResponseReturnValue:
        """{name: value, …}; see `settings.py`."""
        self.settings.change(request.get_json(force=True))
        return jsonify(vars(self.settings))

    def control_users(self) -> ResponseReturnValue:
        """{"writer": {"admin": true, "zone": "America/New_York", "denied": {"*": ["delete"]}}}."""
        for name, change in request.get_json(force=True).items():
            self.authority.users[name].change(change)
        return jsonify(ok=True)

    def control_package(self) -> ResponseReturnValue:
        """{"installed": false}: a stock server, without records. A zip file: what the module loader
        makes of it; records stay."""
        if request.mimetype == "application/zip":
            uploaded = self.packages.upload(request.get_data())
            self.packages.install(uploaded["file_install"])
            return jsonify(ok=True)
        installed = request.get_json(force=True).get("installed")
        if installed not in (True, False):
            raise ValueError("known here: installed, or a zip file")
        self.store.clear()
        self.packages.begin(schema.bridged() if installed else schema.stock())
        return jsonify(ok=True)


def _sent() -> dict[str, Any]:
    """The body's arguments; of an upload, its files."""
    if request.mimetype == "multipart/form-data":
        return {name: file.read() for name, file in request.files.items()}
    return wire.body(request.get_data(), request.content_type or "")


def _number(match: re.Match[str]) -> tuple[int, int]:
    return int(match[1]), int(match[2] or 0)


def _token() -> str:
    """The header of the documents, or the one that some clients use."""
    bearer = request.headers.get("Authorization", "")
    given = bearer[7:] if bearer[:7].lower() == "bearer " else ""
    return request.headers.get("OAuth-Token") or given


def _response(made: Made) -> Response:
    body = json.dumps(made.document, ensure_ascii=False)
    return Response(body, made.status, {"Content-Type": "application/json"})


def _refusal(error: SugarError) -> Response:
    return _response(Made(error.document, error.status))


def _unknown(_error: Exception) -> Response:
    return _refusal(not_played("this address"))


def _bad_control(error: Exception) -> ResponseReturnValue:
    """Only the control plane lets these through to here: a misspelt knob."""
    if not request.path.startswith("/_sandbox/"):
        raise error
    return jsonify(error=str(error)), 400
