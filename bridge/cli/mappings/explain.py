"""`mappings explain`: where a field of the vocabulary lives in this CRM, and who gets to see it.

Everything is read off the mapping, the schemas and the routes; nothing is called. Not for: what
the CRM really has (`diff.py`).
"""

import difflib
import inspect
import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import click
from marshmallow.fields import Field

from adapters.base import Adapter
from adapters.guide import Guide
from adapters.registry import adapter_class
from bridge.cli.mappings.check import configured
from bridge.cli.tables import table
from bridge.cli.ways import ways_of
from bridge.parts import ROOT
from bridge.privacy.report import has_canary, places_of
from config import settings as config
from config.settings import ConfigTrouble
from mappings.binding import FieldBinding, KindBinding
from mappings.canonical import each_field
from mappings.converters import CONVERTERS, Converter
from mappings.loader import Mapping as CrmMapping
from mappings.loader import MappingErrors
from mappings.loader import load as load_mapping

_SCAN = ROOT / "docs" / "privacy-scan.json"
_TYPES = {converter: name for name, converter in CONVERTERS.items()}
_CLIENTS = {
    "write": "may read and change it",
    "create": "may read it, and give it at registration only",
    "read": "may read it",
}
Facts = dict[str, Any]


@dataclass(frozen=True)
class _Place:
    mapping: CrmMapping
    kind: KindBinding
    name: str
    declared: Field[Any] | None
    crm: type[Adapter] | None

    @property
    def full(self) -> str:
        """`member.email`."""
        return f"{self.kind.kind}.{self.name}"

    @property
    def binding(self) -> FieldBinding | None:
        """Where it is held; None where the CRM doesn't."""
        return self.kind.fields.get(self.name)


def run(
    wanted: str, file: Path | None, as_json: bool, environ: Mapping[str, str] = os.environ
) -> int:
    """0, or 1 where no kind has a field of that name. Without a name: all of them, in a table."""
    every = list(_everywhere(*_read(file, environ)))
    if not wanted:
        for line in table(("field", "column", "type", "personal"), map(_row, every)):
            click.echo(line)
        return 0
    told = [_facts(place) for place in every if wanted in (place.name, place.full)]
    if not told:
        names = [name for place in every for name in (place.full, place.name)]
        near = dict.fromkeys(difflib.get_close_matches(wanted, names))
        meant = f"; did you mean {', '.join(near)}?" if near else ""
        click.echo(f"✗ no kind has such a field{meant}", err=True)
        return 1
    if as_json:
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        click.echo("\n\n".join("\n".join(_lines(each)) for each in told))
    return 0


def _read(file: Path | None, environ: Mapping[str, str]) -> tuple[CrmMapping, type[Adapter] | None]:
    """The mapping, and the configured adapter as far as there is one."""
    paths = [file] if file else configured(environ)
    if not paths:
        raise ConfigTrouble(["crm.mapping: is missing"])
    try:
        mapping = load_mapping(paths[0])
    except MappingErrors as trouble:
        raise ConfigTrouble(trouble.problems) from None
    try:
        return mapping, adapter_class(config.locations(environ).get("crm.adapter", ""))
    except LookupError:
        return mapping, None


def _everywhere(mapping: CrmMapping, crm: type[Adapter] | None) -> Iterator[_Place]:
    """Every field and collection of every kind."""
    for kind in mapping.kinds.values():
        declared = dict(each_field(mapping.schema(kind.kind)))
        rows = sorted((kind.collections.keys() | kind.not_held) - declared.keys())
        for name in (*declared, *rows):
            yield _Place(mapping, kind, name, declared.get(name), crm)


def _row(place: _Place) -> tuple[str, ...]:
    """In the table of all."""
    held, way = place.binding, place.kind.collections.get(place.name)
    column = f"{place.kind.table}.{held.column}" if held else "not held"
    type = _TYPES[held.converter.__class__] if held else ""
    if way:
        column, type = f"way {way.navigation}", f"rows of {way.kind}"
    personal = "yes" if place.declared and place.declared.metadata["personal"] else ""
    return place.full, column, type, personal


