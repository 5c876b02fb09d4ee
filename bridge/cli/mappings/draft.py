"""`mappings draft`: a mapping proposed from the CRM's own metadata, each guess with its reason.

It is a beginning to be read and mended: what couldn't be placed stands under not_held, and what was
guessed says why. `check` accepts it as it is. Not for: making anything in the CRM (`provision`).
"""

import os
import textwrap
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
import yaml

from bridge.cli.mappings.match import Guess
from bridge.cli.mappings.proposal import Drafted, Example, propose
from bridge.cli.mappings.source import CrmSaysNo, source
from bridge.keys import Role

_LEFT = "    #   "


def run(
    role: Role,
    like: Path | None,
    fresh: bool,
    tables: Iterable[str],
    out: Path | None,
    environ: Mapping[str, str] = os.environ,
) -> int:
    """0, or 1 where the CRM can't be asked or has no such table."""
    given = source(role, like, environ)
    try:
        example = Example("", "", "", {}) if fresh else _read(given.path)
        drafted = propose(given, role, example, _named(tables))
    except CrmSaysNo as no:
        click.echo(f"✗ {no.code}: {no.advice}", err=True)
        return 1
    except LookupError as wrong:
        click.echo(f"✗ {wrong}", err=True)
        return 1
    name = example.crm or given.settings.crm.adapter.rpartition(":")[2].lower()
    text = "\n".join(_text(name, example.prefix, drafted)) + "\n"
    if out:
        out.write_text(text, encoding="utf-8")
    else:
        click.echo(text, nl=False)
    lost = sum(len(each.lost) for each in drafted.values())
    placed = sum(len(each.fields) + len(each.collections) for each in drafted.values()) - lost
    click.echo(f"{placed} placed, {lost} under not_held: read it before you use it.", err=True)
    return 0


def _named(tables: Iterable[str]) -> dict[str, str]:
    """`member=contact` -> {member: contact}. Raises LookupError."""
    pairs = [each.partition("=") for each in tables]
    if not all(kind and table for kind, _, table in pairs):
        raise LookupError("--table: KIND=TABLE, such as member=contact")
    return {kind: table for kind, _, table in pairs}


def _read(path: Path) -> Example:
    """As data, mistakes and all: only what the CRM has too is taken from it. Raises LookupError."""
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        raise LookupError(f"{path} can't be read as YAML") from None
    document = found if isinstance(found, dict) else {}
    kinds = document.get("kinds")
    blocks = kinds.items() if isinstance(kinds, dict) else ()
    kept = {str(kind): block for kind, block in blocks if isinstance(block, dict)}
    crm, prefix = (str(document.get(key) or "") for key in ("crm", "prefix"))
    return Example(path.name, crm, prefix, kept)


def _text(crm: str, prefix: str, drafted: Mapping[str, Drafted]) -> Iterator[str]:
    yield "# A draft from the CRM's own metadata: each line says why. Look at every one of them."
    yield f"crm: {_flow(crm)}"
    yield from [f"prefix: {_flow(prefix)}"] if prefix else []
    yield "kinds:"
    for kind, each in drafted.items():
        table = each.home.table
        yield f"  {kind}:"
        yield from _said(f"    table: {_flow(table.name)}", each.home.reason)
        yield f"    entity_set: {_flow(table.entity_set)}"
        yield f"    id: {_flow(table.id_column)}"
        yield from _block("fields", {n: g for n, g in each.fields.items() if g.entry is not None})
        yield from _block("ext", each.ext)
        ways = {n: g for n, g in each.collections.items() if g.entry is not None}
        yield from ["    collections:"] if ways else []
        for name, guess in ways.items():
            yield from _said(f"      {name}: {_flow((guess.entry or {})['column'])}", guess.reason)
        yield from ["    not_held:"] if each.lost else []
        for name, reason in each.lost.items():
            yield from _said(f"      - {name}", reason)
        if each.unused:
            yield f"    # {len(each.unused)} columns are left; fields of your own go under `ext`:"
            left = ", ".join(f"{_plain(n)} ({_plain(t)})" for n, t in each.unused.items())
            yield from textwrap.wrap(left, 100, initial_indent=_LEFT, subsequent_indent=_LEFT)


def _block(name: str, guesses: Mapping[str, Guess]) -> Iterator[str]:
    if guesses:
        yield f"    {name}:"
    for field, guess in guesses.items():
        yield from _said(f"      {field}: {_flow(dict(guess.entry or {}))}", guess.reason)


def _said(line: str, reason: str) -> Iterator[str]:
    yield f"{line}  # {_plain(reason)}"


def _plain(text: str) -> str:
    """On one line, whatever the CRM calls its things."""
    return " ".join(text.split())


def _flow(value: Any) -> str:
    """As YAML on one line."""
    text = yaml.safe_dump(
        value, default_flow_style=True, width=10_000, allow_unicode=True, sort_keys=False
    )
    return text.removesuffix("\n").removesuffix("\n...")
