"""`provision --apply` and `--package`: makes what the mapping needs and the CRM lacks.

Not for: how a CRM takes it, which its adapter's installer or packager knows; deleting, or changing
what is there. Asks nothing. The administrator's credential is in variables of this command alone,
`PROVISION_<NAME>` or `PROVISION_<NAME>_FILE`, named as `crm.credential` names its parts.
"""

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from adapters import registry
from adapters.errors import CrmError
from adapters.needs import Need, needs
from adapters.provisioning import ProvisionTrouble
from bridge.cli import crm_checks
from bridge.cli.provision import write_check_row
from bridge.parts import foundation
from config.settings import Settings
from mappings.loader import Mapping as CrmMapping

_PREFIX, _FILE = "PROVISION_", "_FILE"
_USERS = ("reader", "writer")
_SECONDS = 120.0  # a CRM takes its time to make a table
Say = Callable[[str], None]


class _Stopped(Exception):
    """`sentence`: why it can't go on."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence


@dataclass
class _Report:
    """What was made, what is left for a person, and whether the check row is there. `notes` don't
    make it a failure: they are about users, which the doctor looks at."""

    made: list[str]
    left: list[Need]
    trouble: str = ""
    check_row: bool = False
    notes: Sequence[str] = ()

    def document(self) -> dict[str, Any]:
        """For `--json`."""
        left = [{"what": n.what, "table": n.table, "name": n.name, "trouble": n.trouble}
                for n in self.left]  # fmt: skip
        done = {"made": self.made, "left": left, "check_row": self.check_row,
                "notes": list(self.notes)}  # fmt: skip
        return {"ok": not self.trouble and not left and self.check_row, **done,
                "trouble": self.trouble}  # fmt: skip


def apply(as_json: bool, environ: Mapping[str, str] = os.environ) -> int:
    """Make it, look again, write the check row. 0 where all is there then."""
    settings, _, mapping = foundation("worker", environ)
    say: Say = (lambda _: None) if as_json else click.echo
    report = _Report([], [])
    try:
        report.left = _made(settings, mapping, environ, report, say)
        if not report.left:
            report.check_row = write_check_row(environ, say) == 0
    except CrmError as error:
        report.trouble = f"{error.code}{f' ({error.remote_code})' if error.remote_code else ''}"
        report.trouble += _advice(settings, error)
    except ProvisionTrouble as trouble:
        report.trouble = str(trouble)
    except _Stopped as stopped:
        report.trouble = stopped.sentence
    return _told(report, as_json)


def _made(
    settings: Settings, mapping: CrmMapping, environ: Mapping[str, str], report: _Report, say: Say
) -> list[Need]:
    """Needs that are left."""
    guide = registry.adapter_class(settings.crm.adapter).guide
    if not guide.installer:
        return _packaged(settings, mapping)
    credential = _credential(settings, environ)
    remote = crm_checks.remote(settings, credential, _SECONDS)
    made = registry.installer(guide.installer)
    with closing(registry.make(settings.crm.adapter, mapping, remote)) as crm:
        listed = list(needs(mapping, guide, crm.describe(), settings.crm.options))
        with closing(made(mapping, remote, _users(settings, environ))) as installer:
            steps = list(installer.steps(listed))
            report.notes = installer.notes
            for number, step in enumerate(steps, 1):
                say(f"[{number}/{len(steps)}] {step.what} {step.name}")
                step.make()
                report.made.append(f"{step.what} {step.name}")
        found = crm.describe()
    return [n for n in needs(mapping, guide, found, settings.crm.options) if n.trouble]


def _packaged(settings: Settings, mapping: CrmMapping) -> list[Need]:
    """What a CRM lacks that takes packages only."""
    guide = registry.adapter_class(settings.crm.adapter).guide
    with closing(crm_checks.connect(settings, mapping, "worker")) as crm:
        listed = needs(mapping, guide, crm.describe(), settings.crm.options)
        left = [need for need in listed if need.trouble]
    if left and guide.packager:
        raise _Stopped(
            "this CRM takes a package: write it with `provision --package FILE.zip`, have its "
            "administrator install it, and run this again"
        )
    if left:
        raise _Stopped("nothing makes tables in this CRM: `provision --plan` lists what to make")
    return []


def _credential(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in environ.items():
        part = name.removeprefix(_PREFIX).lower()
        if name.startswith(_PREFIX) and part not in _USERS:
            try:
                is_file = name.endswith(_FILE)
                found[part.removesuffix("_file")] = (
                    Path(value).read_text().strip() if is_file else value
                )
            except OSError:
                raise _Stopped(f"{name}: can't be read") from None
    crm = settings.crm
    if not found:
        raise _Stopped(
            "it needs an administrator's credential in PROVISION_… variables, for this command "
            "alone: PROVISION_CLIENT_ID and so on, named as crm.credential names its parts"
        )
    problems = registry.check_options(crm.adapter, crm.options, found)
    if problems:
        raise _Stopped("; ".join(p.replace("crm.credential", "PROVISION_…") for p in problems))
    return found


def _users(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The bridge's own two CRM users; the writer's is this role's."""
    own = {"writer": settings.crm.credential.get("client_id", "")}
    given = {name: environ.get(f"{_PREFIX}{name.upper()}", "") for name in _USERS}
    return {**own, **{name: value for name, value in given.items() if value}}


def _advice(settings: Settings, error: CrmError) -> str:
    advice = registry.adapter_class(settings.crm.adapter).guide.advice
    said = advice.get(error.remote_code, "") or advice.get(error.code, "")
    return f": {said}" if said else ""


def _told(report: _Report, as_json: bool) -> int:
    document = report.document()
    if as_json:
        click.echo(json.dumps(document, indent=2))
    else:
        for line in _lines(report):
            click.echo(line)
    return 0 if document["ok"] else 1


def _lines(report: _Report) -> Iterator[str]:
    yield f"{len(report.made)} made." if report.made else "Nothing was made."
    yield from (f"– {note}" for note in report.notes)
    for need in report.left:
        of = f" of {need.table}" if need.what != "table" else ""
        yield f"✗ {need.what} {need.name}{of}: {need.trouble}"
    if report.left:
        yield "These are left: what is there already isn't changed, and names without our prefix"
        yield "aren't made. Change them in the CRM, or change the mapping."
    if report.trouble:
        yield f"✗ stopped: {report.trouble}"
        yield "Run it again when that is mended: it goes on from there."


def package(out: Path, environ: Mapping[str, str] = os.environ) -> int:
    """Write the package for the CRM's own installer. 0, or 1 with the reasons."""
    settings, _, mapping = foundation("worker", environ)
    guide = registry.adapter_class(settings.crm.adapter).guide
    if not guide.packager:
        sys.stderr.write("✗ This CRM takes no package: `provision --apply` makes it.\n")
        return 1
    try:
        content = registry.packager(guide.packager)(mapping, settings.crm.options).packed()
    except ProvisionTrouble as trouble:
        sys.stderr.writelines(f"✗ {problem}\n" for problem in trouble.problems)
        return 1
    out.write_bytes(content)
    click.echo(f"✓ {out.name}: {len(content)} bytes. {guide.package_advice}")
    return 0
