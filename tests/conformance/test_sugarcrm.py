"""The SugarCRM adapter keeps the contract, over TLS against the sandbox."""

import pytest

from adapters.conformance import Conformance, World
from tests.conformance.sugarcrm import SugarWorld, sugarcrm

__all__ = ["sugarcrm"]


class TestSugarCrm(Conformance):
    """All clauses, as an administrator, who may upsert."""

    @pytest.fixture
    def world(self, sugarcrm, tmp_path) -> World:
        """Empty."""
        return SugarWorld(sugarcrm, tmp_path)
