"""The import rules hold, and would be seen to break."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("bridge", "adapters", "mappings", "config", "sandbox")

VIOLATIONS = [
    ("mappings/loader.py", "import adapters.errors", "Data flows one way"),
    ("bridge/store/grants.py", "import bridge.services", "The floors of the bridge"),
    ("bridge/api/__init__.py", "import bridge.oauth", "The floors of the bridge"),
    ("config/schema.py", "import bridge.errors", "Config imports nothing of ours"),
    ("bridge/services/members.py", "import config.settings", "Config is read only by parts"),
    ("sandbox/__main__.py", "import mappings", "The sandbox imports nothing of ours"),
    ("bridge/parts.py", "import sandbox", "Nobody imports the sandbox"),
    ("adapters/memory.py", "import adapters.dynamics", "Adapters don't know each other"),
    ("bridge/parts.py", "import adapters.dynamics", "The bridge names no CRM"),
    ("bridge/wechat/callbacks.py", "import wechatpy", "Only the gateway imports wechatpy"),
    ("bridge/services/members.py", "import flask", "Services are plain functions"),
    ("adapters/http.py", "import redis", "Adapters know no web framework"),
]


def _lint(root: Path) -> subprocess.CompletedProcess[str]:
    command = [Path(sys.executable).parent / "lint-imports", "--no-cache"]
    return subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=120)


def test_the_import_rules_hold() -> None:
    """No package imports against the arrows."""
    done = _lint(ROOT)

    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(("where", "line", "rule"), VIOLATIONS, ids=[v[2] for v in VIOLATIONS])
def test_a_planted_violation_is_seen(tmp_path: Path, where: str, line: str, rule: str) -> None:
    """Each rule fails when one import is turned against it."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    shutil.copy(ROOT / ".importlinter", tmp_path)
    with (tmp_path / where).open("a") as file:
        file.write(f"\n{line}\n")

    done = _lint(tmp_path)

    assert done.returncode == 1
    broken = [text for text in done.stdout.splitlines() if " BROKEN" in text]
    assert any(rule in text for text in broken), done.stdout[-2000:]
