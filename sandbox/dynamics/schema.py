"""The tables of schema.json as typed objects. The columns stand there, never in code."""

import dataclasses
import json
import uuid
from pathlib import Path
from typing import Any

METADATA_SPACE = uuid.UUID("5f3f6f0a-6d0c-4f0f-8a7e-0f6f2a1b9c00")


@dataclasses.dataclass(frozen=True)
class Column:
    """One column; `wire` is how it is spelt in a URL and in JSON (`_x_value` for a lookup)."""

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

    @property
    def wire(self) -> str:
        """The property name in queries and answers."""
        return f"_{self.name}_value" if self.type == "lookup" else self.name


@dataclasses.dataclass(frozen=True)
class Collection:
    """A collection-valued navigation: the rows of `table` whose lookup `column` points here."""

    table: str
    column: str


@dataclasses.dataclass(frozen=True)
class Table:
    """One table with its columns by logical name, by wire name, and lookups by navigation."""

    name: str
    schema_name: str
    set: str
    key: str
    name_column: str
    otc: int
    columns: dict[str, Column]
    keys: dict[str, tuple[str, ...]]
    collections: dict[str, Collection]
    wire: dict[str, Column]
    navigations: dict[str, Column]

    @property
    def metadata_id(self) -> str:
        """The MetadataId of its definition; the same in every run."""
        return str(uuid.uuid5(METADATA_SPACE, self.name))


@dataclasses.dataclass(frozen=True)
class Schema:
    """All of schema.json."""

    organization: dict[str, str]
    applications: dict[str, dict[str, Any]]
    rows: dict[str, list[dict[str, Any]]]
    not_played: frozenset[str]
    tables: dict[str, Table]
    sets: dict[str, Table]

    def target(self, column: Column, navigation: str) -> Table:
        """The table a lookup's navigation property leads to."""
        return self.tables[column.navigations[navigation]]


def load() -> Schema:
    """Read schema.json, which lies beside this file."""
    document = json.loads(Path(__file__).with_name("schema.json").read_text("utf-8"))
    tables = {
        name: _table(name, entry, document["common"]) for name, entry in document["tables"].items()
    }
    return Schema(
        organization=document["organization"],
        applications=document["applications"],
        rows=document["rows"],
        not_played=frozenset(document["not_played"]),
        tables=tables,
        sets={table.set: table for table in tables.values()},
    )


def _table(name: str, entry: dict[str, Any], common: dict[str, Any]) -> Table:
    described = dict(entry["columns"]) | {key: common[key] for key in entry["common"]}
    columns = {key: _column(key, column) for key, column in described.items()}
    return Table(
        name=name,
        schema_name=entry["schema"],
        set=entry["set"],
        key=entry["key"],
        name_column=entry["name"],
        otc=entry["otc"],
        columns=columns,
        keys={key: tuple(names) for key, names in entry.get("keys", {}).items()},
        collections={n: Collection(**c) for n, c in entry.get("collections", {}).items()},
        wire={column.wire: column for column in columns.values()},
        navigations={nav: c for c in columns.values() for nav in c.navigations},
    )


def _column(name: str, entry: dict[str, Any]) -> Column:
    default = entry.get("default")
    if entry["type"] == "lookup" and default:
        default = (next(iter(entry["navigations"].values())), default)
    return Column(
        name=name,
        schema_name=entry.get("schema", name),
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
    )
