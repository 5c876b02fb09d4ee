"""A request's JSON body, read strictly and checked by a schema. Not for: forms, query strings.

Refused before any schema sees it: another media type, invalid UTF-8, a lone surrogate, NaN, a key
twice in one object, nesting over MAX_DEPTH, a NUL. A problem names only fields of the schema: an
unknown key can be somebody's e-mail address.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import flask
import orjson
from marshmallow import Schema, ValidationError
from marshmallow.fields import Field, List, Nested

from bridge.errors import FieldError, Problem

MAX_DEPTH = 20

_CODES = (
    ("Missing data", "required"),
    ("Field may not be null", "null"),
    ("Unknown field", "unknown-field"),
    ("Longer than maximum", "too-long"),
    ("Shorter than minimum", "too-short"),
    ("Length must be", "wrong-length"),
    ("Must be one of", "not-an-option"),
    ("Not a valid", "malformed"),
    ("Invalid input type", "malformed"),
)
"""How marshmallow's messages begin -> our constant codes; any other is `invalid`."""


def load(schema: Schema, readable: frozenset[str] = frozenset()) -> dict[str, Any]:
    """The body as `schema` loads it. `readable`: names that aren't in the schema but that the
    client may see elsewhere; they are refused as `read-only`. Raises Problem."""
    raw = document()
    try:
        loaded: dict[str, Any] = schema.load(raw)
    except ValidationError as error:
        raise Problem("validation", field_errors(schema, error.messages, readable)) from None
    return loaded


def document() -> dict[str, Any]:
    """The body as a JSON object. Raises Problem."""
    if flask.request.mimetype not in ("application/json", "application/merge-patch+json"):
        raise Problem("unsupported-media-type")
    raw = flask.request.get_data(cache=False)
    try:
        orjson.loads(raw)  # the strict one: UTF-8, surrogates, numbers, very deep nesting
        parsed = json.loads(raw, object_pairs_hook=_once)  # the one that sees keys twice
    except (ValueError, RecursionError):
        raise Problem("invalid-request", [FieldError("", "malformed")]) from None
    if not isinstance(parsed, dict):
        raise Problem("invalid-request", [FieldError("", "not-an-object")])
    _within_bounds(parsed, 1)
    return parsed


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError
    return found


def _within_bounds(value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise Problem("invalid-request", [FieldError("", "too-deep")])
    if isinstance(value, str):
        if "\0" in value:
            raise Problem("invalid-request", [FieldError("", "malformed")])
    elif isinstance(value, dict):
        for each in (*value.keys(), *value.values()):
            _within_bounds(each, depth + 1)
    elif isinstance(value, list):
        for each in value:
            _within_bounds(each, depth + 1)


def field_errors(
    schema: Schema, messages: Any, readable: frozenset[str] = frozenset()
) -> list[FieldError]:
    """marshmallow's messages as pointers and codes, each pair once."""
    found = dict.fromkeys(_walk(schema, messages, "", readable))
    return list(found) or [FieldError("", "invalid")]


def _walk(
    schema: Schema, messages: Any, pointer: str, readable: frozenset[str]
) -> Iterator[FieldError]:
    if not isinstance(messages, Mapping):
        yield from _leaf(messages, pointer)
        return
    for key, below in messages.items():
        if key in schema.fields:
            yield from _into(schema.fields[key], below, f"{pointer}/{key}")
        elif key == "_schema":
            yield from _leaf(below, pointer)
        elif not pointer and key in readable:
            yield FieldError(f"/{key}", "read-only")
        else:
            yield FieldError(pointer, "unknown-field")


def _into(field: Field[Any], messages: Any, pointer: str) -> Iterator[FieldError]:
    if isinstance(field, List) and isinstance(messages, Mapping):
        for index, below in messages.items():
            yield from _into(field.inner, below, f"{pointer}/{int(index)}")
    elif isinstance(field, Nested) and isinstance(messages, Mapping):
        if field.many and all(isinstance(key, int) for key in messages):
            for index, below in messages.items():
                yield from _walk(field.schema, below, f"{pointer}/{index}", frozenset())
        else:
            yield from _walk(field.schema, messages, pointer, frozenset())
    else:
        yield from _leaf(messages, pointer)


def _leaf(messages: Any, pointer: str) -> Iterator[FieldError]:
    texts = messages if isinstance(messages, list) else ["invalid"]
    for text in texts:
        known = (code for start, code in _CODES if str(text).startswith(start))
        yield FieldError(pointer, next(known, "invalid"))
