"""The Dynamics adapter keeps the contract, over TLS against the sandbox."""

import pytest

from adapters.conformance import Conformance, World
from tests.conformance.conftest import DynamicsWorld


class TestDynamics(Conformance):
    """All clauses, hot reads by the thin transport."""

    @pytest.fixture
    def world(self, dataverse, tmp_path) -> World:
        """Empty."""
        return DynamicsWorld(dataverse, tmp_path)


class TestDynamicsByRequests(TestDynamics):
    """All clauses, hot reads by `requests`."""

    @pytest.fixture
    def world(self, dataverse, tmp_path) -> World:
        """Empty."""
        return DynamicsWorld(dataverse, tmp_path, hot_reads="requests")
