"""`/openapi.json`, and `/docs`: the same for people, made on the server, with one stylesheet of our
own and no script. Not for: what the routes do (`routes.py`)."""

from typing import Any

import orjson
from flask import Blueprint, Response, render_template

from bridge.api.openapi import Document
from bridge.errors import KINDS, TYPE_BASE

_POLICY = "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'"


def blueprint(document: Document) -> Blueprint:
    """Both forms of the document; made once, at the first request."""
    found = Blueprint(
        "docs",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/docs/static",
    )
    made: dict[str, Any] = {}

    def spec() -> dict[str, Any]:
        if not made:
            made.update(document.as_dict())
        return made

    @found.get("/openapi.json")
    def openapi() -> Response:
        return Response(orjson.dumps(spec()), mimetype="application/json")

    @found.get("/docs")
    def page() -> Response:
        operations = list(_operations(spec()))
        schemas = spec()["components"]["schemas"]
        html = render_template(
            "docs.html",
            operations=operations,
            schemas=schemas,
            kinds=KINDS,
            type_base=TYPE_BASE,
            form=_form,
        )
        return Response(html, headers={"Content-Security-Policy": _POLICY}, mimetype="text/html")

    return found


def _operations(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """One entry per method and path, in the order of the routes."""
    return [
        {
            "method": method.upper(),
            "path": path,
            "anchor": f"{method}{path}".translate(str.maketrans("/{}", "---")),
            "takes": _schema(operation.get("requestBody", {})),
            "gives": [
                (status, answer.get("description", ""), _schema(answer))
                for status, answer in operation["responses"].items()
                if status != "default"
            ],
            **operation,
            "parameters": methods.get("parameters", []) + operation.get("parameters", []),
        }
        for path, methods in spec["paths"].items()
        for method, operation in methods.items()
        if method != "parameters"
    ]


def _schema(part: dict[str, Any]) -> str:
    """The name of a body's schema, "" for none."""
    for content in part.get("content", {}).values():
        return str(content["schema"].get("$ref", "")).rpartition("/")[2]
    return ""


def _form(schema: dict[str, Any]) -> str:
    """A field's type and bounds in words."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    kinds = schema.get("type", "any")
    words = [" or ".join(kinds) if isinstance(kinds, list) else str(kinds)]
    if "items" in schema:
        words.append(f"of {_form(schema['items'])}")
    if "format" in schema:
        words.append(f"({schema['format']})")
    if "enum" in schema:
        words.append(": " + ", ".join(str(each) for each in schema["enum"]))
    for name, text in (("maxLength", "at most"), ("minLength", "at least")):
        if name in schema:
            words.append(f"{text} {schema[name]}")
    return " ".join(words)
