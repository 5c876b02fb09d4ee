"""The red-team list names tests that exist, and each of its lines has one or a reason."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "red-team.md").read_text(encoding="utf-8")
REASONS = ("**Not met**", "**Elsewhere**", "**Doesn't apply**")
_TEST = re.compile(r"`(test_\w+)`")


def _lines() -> list[str]:
    """The lines of all tables, without their heads."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ")]
    return [line for line in lines if line.split("|")[1].strip() not in ("id", "found")]


def test_every_test_that_is_named_exists() -> None:
    """A renamed or deleted test takes its line along."""
    found = {
        name
        for path in (ROOT / "tests").rglob("test_*.py")
        for name in re.findall(r"^ *def (test_\w+)", path.read_text(), re.MULTILINE)
    }
    assert sorted(set(_TEST.findall(PAGE)) - found) == []


def test_every_line_has_a_test_or_a_reason() -> None:
    """An attack that nobody tries says so."""
    lines = _lines()
    assert len(lines) > 100
    bare = [
        each for each in lines if not _TEST.search(each) and not any(r in each for r in REASONS)
    ]
    assert bare == []
