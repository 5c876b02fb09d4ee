"""The SuiteCRM adapter keeps the contract, over TLS against the sandbox."""

import pytest

from adapters.conformance import Conformance, World
from tests.conformance.suitecrm import StockWorld, SuiteWorld, suitecrm

__all__ = ["suitecrm"]


class TestSuiteCrm(Conformance):
    """All clauses."""

    @pytest.fixture
    def world(self, suitecrm, tmp_path) -> World:
        """Empty."""
        return SuiteWorld(suitecrm, tmp_path)


class TestStockServer(Conformance):
    """The clauses that need none of our modules and columns."""

    @pytest.fixture
    def world(self, suitecrm, tmp_path) -> World:
        """Empty."""
        return StockWorld(suitecrm, tmp_path)
