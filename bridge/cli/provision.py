"""`provision`: what the CRM needs for this mapping, and the identity check row.

Not for: making tables or columns: an administrator of the CRM does, from this list.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import click

from adapters.base import Description
from adapters.errors import CrmError
from adapters.needs import Need, needs, privileges
from adapters.registry import adapter_class
from bridge.cli import crm_checks
from bridge.cli.tables import table
from bridge.keys import Role
from bridge.parts import foundation
from bridge.services import check_row
from bridge.services.identities import IdentityKeys
from config.settings import Settings
from mappings.loader import Mapping as CrmMapping

_SHOWN = ("what", "table", "name", "field", "type", "detail", "trouble")
_HEAD = ("", "what", "table", "name", "our field", "type", "length, options, columns", "now")


def plan(role: Role, as_json: bool, environ: Mapping[str, str] = os.environ) -> int:
    """List what is needed and what is missing. 0 where all is there, else 1."""
    settings, _, mapping = foundation(role, environ)
    guide = adapter_class(settings.crm.adapter).guide
    found, trouble = _described(settings, mapping, role)
    listed = list(needs(mapping, guide, found or Description({}, {}), settings.crm.options))
    missing = [need for need in listed if need.trouble] if found else []
    users = list(privileges(mapping, guide))
    if as_json:
        document = _document(listed, users, guide.notes, told=found is not None)
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        for line in _lines(listed, users, guide.notes, told=found is not None):
            click.echo(line)
        click.echo(_result(len(missing), trouble))
    return 1 if missing or not found else 0


def _described(
    settings: Settings, mapping: CrmMapping, role: Role
) -> tuple[Description | None, str]:
    """What the CRM has, or why it can't be told."""
    try:
        crm = crm_checks.connect(settings, mapping, role)
    except CrmError as error:
        return None, error.code
    try:
        return crm.describe(), ""
    except CrmError as error:
        return None, error.code
    finally:
        crm.close()


def _result(missing: int, trouble: str) -> str:
    if trouble:
        return f"What the CRM has can't be told ({trouble}): see `doctor`."
    return f"{missing} to make or change." if missing else "The CRM has all of it."


def _document(
    listed: list[Need], users: list[tuple[str, str, str]], notes: tuple[str, ...], *, told: bool
) -> dict[str, Any]:
    rows = [{name: getattr(need, name) for name in _SHOWN} for need in listed]
    rows = rows if told else [row | {"trouble": None} for row in rows]
    roles = [dict(zip(("user", "table", "privileges"), row, strict=True)) for row in users]
    return {"needs": rows, "roles": roles, "notes": notes}


def _lines(
    listed: list[Need], users: list[tuple[str, str, str]], notes: tuple[str, ...], *, told: bool
) -> Iterator[str]:
    yield from table(_HEAD, (_row(need, told) for need in listed))
    yield ""
    yield from table(("CRM user", "table", "privileges"), users)
    yield ""
    yield from (f"- {note}" for note in notes)


def _row(need: Need, told: bool) -> tuple[str, ...]:
    mark, now = ("✗", need.trouble) if need.trouble else ("✓", "there")
    if not told:
        mark, now = "?", "not known"
    return (mark, need.what, need.table, need.name, need.field, need.type, need.detail, now)


def write_check_row(
    environ: Mapping[str, str] = os.environ, say: Callable[[str], None] = click.echo
) -> int:
    """As the worker's CRM user. 0, or 1 where it can't be, with the reason."""
    settings, keys, mapping = foundation("worker", environ)
    try:
        crm = crm_checks.connect(settings, mapping, "worker")
        try:
            made = check_row.write(crm, IdentityKeys(keys.one("identity")))
        finally:
            crm.close()
    except check_row.OtherKey:
        sys.stderr.write(
            "✗ This CRM's identities were made with another identity key. Bring that key back: "
            "under a new one nobody can sign in.\n"
        )
        return 1
    except CrmError as error:
        sys.stderr.write(f"✗ {error.code}: see `doctor --role worker`.\n")
        return 1
    say(f"✓ The identity check row {'is written' if made else 'was there'}.")
    return 0
