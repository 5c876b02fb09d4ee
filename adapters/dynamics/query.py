"""URLs of the Web API: keys, literals, `$select`, `$expand`, `$filter`. Not for: sending them.

Everything is encoded here and only here. No URL made here is for a personal value: the adapter
puts those into the body of a `$batch`. Source: learn.microsoft.com/power-apps/developer/
data-platform/webapi/query/overview and …/use-alternate-key-reference-record.
"""

from collections.abc import Iterable
from decimal import Decimal
from typing import Any
from urllib.parse import quote

from adapters.asked import Asked, uuid_of
from adapters.errors import Invalid, NotFound
from mappings.binding import FieldBinding, KindBinding
from mappings.converters import Date, Lookup, Moment

# Dataverse can't find a row by an alternate key whose value has one of these in the URL:
# learn.microsoft.com/power-apps/developer/data-platform/define-alternate-keys-entity
FORBIDDEN_IN_KEYS = frozenset("/<>*%&:\\?+")
_PLAIN = "(),$'=;"  # stand for themselves in a path or a query (RFC 3986 section 3.3)
MOST_VALUES = 50


def record(binding: KindBinding, id: str) -> str:
    """`contacts(<id>)`. Raises NotFound on what can't be an id."""
    try:
        return f"{binding.entity_set}({uuid_of(id)})"
    except Invalid:
        raise NotFound from None


def by_key(binding: KindBinding, field: FieldBinding, value: str) -> str:
    """`contacts(column='value')`, encoded."""
    return f"{binding.entity_set}({field.column}={_encoded(_quoted(value))})"


def fits_key(value: str) -> bool:
    """Can this value stand as an alternate key in a URL?"""
    return bool(value) and not FORBIDDEN_IN_KEYS & set(value) and value.isprintable()


def reading(asked: Asked) -> str:
    """`$select=…&$expand=…`; a read without `$select` would bring every column."""
    parts = [f"$select={','.join(_columns(asked))}"]
    onward = [
        f"{asked.binding.fields[name].navigation}($select={','.join(_columns(inner))})"
        for name, inner in asked.lookups.items()
    ] + [
        f"{asked.binding.collections[name].navigation}($select={','.join(_columns(inner))})"
        for name, inner in asked.collections.items()
    ]
    if onward:
        parts.append(f"$expand={','.join(onward)}")
    return "&".join(parts)


def filtering(conditions: Iterable[tuple[str, FieldBinding, Any]]) -> str:
    """`$filter=…`, encoded; the conditions (op, field, remote value) hold together."""
    clauses = [_clause(*condition) for condition in conditions]
    return f"$filter={_encoded(' and '.join(clauses))}" if clauses else ""


def _columns(asked: Asked) -> list[str]:
    return [asked.binding.id_column, *(field.column for field in asked.own)]


def _clause(op: str, field: FieldBinding, value: Any) -> str:
    if op == "in":
        if len(value) > MOST_VALUES:
            raise Invalid(fields=(field.name,))
        each = (f"{field.column} eq {_literal(field, one)}" for one in value)
        return f"({' or '.join(each)})"
    text = f"{field.column} {op} {_literal(field, value)}"
    if op == "ne" and value is not None:
        # SQL's comparison with null is not true; ours says that an empty field is another one.
        return f"({text} or {field.column} eq null)"
    return text


def _literal(field: FieldBinding, value: Any) -> str:
    """An OData literal: text in quotes, everything else bare."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return format(Decimal(repr(value)), "f")
    if isinstance(field.converter, Lookup):
        return uuid_of(value)
    if isinstance(field.converter, Date | Moment):
        return str(value)
    return _quoted(value)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _encoded(text: str) -> str:
    """Percent-encoded, a space as %20, since `+` means one too."""
    return quote(text, safe=_PLAIN)
