"""The commands of `python -m bridge` and their options. Not for: what they do (a module each)."""

import sys
from pathlib import Path

import click

from bridge.keys import Role
from config.settings import ConfigTrouble

_FOLDER = click.Path(path_type=Path, exists=True, file_okay=False)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
def cli() -> None:
    """The CRM bridge: members stay in the CRM."""


def _played(context: click.Context, parameter: click.Parameter, name: str) -> str:
    """A CRM that the sandbox plays."""
    from bridge.cli.line import crms

    if name not in crms():
        raise click.BadParameter(f"the sandbox plays {', '.join(crms())}")
    return name


@cli.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Where the web server listens.",
)
@click.option(
    "--crm",
    default="dynamics",
    show_default=True,
    callback=_played,
    help="Which CRM the sandbox plays.",
)
@click.option("--once", is_flag=True, help="End after the walk.")
@click.option(
    "--state", type=click.Path(path_type=Path), help="Write what a client needs to go on."
)
def demo(port: int, crm: str, once: bool, state: Path | None) -> None:
    """Run the whole line on this machine and walk one member through it."""
    from bridge.cli.demo import run

    sys.exit(run(port, once, state, crm))


@cli.command()
@click.option(
    "--lane",
    "lanes",
    multiple=True,
    type=click.Choice(["now", "bulk", "notify"]),
    help="Lanes to serve, one process each. Default: now and notify.",
)
def worker(lanes: tuple[str, ...]) -> None:
    """Apply what waits, in order, once."""
    from bridge.parts import worker_parts
    from bridge.worker import run

    sys.exit(run(worker_parts, lanes or ("now", "notify")))


@cli.command("check-config")
@click.option("--role", type=click.Choice(["web", "worker"]), default="web", show_default=True)
def check_config(role: str) -> None:
    """List every mistake in the configuration, its mapping and its keys."""
    from bridge.cli.check_config import run

    sys.exit(run(_role(role)))


