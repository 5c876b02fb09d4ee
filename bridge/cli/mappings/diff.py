"""`mappings diff`: a mapping beside what the CRM says it has, kind by kind, in both directions.

What the mapping needs is `cli/needs.py`'s; here it is joined by what only the CRM has. Not for:
changing either.
"""

import json
import os
import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from adapters.base import Description
from adapters.guide import Guide
from adapters.needs import Need, needs
from bridge.cli.mappings.source import CrmSaysNo, source
from bridge.cli.tables import table
from bridge.keys import Role
from mappings.binding import KindBinding
from mappings.converters import OptionTable
from mappings.loader import Mapping as CrmMapping


@dataclass(frozen=True)
class Difference:
    """`what`: table, column, option, key or relationship; `name`: the CRM's own; `field`: ours."""

    what: str
    name: str
    field: str
    mapping: str
    difference: str


@dataclass(frozen=True)
class KindDiff:
    """One kind. `agree`: how many columns, keys and relationships need no change; `unused`: what
    the CRM has and the mapping doesn't name."""

    kind: str
    table: str
    agree: int
    differences: tuple[Difference, ...]
    unused_columns: Mapping[str, str]
    unused_keys: Mapping[str, tuple[str, ...]]


def run(
    role: Role, file: Path | None, as_json: bool, environ: Mapping[str, str] = os.environ
) -> int:
    """0 where the CRM has all that the mapping names, and it fits; else 1. What the mapping doesn't
    use is told and counts for nothing."""
    given = source(role, file, environ)
    mapping = given.mapping()
    try:
        found = given.describe(mapping, role)
    except CrmSaysNo as no:
        told = {"ok": False, "trouble": no.code, "do": no.advice}
        click.echo(json.dumps(told, indent=2) if as_json else f"✗ {no.code}: {no.advice}")
        return 1
    kinds = compare(mapping, given.adapter.guide, found, given.settings.crm.options)
    good = not any(each.differences for each in kinds)
    if as_json:
        document = {"ok": good, "kinds": [asdict(each) for each in kinds]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in _lines(kinds):
            click.echo(line)
    return 0 if good else 1


def compare(
    mapping: CrmMapping, guide: Guide, found: Description, options: Mapping[str, Any] | None = None
) -> list[KindDiff]:
    """Kind by kind. `options`: the `crm` section's, which may name columns of the adapter's own."""
    every = list(needs(mapping, guide, found, options))
    return [
        _kind(kind, [need for need in every if need.kind == kind.kind], found)
        for kind in mapping.kinds.values()
    ]


def _kind(kind: KindBinding, needed: list[Need], found: Description) -> KindDiff:
    columns = found.tables.get(kind.table, {})
    known = {need.name for need in needed}
    if kind.table not in found.tables:  # all below it is missing too, which goes without saying
        needed = needed[:1]
    wrong = [_of(need) for need in needed if need.trouble]
    wrong += _unreadable(kind, found) if columns else []
    wrong += _unwritable(kind, found)
    keys = found.keys.get(kind.table, {})
    return KindDiff(
        kind.kind,
        kind.table,
        sum(not need.trouble for need in needed),
        tuple(wrong),
        {name: type for name, type in sorted(columns.items()) if name not in known},
        {name: over for name, over in sorted(keys.items()) if name not in known},
    )


def _of(need: Need) -> Difference:
    made = " ".join(filter(None, (need.type, f"({need.detail})" if need.detail else "")))
    return Difference(need.what, need.name, need.field, made, need.trouble)


def _unreadable(kind: KindBinding, found: Description) -> Iterator[Difference]:
    """A value that no word stands for makes the whole row unreadable, unless `unknown` is given."""
    told = found.options.get(kind.table, {})
    for name, field in kind.fields.items():
        rule = field.converter
        if isinstance(rule, OptionTable) and rule.unknown is None and field.column in told:
            for value in sorted(told[field.column] - set(rule.options.values()), key=str):
                label = found.labels.get(kind.table, {}).get(field.column, {}).get(value, "")
                said = f"the CRM has {value}{f' ({label})' if label else ''}, for which no word"
                do = f"{said} stands: a row with it can't be read; add a word, or `unknown`"
                yield Difference("option", field.column, f"{kind.kind}.{name}", "", do)


def _unwritable(kind: KindBinding, found: Description) -> Iterator[Difference]:
    for name, field in kind.fields.items():
        if field.access == "write" and field.column in found.read_only.get(kind.table, ()):
            do = "only the CRM itself writes it: `access: read`"
            yield Difference("column", field.column, f"{kind.kind}.{name}", "access: write", do)


_HEAD = ("", "what", "name in the CRM", "our field", "the mapping says", "difference")


def _lines(kinds: list[KindDiff]) -> Iterator[str]:
    for each in kinds:
        yield f"{each.kind} in {each.table}: {_count(each)}"
        if each.differences:
            yield from table(_HEAD, (("✗", *asdict(d).values()) for d in each.differences))
        yield from _listed("columns not used", each.unused_columns)
        yield from _listed("keys not used", each.unused_keys)
        yield ""
    count = sum(len(each.differences) for each in kinds)
    yield f"{count} to change, in the CRM or in the mapping." if count else "They agree."


def _count(each: KindDiff) -> str:
    differ = len(each.differences)
    return f"{each.agree} agree, {differ} differ" if differ else f"all {each.agree} agree"


def _listed(what: str, found: Mapping[str, Any]) -> Iterator[str]:
    if found:
        yield textwrap.fill(
            f"{what} ({len(found)}): {', '.join(found)}",
            width=100,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
