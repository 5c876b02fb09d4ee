"""Sandbox parts served in this process on free ports, torn down after each test."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests

from sandbox.kit.run import running


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
