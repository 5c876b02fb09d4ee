"""The SugarCRM adapter keeps the contract against the instance that the environment names."""

import os

import pytest

from adapters.conformance import Conformance, World
from tests.conformance.sugarcrm import LiveWorld

LIVE = "BRIDGE_LIVE_SUGARCRM_URL"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """One token for all clauses."""
    return tmp_path_factory.mktemp("tokens")


if LIVE in os.environ:

    class TestLiveSugarCrm(Conformance):
        """Every clause that can be asked without disturbing the instance."""

        @pytest.fixture
        def world(self, tokens) -> World:
            """Whatever is there."""
            return LiveWorld(tokens)
