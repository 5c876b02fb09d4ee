"""`docs`: writes `docs/configuration.md` from the schema of the settings.

Not for: saying what a setting means; its `help` in `config/schema.py` does.
"""

from collections.abc import Iterator
from typing import Any

from marshmallow import Schema, fields, missing, validate
from marshmallow.fields import Field

from config.schema import Root

_TYPES: tuple[tuple[type[Field[Any]], str], ...] = (
    (fields.Boolean, "true or false"),
    (fields.Integer, "whole number"),
    (fields.Float, "number"),
    (fields.List, "list"),
    (fields.Dict, "block"),
    (fields.String, "text"),
)
_SECRET = ("secret", "token", "password", "credential", "_url", "aes_key")
_HEAD = """# Configuration

Written by `python -m bridge docs` from `config/schema.py`; a test fails when it is out of date.

Settings come from `config/default.yaml`, then `config/<environment>.yaml`, then the file that
`BRIDGE_CONFIG` names, then the environment. `BRIDGE_ENVIRONMENT` is `sandbox` (the default) or
`production`. A variable's name is the setting's, in capitals, with `__` for each dot:
`BRIDGE_CRM__OPTIONS__URL` is `crm.options.url`; lists and blocks are written in YAML's flow style
(`["a", "b"]`). Put `_FILE` behind a name, `BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET_FILE`, to read the
value from the file that it names.

Secrets (marked 🔒) belong in such files or in variables, never in YAML. Each role gets its own: the
web tier the reading CRM user, WeChat's secrets and its Redis user; the worker the writing CRM user,
the gateways and its own Redis user. `python -m bridge check-config --role web|worker` lists every
mistake at once, `python -m bridge doctor --role …` tries every connection.

The doctor alone reads two more variables, `DOCTOR_TOKENS_URL` and `DOCTOR_QUEUE_URL`: the URLs of
the Redis user `doctor` of the shipped ACL files, with which it can look at settings and clocks that
neither role may ask for. No process that serves needs them.
"""


def text() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_section("", Root())]).rstrip() + "\n"


def _section(path: str, schema: Schema) -> Iterator[str]:
    own = {n: f for n, f in schema.fields.items() if not isinstance(_inner(f), Schema)}
    if own:
        yield f"## {path or 'At the top'}\n"
        yield "| setting | type | default | meaning |"
        yield "|---|---|---|---|"
        yield from (_row(f"{path}.{name}".lstrip("."), field) for name, field in own.items())
        yield ""
    for name, field in schema.fields.items():
        inner = _inner(field)
        if isinstance(inner, Schema):
            many = "[]" if isinstance(field, fields.List) else ""
            yield from _section(f"{path}.{name}{many}".lstrip("."), inner)


def _inner(field: Field[Any]) -> Any:
    """The schema of a section, or of a list's entries."""
    nested = field.inner if isinstance(field, fields.List) else field
    return nested.schema if isinstance(nested, fields.Nested) else None


def _row(path: str, field: Field[Any]) -> str:
    lock = " 🔒" if path.endswith(_SECRET) and not path.startswith("brand") else ""
    meaning = str(field.metadata.get("help", "")).replace("|", "\\|")
    cells = (f"`{path}`{lock}", _type(field), _default(field), meaning)
    return f"| {' | '.join(cells)} |"


def _type(field: Field[Any]) -> str:
    found = next(text for kind, text in _TYPES if isinstance(field, kind))
    for rule in field.validators:
        if isinstance(rule, validate.Range):
            found += f", {rule.min} to {rule.max}"
        elif isinstance(rule, validate.OneOf):
            found = " or ".join(f"`{choice}`" for choice in rule.choices)
    return found


def _default(field: Field[Any]) -> str:
    if field.required:
        return "needed"
    given = field.load_default() if callable(field.load_default) else field.load_default
    if given is missing or given in ("", [], {}):
        return "empty"
    if isinstance(given, bool):
        return f"`{str(given).lower()}`"
    return f"`{given}`"