@cli.command()
@click.option("--role", type=click.Choice(["web", "worker"]), default="web", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of a table.")
@click.option(
    "--try-writes", is_flag=True, help="Worker: make, change and remove an empty record per table."
)
def doctor(role: str, as_json: bool, try_writes: bool) -> None:
    """Try every connection and say what to do about what fails."""
    from bridge.cli.doctor import run

    sys.exit(run(_role(role), as_json, try_writes=try_writes))


@cli.command()
@click.option("--plan", is_flag=True, help="List what the CRM needs, and what is missing.")
@click.option("--apply", is_flag=True, help="Make what is missing; write the check row.")
@click.option("--package", type=click.Path(path_type=Path), help="Write a package to install.")
@click.option("--check-row", is_flag=True, help="Write the identity check row (worker's host).")
@click.option("--role", type=click.Choice(["web", "worker"]), default="worker", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Plan or result as one JSON object.")
def provision(
    plan: bool, apply: bool, package: Path | None, check_row: bool, role: str, as_json: bool
) -> None:
    """List or make the tables, columns and keys that the CRM needs. Never deletes."""
    from bridge.cli import install
    from bridge.cli import provision as provisioning

    if [plan, apply, package is not None, check_row].count(True) != 1:
        raise click.UsageError("give one of --plan, --apply, --package and --check-row")
    if check_row:
        sys.exit(provisioning.write_check_row())
    if apply:
        sys.exit(install.apply(as_json))
    if package is not None:
        sys.exit(install.package(package))
    sys.exit(provisioning.plan(_role(role), as_json))


@cli.group()
def mappings() -> None:
    """Mapping files: check, compare with the CRM, draft, explain."""


_FILE = click.option(
    "--mapping", "file", type=click.Path(path_type=Path), help="Default: crm.mapping."
)
_READER = click.option(
    "--role",
    type=click.Choice(["web", "worker"]),
    default="web",
    show_default=True,
    help="Whose CRM user reads the metadata.",
)


@mappings.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def mappings_check(files: tuple[Path, ...], as_json: bool) -> None:
    """Every mistake of FILES (default: the configured one), without calling anything."""
    from bridge.cli.mappings.check import run

    sys.exit(run(files, as_json))


@mappings.command("diff")
@_FILE
@_READER
@click.option("--json", "as_json", is_flag=True, help="One JSON object instead of tables.")
def mappings_diff(file: Path | None, role: str, as_json: bool) -> None:
    """Compare the mapping with what the CRM says it has. 1 where something must change."""
    from bridge.cli.mappings.diff import run

    sys.exit(run(_role(role), file, as_json))


@mappings.command("draft")
@click.option(
    "--like",
    type=click.Path(path_type=Path),
    help="A mapping whose columns are preferred where the CRM has them. Default: crm.mapping.",
)
@click.option("--fresh", is_flag=True, help="Guess from names and types alone.")
@click.option(
    "--table", "tables", multiple=True, metavar="KIND=TABLE", help="Where a kind lives; repeatable."
)
@_READER
@click.option("--out", type=click.Path(path_type=Path), help="Write here instead of stdout.")
def mappings_draft(
    like: Path | None, fresh: bool, tables: tuple[str, ...], role: str, out: Path | None
) -> None:
    """Propose a mapping from the CRM's metadata, each guess with its reason."""
    from bridge.cli.mappings.draft import run

    sys.exit(run(_role(role), like, fresh, tables, out))


@mappings.command("explain")
@click.argument("field", default="")
@_FILE
@click.option("--json", "as_json", is_flag=True, help="A JSON list.")
def mappings_explain(field: str, file: Path | None, as_json: bool) -> None:
    """Where FIELD (`email`, `member.email`, `ext.x`) lives and who sees it. Without one: all."""
    from bridge.cli.mappings.explain import run

    sys.exit(run(field, file, as_json))


@cli.group()
def keys() -> None:
    """Key files."""


@keys.command("make")
@click.option("--dir", "directory", required=True, type=click.Path(path_type=Path))
def keys_make(directory: Path) -> None:
    """Make new keys: DIR/web for the web tier, DIR/worker for the worker."""
    from bridge.keys import make

    make(directory)
    click.echo(f"{directory}/web and {directory}/worker: move each to its own host")


@cli.group("dead-letters")
def dead_letters() -> None:
    """Writes that can't be applied as they are. They stay sealed."""


@dead_letters.command("list")
def dead_letters_list() -> None:
    """References, kinds and reasons; never contents."""
    from bridge.cli.dead_letters import show

    sys.exit(show())


@dead_letters.command("replay")
@click.argument("op")
def dead_letters_replay(op: str) -> None:
    """Put it back at the head of its mailbox, if nothing later was applied."""
    from bridge.cli.dead_letters import replay

    sys.exit(replay(op))


@dead_letters.command("drop")
@click.argument("op")
def dead_letters_drop(op: str) -> None:
    """Remove it for good."""
    from bridge.cli.dead_letters import drop

    sys.exit(drop(op))


@cli.command("privacy-report")
@click.option(
    "--out", default="docs/privacy.md", show_default=True, type=click.Path(path_type=Path)
)
@click.option("--scan", is_flag=True, help="Walk a member through the demo's line and scan first.")
def privacy_report(out: Path, scan: bool) -> None:
    """Write which personal field goes where, under which key, for how long."""
    from bridge.cli.privacy_report import run

    sys.exit(run(out, scan))


@cli.command()
@click.option("--dir", "directory", default="docs", show_default=True, type=_FOLDER)
def docs(directory: Path) -> None:
    """Write the tables of all settings and of what each CRM can do."""
    from bridge.cli import capabilities_docs, settings_docs

    for name, document in (("configuration", settings_docs), ("capabilities", capabilities_docs)):
        (directory / f"{name}.md").write_text(document.text())
        click.echo(f"{directory / name}.md written")


def _role(name: str) -> Role:
    """What click has checked."""
    return "web" if name == "web" else "worker"


def main() -> None:
    """Run a command; a wrong configuration is a list of sentences, not a traceback."""
    try:
        cli()
    except ConfigTrouble as trouble:
        click.echo("The configuration can't be used:", err=True)
        for problem in trouble.problems:
            click.echo(f"  - {problem}", err=True)
        sys.exit(78)  # EX_CONFIG of sysexits.h
