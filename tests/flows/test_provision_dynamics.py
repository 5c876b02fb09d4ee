"""`provision --apply` against an empty Dataverse tenant: what it makes, and how it is cut off."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from bridge.cli import doctor, install, provision
from bridge.cli.line import ROOT
from tests.support.lone_worker import LoneWorker, lone_worker

Tenant = LoneWorker


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tenant]:
    with lone_worker("dynamics", tmp_path_factory.mktemp("tenant")) as worker:
        yield worker


@pytest.fixture
def tenant(running: Tenant) -> Iterator[Tenant]:
    """Empty, with a key index that is built at once."""
    running.control("POST", "tenant", json={"kind": "stock"})
    running.control("POST", "keys", json={"seconds": 0.0})
    running.control("DELETE", "faults")
    yield running
    running.control("DELETE", "faults")


class Command:
    """Runs `provision --apply` in this process, as an administrator."""

    def __init__(self, tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> None:
        self.tenant, self._capsys = tenant, capsys
        once = {f"PROVISION_{n.upper()}": v for n, v in tenant.ready["administrator"].items()}
        self.environ = tenant.environ | once
        self.environ["PROVISION_READER"] = tenant.ready["reader"]["client_id"]

    def apply(self, **changes: str) -> dict[str, Any]:
        """What it says; its status must say the same."""
        self._capsys.readouterr()
        self.tenant.control("DELETE", "requests")
        status = install.apply(True, self.environ | changes)
        captured = self._capsys.readouterr()
        for name, value in self.environ.items():
            if name.endswith("SECRET"):
                assert value not in captured.out + captured.err
        document: dict[str, Any] = json.loads(captured.out)
        assert (status == 0) is document["ok"]
        return document

    def sent(self) -> list[tuple[str, str]]:
        """(method, path) of what reached the Web API since the last `apply` began."""
        entries = self.tenant.control("GET", "requests").json()["requests"]
        return [(e["method"], e["path"]) for e in entries if e["path"].startswith("/api/")]

    def failures(self) -> list[str]:
        """What the doctor finds wrong for the worker."""
        doctor.run("worker", True, self.tenant.environ)
        checks = json.loads(self._capsys.readouterr().out)["checks"]
        return [c["name"] for c in checks if c["state"] == "failed"]


@pytest.fixture
def command(tenant: Tenant, capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(tenant, capsys)


def _mapping(tmp_path: Path, change: Callable[[Any], None]) -> str:
    document = yaml.safe_load((ROOT / "mappings/dynamics.yaml").read_text())
    change(document)
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    return str(path)


def test_a_second_run_makes_nothing(command: Command) -> None:
    """Everything is there after the first; the second only looks, and nothing is ever changed or
    removed."""
    first = command.apply()
    written = [each for each in command.sent() if each[0] != "GET"]
    second = command.apply()

    assert first["ok"]
    assert {"table cb_identity", "column cb_credential of contact", "key cb_subject_key",
            "privileges CRM bridge writer", "publisher cb"} <= set(first["made"])  # fmt: skip
    assert {method for method, _ in written} == {"POST"}
    assert second == {
        "ok": True,
        "made": [],
        "left": [],
        "check_row": True,
        "notes": [],
        "trouble": "",
    }
    assert {method for method, _ in command.sent()} == {"GET"}
    assert command.failures() == []


@pytest.mark.parametrize("kind", ["cut_before", "cut_after"])
def test_a_run_that_was_cut_off_is_taken_up(command: Command, kind: str) -> None:
    """It stops where the way breaks, whether or not that step was done; the next run does the rest
    and nothing twice."""
    match = {"method": "POST", "path_regex": "cb_identity'\\)/Attributes"}
    rule = {"kind": kind, "match": match, "skip": 2}
    assert command.tenant.control("POST", "faults", json=rule).status_code == 200

    broken = command.apply()
    assert "unreachable" in broken["trouble"]
    assert not broken["check_row"]
    rest = command.apply()

    assert rest["ok"]
    assert set(broken["made"]) & set(rest["made"]) <= {"publishing what was made"}
    assert command.failures() == []


def test_what_is_there_and_too_small_is_told_and_left(command: Command, tmp_path: Path) -> None:
    """A column that is too short, and a missing one of somebody else's, aren't touched; the check
    row waits until they are mended."""
    assert command.apply()["ok"]

    def change(document: Any) -> None:
        fields = document["kinds"]["member"]["fields"]
        fields["stamp"]["length"] = 90
        fields["registered_store"]["column"] = "other_store"

    result = command.apply(BRIDGE_CRM__MAPPING=_mapping(tmp_path, change))

    assert (result["made"], result["check_row"]) == ([], False)
    assert {(n["name"], n["trouble"]) for n in result["left"]} == {
        ("cb_stamp", "holds 64 characters"),
        ("other_store", "missing"),
    }
    assert {method for method, _ in command.sent()} == {"GET"}


def test_a_word_more_is_an_option_more(command: Command, tmp_path: Path) -> None:
    """A choice of ours gets the value that the mapping has now, and keeps the others."""
    assert command.apply()["ok"]

    def change(document: Any) -> None:
        document["kinds"]["member"]["fields"]["tier"]["options"]["gold"] = 534120009

    result = command.apply(BRIDGE_CRM__MAPPING=_mapping(tmp_path, change))

    assert result["ok"]
    assert "option 534120009 of cb_tier" in result["made"]
    assert command.failures() == []


def test_a_key_is_waited_for(command: Command) -> None:
    """The run ends when the index is active, not when it was asked for; one that another run asked
    for is waited for, too."""
    command.tenant.control("POST", "keys", json={"seconds": 1.5})
    assert command.apply()["ok"]
    assert command.failures() == []


def test_a_key_that_isnt_built_yet_is_no_key_for_the_doctor(command: Command) -> None:
    """Cut off while it waits, the command leaves a key that is Pending: the doctor says so, and the
    next run waits for that same key."""
    command.tenant.control("POST", "keys", json={"seconds": 3600.0})
    asking = {"method": "GET", "path_regex": "select=SchemaName,EntityKeyIndexStatus"}
    rule = {"kind": "cut_before", "match": asking, "times": 2}
    assert command.tenant.control("POST", "faults", json=rule).status_code == 200
    assert "unreachable" in command.apply()["trouble"]

    assert "CRM, key cb_subject_key of contact" in command.failures()
    command.tenant.control("POST", "clock", json={"advance": 3600})
    try:
        rest = command.apply()
    finally:
        command.tenant.control("POST", "clock", json={"set": None})

    assert rest["ok"]
    assert "key cb_subject_key" not in rest["made"]


def test_only_the_bridges_own_users_see_the_credential(command: Command) -> None:
    """The column is secured; each user's profile allows what its role does, and no more."""
    assert command.apply()["ok"]
    crm, place = command.tenant.ready, "/api/data/v9.2/"
    admin = _session(command.tenant, crm["administrator"])

    rows = admin(
        f"{place}fieldpermissions?$select=attributelogicalname,canread,cancreate,canupdate"
    )
    column = (
        f"{place}EntityDefinitions(LogicalName='contact')/Attributes(LogicalName='cb_credential')"
    )

    allowed = sorted(
        (r["canread"], r["cancreate"] or 0, r["canupdate"] or 0) for r in rows["value"]
    )
    assert {r["attributelogicalname"] for r in rows["value"]} == {"cb_credential"}
    assert allowed == [(4, 0, 0), (4, 4, 4)]
    assert admin(f"{column}?$select=IsSecured")["IsSecured"] is True