def _facts(place: _Place) -> Facts:
    told: Facts = {"field": place.full}
    if place.declared is None:
        return told | _rows(place)
    return told | _stands(place) | _seen(place, place.declared.metadata)


def _rows(place: _Place) -> Facts:
    way = place.kind.collections.get(place.name)
    if way is None:
        return {"column": "none: under not_held; reads as no rows"}
    return {"column": f"none: rows of {way.kind}, by the way {way.navigation}"}


def _stands(place: _Place) -> Facts:
    """In the CRM."""
    binding = place.binding
    if binding is None:
        return {"column": "none: under not_held; reads as empty, a value for it is refused"}
    given = _TYPES[type(binding.converter)]
    guide = place.crm.guide if place.crm else Guide()
    fits = guide.column_types.get(given, ())
    told: Facts = {
        "column": f"{place.kind.table}.{binding.column}",
        "type": given + (f" (in the CRM: {', '.join(fits)})" if fits else ""),
        "converter": (inspect.getdoc(type(binding.converter)) or "").split(".")[0] + ".",
        **({"length": f"at most {binding.length} characters"} if binding.length else {}),
        **_rule(binding.converter),
        "access": "the bridge reads and writes it"
        if binding.access == "write"
        else "the bridge only reads it: the CRM computes or guards it",
        "key": binding.key or "none: a find by it is a search",
    }
    if binding.navigation:
        target = place.kind.lookups.get(place.name, "")
        told["leads to"] = f"{target}, by the way {binding.navigation}".lstrip(", ")
    return told


def _rule(converter: Converter) -> Facts:
    """What the mapping gave the converter."""
    told: Facts = {}
    for each in fields(converter):
        value = getattr(converter, each.name)
        if each.name != "navigation" and value not in (None, ""):
            told[each.name] = dict(value) if isinstance(value, Mapping) else value
    return told


def _seen(place: _Place, marks: Mapping[str, Any]) -> Facts:
    """By whom, and where it may rest."""
    key = place.kind.kind, place.name
    clients = _CLIENTS[marks["access"]]
    if marks["system"]:
        clients = "see nothing of it, and can't send it: the bridge's own"
    if marks["secret"]:
        clients += ", and shown to nobody"
    if place.binding is None:
        clients = "don't find it"
    if key[0] != "member" and not marks["system"]:
        clients = "see it as a row, by that row's own routes (docs/api.md)"
    way = ways_of(place.mapping, key)
    told: Facts = {"clients": clients}
    if key[0] == "member" or way.comes or way.goes:
        told |= {"comes in by": list(way.comes), "goes out by": list(way.goes)}
    told["personal"] = "yes" if marks["personal"] else "no"
    if marks["personal"]:
        told["URLs"] = _urls(place)
        told["may rest, sealed, in"] = [prefix.name for prefix in places_of(key)]
        told["privacy scan"] = _scanned(place.name)
    told["logs"] = "never: no line has a record's value, only the fields of bridge/log.py"
    return told


def _urls(place: _Place) -> str:
    if place.crm is None:
        return "never in one of ours; of the CRM's, its adapter decides"
    if place.crm.capabilities.hides_values:
        return "never in one, of ours or the CRM's"
    return "never in one of ours; a find by it would stand in one of the CRM's"


def _scanned(name: str) -> str:
    try:
        planted = json.loads(_SCAN.read_text())["planted"]
    except (OSError, ValueError, KeyError):
        return "no scan is recorded"
    if has_canary(name, planted):
        return "a value of its own is planted and looked for"
    return "not planted in the recorded walk"


def _lines(told: Facts) -> Iterator[str]:
    yield told["field"]
    for name, value in told.items():
        if name != "field":
            yield f"  {name.ljust(21)} {_shown(value)}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        words = (f"{'empty' if v is None else v} is {word}" for word, v in value.items())
        return ", ".join(words)
    if isinstance(value, list):
        return ", ".join(value) or "nothing"
    return str(value)
