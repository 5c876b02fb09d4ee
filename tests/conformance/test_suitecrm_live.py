"""The SuiteCRM adapter keeps the contract against the server that the environment names."""

import os

import pytest

from adapters.conformance import Conformance, World
from tests.conformance.suitecrm import LiveWorld

LIVE = "BRIDGE_LIVE_SUITECRM_URL"


@pytest.fixture(scope="module")
def tokens(tmp_path_factory):
    """One token for all clauses."""
    return tmp_path_factory.mktemp("tokens")


if LIVE in os.environ:

    class TestLiveSuiteCrm(Conformance):
        """Every clause that can be asked without disturbing the server."""

        @pytest.fixture
        def world(self, tokens) -> World:
            """Whatever is there."""
            return LiveWorld(tokens)
