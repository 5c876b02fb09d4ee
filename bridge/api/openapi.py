"""The routes as a blueprint, and the OpenAPI 3.1 document of them (flask-smorest, apispec).

Not for: the readable page (`docs.py`). What goes wrong is documented as Problem, never in
flask-smorest's own shape; bodies are read by `body.py`, not by webargs.
"""

import http
from collections.abc import Callable
from typing import Any

from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Flask, Response
from flask_smorest import Api, Blueprint
from marshmallow import Schema

from bridge.api import body, routes, shapes
from bridge.api.bearer import Who, admit
from bridge.api.call import Call
from bridge.api.routes import Route
from bridge.api.shapes import Shapes
from bridge.parts import WebParts
from bridge.services import step_up
from bridge.store.limits import WINDOWS

PROBLEM = "application/problem+json"
_SCHEME = "bearer"


class Document(Api):  # type: ignore[misc]
    """flask-smorest's Api without its error handlers and its pages."""

    ERROR_SCHEMA = shapes.ProblemShown

    def __init__(self, app: Flask) -> None:
        app.config.update(API_TITLE="CRM bridge", API_VERSION="1", OPENAPI_VERSION="3.1.0")
        super().__init__(
            app, spec_kwargs={"marshmallow_plugin": MarshmallowPlugin(schema_name_resolver=_name)}
        )
        self.spec.components.security_scheme(_SCHEME, {"type": "http", "scheme": "bearer"})

    def _register_error_handlers(self) -> None:
        """The edge has them."""

    def _register_responses(self) -> None:
        content = {PROBLEM: {"schema": self.ERROR_SCHEMA}}
        self.spec.components.response(
            self.DEFAULT_ERROR_RESPONSE_NAME,
            {"description": "A problem (RFC 9457)", "content": content},
        )

    def as_dict(self) -> dict[str, Any]:
        """The whole document."""
        found: dict[str, Any] = self.spec.to_dict()
        return found


def blueprint(parts: WebParts, made: Shapes) -> Blueprint:
    """All routes of the table."""
    found = Blueprint("api", __name__, description="Members, their consents and their writes")
    for route in routes.ROUTES:
        view = _documented(found, route, made)(_view(parts, made, route))
        found.add_url_rule(
            route.path,
            endpoint=f"{route.method} {route.path}".replace(".", "-"),
            view_func=view,
            methods=[route.method],
            tags=[route.path.split("/")[2] if route.path.startswith("/v1/") else "health"],
        )
    return found


def _view(parts: WebParts, made: Shapes, route: Route) -> Callable[..., Response]:
    """What Flask calls: let in, read the body, answer."""
    form = _shape(route.body, made) if route.body else None
    readable = made.readable_top if route.path == "/v1/me" else frozenset()
    policy = ", ".join(_policy(parts, limit) for limit in route.limits)

    def view(**path: str) -> Response:
        caller = None if route.who is Who.ANYBODY else admit(parts, route.who, route.scopes)
        if route.fresh and caller is not None:
            step_up.required(caller, parts.clock(), parts.settings.oauth)
        given = body.load(form, readable) if form else {}
        response = route.view(Call(parts, made, caller, given, path))
        if policy:
            response.headers["RateLimit-Policy"] = policy
        return response

    view.__doc__ = route.summary
    return view


def _policy(parts: WebParts, limit: str) -> str:
    """draft-ietf-httpapi-ratelimit-headers-11: how many in how many seconds."""
    return f'"{limit}";q={getattr(parts.settings.limits, limit)};w={WINDOWS[limit]}'


def _shape(name: str, made: Shapes) -> Schema:
    known = {"Member": made.member, "MemberChange": made.change}
    known["RegistrationForm"] = made.registration
    if name in known:
        return known[name]
    schema: type[Schema] = getattr(shapes, name)
    return schema()


def _documented(found: Blueprint, route: Route, made: Shapes) -> Callable[[Any], Any]:
    manual: dict[str, Any] = {"responses": {}}
    for status, name in route.answers.items():
        answer: dict[str, Any] = {"description": http.HTTPStatus(status).phrase}
        if name:
            answer["content"] = {"application/json": {"schema": _shape(name, made)}}
        manual["responses"][str(status)] = answer
    if route.body:
        schema = _shape(route.body, made)
        content = {"application/json": {"schema": schema}}
        manual["requestBody"] = {"required": True, "content": content}
    if route.parameters:
        manual["parameters"] = [
            {"name": p.name, "in": p.where, "description": p.text, "schema": {"type": "string"}}
            for p in route.parameters
        ]
    if route.who is not Who.ANYBODY:
        manual["security"] = [{_SCHEME: list(route.scopes)}]
        manual["description"] = f"Token: {_WHOSE[route.who]}. Scope: {' or '.join(route.scopes)}."
        manual["description"] += _FRESH if route.fresh else ""
    return found.doc(**manual)  # type: ignore[no-any-return]


_FRESH = " Needs a recent sign-in (RFC 9470)."
_WHOSE = {Who.MEMBER: "a member's", Who.CLIENT: "the client's own", Who.EITHER: "either"}


def _name(schema: Any) -> str:
    kind = schema if isinstance(schema, type) else type(schema)
    return kind.__name__.removesuffix("Shown")