def _session(tenant: Tenant, user: dict[str, str]) -> Callable[[str], Any]:
    """GETs as this application user."""
    crm = tenant.ready
    place = crm["authority"].rstrip("/").removesuffix(f"/{crm['tenant']}")
    form = {
        "grant_type": "client_credentials",
        "client_id": user["client_id"],
        "client_secret": user["client_secret"],
        "scope": f"{crm['url']}/.default",
    }
    http = requests.Session()
    http.trust_env = False
    http.verify = crm["ca_file"]
    token = http.post(f"{place}/{crm['tenant']}/oauth2/v2.0/token", data=form, timeout=5).json()
    http.headers["Authorization"] = f"Bearer {token['access_token']}"
    return lambda path: http.get(f"{crm['url']}{path}", timeout=5).json()


def test_who_is_no_administrator_is_told_so(command: Command) -> None:
    """Without a credential for it the command says what it needs; with one that may not make
    tables it stops with Dataverse's own code. Neither makes anything."""
    del command.environ["PROVISION_CLIENT_SECRET"], command.environ["PROVISION_CLIENT_ID"]
    assert "PROVISION_CLIENT_ID" in command.apply()["trouble"]

    writer = command.tenant.ready["writer"]
    result = command.apply(
        PROVISION_CLIENT_ID=writer["client_id"], PROVISION_CLIENT_SECRET=writer["client_secret"]
    )

    assert "0x80040220" in result["trouble"]
    assert result["made"] == []


def test_a_user_that_gets_no_role_is_told(command: Command) -> None:
    """One whose client id isn't known, and one that nobody has made in the environment."""
    stranger = command.tenant.ready["stranger"]["client_id"]
    del command.environ["PROVISION_READER"]
    silent, wrong = command.apply(), command.apply(PROVISION_READER=stranger)

    assert silent["ok"]
    assert silent["notes"] == ["the reader's client id isn't known, so it gets no role"]
    assert wrong["notes"] == ["the reader has no application user: make it, then run this again"]
    assert wrong["made"] == []


def test_a_secret_may_stand_in_a_file(command: Command, tmp_path: Path) -> None:
    """`PROVISION_…_FILE`, as for every other secret; one that isn't there is named."""
    secret = command.environ.pop("PROVISION_CLIENT_SECRET")
    (tmp_path / "secret").write_text(f"{secret}\n")

    missing = command.apply(PROVISION_CLIENT_SECRET_FILE=str(tmp_path / "nowhere"))
    assert missing["trouble"] == "PROVISION_CLIENT_SECRET_FILE: can't be read"
    assert command.apply(PROVISION_CLIENT_SECRET_FILE=str(tmp_path / "secret"))["ok"]


def test_the_plan_says_what_apply_will_make(
    command: Command, capsys: pytest.CaptureFixture[str]
) -> None:
    """Before it everything of ours is missing, after it nothing."""
    assert provision.plan("worker", True, command.tenant.environ) == 1
    missing = {n["name"] for n in json.loads(capsys.readouterr().out)["needs"] if n["trouble"]}
    assert {"cb_identity", "cb_consent", "cb_subject_key", "_cb_member_value"} <= missing
    assert "firstname" not in missing

    assert command.apply()["ok"]
    assert provision.plan("worker", True, command.tenant.environ) == 0
