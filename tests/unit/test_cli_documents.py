"""The generated documents say what the code says."""

import json
import re
from pathlib import Path

import pytest

from adapters import registry
from adapters.capabilities import QUESTIONS
from bridge.cli import capabilities_docs, privacy_report, settings_docs
from bridge.cli.line import ROOT
from bridge.cli.ways import ways
from bridge.privacy import report
from bridge.store import PREFIXES
from mappings.loader import load

DOCS = ROOT / "docs"
MAPPING = ROOT / "mappings" / "dynamics.yaml"


def test_the_table_of_settings_is_up_to_date() -> None:
    """`python -m bridge docs` would change nothing."""
    assert (DOCS / "configuration.md").read_text() == settings_docs.text()


def test_the_table_of_capabilities_is_up_to_date() -> None:
    """Each adapter's answer to each question stands in it, as `python -m bridge docs` writes it."""
    text = (DOCS / "capabilities.md").read_text()
    assert text == capabilities_docs.text()
    for name in registry.KNOWN:
        told = registry.adapter_class(name).capabilities.as_dict()
        assert set(told) == {each.name for each in QUESTIONS}
        assert f"`{name}`" in text


def test_the_privacy_report_is_up_to_date() -> None:
    """`python -m bridge privacy-report` would change nothing."""
    assert (DOCS / "privacy.md").read_text() == privacy_report.text(DOCS / "privacy-scan.json", {})


def test_every_personal_field_and_every_prefix_is_in_the_report() -> None:
    """Fields with their column, the brand's own too, a way in, and all Redis prefixes."""
    mapping = load(MAPPING)
    text = (DOCS / "privacy.md").read_text()
    found = ways(mapping)

    assert set(found) == {
        (kind, name) for kind, name in mapping.personal_fields if name in mapping.kinds[kind].fields
    }
    assert ("member", "ext.favourite_model") in found
    for (kind, field), way in found.items():
        column = mapping.kinds[kind].fields[field].column
        assert f"| `{kind}.{field}` | `{mapping.kinds[kind].table}.{column}` |" in text
        assert way.comes, field
    assert all(f"| `{prefix.name}` | {prefix.role} |" in text for prefix in PREFIXES)


def test_a_password_goes_out_nowhere() -> None:
    """No route answers with a credential, under whatever name."""
    assert ways(load(MAPPING))["member", "credential"].goes == ()


def test_a_new_field_of_the_brands_shows_up_by_itself(tmp_path: Path) -> None:
    """One line of YAML is enough for the report to name the field, its column and its routes."""
    line = "      shoe_size: {column: cb_shoesize, type: text, personal: true}\n    collections:"
    path = tmp_path / "mapping.yaml"
    path.write_text(MAPPING.read_text().replace("    collections:", line, 1))
    mapping = load(path)

    text = report.render(mapping, ways(mapping), None)

    row = next(each for each in text.splitlines() if "member.ext.shoe_size" in each)
    assert "`contact.cb_shoesize`" in row
    assert "PATCH /v1/me" in row
    assert "None is recorded" in text


def test_a_finding_of_the_last_scan_stands_in_the_report() -> None:
    """What was found is named by field and place, and what wasn't planted is admitted."""
    mapping = load(MAPPING)
    scan = json.loads((DOCS / "privacy-scan.json").read_text())
    scan["findings"] = [{"field": "email", "place": "file web.log"}]

    text = report.render(mapping, ways(mapping), scan)

    assert "- `email` in file web.log" in text
    assert "`member.gender`" in text.partition("Without a value of its own")[2]


def test_the_recorded_scan_found_nothing() -> None:
    """A report with findings isn't checked in."""
    scan = json.loads((DOCS / "privacy-scan.json").read_text())

    assert scan["findings"] == []
    assert scan["counts"]["pieces"] > 100


def test_writing_the_report_without_a_scan_keeps_the_last_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The recorded result lies beside the document and is taken as it is."""
    (tmp_path / "privacy-scan.json").write_text((DOCS / "privacy-scan.json").read_text())

    assert privacy_report.run(tmp_path / "privacy.md", scan=False, environ={}) == 0
    assert (tmp_path / "privacy.md").read_text() == (DOCS / "privacy.md").read_text()


def test_what_the_threat_model_cites_is_there() -> None:
    """Every test and file that it names as a bound exists."""
    cited = re.findall(r"`([^`\s]+)`", (DOCS / "threat-model.md").read_text())
    code = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    suite = "\n".join(path.read_text() for path in (ROOT / "adapters/conformance").glob("*.py"))

    tests = {each for each in cited if each.startswith("test_")}
    files = {each for each in cited if re.fullmatch(r"[a-z]+/[\w/.-]+\.\w+", each)}

    assert len(tests) > 40
    assert {each for each in tests if f"def {each}(" not in code + suite} == set()
    assert {each for each in files if not (ROOT / each).is_file()} == set()
