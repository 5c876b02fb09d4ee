"""The contract in words and in tests has the same clauses."""

import inspect
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from adapters.capabilities import Capabilities
from adapters.conformance import Conformance
from adapters.errors import Unsupported
from adapters.memory import Memory
from tests.conformance.test_memory import MemoryWorld

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


def test_every_capability_is_asked_about_both_ways() -> None:
    """The table of section 7 has each capability, with clauses that there are."""
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \| (.+?) \|$", CONTRACT.read_text(), re.MULTILINE)
    listed = {name: (declared, not_) for name, declared, not_ in rows if name in _NAMES}
    clauses = _tested()

    assert set(listed) == _NAMES
    for declared, not_ in listed.values():
        named = re.findall(r"\d+\.\d+", declared)
        assert named
        assert set(named + re.findall(r"\d+\.\d+", not_)) <= set(clauses)


_NAMES = {each.name for each in fields(Capabilities)}


def _lying(world: MemoryWorld, **declared: Any) -> Any:
    crm: Any = world.adapter()
    crm.capabilities = replace(Memory.capabilities, **declared)
    return crm


@pytest.mark.parametrize(
    "name", ["atomic_batch", "expands", "clears_with_null", "pages_with_cursor"]
)
def test_what_works_and_is_not_declared_is_found(name: str) -> None:
    """An adapter that does more than it declares fails clause 7.1."""
    world = MemoryWorld()

    Conformance().test_what_is_not_declared(world.adapter(), world)
    with pytest.raises(pytest.fail.Exception):
        Conformance().test_what_is_not_declared(_lying(world, **{name: False}), world)


def test_what_is_declared_and_does_not_work_is_found() -> None:
    """An adapter that declares to check passwords, and can't, fails clause 7.6."""
    world = MemoryWorld()
    world.password = lambda: ("ann", "right")  # type: ignore[method-assign]

    with pytest.raises(Unsupported):
        Conformance().test_passwords(_lying(world, checks_passwords=True), world)
