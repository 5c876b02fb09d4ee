"""`mappings check`: every mistake of mapping files at once, with its line. Nothing is called.

Not for: whether the CRM has what a mapping names (`diff.py`).
"""

import json
import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import click
import yaml

from bridge.cli.check_config import EX_CONFIG
from bridge.parts import ROOT
from config import settings as config
from mappings.loader import MappingErrors, load

_PLACE = re.compile(r"([\w.-]+): ")
_BLOCKS = ("", "fields", "ext")


def run(files: Iterable[Path], as_json: bool, environ: Mapping[str, str] = os.environ) -> int:
    """0, or 78 where a file has a mistake. Without files: the one that `crm.mapping` names."""
    paths = list(files) or configured(environ)
    found = {str(path): mistakes(path) for path in paths}
    count = sum(map(len, found.values()))
    if as_json:
        told = {"ok": bool(paths) and not count, "files": found}
        click.echo(json.dumps(told, indent=2, ensure_ascii=False))
    else:
        _print(found)
    return 0 if paths and not count else EX_CONFIG


def _print(found: Mapping[str, list[str]]) -> None:
    if not found:
        click.echo("✗ crm.mapping is missing, and no file was given", err=True)
    for path, sentences in found.items():
        for sentence in sentences:
            click.echo(f"  ✗ {path}, {sentence}", err=True)
        if not sentences:
            click.echo(f"✓ {path} is fine (whether the CRM has it: mappings diff).")
    count = sum(map(len, found.values()))
    if count:
        click.echo(f"{count} to mend.", err=True)


def configured(environ: Mapping[str, str]) -> list[Path]:
    """The configured mapping file, where there is one."""
    named = config.locations(environ).get("crm.mapping")
    return [ROOT / named] if named else []


def mistakes(path: Path) -> list[str]:
    """In the order of their lines; those that have none come last."""
    try:
        load(path)
    except MappingErrors as trouble:
        lines = _Lines(path)
        placed = sorted((lines.of(sentence), sentence) for sentence in trouble.problems)
        return [f"line {n}: {told}" if n < _NOWHERE else told for n, told in placed]
    return []


_NOWHERE = 1 << 30


class _Lines:
    """Finds the line that a sentence such as `member.tier: …` is about."""

    def __init__(self, path: Path) -> None:
        try:
            self._root = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError):
            self._root = None

    def of(self, sentence: str) -> int:
        """Of the innermost block that is there."""
        match = _PLACE.match(sentence)
        kinds = _below(self._root, "kinds")
        if match is None or kinds is None:
            return _NOWHERE
        kind, _, rest = match[1].partition(".")
        block = _below(kinds[1], kind)
        if block is None:
            return _NOWHERE
        return next((line for inner in _BLOCKS if (line := _line(block[1], inner, rest))), block[0])


def _line(node: yaml.Node, block: str, rest: str) -> int:
    """Of `rest`, a dotted path, in this block of a kind; 0 where it isn't there."""
    found = _below(node, block) if block else (0, node)
    for step in rest.split(".") if rest else ():
        inner = _below(found[1], step) if found else None
        if inner is None:
            return 0
        found = inner
    return found[0] if found else 0


def _below(node: yaml.Node | None, name: str) -> tuple[int, yaml.Node] | None:
    """The line of this key, and what stands under it."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == name:
                return key.start_mark.line + 1, value
    return None
