"""The size rules hold, and would be seen to break."""

from pathlib import Path

from tests.architecture.sizes import ROOT, too_large


def test_nothing_has_outgrown_its_room() -> None:
    """No function is over 60 lines and no file over 400."""
    assert list(too_large(ROOT)) == []


def test_a_long_function_is_seen(tmp_path: Path) -> None:
    """A function of 61 lines is reported with its place."""
    (tmp_path / "bridge").mkdir()
    body = "\n".join("    a = 1" for _ in range(60))
    (tmp_path / "bridge" / "long.py").write_text(f"def far():\n{body}\n")

    found = list(too_large(tmp_path, ("bridge",)))

    assert found == ["bridge/long.py:1 far: 61 lines (at most 60)"]
