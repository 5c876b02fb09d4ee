"""An adapter stays small, and one that doesn't would be seen."""

from pathlib import Path

from tests.architecture.adapters import lines_of, too_large


def test_no_adapter_has_outgrown_its_room() -> None:
    """600 lines of code for what a further CRM costs."""
    assert list(too_large()) == []


def test_a_large_adapter_is_seen(tmp_path: Path) -> None:
    """Lines of code are counted over all files that it leads to, docstrings and comments left out;
    what only `provision` needs doesn't count."""
    folder = tmp_path / "adapters" / "bigcrm"
    folder.mkdir(parents=True)
    (folder / "adapter.py").write_text(
        '"""Doc.\n\nMore."""\n\n# why\n' + "from adapters.bigcrm import more\n" * 400
    )
    (folder / "more.py").write_text("from adapters.bigcrm.rows import b\n")
    (folder / "provision.py").write_text("c = 1\n" * 900)
    (folder / "rows.py").write_text("b = (\n    1\n)\n" * 66 + "d = 1\nd = 2\n")
    assert list(too_large(tmp_path)) == ["adapters/bigcrm: 601 lines of code (at most 600)"]
    (folder / "rows.py").write_text("b = (\n    1\n)\n" * 66)
    assert list(too_large(tmp_path)) == []


def test_what_counts_as_code() -> None:
    """A text over several lines is code; a docstring isn't."""
    text = 'def f():\n    """Doc."""\n    # why\n\n    return """a\nb"""\n'
    assert lines_of(text) == 3
