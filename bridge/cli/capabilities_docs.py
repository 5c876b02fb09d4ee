"""`docs`: writes `docs/capabilities.md`, what each CRM can do, from its adapter and its mapping.

Not for: saying what an answer means (`adapters/capabilities.py`), or the one CRM of a deployment
(`GET /v1/capabilities`).
"""

from collections.abc import Iterator

from adapters import registry
from adapters.capabilities import QUESTIONS
from bridge.cli.line import ROOT
from mappings.loader import Mapping
from mappings.loader import load as load_mapping

_HEAD = """# What each CRM can do

Written by `python -m bridge docs` from the adapters and the shipped mappings; a test fails when it
is out of date. The same frontend runs on all of them (`make replay` plays one recorded client on
each and compares the answers); what differs is here. `GET /v1/capabilities` tells a frontend of the
deployment that it talks to, and `crm.requires` names what a deployment can't do without. An
adapter's own options can take an answer away: see the CRM's page. `memory` is for tests.
"""
_ANSWERS = {True: "yes", False: "no"}


def text() -> str:
    """The whole document."""
    return "\n".join([_HEAD, *_table(), *_without(), *_fields()]).rstrip() + "\n"


def _table() -> Iterator[str]:
    names = tuple(registry.KNOWN)
    answers = {name: registry.adapter_class(name).capabilities.as_dict() for name in names}
    yield _row("", "", *(f"`{name}`" for name in names))
    yield _row("---", "---", *("---" for _ in names))
    for each in QUESTIONS:
        told = (_answer(answers[name][each.name]) for name in names)
        yield _row(f"`{each.name}`", each.question, *told)
    yield ""


def _answer(given: str | bool) -> str:
    return _ANSWERS[given] if isinstance(given, bool) else given.replace("_", " ")


def _without() -> Iterator[str]:
    yield "## Where the answer isn't yes\n"
    yield _row("", "")
    yield _row("---", "---")
    yield from (_row(f"`{each.name}`", each.without) for each in QUESTIONS)
    yield ""


def _fields() -> Iterator[str]:
    """What a shipped mapping names under `not_held`."""
    yield "## Fields that a shipped mapping doesn't hold\n"
    yield "They read as null, and a value for them is refused.\n"
    yield _row("mapping", "fields")
    yield _row("---", "---")
    for path in sorted((ROOT / "mappings").glob("*.yaml")):
        yield _row(f"`{path.name}`", ", ".join(_not_held(load_mapping(path))) or "none")


def _not_held(mapping: Mapping) -> Iterator[str]:
    for kind in mapping.kinds.values():
        yield from (f"`{kind.kind}.{name}`" for name in sorted(kind.not_held))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"
