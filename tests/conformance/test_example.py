"""The example of `adapters/README.md` keeps the contract, as a package of somebody else's."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "rest_table"
LINES = 200
STEPS = 7
MAY_SKIP = (
    "not declared",
    "the mapping has no such key",
    "the service can't play .*",
)


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A place with the example as a package beside `adapters` and `mappings`, and nothing more."""
    shutil.copytree(EXAMPLE, tmp_path / "rest_table", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "rest_table" / "__init__.py").touch()
    for ours in ("adapters", "mappings"):
        (tmp_path / ours).symlink_to(ROOT / ours)
    return tmp_path


def _run(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    environ = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "BRIDGE"))}
    environ |= {"PYTHONPATH": str(place), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *arguments]
    return subprocess.run(
        command, cwd=place, env=environ, capture_output=True, text=True, timeout=110, check=False
    )


def test_it_keeps_the_contract_elsewhere(package: Path) -> None:
    """Its author runs every clause from a package of their own, without this repository's tests;
    what is skipped is what it doesn't declare."""
    assert _run(package, "-c", "import tests.conformance").returncode != 0

    done = _run(
        package, "-m", "pytest", "-p", "no:cacheprovider", "-rs", "rest_table/test_adapter.py"
    )

    assert done.returncode == 0, done.stdout[-3000:]
    count = re.search(r"(\d+) passed, (\d+) skipped", done.stdout)
    assert count
    assert int(count[1]) > 120
    assert int(count[2]) < 20
    reasons = re.findall(r"^SKIPPED \[\d+\] [^:]+:\d+: (.+)$", done.stdout, re.MULTILINE)
    assert [each for each in reasons if not re.fullmatch("|".join(MAY_SKIP), each)] == []


def test_a_broken_one_is_found_elsewhere(package: Path) -> None:
    """An update that forgets its version fails there as it would here."""
    path = package / "rest_table" / "adapter.py"
    text = path.read_text()
    assert '{"If-Match": asked.concrete(version)}' in text
    path.write_text(text.replace('{"If-Match": asked.concrete(version)}', '{"If-Match": "*"}', 1))
    chosen = "test_stale or test_no_version or test_one_of_many_wins"

    done = _run(
        package,
        "-m",
        "pytest",
        "-p",
        "no:cacheprovider",
        "-k",
        chosen,
        "rest_table/test_adapter.py",
    )

    assert done.returncode == 1
    assert "3 failed" in done.stdout


def test_configuration_names_it_by_its_path(package: Path) -> None:
    """`crm.adapter: rest_table.adapter:RestTable` is enough; nothing is registered."""
    code = (
        "from adapters.registry import adapter_class as c; print(c('rest_table.adapter:RestTable'))"
    )

    assert "RestTable" in _run(package, "-c", code).stdout


def test_it_is_short() -> None:
    """Less than 200 lines, and the seven steps stand in the README in their order."""
    assert len((EXAMPLE / "adapter.py").read_text().splitlines()) < LINES

    steps = re.findall(r"^(\d)\. \*\*", (ROOT / "adapters" / "README.md").read_text(), re.MULTILINE)
    assert steps == [str(n) for n in range(1, STEPS + 1)]
