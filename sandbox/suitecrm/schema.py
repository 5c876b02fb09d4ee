"""The modules that the server has. Not for: rows.

`modules.json` is what a stock 7.14.6 server shows of itself (attributes in its own order, links,
metadata); `package.json` is what our package adds: columns of Contacts and two modules.
"""

import copy
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
_ACCESS = ["access", "delete", "edit", "export", "import", "list", "massupdate", "view"]


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


def load(*, package: bool) -> Schema:
    """A stock server, or one on which our package is installed."""
    stock = json.loads((_HERE / "modules.json").read_text())
    entries, meta = stock["modules"], stock["meta"]
    if package:
        added = json.loads((_HERE / "package.json").read_text())
        for name, fields in added["fields"].items():
            entries[name]["fields"].update(fields)
            entries[name]["attributes"].update(dict.fromkeys(fields, ""))
        for name, entry in added["modules"].items():
            entries[name] = entry
            meta[name] = {"label": name, "access": copy.copy(_ACCESS)}
    modules = {
        name: Module(name, e["bean"], e["attributes"], e["relationships"], e.get("fields"))
        for name, e in entries.items()
    }
    return Schema(modules, meta)
