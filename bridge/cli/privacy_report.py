"""`privacy-report`: writes `docs/privacy.md`; with `--scan` after a scan of the demo's walk.

The result of the last scan lies beside the document as `privacy-scan.json`. Not for: the text
(`privacy/report.py`).
"""

import json
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import redis

from bridge.cli import scanning
from bridge.cli.journey import Journey, StepFailed
from bridge.cli.line import Line
from bridge.cli.walk import Walk
from bridge.cli.ways import ways
from bridge.parts import ROOT
from bridge.privacy import Scan, report
from config import settings as config
from config.settings import ConfigTrouble
from mappings.loader import MappingErrors
from mappings.loader import load as load_mapping

RESULT = "privacy-scan.json"


def run(out: Path, scan: bool, environ: Mapping[str, str] = os.environ) -> int:
    """0; 1 where the scan found a value, or the walk didn't hold."""
    held = True
    if scan:
        result = _scanned()
        if result is None:
            return 1
        out.with_name(RESULT).write_text(json.dumps(result, indent=2) + "\n")
        held = not result["findings"]
        click.echo(f"{result['counts']['findings']} found, {out.with_name(RESULT)} written")
    out.write_text(text(out.with_name(RESULT), environ))
    click.echo(f"{out} written")
    return 0 if held else 1


def text(result: Path, environ: Mapping[str, str] = os.environ) -> str:
    """The document, for the mapping that is configured. Raises ConfigTrouble."""
    place = config.locations(environ).get("crm.mapping", "")
    try:
        mapping = load_mapping(ROOT / place)
    except MappingErrors as trouble:
        raise ConfigTrouble(trouble.problems) from None
    scan = json.loads(result.read_text()) if result.is_file() else None
    return report.render(mapping, ways(mapping), scan)


def _scanned() -> dict[str, Any] | None:
    with Line(say=lambda what: click.echo(f"  starting {what}")) as line:
        journey = Journey(line)
        for title, do in Walk(journey).steps():
            try:
                do()
            except StepFailed as failure:
                click.echo(f"✗ {title}: {failure}", err=True)
                return None
        planted = [canary.field for canary in scanning.canaries_of(journey)]
        return _recorded(scanning.scan_line(journey), planted, line)


def _recorded(scan: Scan, planted: list[str], line: Line) -> dict[str, Any]:
    findings = [{"field": each.field, "place": each.place} for each in sorted(scan.findings)]
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"Python": platform.python_version(), "server": _server(line)},
        "planted": sorted(planted),
        "counts": scan.summary(),
        "places": sorted(scan.places),
        "findings": findings,
    }


def _server(line: Line) -> str:
    assert line.redis is not None  # noqa: S101 - a running line has it
    client = redis.Redis.from_url(line.redis.url("queue", "doctor"))
    try:
        told = client.info("server")
        return str(told.get("valkey_version") or told.get("redis_version"))
    finally:
        client.close()
