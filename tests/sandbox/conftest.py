"""Sandbox parts served in this process on free ports, torn down after each test."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.kit.run import running
from tests.sandbox.dataverse import Crm
from tests.sandbox.sugar import Sugar, control


@pytest.fixture
def start(tmp_path) -> Iterator[Callable[..., dict[str, dict[str, Any]]]]:
    """`start("dynamics", …)` serves those parts until the test ends; gives what each prints."""
    with contextlib.ExitStack() as stack:

        def begin(*names: str) -> dict[str, dict[str, Any]]:
            return stack.enter_context(running(dict.fromkeys(names, 0), tmp_path))

        yield begin


@pytest.fixture
def http() -> Iterator[requests.Session]:
    """A session that takes nothing from the environment."""
    with requests.Session() as session:
        session.trust_env = False
        yield session


@pytest.fixture(scope="module")
def dataverse(tmp_path_factory) -> Iterator[dict[str, Any]]:
    """One Dataverse sandbox for the tests of a file; what it prints when ready."""
    with running({"dynamics": 0}, tmp_path_factory.mktemp("dataverse")) as ready:
        yield ready["dynamics"]


@pytest.fixture
def crm(dataverse) -> Iterator[Crm]:
    """The writer on an empty environment at the machine's own time."""
    client = Crm(dataverse)
    client.control("reset")
    client.control("clock", {"set": None})
    yield client
    client.http.close()


@pytest.fixture(scope="module")
def sugarcrm(tmp_path_factory) -> Iterator[dict[str, Any]]:
    """One SugarCRM sandbox for the tests of a file; what it prints when ready."""
    with running({"sugarcrm": 0}, tmp_path_factory.mktemp("sugarcrm")) as ready:
        yield ready["sugarcrm"]


@pytest.fixture
def sugar(sugarcrm) -> Iterator[Sugar]:
    """The administrator on an empty server with our package, at the machine's own time."""
    control(sugarcrm, "reset")
    control(sugarcrm, "clock", {"set": None})
    client = Sugar(sugarcrm)
    yield client
    client.http.close()
