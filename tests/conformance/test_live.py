"""The suite as it runs against a live system: one that holds other people's rows, that is ours to
reset in nothing, and that is left as it was. The sandboxes stand for one."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.conformance import Conformance, World
from adapters.conformance.live import LIVE, LiveWorld
from tests.conformance.conftest import ROOT, Sandbox
from tests.conformance.sugarcrm import sugarcrm
from tests.conformance.suitecrm import suitecrm

__all__ = ["sugarcrm", "suitecrm"]

STRANGERS: dict[str, dict[str, Any]] = {
    "dynamics": {
        "contacts": [
            {"lastname": "Lee", "firstname": "Ann", "emailaddress1": "a@example.com"},
            {"lastname": "Lee", "emailaddress1": "a@example.com", "externaluseridentifier": "Abc"},
        ],
        "cb_consents": [{"cb_purpose": "a", "cb_textversion": "1"}],
    },
    "suitecrm": {
        "Contacts": [
            {"last_name": "Lee", "first_name": "Ann", "email1": "a@example.com"},
            {"last_name": "Lee", "email1": "a@example.com", "cb_subject_c": "Abc"},
        ],
        "cb_consent": [{"cb_purpose_c": "a", "cb_textversion_c": "1"}],
    },
    "sugarcrm": {
        "Contacts": [
            {"last_name": "Lee", "first_name": "Ann"},
            {"last_name": "Lee", "cb_subject_c": "Abc"},
        ],
    },
}


CREDENTIAL = {"sugarcrm": ("username", "password")}


def _environ(name: str, sandbox: Sandbox) -> dict[str, str]:
    """As who tries it would set them."""
    live, ready = LIVE[name], dict(sandbox.ready)
    if name == "dynamics":
        ready |= ready["writer"]
    named = (*live.options, *CREDENTIAL.get(name, ("client_id", "client_secret")))
    return {live.variable(each): str(ready[each]) for each in named if each in ready}


def _live(name: str, sandbox: Sandbox, tokens: Path) -> Iterator[World]:
    """A world with strangers in it, of which the same rows are there afterwards, and no others."""
    sandbox.control("POST", "reset")
    sandbox.control("POST", "seed", STRANGERS[name])
    world = LiveWorld(LIVE[name], tokens, _environ(name, sandbox))
    before = _rows(world)
    yield world
    assert _rows(world) == before


def _rows(world: World) -> dict[str, set[str]]:
    crm = world.adapter()
    found = {
        kind: {row.id for row in crm.query(kind, (), (), limit=200).rows}
        for kind in world.mapping.kinds
    }
    crm.close()
    return found


@pytest.fixture(scope="class")
def live_dynamics(dataverse: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With other rows in it."""
    yield from _live("dynamics", dataverse, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="class")
def live_suitecrm(suitecrm: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With other rows in it."""
    yield from _live("suitecrm", suitecrm, tmp_path_factory.mktemp("tokens"))


@pytest.fixture(scope="class")
def live_sugarcrm(sugarcrm: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """With other rows in it."""
    yield from _live("sugarcrm", sugarcrm, tmp_path_factory.mktemp("tokens"))


class TestDynamicsLive(Conformance):
    """All clauses that disturb nothing."""

    @pytest.fixture
    def world(self, live_dynamics: World) -> World:
        """The same for all tests."""
        return live_dynamics


class TestSuiteCrmLive(Conformance):
    """All clauses that disturb nothing."""

    @pytest.fixture
    def world(self, live_suitecrm: World) -> World:
        """The same for all tests."""
        return live_suitecrm


class TestSugarCrmLive(Conformance):
    """All clauses that disturb nothing."""

    @pytest.fixture
    def world(self, live_sugarcrm: World) -> World:
        """The same for all tests."""
        return live_sugarcrm


def _command(environ: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if "BRIDGE_LIVE" not in name}
    command = [sys.executable, "-m", "adapters.conformance", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=clean | environ, capture_output=True, text=True, check=False
    )


def test_one_command(suitecrm: Sandbox) -> None:
    """Variables and a name are enough; what the server lacks is listed; pytest's status counts."""
    suitecrm.control("POST", "package", {"installed": False})
    try:
        done = _command(
            _environ("suitecrm", suitecrm), "suitecrm", "-k", "ping or booleans or erase"
        )
    finally:
        suitecrm.control("POST", "package", {"installed": True})

    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed, 2 skipped" in done.stdout
    assert "this server has no consent.granted" in done.stdout


@pytest.mark.parametrize("name", sorted(LIVE))
def test_missing_variables_are_named(name: str) -> None:
    """Without them nothing is run, and each that is needed is named; a secret isn't shown."""
    live = LIVE[name]
    done = _command({live.variable("client_secret"): "Canary7Zq"}, name)

    assert done.returncode == 64
    assert live.variable("url") in done.stderr
    assert set(live.variables()) <= set(done.stderr.replace(",", " ").split())
    assert "passed" not in done.stdout
    assert "Canary7Zq" not in done.stderr


def test_an_unknown_name() -> None:
    """The names that are known are listed."""
    done = _command({}, "nosuch")

    assert done.returncode == 64
    assert all(name in done.stderr for name in LIVE)
