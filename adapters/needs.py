"""What the mapping needs of the CRM, compared with what the CRM says it has.

The doctor tells what is missing, `provision` lists and makes it. Not for: making anything itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, Literal

from adapters.base import Description
from adapters.guide import Guide
from mappings.binding import CollectionBinding, FieldBinding, KindBinding
from mappings.converters import CONVERTERS, OptionTable
from mappings.loader import Mapping as CrmMapping

What = Literal["table", "column", "key", "relationship"]
_STAMP = 32
"""Characters of the mark that a write leaves."""
_TYPE_NAMES = {converter: name for name, converter in CONVERTERS.items()}


@dataclass(frozen=True)
class Need:
    """`name`: the CRM's own; `field`: ours (`member.email`), "" for an id; `type`: what to make;
    `detail`: length, options, columns, for people. `trouble`: "" where the CRM has it and it fits,
    "missing" where it doesn't have it. `length`, `options` (label -> the CRM's value) of a column;
    `to`: the kind that a lookup names; `label`: what staff see; `absent`: options to be added;
    `given`: the mapping's own word for the type."""

    what: What
    kind: str
    table: str
    name: str
    field: str
    type: str
    detail: str
    trouble: str
    length: int | None = None
    options: Mapping[str, Any] = attribute(default_factory=dict)
    absent: tuple[Any, ...] = ()
    to: str = ""
    label: str = ""
    secret: bool = False
    given: str = ""


def needs(
    mapping: CrmMapping, guide: Guide, found: Description, options: Mapping[str, Any] | None = None
) -> Iterator[Need]:
    """Everything, table by table. A missing table's parts are missing too. `options`: the `crm`
    section's, which may name columns that the adapter has for itself."""
    for kind in mapping.kinds.values():
        yield _table(kind, found)
        yield from _columns(kind, guide, found)
        yield from _own(kind, guide, found, options or {})
        yield from _keys(kind, found)
        yield from _ways(kind, found)


def _missing(there: bool) -> str:
    return "" if there else "missing"


def _table(kind: KindBinding, found: Description) -> Need:
    trouble = _missing(kind.table in found.tables)
    goes_by = found.sets.get(kind.table, kind.entity_set)
    if goes_by != kind.entity_set:
        trouble = f"its entity set is {goes_by}"
    detail = f"entity set {kind.entity_set}"
    return Need(
        "table", kind.kind, kind.table, kind.table, kind.kind, "", detail, trouble, label=kind.label
    )


def _columns(kind: KindBinding, guide: Guide, found: Description) -> Iterator[Need]:
    have = found.tables.get(kind.table, {})
    id_type = _type(guide.column_types.get("id", ()), have.get(kind.id_column), "id")
    there = _missing(kind.id_column in have)
    yield Need("column", kind.kind, kind.table, kind.id_column, "", id_type, "primary key", there)
    for name, binding in kind.fields.items():
        yield _column(kind, name, binding, guide, found)


def _own(
    kind: KindBinding, guide: Guide, found: Description, options: Mapping[str, Any]
) -> Iterator[Need]:
    """Text columns of every table that no field is bound to."""
    made = next(iter(guide.column_types.get("text", ())), "text")
    given = [
        (str(options.get(option, usual)), length, f"crm.options.{option}")
        for option, (usual, length) in guide.own_columns.items()
    ]
    for column, length, origin in [*given, (kind.version, _STAMP, "version")]:
        if column:
            there = _missing(column in found.tables.get(kind.table, {}))
            detail = f"{length} characters ({origin})"
            table = kind.table
            yield Need(
                "column", kind.kind, table, column, "", made, detail, there, length, label=column
            )


def _column(
    kind: KindBinding, name: str, binding: FieldBinding, guide: Guide, found: Description
) -> Need:
    given = _TYPE_NAMES[type(binding.converter)]
    fits = guide.column_types.get(given, ())
    have = found.tables.get(kind.table, {}).get(binding.column)
    length = binding.length or guide.lengths.get(given)
    options = _options(binding)
    choices = found.options.get(kind.table, {}).get(binding.column)
    absent = [] if choices is None else [v for v in options.values() if v not in choices]
    return Need(
        "column",
        kind.kind,
        kind.table,
        binding.column,
        f"{kind.kind}.{name}",
        _type(fits, have, given),
        _detail(options, length),
        _column_trouble(kind.table, binding, length, fits, found)
        or (f"has no option {', '.join(map(str, absent))}" if absent else ""),
        length=length,
        options=options,
        absent=tuple(absent),
        to=kind.lookups.get(name, ""),
        label=binding.label,
        secret=binding.secret and binding.personal,
        given=given,
    )


def _type(fits: tuple[str, ...], have: str | None, given: str) -> str:
    """The type that the column has, if it fits, else the one to make."""
    return have if have and have in fits else next(iter(fits), given)


def _options(binding: FieldBinding) -> dict[str, Any]:
    if not isinstance(binding.converter, OptionTable):
        return {}
    given = binding.converter.options.items()
    return {str(word): value for word, value in given if value is not None}


def _detail(options: Mapping[str, Any], length: int | None) -> str:
    if options:
        return ", ".join(f"{value} {word}" for word, value in options.items())
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
    return ""


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
        own = f"{kind.kind}.{field}"
        yield Need("key", kind.kind, kind.table, key, own, "", f"over {column}", trouble)


def _ways(kind: KindBinding, found: Description) -> Iterator[Need]:
    have = found.navigations.get(kind.table)
    for name, target in kind.lookups.items():
        if name in kind.fields:
            way = kind.fields[name].navigation
            there = _way_trouble(way, have, found)
            own, detail = f"{kind.kind}.{name}", f"to {target}"
            yield Need(
                "relationship", kind.kind, kind.table, way, own, "", detail, there, to=target
            )
    for collection in kind.collections.values():
        yield _collection(kind, collection, found)


def _collection(kind: KindBinding, collection: CollectionBinding, found: Description) -> Need:
    way = collection.navigation
    there = _way_trouble(way, found.navigations.get(kind.table), found)
    own, detail = f"{kind.kind}.{collection.name}", f"its rows of {collection.kind}"
    return Need("relationship", kind.kind, kind.table, way, own, "", detail, there)


def _way_trouble(way: str, have: frozenset[str] | None, found: Description) -> str:
    """ "" also where the CRM doesn't tell its ways at all."""
    if not found.navigations:
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
            yield user, kind.table, ", ".join(dict.fromkeys(named))
