"""The doctor on SuiteCRM: each planted mistake found and named, without a line around it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.cli import doctor, install
from bridge.cli.line import ROOT
from bridge.keys import Role
from tests.support.lone_worker import LoneWorker, lone_worker

NO_WORKER = {"fit"}
"""Fails for the web tier here, where no worker runs."""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneWorker]:
    with lone_worker("suitecrm", tmp_path_factory.mktemp("suite")) as made:
        assert install.apply(True, made.environ) == 0
        yield made


class Doctor:
    """Runs the command in this process."""

    def __init__(self, worker: LoneWorker, capsys: pytest.CaptureFixture[str]) -> None:
        self.worker, self._capsys = worker, capsys

    def failures(self, role: Role, **changes: str) -> dict[str, str]:
        """{check: what, and what to do} of all that fails."""
        self._capsys.readouterr()
        doctor.run(role, True, self.worker.environ_of(role) | changes)
        checks: list[dict[str, Any]] = json.loads(self._capsys.readouterr().out)["checks"]
        return {
            c["name"]: f"{c['what']} → {c['do']}"
            for c in checks
            if c["state"] == "failed" and c["name"] not in NO_WORKER
        }


@pytest.fixture
def sick(worker: LoneWorker, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(worker, capsys)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_all_is_well(sick: Doctor, role: Role) -> None:
    """On the sandbox as it is nothing fails for either role."""
    assert sick.failures(role) == {}


def test_a_wrong_secret_is_named_and_not_shown(sick: Doctor) -> None:
    """BadCredentials, with the place where SuiteCRM keeps its clients."""
    found = sick.failures("worker", BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET="not-it-83xk")

    assert set(found) == {"CRM, user"}
    assert "OAuth2 Clients" in found["CRM, user"]
    assert "83xk" not in str(found)


def test_a_reader_whose_role_may_write_is_found(sick: Doctor) -> None:
    """By trying, in every module; and one that may not even read is told which right it lacks."""
    rights = {"reader": {"rights": ["view", "edit", "delete"]}}
    sick.worker.control("POST", "users", json=rights)
    try:
        writing = sick.failures("web")
        sick.worker.control("POST", "users", json={"reader": {"rights": []}})
        blind = sick.failures("web")
    finally:
        sick.worker.control("POST", "users", json={"reader": {"rights": ["view"]}})

    modules = ("Contacts", "cb_identity", "cb_consent")
    assert set(writing) == {f"CRM, the reader can't write {module}" for module in modules}
    assert "removed again" in writing["CRM, the reader can't write Contacts"]
    assert "access-denied" in blind["CRM, identity check row"]
    assert "Role Management" in blind["CRM, identity check row"]


def test_what_the_mapping_names_and_the_server_lacks_is_listed(
    sick: Doctor, tmp_path: Path
) -> None:
    """A missing column, one too short, one of another type, a missing module, and the adapter's own
    column: each by its name."""
    document = yaml.safe_load((ROOT / "mappings/suitecrm.yaml").read_text())
    fields = document["kinds"]["member"]["fields"]
    fields["stamp"]["column"] = "cb_nothing_c"
    fields["credential"]["length"] = 500
    fields["points"]["column"] = "description"
    document["kinds"]["consent"]["table"] = "cb_nowhere"
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(document, allow_unicode=True))
    changes = {"BRIDGE_CRM__MAPPING": str(tmp_path / "m.yaml")}
    found = sick.failures("worker", BRIDGE_CRM__OPTIONS__VERSION_COLUMN="cb_other_c", **changes)

    assert found["CRM, column cb_nothing_c of Contacts"].startswith("missing")
    assert "holds 400 characters" in found["CRM, column cb_credential_c of Contacts"]
    assert "is text" in found["CRM, column description of Contacts"]
    assert found["CRM, column cb_other_c of cb_identity"].startswith("missing")
    assert found["CRM, table cb_nowhere"].startswith("missing")


def test_a_url_that_leads_elsewhere_is_told(sick: Doctor) -> None:
    """SuiteCRM 8 without `/legacy`, a proxy's page: something that isn't V8 answered."""
    url = f"{sick.worker.ready['url']}/elsewhere"
    found = sick.failures("worker", BRIDGE_CRM__OPTIONS__URL=url)

    assert set(found) == {"CRM, user"}
    assert "network, crm.options.url" not in found
