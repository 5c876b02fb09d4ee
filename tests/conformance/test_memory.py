"""The reference adapter keeps the contract."""

from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, Remote
from adapters.conformance import Conformance, CountingBudget, World
from adapters.memory import Store
from adapters.registry import make
from mappings.loader import load


class MemoryWorld(World):
    """One store for all adapters of a test."""

    mapping = load(Path(__file__).parents[2] / "mappings" / "memory.yaml")

    def __init__(self) -> None:
        super().__init__()
        self.store = Store()

    def adapter(self, **changes: Any) -> Adapter:
        """See World."""
        given: dict[str, Any] = {"tokens": None, "budget": CountingBudget(self), "lane": "now"}
        options = {"store": self.store}
        return make("memory", self.mapping, Remote(options, {}, **(given | changes)))


class TestMemory(Conformance):
    """All clauses."""

    @pytest.fixture
    def world(self) -> World:
        """Empty."""
        return MemoryWorld()
