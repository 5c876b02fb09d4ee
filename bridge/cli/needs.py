"""What the mapping needs of the CRM, compared with what the CRM says it has.

The doctor tells what is missing, `provision --plan` lists all of it. Not for: making anything.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from marshmallow import Schema, validate
from marshmallow.fields import Field

from adapters.base import Description
from adapters.guide import Guide
from mappings.binding import FieldBinding, KindBinding
from mappings.canonical import each_field
from mappings.converters import CONVERTERS, OptionTable
from mappings.loader import Mapping as CrmMapping

What = Literal["table", "column", "key", "relationship"]
_TYPE_NAMES = {converter: name for name, converter in CONVERTERS.items()}


@dataclass(frozen=True)
class Need:
    """`name`: the CRM's own; `field`: ours; `type`: what to make; `detail`: length, options,
    columns. `trouble`: "" where the CRM has it and it fits."""

    what: What
    table: str
    name: str
    field: str
    type: str
    detail: str
    trouble: str


def needs(mapping: CrmMapping, guide: Guide, found: Description) -> Iterator[Need]:
    """Everything, table by table. A missing table's parts are missing too."""
    for kind in mapping.kinds.values():
        there = kind.table in found.tables
        yield Need("table", kind.table, kind.table, kind.kind, "", kind.entity_set, _missing(there))
        yield from _columns(kind, mapping.schema(kind.kind), guide, found)
        yield from _keys(kind, found)
        yield from _ways(kind, found)


def _missing(there: bool) -> str:
    return "" if there else "missing"


def _columns(
    kind: KindBinding, schema: type[Schema], guide: Guide, found: Description
) -> Iterator[Need]:
    declared = dict(each_field(schema))
    have = found.tables.get(kind.table, {})
    id_type = _type(guide.column_types.get("id", ()), have.get(kind.id_column), "id")
    there = _missing(kind.id_column in have)
    yield Need("column", kind.table, kind.id_column, "", id_type, "primary key", there)
    for name, binding in kind.fields.items():
        given = _TYPE_NAMES[type(binding.converter)]
        length = _longest(declared.get(name))
        fits = guide.column_types.get(given, ())
        yield Need(
            "column",
            kind.table,
            binding.column,
            f"{kind.kind}.{name}",
            _type(fits, have.get(binding.column), given),
            _detail(binding, length),
            _column_trouble(kind.table, binding, length, fits, found),
        )


def _type(fits: tuple[str, ...], have: str | None, given: str) -> str:
    """The type that the column has, if it fits, else the one to make."""
    return have if have and have in fits else next(iter(fits), given)


def _longest(field: Field[Any] | None) -> int | None:
    """The vocabulary's own limit of a text."""
    rules = field.validators if field else []
    given = (rule.max for rule in rules if isinstance(rule, validate.Length))
    return next((most for most in given if most is not None), None)


def _values(binding: FieldBinding) -> dict[str, Any]:
    if not isinstance(binding.converter, OptionTable):
        return {}
    given = binding.converter.options.items()
    return {str(word): value for word, value in given if value is not None}


def _detail(binding: FieldBinding, length: int | None) -> str:
    values = _values(binding)
    if values:
        return ", ".join(f"{value} {word}" for word, value in values.items())
    return f"{length} characters" if length else ""


def _column_trouble(
    table: str,
    binding: FieldBinding,
    length: int | None,
    fits: tuple[str, ...],
    found: Description,
) -> str:
    have = found.tables.get(table, {}).get(binding.column)
    if have is None:
        return "missing"
    if fits and have not in fits:
        return f"is {have}, which can't hold it"
    room = found.lengths.get(table, {}).get(binding.column)
    if room is not None and length is not None and room < length:
        return f"holds {room} characters"
    choices = found.options.get(table, {}).get(binding.column)
    absent = [] if choices is None else [v for v in _values(binding).values() if v not in choices]
    return f"has no option {', '.join(map(str, absent))}" if absent else ""


def _keys(kind: KindBinding, found: Description) -> Iterator[Need]:
    have = found.keys.get(kind.table, {})
    building = found.inactive_keys.get(kind.table, {})
    for field, key in kind.keys.items():
        column = kind.fields[field].column
        trouble = _missing(key in have)
        if not trouble and have[key] != (column,):
            trouble = "is over other columns"
        elif not trouble and key in building:
            trouble = f"is not active: {building[key]}"
        yield Need("key", kind.table, key, f"{kind.kind}.{field}", "", f"over {column}", trouble)


def _ways(kind: KindBinding, found: Description) -> Iterator[Need]:
    have = found.navigations.get(kind.table)
    for name, target in kind.lookups.items():
        if name in kind.fields:
            way = kind.fields[name].navigation
            there = _way_trouble(kind.table, way, have, found.navigations)
            field = f"{kind.kind}.{name}"
            yield Need("relationship", kind.table, way, field, "", f"to {target}", there)
    for collection in kind.collections.values():
        there = _way_trouble(kind.table, collection.navigation, have, found.navigations)
        field, detail = f"{kind.kind}.{collection.name}", f"its rows of {collection.kind}"
        yield Need("relationship", kind.table, collection.navigation, field, "", detail, there)


def _way_trouble(
    table: str, way: str, have: frozenset[str] | None, told: Mapping[str, frozenset[str]]
) -> str:
    """ "" also where the CRM doesn't tell its ways at all."""
    if not told:
        return ""
    return _missing(have is not None and way in have)


READER = ("read",)
WRITER = ("read", "create", "update", "erase", "link", "linked")


def privileges(mapping: CrmMapping, guide: Guide) -> Iterator[tuple[str, str, str]]:
    """(CRM user, table, privileges in the CRM's words)."""
    owners = {kind.kind for kind in mapping.kinds.values() if kind.lookups.keys() & kind.fields}
    targets = {to for k in mapping.kinds.values() for n, to in k.lookups.items() if n in k.fields}
    for user, verbs in (("reader (web)", READER), ("writer (worker)", WRITER)):
        for kind in mapping.kinds.values():
            idle = set() if kind.kind in owners else {"link"}
            idle |= set() if kind.kind in targets else {"linked"}
            named = [guide.privileges.get(verb, verb) for verb in verbs if verb not in idle]
            yield user, kind.table, ", ".join(named)
