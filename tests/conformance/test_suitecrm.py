"""The SuiteCRM adapter keeps the contract, over TLS against the sandbox."""

import pytest

from adapters.conformance import Conformance, World
from tests.conformance.suitecrm import SuiteWorld, suitecrm

__all__ = ["suitecrm"]


class TestSuiteCrm(Conformance):
    """All clauses."""

    @pytest.fixture
    def world(self, suitecrm, tmp_path) -> World:
        """Empty."""
        return SuiteWorld(suitecrm, tmp_path)
