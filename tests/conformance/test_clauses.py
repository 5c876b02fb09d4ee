"""The contract in words and in tests has the same clauses."""

import inspect
import re
from pathlib import Path

from adapters.conformance import Conformance

CONTRACT = Path(__file__).parents[2] / "docs" / "adapter-contract.md"
NUMBER = re.compile(r"(\d+\.\d+) ")


def _tested() -> dict[str, str]:
    found: dict[str, str] = {}
    for owner in Conformance.__mro__:
        for name, test in vars(owner).items():
            if name.startswith("test_"):
                assert getattr(Conformance, name) is test, f"{name} hides another test"
                text = inspect.getdoc(test) or ""
                match = NUMBER.match(text)
                assert match, f"{name} names no clause"
                assert match[1] not in found, f"{match[1]} stands for two tests"
                found[match[1]] = re.sub(r"\s+", " ", text[match.end() :])
    return found


def _written() -> dict[str, str]:
    rows = re.findall(r"^\| (\d+\.\d+) \| (.+?) \|$", CONTRACT.read_text(), re.MULTILINE)
    return dict(rows)


def test_both_lists_agree():
    """Every clause has one test and every test one clause, in the same words."""
    assert _tested() == _written()
