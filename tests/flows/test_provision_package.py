"""From a stock CRM that takes packages to one that the doctor finds nothing wrong with."""

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge.cli import doctor, install, provision
from tests.support.lone_worker import LoneWorker, lone_worker


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneWorker]:
    with lone_worker("suitecrm", tmp_path_factory.mktemp("stock")) as worker:
        yield worker


@pytest.fixture
def stock(running: LoneWorker) -> LoneWorker:
    assert running.control("POST", "package", json={"installed": False}).status_code == 200
    return running


def _install(stock: LoneWorker, content: bytes) -> requests.Response:
    """As an administrator does it."""
    headers = {"Content-Type": "application/zip"}
    return stock.control("POST", "package", data=content, headers=headers)


def _document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def _failures(stock: LoneWorker, capsys: pytest.CaptureFixture[str]) -> list[str]:
    doctor.run("worker", True, stock.environ)
    return [c["name"] for c in _document(capsys)["checks"] if c["state"] == "failed"]


def test_a_package_takes_a_stock_server_to_a_green_doctor(
    stock: LoneWorker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Plan, package, install, apply: the doctor fails before, and finds nothing after."""
    assert provision.plan("worker", True, stock.environ) == 1
    missing = [n for n in _document(capsys)["needs"] if n["trouble"]]
    assert {n["name"] for n in missing if n["what"] == "table"} == {"cb_identity", "cb_consent"}
    assert {"cb_version_c", "cb_credential_c"} <= {n["name"] for n in missing}
    assert "CRM, table cb_identity" in _failures(stock, capsys)
    assert install.apply(True, stock.environ) == 1
    assert "--package" in _document(capsys)["trouble"]

    assert install.package(tmp_path / "out.zip", stock.environ) == 0
    assert "Module Loader" in capsys.readouterr().out
    assert _install(stock, (tmp_path / "out.zip").read_bytes()).status_code == 200

    assert _failures(stock, capsys) == ["CRM, identity check row"]
    assert install.apply(True, stock.environ) == 0
    assert _document(capsys) == {"ok": True, "made": [], "left": [], "check_row": True,
                                 "notes": [], "trouble": ""}  # fmt: skip
    assert _failures(stock, capsys) == []
    assert install.apply(True, stock.environ) == 0


def test_a_package_installed_again_keeps_the_members(
    stock: LoneWorker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is deleted by an installation over a server that has records."""
    assert install.package(tmp_path / "out.zip", stock.environ) == 0
    content = (tmp_path / "out.zip").read_bytes()
    _install(stock, content)
    assert install.apply(True, stock.environ) == 0
    _install(stock, content)
    capsys.readouterr()

    assert _failures(stock, capsys) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"'module',", b"'theme', ", "type must be module"),
        (b"extends Basic", b"extends Other", "no class of a bean"),
        (b"^7\\\\.1[0-9]\\\\.", b"^9\\\\.1[0-9]\\\\.", "not for 7.14.6"),
        (b"return $interface", b"exec('ls'); // ", "scanner refuses"),
        (b"<?php", b"<?php if (!defined('sugarEntry')) die;", "scanner refuses"),
    ],
)
def test_what_the_module_loader_refuses_changes_nothing(
    stock: LoneWorker, tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    """A package that SuiteCRM's loader wouldn't take is refused by the sandbox's too."""
    assert install.package(tmp_path / "out.zip", stock.environ) == 0
    content = (tmp_path / "out.zip").read_bytes()

    answer = _install(stock, _changed(content, old, new))

    assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text
    assert provision.plan("worker", True, stock.environ) == 1


def _changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The same zip with one text in one of its files replaced."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(made, "w") as out:
        for name in given.namelist():
            out.writestr(name, given.read(name).replace(old, new))
    return made.getvalue()
