"""What a Web API URL names: set, key, property, trailing $-segment. Works on the raw path.

Raw, because a key value may hold a percent-encoded slash that decoding would make a segment.
"""

import dataclasses
import re
import urllib.parse
from typing import Any

from sandbox.dynamics import errors, values
from sandbox.dynamics.schema import Schema, Table

# "Alternate keys … can't be used to retrieve, update, upsert when the value has one of these":
# learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity
FORBIDDEN_IN_KEYS = frozenset("/<>*%&:\\?+")
SEGMENT = re.compile(r"(?P<name>[^()]+)(?:\((?P<key>.*)\))?", re.DOTALL)
PART = re.compile(r"\s*([A-Za-z_][\w]*)\s*=\s*('(?:[^']|'')*'|[^',]+)\s*(?:,|$)")


@dataclasses.dataclass(frozen=True)
class Key:
    """A primary key (`id`) or an alternate one (`name` with its values in the key's order)."""

    id: str | None
    name: str | None = None
    columns: tuple[str, ...] = ()
    values: tuple[Any, ...] = ()
    text: str = ""


@dataclasses.dataclass(frozen=True)
class Resource:
    """A set, or a record of it, or something of that record."""

    table: Table
    key: Key | None
    rest: tuple[str, ...]


def segments(path: str) -> list[str]:
    """The decoded segments; a slash inside quotes or percent-encoded doesn't part them."""
    found, current, quoted = [], "", False
    for char in path.strip("/"):
        quoted ^= char == "'"
        if char == "/" and not quoted:
            found.append(current)
            current = ""
        else:
            current += char
    return [urllib.parse.unquote(segment) for segment in [*found, current]]


def resource(schema: Schema, path: str) -> Resource:
    """Parse `contacts`, `contacts(<key>)`, `contacts(<key>)/firstname/$value` and the like."""
    first, *rest = segments(path)
    match = SEGMENT.fullmatch(first)
    name = match["name"] if match else first
    if name in schema.not_played:
        raise errors.not_played(name)
    table = schema.sets.get(name)
    if table is None or match is None:
        raise errors.no_segment(name)
    key = parse_key(table, match["key"]) if match["key"] is not None else None
    return Resource(table, key, tuple(rest))


def parse_key(table: Table, text: str) -> Key:
    """What stands between the parentheses."""
    if values.GUID.fullmatch(text.strip()):
        return Key(id=values.guid_text(text.strip()), text=text)
    parts = dict(PART.findall(text))
    if not parts or PART.sub("", text).strip():
        raise errors.bad_query("Bad Request - Error in query syntax.")
    if set(parts) == {table.key}:
        return Key(id=_guid(parts[table.key]), text=text)
    for key in table.keys.values():
        if key.status == "Active" and set(parts) == set(key.columns):
            literals = tuple(_literal(table, column, parts[column]) for column in key.columns)
            return Key(None, key.name, key.columns, literals, text)
    raise errors.wrong_key(table)


def _guid(text: str) -> str:
    try:
        return values.guid_text(text.strip())
    except ValueError:
        raise errors.bad_query("Bad Request - Error in query syntax.") from None


def _literal(table: Table, column: str, text: str) -> Any:
    described = table.columns[column]
    if described.type not in ("string", "memo"):
        raise errors.not_played("an alternate key on a column that isn't text")
    if not text.startswith("'"):
        raise errors.wrong_key(table)
    value = text[1:-1].replace("''", "'")
    if FORBIDDEN_IN_KEYS & set(value):
        raise errors.bad_query(
            "A potentially dangerous Request.Path value was detected from the client."
        )
    return value


def query_pairs(query: str) -> dict[str, str]:
    """Query options by name, decoded once; `+` and `%20` are both a space."""
    pairs: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, _, value = part.partition("=")
        name = urllib.parse.unquote_plus(name)
        if name in pairs:
            raise errors.bad_query(f"Query option '{name}' was specified more than once.")
        pairs[name] = urllib.parse.unquote_plus(value)
    return pairs


def bound_reference(schema: Schema, base: str, sent: Any) -> Resource:
    """What an @odata.bind or @odata.id names: relative, rooted or absolute."""
    if not isinstance(sent, str) or not sent:
        raise errors.bad_payload("A reference must be the URI of a record.")
    path = sent
    if sent.startswith(base):
        path = sent[len(base) :]
    elif "://" in sent.partition("(")[0]:
        raise errors.bad_payload("A reference leads out of this environment.")
    elif match := re.match(r"/api/data/v9\.[012]/", sent):
        path = sent[match.end() :]
    found = resource(schema, path)
    if found.key is None or found.rest:
        raise errors.bad_payload("A reference must be the URI of a record.")
    return found
