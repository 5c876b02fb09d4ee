"""What a caller asks for or sends, checked against the mapping. Not for: any CRM's notation.

Every adapter uses these, so that the same mistake gives the same error on every CRM.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from uuid import UUID

from adapters.base import Criterion, Operation, Record
from adapters.errors import Invalid, Unsupported
from mappings.binding import FieldBinding, KindBinding, UnknownField, flat
from mappings.converters import NotEncodable
from mappings.loader import Mapping


@dataclass(frozen=True)
class Asked:
    """The fields of one read: the kind's own, and those of records it leads to.

    `empty`: own fields that this CRM doesn't hold; they read as None. A collection that it doesn't
    hold isn't here and reads as an empty one.
    """

    binding: KindBinding
    own: tuple[FieldBinding, ...]
    empty: tuple[str, ...] = ()
    lookups: dict[str, "Asked"] = field(default_factory=dict)
    collections: dict[str, "Asked"] = field(default_factory=dict)
    not_held: tuple[str, ...] = ()


def uuid_of(id: str) -> str:
    """A record's id as we make them: a UUID, in lower case. Raises Invalid."""
    try:
        return str(UUID(id))
    except (ValueError, AttributeError, TypeError):
        raise Invalid from None


def kind_of(mapping: Mapping, kind: str) -> KindBinding:
    """The kind's place in the CRM. Raises Unsupported where the mapping has no such kind."""
    try:
        return mapping.kinds[kind]
    except KeyError:
        raise Unsupported from None


def split(mapping: Mapping, kind: str, fields: Iterable[str]) -> Asked:
    """Sort dotted names by where they lead. Raises Invalid on a name that the kind doesn't have."""
    binding = kind_of(mapping, kind)
    own: list[str] = []
    onward: dict[str, list[str]] = {}
    for name in fields:
        outer, dot, inner = name.partition(".")
        if not dot or outer == "ext":
            own.append(name)
        else:
            onward.setdefault(outer, []).append(inner)
    lookups, collections, absent = {}, {}, []
    for name, inner_names in onward.items():
        if name in binding.lookups and name in binding.fields:
            lookups[name] = _leaf(mapping, binding.lookups[name], inner_names)
        elif name in binding.collections:
            collections[name] = _leaf(mapping, binding.collections[name].kind, inner_names)
        elif name in binding.not_held:
            absent.append(name)
        else:
            raise Invalid
    try:
        names = tuple(dict.fromkeys(binding.expand(own)))
    except UnknownField:
        raise Invalid from None
    empty = tuple(name for name in names if name in binding.not_held)
    return Asked(binding, binding.bound(names), empty, lookups, collections, tuple(absent))


def _leaf(mapping: Mapping, kind: str, names: list[str]) -> Asked:
    """A read goes one record further, not two."""
    asked = split(mapping, kind, names)
    if asked.lookups or asked.collections:
        raise Unsupported
    return asked


def dumped(binding: KindBinding, record: Record) -> list[tuple[FieldBinding, Any]]:
    """Each field's binding and what the CRM gets. Raises Invalid (unknown field, wrong value) and
    Unsupported (a field that this CRM doesn't hold or guards)."""
    found = []
    for name, value in flat(record).items():
        if name in binding.not_held:
            if value is None:
                continue
            raise Unsupported
        field = binding.fields.get(name)
        if field is None:
            raise Invalid
        if field.access == "read":
            raise Unsupported
        found.append((field, _dump(field, value)))
    return found


def condition(binding: KindBinding, criterion: Criterion) -> tuple[FieldBinding, Any]:
    """The criterion's column and its value as the CRM writes it; a tuple for `in`."""
    field = binding.fields.get(criterion.field)
    if field is None:
        raise Unsupported if criterion.field in binding.not_held else Invalid
    if criterion.op == "in":
        values = criterion.value
        if not isinstance(values, tuple) or not values or None in values:
            raise Invalid(fields=(field.name,))
        return field, tuple(_dump(field, value) for value in values)
    if criterion.value is None and criterion.op not in ("eq", "ne"):
        raise Invalid(fields=(field.name,))
    return field, _dump(field, criterion.value)


def concrete(version: str | None) -> str:
    """A version that a write may be based on. Raises Invalid on none, on "" and on `*`."""
    if not version or "*" in version:
        raise Invalid
    return version


def checked(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """Operations of one `apply`: each a known verb, an update with a concrete version, and none of
    a record that the same `apply` makes, since that one has no version yet."""
    given = tuple(operations)
    made: set[tuple[str, str]] = set()
    for operation in given:
        who = (operation.kind, operation.id)
        if operation.verb not in ("create", "update", "erase"):
            raise Invalid
        if operation.verb == "create":
            made.add(who)
        elif who in made:
            raise Unsupported
        if operation.verb == "update":
            concrete(operation.version)
    return given


def exact(dumped: Any) -> Any:
    """What a converter dumped, as `load` takes it: of JSON's numbers none passes through a float
    on the way in."""
    return Decimal(repr(dumped)) if isinstance(dumped, float) else dumped


def _dump(field: FieldBinding, value: Any) -> Any:
    try:
        return field.converter.dump(value)
    except NotEncodable:
        raise Invalid(fields=(field.name,)) from None
