"""The tables of a tenant as typed objects, and how they grow while it runs.

What a fresh tenant has stands in `tenant_*.json`, never in code: `stock` and `system` are
Microsoft's, `bridge` is what the bridge's mapping needs and an empty tenant lacks. What the Web
API makes of them is in `metadata/`.
"""

import dataclasses
import json
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

METADATA_SPACE = uuid.UUID("5f3f6f0a-6d0c-4f0f-8a7e-0f6f2a1b9c00")
TENANTS = {"stock": ("stock", "system"), "bridge": ("stock", "system", "bridge")}
FIRST_CUSTOM_CODE = 10_001


@dataclasses.dataclass(frozen=True, eq=False)
class Column:
    """One column; `wire` is how it is spelt in a URL and in JSON (`_x_value` for a lookup).

    `told` is what a definition says and the sandbox only gives back (description, format, …).
    """

    table: str
    name: str
    schema_name: str
    type: str
    maximum: int | None
    minimum: int | None
    precision: int
    options: dict[int, str]
    states: dict[int, int]
    default: Any
    readonly: bool
    secured: bool
    computed: tuple[str, ...]
    navigations: dict[str, str]
    relationships: dict[str, str]
    on_delete: str
    custom: bool
    label: str
    told: dict[str, Any]

    @property
    def wire(self) -> str:
        """The property name in queries and answers."""
        return f"_{self.name}_value" if self.type == "lookup" else self.name

    @property
    def metadata_id(self) -> str:
        """The MetadataId of its definition; the same in every run."""
        return metadata_id("column", self.table, self.name)


@dataclasses.dataclass
class Key:
    """An alternate key. It serves once its index is built (`keys.py`)."""

    table: str
    name: str
    schema_name: str
    columns: tuple[str, ...]
    status: str = "Active"
    asked_at: float = 0.0

    @property
    def metadata_id(self) -> str:
        """The MetadataId of its definition."""
        return metadata_id("key", self.table, self.name)


@dataclasses.dataclass(frozen=True)
class Relationship:
    """One to many: rows of `table` lead by their lookup `column` to a row of `target`.

    `name` is also the collection-valued navigation on the target.
    """

    name: str
    table: str
    column: str
    navigation: str
    target: str
    on_delete: str
    custom: bool

    @property
    def metadata_id(self) -> str:
        """The MetadataId of its definition."""
        return metadata_id("relationship", self.name)


@dataclasses.dataclass(frozen=True)
class Association:
    """Many to many, seen from both sides under one navigation name."""

    name: str
    first: str
    second: str
    intersect: str
    custom: bool

    @property
    def metadata_id(self) -> str:
        """The MetadataId of its definition."""
        return metadata_id("relationship", self.name)

    def other(self, table: str) -> str:
        """The table on the other side."""
        return self.second if table == self.first else self.first


@dataclasses.dataclass(eq=False)
class Table:
    """One table with its columns by logical name, by wire name, and lookups by navigation."""

    name: str
    schema_name: str
    set: str
    key: str
    name_column: str
    otc: int
    unique: tuple[str, ...]
    by_system: bool
    custom: bool
    label: str
    collection_label: str
    told: dict[str, Any]
    tracked: bool
    columns: dict[str, Column] = dataclasses.field(default_factory=dict)
    keys: dict[str, Key] = dataclasses.field(default_factory=dict)
    collections: dict[str, Relationship] = dataclasses.field(default_factory=dict)
    associations: dict[str, Association] = dataclasses.field(default_factory=dict)
    wire: dict[str, Column] = dataclasses.field(default_factory=dict)
    navigations: dict[str, Column] = dataclasses.field(default_factory=dict)

    @property
    def metadata_id(self) -> str:
        """The MetadataId of its definition; the same in every run."""
        return str(uuid.uuid5(METADATA_SPACE, self.name))


