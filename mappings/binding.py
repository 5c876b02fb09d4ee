"""One kind's place in a CRM: its table, and a column and converter per field. Not for: reading
YAML (`loader.py`), or any CRM's own notation (`adapters/<crm>/rows.py`)."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from mappings.converters import Converter, Lookup

Access = Literal["read", "write"]


class UnknownField(LookupError):
    """A name that the kind doesn't have. Never holds the name: it could be anything."""

    def __init__(self) -> None:
        super().__init__("unknown field")


@dataclass(frozen=True)
class FieldBinding:
    """A canonical field (`ext.x` for a brand's own) and its column.

    `access`: "read" where the CRM itself computes or guards the column. `key`: the CRM's name of
    the alternate key over this column, "" where it has none. `personal`: its values never stand
    in a URL. `secret`: nobody but the bridge's own users should read the column. `length`: the
    characters that it must hold, None where nothing says so. `label`: what staff see in the CRM.
    """

    name: str
    column: str
    converter: Converter
    access: Access = "write"
    key: str = ""
    personal: bool = False
    secret: bool = False
    length: int | None = None
    label: str = ""

    @property
    def navigation(self) -> str:
        """The way to the record that a lookup names; "" for any other field."""
        if not isinstance(self.converter, Lookup):
            return ""
        return self.converter.navigation or self.column


@dataclass(frozen=True)
class CollectionBinding:
    """Rows of another kind that belong to this one: the CRM's name of the way there."""

    name: str
    kind: str
    lookup: str
    navigation: str


@dataclass(frozen=True)
class KindBinding:
    """Where a kind lives. `lookups`: field -> kind; `keys`: field -> alternate key's name;
    `not_held`: fields and collections that this CRM doesn't hold; `label`: what staff see;
    `version`: the text column in which each write leaves a stamp of its own, where the CRM has no
    versions."""

    kind: str
    table: str
    entity_set: str
    id_column: str
    fields: Mapping[str, FieldBinding]
    lookups: Mapping[str, str]
    collections: Mapping[str, CollectionBinding]
    keys: Mapping[str, str]
    not_held: frozenset[str]
    label: str = ""
    version: str = ""

    def expand(self, names: Iterable[str]) -> Iterator[str]:
        """Own fields, with `ext` as all of the brand's. Raises UnknownField."""
        for name in names:
            if name == "ext":
                yield from (other for other in self.fields if other.startswith("ext."))
            elif name in self.fields or name in self.not_held:
                yield name
            else:
                raise UnknownField

    def bound(self, names: Iterable[str]) -> tuple[FieldBinding, ...]:
        """Bindings of those fields that the CRM holds, each once. Raises UnknownField."""
        return tuple(self.fields[n] for n in dict.fromkeys(self.expand(names)) if n in self.fields)


def flat(record: Mapping[str, Any]) -> dict[str, Any]:
    """{"ext": {"a": 1}} -> {"ext.a": 1}; the rest as it stands."""
    found: dict[str, Any] = {}
    for name, value in record.items():
        if name == "ext" and isinstance(value, Mapping):
            found.update({f"ext.{inner}": content for inner, content in value.items()})
        else:
            found[name] = value
    return found


def nested(values: Mapping[str, Any]) -> dict[str, Any]:
    """{"ext.a": 1} -> {"ext": {"a": 1}}; the reverse of `flat`."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        outer, dot, inner = name.partition(".")
        if dot:
            found.setdefault(outer, {})[inner] = value
        else:
            found[name] = value
    return found
