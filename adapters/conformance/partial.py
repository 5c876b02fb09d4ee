"""A server that has only some of our kinds and fields, such as a stock one. Not for: production.

`held` says which of a mapping it has; `Partial` skips a clause as soon as it asks for another, so
that the suite runs what the server has and lists the rest.
"""

import contextlib
import dataclasses
from collections.abc import Iterable
from typing import Any

import pytest

from adapters.base import Adapter, Criterion, Description, Operation
from adapters.errors import Refused
from mappings.binding import KindBinding
from mappings.loader import Mapping


def held(mapping: Mapping, description: Description) -> tuple[Mapping, frozenset[str]]:
    """The mapping without what the server doesn't have: such kinds are gone, such fields under
    `not_held`; and the names of both."""
    kinds: dict[str, KindBinding] = {}
    lacks: set[str] = set()
    for kind, binding in mapping.kinds.items():
        columns = description.tables.get(binding.table)
        if columns is None:
            lacks.add(kind)
            continue
        missing = {name for name, field in binding.fields.items() if field.column not in columns}
        lacks |= {f"{kind}.{name}" for name in missing}
        kinds[kind] = dataclasses.replace(
            binding,
            fields={n: field for n, field in binding.fields.items() if n not in missing},
            not_held=binding.not_held | {n for n in missing if "." not in n},
            version=binding.version if binding.version in columns else "",
        )
    for kind, binding in kinds.items():
        gone = {n for n, each in binding.collections.items() if each.kind not in kinds}
        kept = {n: each for n, each in binding.collections.items() if n not in gone}
        kinds[kind] = dataclasses.replace(
            binding, collections=kept, not_held=binding.not_held | gone
        )
        lacks |= {f"{kind}.{name}" for name in gone}
    return dataclasses.replace(mapping, kinds=kinds), frozenset(lacks)


class Partial:
    """The adapter, which skips the test where it is asked for what the server lacks."""

    def __init__(self, inner: Adapter, lacks: frozenset[str]) -> None:
        self._inner = inner
        self._lacks = lacks
        self._made: list[tuple[str, str]] = []
        self.capabilities = inner.capabilities

    def get(self, kind: str, id: str, fields: Iterable[str], **more: Any) -> Any:
        """See Adapter."""
        names = tuple(fields)
        self._needs(kind, names)
        return self._inner.get(kind, id, names, **more)

    def find(self, kind: str, key: str, value: str, fields: Iterable[str], **more: Any) -> Any:
        """See Adapter."""
        names = tuple(fields)
        self._needs(kind, (key, *names))
        return self._inner.find(kind, key, value, names, **more)

    def query(
        self, kind: str, criteria: Iterable[Criterion], fields: Iterable[str], **more: Any
    ) -> Any:
        """See Adapter."""
        given, names = tuple(criteria), tuple(fields)
        self._needs(kind, (*names, *(each.field for each in given)))
        return self._inner.query(kind, given, names, **more)

    def create(self, kind: str, id: str, record: dict[str, Any], **more: Any) -> Any:
        """See Adapter."""
        self._needs(kind, record)
        self._made.append((kind, id))
        return self._inner.create(kind, id, record, **more)

    def erase_what_it_made(self) -> None:
        """As far as it is still there."""
        for kind, id in self._made:
            with contextlib.suppress(Refused):
                self._inner.erase(kind, id)

    def update(self, kind: str, id: str, changes: dict[str, Any], version: str, **more: Any) -> Any:
        """See Adapter."""
        self._needs(kind, (*changes, *more.get("returning", ())))
        return self._inner.update(kind, id, changes, version, **more)

    def apply(self, operations: Iterable[Operation], **more: Any) -> Any:
        """See Adapter."""
        given = tuple(operations)
        for each in given:
            self._needs(each.kind, each.record)
        self._made += [(each.kind, each.id) for each in given if each.verb == "create"]
        return self._inner.apply(given, **more)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def __repr__(self) -> str:
        return repr(self._inner)

    def _needs(self, kind: str, fields: Iterable[str]) -> None:
        asked = {kind, *(f"{kind}.{name}" for name in fields)}
        asked |= {f"{kind}.{name.partition('.')[0]}" for name in fields}
        missing = sorted(asked & self._lacks)
        if missing:
            pytest.skip(f"this server has no {', '.join(missing)}")
