"""From a stock CRM that takes packages to one that the doctor finds nothing wrong with."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge import keys
from bridge.cli import doctor, install, provision
from bridge.cli.embedded import Embedded
from bridge.cli.line import ROOT

Environ = dict[str, str]


class Stock:
    """A SuiteCRM without our package, and the variables of a worker that is pointed at it."""

    def __init__(self, directory: Path, ready: dict[str, Any], redis: Embedded) -> None:
        self.ready = ready
        keys.make(directory / "keys")
        (directory / "more.yaml").write_text("crm: {requires: [], mapping: mappings/suitecrm.yaml}")
        self.environ: Environ = {
            "BRIDGE_ENVIRONMENT": "sandbox",
            "BRIDGE_CONFIG": str(directory / "more.yaml"),
            "BRIDGE_ISSUER": "http://127.0.0.1:1",
            "BRIDGE_REDIS__TOKENS_URL": redis.url("tokens", "worker"),
            "BRIDGE_REDIS__QUEUE_URL": redis.url("queue", "worker"),
            "BRIDGE_KEYS__DIRECTORY": str(directory / "keys" / "worker"),
            "BRIDGE_CRM__ADAPTER": "suitecrm",
            "BRIDGE_CRM__OPTIONS__URL": ready["url"],
            "BRIDGE_CRM__OPTIONS__CA_FILE": ready["ca_file"],
            "BRIDGE_CRM__CREDENTIAL__CLIENT_ID": ready["client_id"],
            "BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET": ready["client_secret"],
        }

    def package(self, content: bytes | None) -> requests.Response:
        """Install it, as an administrator would; None: a stock server again."""
        given: dict[str, Any] = {"json": {"installed": False}}
        if content is not None:
            given = {"data": content, "headers": {"Content-Type": "application/zip"}}
        url = f"{self.ready['url']}/_sandbox/package"
        return requests.post(url, verify=self.ready["ca_file"], timeout=10, **given)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stock]:
    directory = tmp_path_factory.mktemp("stock")
    command = [sys.executable, "-m", "sandbox", "suitecrm", "--with-parent"]
    redis = Embedded(directory / "redis")
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield Stock(directory, json.loads(process.stdout.readline())["suitecrm"], redis)
        process.communicate()
    redis.stop()


@pytest.fixture
def stock(running: Stock) -> Stock:
    assert running.package(None).status_code == 200
    return running


def _document(capsys: pytest.CaptureFixture[str]) -> Any:
    return json.loads(capsys.readouterr().out)


def _failures(stock: Stock, capsys: pytest.CaptureFixture[str]) -> list[str]:
    doctor.run("worker", True, stock.environ)
    return [c["name"] for c in _document(capsys)["checks"] if c["state"] == "failed"]


def test_a_package_takes_a_stock_server_to_a_green_doctor(
    stock: Stock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
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
    assert stock.package((tmp_path / "out.zip").read_bytes()).status_code == 200

    assert _failures(stock, capsys) == ["CRM, identity check row"]
    assert install.apply(True, stock.environ) == 0
    assert _document(capsys) == {"ok": True, "made": [], "left": [], "check_row": True,
                                 "trouble": ""}  # fmt: skip
    assert _failures(stock, capsys) == []
    assert install.apply(True, stock.environ) == 0


def test_a_package_installed_again_keeps_the_members(
    stock: Stock, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is deleted by an installation over a server that has records."""
    assert install.package(tmp_path / "out.zip", stock.environ) == 0
    content = (tmp_path / "out.zip").read_bytes()
    stock.package(content)
    assert install.apply(True, stock.environ) == 0
    stock.package(content)
    capsys.readouterr()

    assert _failures(stock, capsys) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b"'module',", b"'theme', ", "type must be module"),
        (b"extends Basic", b"extends Other", "no class of a bean"),
        (b"^7\\\\.1[0-9]\\\\.", b"^9\\\\.1[0-9]\\\\.", "not for 7.14.6"),
        (b"return $interface", b"exec('ls'); // ", "scanner refuses"),
    ],
)
def test_what_the_module_loader_refuses_changes_nothing(
    stock: Stock, tmp_path: Path, old: bytes, new: bytes, said: str
) -> None:
    """A package that SuiteCRM's loader wouldn't take is refused by the sandbox's too."""
    assert install.package(tmp_path / "out.zip", stock.environ) == 0
    content = (tmp_path / "out.zip").read_bytes()

    answer = stock.package(_changed(content, old, new))

    assert (answer.status_code, said in answer.json()["error"]) == (400, True), answer.text
    assert provision.plan("worker", True, stock.environ) == 1


def _changed(content: bytes, old: bytes, new: bytes) -> bytes:
    """The same zip with one text in one of its files replaced."""
    import io
    import zipfile

    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(made, "w") as out:
        for name in given.namelist():
            out.writestr(name, given.read(name).replace(old, new))
    return made.getvalue()
