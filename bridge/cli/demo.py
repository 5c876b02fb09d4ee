"""`make demo`: the whole line on this machine, one member walked through it, then it serves on.

Not for: production, or anything with real members. What it prints of a member is made up.
"""

import json
import signal
import sys
import time
from pathlib import Path
from types import FrameType

import click

from bridge.cli import holdings, scanning
from bridge.cli.embedded import NoServer
from bridge.cli.journey import Journey, StepFailed
from bridge.cli.line import Line, NotSandbox
from bridge.cli.state import state_of
from bridge.cli.tables import table
from bridge.cli.walk import CHANGED, JOINED, Walk


def run(port: int, once: bool, state: Path | None, crm: str) -> int:
    """0 where every step held."""
    for number in _SIGNALS:  # SIGINT too: a shell's background job ignores it
        signal.signal(number, _interrupt)
    started = time.monotonic()
    try:
        with Line(port, crm=crm, say=lambda what: click.echo(f"  starting {what}")) as line:
            click.echo(f"  up after {time.monotonic() - started:.0f} s\n")
            if not once:
                line.start_site()
            return _walk(line, once, state)
    except KeyboardInterrupt:
        click.echo("\nStopped; nothing is left running.")
        return 0
    except NotSandbox:
        click.echo("The demo doesn't run where BRIDGE_ENVIRONMENT says production.", err=True)
        return 78
    except (NoServer, RuntimeError, OSError) as error:
        click.echo(f"The line didn't start: {error}", err=True)
        return 1


_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Once: a second Ctrl-C doesn't break off the ending of the parts."""
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    raise KeyboardInterrupt


def _walk(line: Line, once: bool, state: Path | None) -> int:
    journey = Journey(line)
    held = _steps(journey) and _scan(journey)
    if state:
        state.write_text(json.dumps(state_of(journey), indent=2, ensure_ascii=False) + "\n")
        click.echo(f"What a client needs to go on is in {state}")
    if once:
        click.echo("Every step held." if held else "Something didn't hold.", err=not held)
        return 0 if held else 1
    _serve(line)
    return 0


def _steps(journey: Journey) -> bool:
    """Walk, and show after the telling steps what is held where. False where a step fails."""
    before: holdings.Tables | None = None
    for number, (title, do) in enumerate(Walk(journey).steps(), 1):
        began = time.monotonic()
        try:
            lines = do()
        except StepFailed as failure:
            click.secho(f"{number:2}. {title}: FAILED", fg="red")
            click.echo(f"    {failure}")
            return False
        click.secho(f"{number:2}. {title}", bold=True, nl=False)
        click.echo(f"  ({(time.monotonic() - began) * 1000:.0f} ms)")
        for line in lines:
            click.echo(f"    {line}")
        if title in _TELLING:
            before = _tell(journey, before)
    return True


_TELLING = (JOINED, CHANGED)


def _tell(journey: Journey, before: holdings.Tables | None) -> holdings.Tables:
    tables: holdings.Tables = journey.crm_rows()
    click.secho(
        "\n    What the CRM holds now" + (" that it didn't before" if before else ""), fg="cyan"
    )
    for line in holdings.crm_lines(journey.line, tables, before):
        click.echo(f"      {line}")
    click.secho("\n    What Redis holds now, and who can open it", fg="cyan")
    for line in table(holdings.REDIS_HEAD, holdings.redis_rows(journey.line)):
        click.echo(f"      {line}")
    click.echo()
    return tables


def _scan(journey: Journey) -> bool:
    scan = scanning.scan_line(journey)
    counts = scan.summary()
    click.secho("\nThe privacy scan", bold=True)
    click.echo(
        f"    {counts['canaries']} values of the member's looked for in {counts['pieces']} pieces "
        f"({counts['bytes'] // 1024} KiB) of Redis, files, logs, processes: "
        f"{counts['findings']} found"
    )
    for finding in sorted(scan.findings):
        click.secho(f"    {finding.field} in {finding.place}", fg="red")
    return not scan.findings


def _serve(line: Line) -> None:
    sandbox = line.sandbox
    click.secho(f"\nServing on {line.url} until Ctrl-C", bold=True)
    rows = (
        ("member page (React)", line.site_url),
        ("sign in", f"{line.url}/sign-in"),
        ("become a member", f"{line.url}/register"),
        ("API", f"{line.url}/docs"),
        ("play the customer", sandbox["wechat"]["phone_url"]),
        ("codes and mails", f"{sandbox['outbox']['url']}/_sandbox/outbox.html"),
        ("what the CRM holds", f"{line.crm['url']}/_sandbox/state"),
    )
    for what, url in rows:
        click.echo(f"    {what.ljust(21)}{url}")
    sys.stdout.flush()
    while all(child.running() for child in line.children.values()):
        time.sleep(0.5)
    ended = [name for name, child in line.children.items() if not child.running()]
    raise RuntimeError(f"{', '.join(ended)} ended by itself; see its log in {line.directory}")
