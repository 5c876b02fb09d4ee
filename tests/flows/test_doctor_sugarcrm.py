"""The doctor on SugarCRM: what is its own, the platform, the password and the reader's rights."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bridge.cli import doctor, install
from bridge.keys import Role
from tests.support.lone_worker import LoneWorker, lone_worker

NO_WORKER = {"fit"}
"""Fails for the web tier here, where no worker runs."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneWorker]:
    with lone_worker("sugarcrm", tmp_path_factory.mktemp("sugar")) as made:
        assert install.apply(True, made.environ) == 0
        yield made


@pytest.fixture
def failures(worker: LoneWorker, capsys: pytest.CaptureFixture[str]) -> Any:
    """`failures(role, **variables)`: {check: what, and what to do} of all that fails."""

    def look(role: Role, **changes: str) -> dict[str, str]:
        capsys.readouterr()
        doctor.run(role, True, worker.environ_of(role) | changes)
        checks = json.loads(capsys.readouterr().out)["checks"]
        wrong = (c for c in checks if c["state"] == "failed" and c["name"] not in NO_WORKER)
        return {c["name"]: f"{c['what']} → {c['do']}" for c in wrong}

    return look


@pytest.mark.parametrize("role", ["web", "worker"])
def test_all_is_well(failures: Any, role: Role) -> None:
    """On the sandbox as it is nothing fails for either role."""
    assert failures(role) == {}


@pytest.mark.parametrize(
    "changes",
    [
        {"BRIDGE_CRM__OPTIONS__PLATFORM": "not_registered"},
        {"BRIDGE_CRM__CREDENTIAL__PASSWORD": "wrong-83xk"},
    ],
)
def test_a_platform_that_isnt_registered_is_told(failures: Any, changes: dict[str, str]) -> None:
    """As bad credentials, with the place where platforms are registered; nothing else is tried."""
    found = failures("worker", **changes)

    assert set(found) == {"CRM, user"}
    assert "Configure API Platforms" in found["CRM, user"]
    assert "83xk" not in str(found)


def test_a_reader_that_may_write_is_found(failures: Any, worker: LoneWorker) -> None:
    """By trying, in every module."""
    rights = {name: {"denied": {}} for name in ("reader",)}
    before = worker.control("POST", "users", json=rights)
    try:
        found = failures("web")
    finally:
        worker.control("POST", "reset")
        assert install.apply(True, worker.environ) == 0

    assert before.status_code == 200, before.text
    modules = ("Contacts", "cb_identity", "cb_consent")
    assert set(found) == {f"CRM, the reader can't write {module}" for module in modules}
