"""The modules that the server has. Not for: records.

`modules.json`: a stock server, its columns as far as documents and live mappings name them, with
the lengths of the Community Edition. `package.json`: what our package adds. `elsewhere` names
stock modules that the sandbox doesn't play.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_HERE = Path(__file__).parent
Document = dict[str, Any]


@dataclass(frozen=True)
class Link:
    """A way to records of another module: by a column of this one (`key`), by a column of the
    other (`by`), or by a table between (`relationship`)."""

    name: str
    module: str
    key: str | None = None
    by: str | None = None
    relationship: str | None = None


@dataclass(frozen=True)
class Module:
    """`fields`: name -> its definition as the metadata shows it."""

    name: str
    bean: str
    label: str
    fields: Mapping[str, Mapping[str, Any]]
    links: Mapping[str, Link]
    duplicate_check: tuple[str, ...] = ()

    def type_of(self, name: str) -> str:
        """The field's type, in words of our own where Sugar has several for one thing."""
        given = str(self.fields[name]["type"])
        return {"datetimecombo": "datetime", "currency": "decimal", "float": "decimal"}.get(
            given, given
        )

    def longest(self, name: str) -> int | None:
        """Characters that a text holds."""
        length = self.fields[name].get("len")
        return int(length) if length and str(length).isdigit() else None

    @property
    def person(self) -> bool:
        """Is its name made of a first and a last one?"""
        return "full_name" in self.fields

    @property
    def addressed(self) -> bool:
        """Has it e-mail addresses?"""
        return "email" in self.fields


@dataclass(frozen=True)
class Schema:
    """`elsewhere`: names of modules that a real server has and this one doesn't play."""

    modules: Mapping[str, Module]
    dropdowns: Mapping[str, Mapping[str, str]]
    elsewhere: frozenset[str]


def stock() -> Document:
    """A server's definitions before anything was installed."""
    return dict(json.loads((_HERE / "modules.json").read_text()))


def bridged() -> Document:
    """The same with what our package brings."""
    document, package = stock(), json.loads((_HERE / "package.json").read_text())
    for kind in ("fields", "links"):
        for name, more in package[kind].items():
            document["modules"][name][kind].update(more)
    document["modules"].update(package["modules"])
    document["dropdowns"].update(package["dropdowns"])
    return document


def build(document: Document) -> Schema:
    """The definitions as objects."""
    modules = {}
    for name, entry in document["modules"].items():
        fields: dict[str, Any] = {}
        for template in entry["templates"]:
            fields.update(document["templates"][template])
        fields.update(entry["fields"])
        links = {way: Link(way, **given) for way, given in entry["links"].items()}
        checks = tuple(entry.get("duplicate_check", ()))
        modules[name] = Module(name, entry["bean"], entry["label"], fields, links, checks)
    return Schema(modules, document["dropdowns"], frozenset(document["elsewhere"]))