class Schema:
    """All tables of the tenant. Changes happen in place, under the store's lock."""

    def __init__(self, tenant: str) -> None:
        self.tables: dict[str, Table] = {}
        self.sets: dict[str, Table] = {}
        self.relationships: dict[str, Relationship] = {}
        self.associations: dict[str, Association] = {}
        self.restore(tenant)

    def restore(self, tenant: str) -> None:
        """As at the start; ValueError for a tenant that isn't known."""
        if tenant not in TENANTS:
            raise ValueError(f"a tenant is one of {', '.join(TENANTS)}")
        self.tenant = tenant
        for known in (self.tables, self.sets, self.relationships, self.associations):
            known.clear()
        self.parts = [_read(part) for part in TENANTS[tenant]]
        stock = self.parts[0]
        self.organization: dict[str, str] = stock["organization"]
        self.applications: dict[str, dict[str, str]] = stock["applications"]
        self.not_played = frozenset(stock["not_played"])
        self.common: dict[str, dict[str, Any]] = stock["common"]
        for part in self.parts:
            self._load(part)
        for column in [c for table in self.tables.values() for c in table.columns.values()]:
            self._relate(column)

    def _load(self, part: dict[str, Any]) -> None:
        custom = part is not self.parts[0] and "associations" not in part
        for name, entry in part["tables"].items():
            self.add_table(name, entry, custom=custom, related=False)
        for name, columns in part.get("columns", {}).items():
            for column, entry in columns.items():
                self.add_column(self.tables[name], column, entry, custom=custom, related=False)
        for name, keys in part.get("keys", {}).items():
            for key, columns in keys.items():
                self.tables[name].keys[key] = Key(name, key, key, tuple(columns))
        for name, (first, second, intersect) in part.get("associations", {}).items():
            self.add_association(Association(name, first, second, intersect, custom=False))

    # -- growing --------------------------------------------------------------------------

    def add_table(
        self, name: str, entry: dict[str, Any], *, custom: bool = True, related: bool = True
    ) -> Table:
        """A new table from an entry in the form of `tenant_*.json`."""
        label = entry.get("label", entry["schema"])
        table = Table(
            name=name,
            schema_name=entry["schema"],
            set=entry["set"],
            key=entry["key"],
            name_column=entry["name"],
            otc=entry.get("otc") or self._next_code(),
            unique=tuple(entry.get("unique", ())),
            by_system=entry.get("by_system", False),
            custom=custom,
            label=label,
            collection_label=entry.get("collection_label", label),
            told=entry.get("told", {}),
            tracked=entry.get("tracked", False),
        )
        self.tables[name] = self.sets[table.set] = table
        columns = entry["columns"] | {key: self.common[key] for key in entry["common"]}
        for column, described in columns.items():
            own = custom and column not in entry["common"]
            self.add_column(table, column, described, custom=own, related=related)
        for key, names in entry.get("keys", {}).items():
            table.keys[key] = Key(name, key, key, tuple(names))
        return table

    def add_column(
        self,
        table: Table,
        name: str,
        entry: dict[str, Any],
        *,
        custom: bool = True,
        related: bool = True,
    ) -> Column:
        """A new column from an entry in the form of `tenant_*.json`."""
        column = _column(table.name, name, entry, custom)
        self.put_column(table, column)
        if related:
            self._relate(column)
        return column

    def put_column(self, table: Table, column: Column) -> None:
        """Set or replace a column that has its relationships already."""
        table.columns[column.name] = column
        table.wire[column.wire] = column
        for navigation in column.navigations:
            table.navigations[navigation] = column

    def add_association(self, association: Association) -> None:
        """A new many to many, visible from both sides."""
        self.associations[association.name] = association
        for side in (association.first, association.second):
            self.tables[side].associations[association.name] = association

    def _relate(self, column: Column) -> None:
        for navigation, target in column.navigations.items():
            made_up = f"{target}_{column.table}_{column.name}"
            name = column.relationships.get(navigation, made_up)
            relationship = Relationship(
                name=name,
                table=column.table,
                column=column.name,
                navigation=navigation,
                target=target,
                on_delete=column.on_delete,
                custom=column.custom,
            )
            self.relationships[name] = self.tables[target].collections[name] = relationship

    def _next_code(self) -> int:
        taken = max(table.otc for table in self.tables.values())
        return max(taken + 1, FIRST_CUSTOM_CODE)

    # -- shrinking ------------------------------------------------------------------------

    def drop_table(self, table: Table) -> None:
        """Forget a table and what leads out of it."""
        for column in list(table.columns.values()):
            self.drop_column(table, column)
        for association in list(table.associations.values()):
            self.drop_association(association)
        del self.tables[table.name], self.sets[table.set]

    def drop_column(self, table: Table, column: Column) -> None:
        """Forget a column with its relationships."""
        for relationship in list(self.relationships_of(column)):
            del self.relationships[relationship.name]
            del self.tables[relationship.target].collections[relationship.name]
        del table.columns[column.name], table.wire[column.wire]
        for navigation in column.navigations:
            del table.navigations[navigation]

    def drop_association(self, association: Association) -> None:
        """Forget a many to many."""
        del self.associations[association.name]
        for side in {association.first, association.second}:
            del self.tables[side].associations[association.name]

    # -- looking up -----------------------------------------------------------------------

    def target(self, column: Column, navigation: str) -> Table:
        """The table a lookup's navigation property leads to."""
        return self.tables[column.navigations[navigation]]

    def relationships_of(self, column: Column) -> Iterator[Relationship]:
        """The relationships that a lookup column carries."""
        for relationship in self.relationships.values():
            if (relationship.table, relationship.column) == (column.table, column.name):
                yield relationship


def metadata_id(*names: str) -> str:
    """A MetadataId that is the same in every run."""
    return str(uuid.uuid5(METADATA_SPACE, "/".join(names)))


def _read(part: str) -> dict[str, Any]:
    path = Path(__file__).with_name(f"tenant_{part}.json")
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


def _column(table: str, name: str, entry: dict[str, Any], custom: bool) -> Column:
    default = entry.get("default")
    if entry["type"] == "lookup" and default:
        default = (next(iter(entry["navigations"].values())), default)
    schema_name = entry.get("schema", name)
    return Column(
        table=table,
        name=name,
        schema_name=schema_name,
        type=entry["type"],
        maximum=entry.get("max"),
        minimum=entry.get("min"),
        precision=entry.get("precision", 0),
        options={int(value): label for value, label in entry.get("options", {}).items()},
        states={int(status): state for status, state in entry.get("states", {}).items()},
        default=default,
        readonly=entry.get("readonly", False),
        secured=entry.get("secured", False),
        computed=tuple(entry.get("computed", ())),
        navigations=entry.get("navigations", {}),
        relationships=entry.get("relationships", {}),
        on_delete=entry.get("on_delete", "RemoveLink"),
        custom=custom,
        label=entry.get("label", schema_name),
        told=entry.get("told", {}),
    )
