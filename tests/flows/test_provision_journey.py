"""From an empty CRM to a member, a command each: provision, doctor, journey; once for each CRM."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge.cli import doctor, install, provision
from bridge.cli.journey import Journey
from bridge.cli.line import Line
from bridge.cli.walk import Walk
from bridge.keys import Role


def control(line: Line, path: str, **given: Any) -> requests.Response:
    """One call to the control plane of the CRM's sandbox."""
    url = f"{line.crm['url']}/_sandbox/{path}"
    return requests.post(url, verify=line.crm["ca_file"], timeout=10, **given)


def by_package(line: Line) -> None:
    """A stock server, the package installed by its administrator, and the command again."""
    environ = line.environ("worker")
    assert control(line, "package", json={"installed": False}).status_code == 200
    assert provision.plan("worker", True, environ) == 1
    out = Path(line.directory) / "bridge.zip"
    assert install.package(out, environ) == 0
    content = {"data": out.read_bytes(), "headers": {"Content-Type": "application/zip"}}
    assert control(line, "package", **content).status_code == 200
    assert install.apply(True, environ) == 0


def by_api(line: Line) -> None:
    """An empty tenant, and an administrator's credential for one command."""
    assert control(line, "tenant", json={"kind": "stock"}).status_code == 200
    control(line, "keys", json={"seconds": 0.0})
    administrator = line.crm["administrator"]
    once = {f"PROVISION_{name.upper()}": value for name, value in administrator.items()}
    environ = line.environ("worker") | once
    environ["PROVISION_READER"] = line.crm["reader"]["client_id"]
    assert install.apply(True, environ) == 0


READY = {"dynamics": by_api, "sugarcrm": by_package, "suitecrm": by_package}


@pytest.fixture(scope="module", params=READY)
def line(request: pytest.FixtureRequest) -> Iterator[Line]:
    with Line(crm=request.param, prepare=READY[request.param]) as running:
        yield running


@pytest.mark.parametrize("role", ["web", "worker"])
def test_the_doctor_finds_nothing_wrong(
    line: Line, role: Role, capsys: pytest.CaptureFixture[str]
) -> None:
    """After provisioning, every check of either role holds."""
    status = doctor.run(role, True, line.environ(role))

    checks = json.loads(capsys.readouterr().out)["checks"]
    assert [c for c in checks if c["state"] == "failed"] == []
    assert status == 0
    names = {c["name"] for c in checks if c["state"] == "ok"}
    assert "CRM, identity check row" in names
    assert role == "worker" or any("the reader can't write" in name for name in names)


def test_a_member_goes_all_the_way(line: Line) -> None:
    """From the store's code to signing out, on what provisioning made."""
    done = [title for title, do in Walk(Journey(line)).steps() if do()]

    assert len(done) == 10
