"""A request as the API's PHP sees it: arguments of query and body in one table.

Lenient where clients of others' need it: a form or JSON, JSON without a content type, `{}` or `[]`
where nothing is meant, doubled slashes, a slash at the end. Not for: what arguments mean.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple
from urllib.parse import parse_qsl, unquote

from sandbox.sugarcrm.errors import not_played
from sandbox.sugarcrm.tokens import Caller

_NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)\Z")


class Call(NamedTuple):
    """One authorised request, from the line or out of a bulk. `steps`: the path, decoded."""

    caller: Caller
    version: str
    method: str
    steps: tuple[str, ...]
    args: Mapping[str, Any]
    timestamp: str | None = None

    def text(self, name: str) -> str | None:
        """An argument that is a text; None where it is absent, null or empty."""
        given = self.args.get(name)
        return None if given in (None, "") else str(given)


def steps(path: str) -> tuple[str, ...]:
    """`//Contacts/1%2F2/` -> ("Contacts", "1/2")."""
    return tuple(unquote(step) for step in path.split("/") if step)


def query(text: str) -> dict[str, Any]:
    """`a[b][]=c` -> {"a": {"b": {"0": "c"}}}, as PHP reads it; lists are numbered tables."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        match = _NAME.match(name)
        if match is None:
            raise not_played("this query parameter")
        way = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])]
        inner = found
        for step in way[:-1]:
            inner = inner.setdefault(step or str(len(inner)), {})
            if not isinstance(inner, dict):
                raise not_played("a parameter that is both a value and a list")
        inner[way[-1] or str(len(inner))] = value
    return {name: _listed(value) for name, value in found.items()}


def body(data: bytes, content_type: str) -> dict[str, Any]:
    """JSON whatever the content type says, or a form; nothing where a list stands."""
    text = data.decode("utf-8", "replace").strip()
    if not text:
        return {}
    try:
        document = json.loads(text)
    except ValueError:
        if "x-www-form-urlencoded" in content_type:
            return query(text)
        raise not_played("a body that is neither JSON nor a form") from None
    if document and not isinstance(document, dict):
        raise not_played("a body that is no JSON object")
    return document or {}


def _listed(value: Any) -> Any:
    """PHP's table whose keys are numbers is a list."""
    if not isinstance(value, dict):
        return value
    inner = {name: _listed(each) for name, each in value.items()}
    return list(inner.values()) if all(name.isdigit() for name in inner) else inner
