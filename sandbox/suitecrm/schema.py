"""The modules that the server has. Not for: rows.

`modules.json` is what a stock 7.14.6 server shows of itself (attributes in its own order, links,
metadata); `package.json` is what our package adds: columns of Contacts and two modules. It stands
here so that the sandbox starts with them; a package that is uploaded is read itself (`install.py`).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
Document = dict[str, Any]
"""`modules` and `meta`, as the files hold them."""


@dataclass(frozen=True)
class Module:
    """`attributes`: name -> what a new record shows, in the server's order; `relationships`:
    module -> link; `fields`: its metadata, None where none was recorded."""

    name: str
    bean: str
    attributes: Mapping[str, Any]
    relationships: Mapping[str, str]
    fields: Mapping[str, Mapping[str, Any]] | None

    def type_of(self, column: str) -> str:
        """The column's type; a module without metadata has texts only."""
        return str((self.fields or {}).get(column, {}).get("type", "varchar"))

    def longest(self, column: str) -> int | None:
        """Characters that the column holds, where the metadata says so."""
        length = (self.fields or {}).get(column, {}).get("len")
        return int(length) if length and self.type_of(column) in ("varchar", "enum") else None


@dataclass(frozen=True)
class Schema:
    """`modules` by name; `meta`: what `/meta/modules` shows."""

    modules: Mapping[str, Module]
    meta: Mapping[str, Any]


def stock() -> Document:
    """A server without our package."""
    document: Document = json.loads((_HERE / "modules.json").read_text())
    return document


def bridged() -> Document:
    """A server on which our package is installed."""
    document = stock()
    added = json.loads((_HERE / "package.json").read_text())
    for name, fields in added["fields"].items():
        document["modules"][name]["fields"].update(fields)
        document["modules"][name]["attributes"].update(dict.fromkeys(fields, ""))
    document["modules"].update(added["modules"])
    document["meta"].update(added["meta"])
    return document


def schema_of(document: Document) -> Schema:
    """Typed."""
    modules = {
        name: Module(name, e["bean"], e["attributes"], e["relationships"], e.get("fields"))
        for name, e in document["modules"].items()
    }
    return Schema(modules, document["meta"])
