"""The suite against the system that `BRIDGE_LIVE` names, for `python -m adapters.conformance`."""

import os

import pytest

from adapters.conformance import Conformance, World
from adapters.conformance.live import LIVE, LiveWorld


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Whatever is there; one token for all clauses."""
    return LiveWorld(LIVE[os.environ["BRIDGE_LIVE"]], tmp_path_factory.mktemp("tokens"))


class TestLive(Conformance):
    """Every clause that can be asked without disturbing the server."""

    @pytest.fixture
    def world(self, system: World) -> World:
        """The same for all tests."""
        return system
