"""The doctor on the running line: green as it is, and each planted mistake found and named.

No output ever holds a secret, whatever is wrong.
"""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests
import yaml

from bridge import keys
from bridge.cli import doctor, provision, remote_checks
from bridge.cli.line import ROOT, Line, free_port
from bridge.keys import Role
from tests.support.valkey import bare

SECRET = ("SECRET", "TOKEN", "_URL", "AES_KEY", "PASSWORD")
TABLES = ("contact", "cb_identity", "cb_consent")
Environ = dict[str, str]


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    with Line() as running:
        assert provision.write_check_row(running.environ("worker")) == 0
        yield running


class Doctor:
    """Runs the command in this process; holds every output to showing no secret."""

    def __init__(self, line: Line, capsys: pytest.CaptureFixture[str]) -> None:
        self.line, self._capsys = line, capsys

    def text(self, role: Role, **changes: str) -> tuple[int, str]:
        """Status and output of the checklist."""
        environ = {**self.line.environ(role), **changes}
        self._capsys.readouterr()
        status = doctor.run(role, False, environ)
        return status, self._clean(environ)

    def failures(self, role: Role, *, try_writes: bool = False, **changes: str) -> dict[str, str]:
        """{check: what, and what to do} of all that fails."""
        environ = {**self.line.environ(role), **changes}
        self._capsys.readouterr()
        status = doctor.run(role, True, environ, try_writes=try_writes)
        document: dict[str, Any] = json.loads(self._clean(environ))
        found = {c["name"]: f"{c['what']} → {c['do']}" for c in document["checks"]
                 if c["state"] == "failed"}  # fmt: skip
        assert (status, document["ok"]) == ((1, False) if found else (0, True))
        return found

    def _clean(self, environ: Environ) -> str:
        captured = self._capsys.readouterr()
        for name, value in environ.items():
            if name.startswith("BRIDGE_") and name.endswith(SECRET) and "//" not in value:
                assert value not in captured.out + captured.err, name
            if name.startswith("BRIDGE_REDIS") and "@" in value:
                assert value.split("@")[0].split(":")[-1] not in captured.out + captured.err
        assert "?" not in captured.out
        return captured.out


@pytest.fixture
def sick(line: Line, capsys: pytest.CaptureFixture[str]) -> Doctor:
    return Doctor(line, capsys)


def _control(line: Line, users: dict[str, Any]) -> None:
    crm = line.sandbox["dynamics"]
    answer = requests.post(
        f"{crm['url']}/_sandbox/users", json=users, verify=crm["ca_file"], timeout=5
    )
    assert answer.status_code == 200, answer.text


def _sandbox(line: Line, part: str, path: str, document: Any) -> None:
    """One change by a part's control plane."""
    ready = line.sandbox[part]
    answer = requests.post(f"{ready['url']}/_sandbox/{path}", json=document,
                           verify=ready.get("ca_file", True), timeout=5)  # fmt: skip
    assert answer.status_code == 200, answer.text


def _mapping(tmp_path: Path, change: Any) -> str:
    document = yaml.safe_load((ROOT / "mappings/dynamics.yaml").read_text())
    change(document["kinds"])
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(document, allow_unicode=True))
    return str(path)


@pytest.mark.parametrize("role", ["web", "worker"])
def test_all_is_well_on_the_line(sick: Doctor, role: Role) -> None:
    """Both roles pass on the line as it is, and what matters to each was looked at."""
    status, said = sick.text(role)

    assert status == 0, said
    assert "✗" not in said
    wanted = {
        "web": ("LRANGE, LPOP, DEL, RPUSH, PUBLISH, SCAN", "the reader can't write contact",
                "✓ WeChat, token", "✓ WeChat, callback", "✓ fit"),
        "worker": ("✓ queue Redis, appendfsync: always", "✓ queue Redis, notify-keyspace-events",
                   "✓ gateway, sms", "✓ gateway, mail", "✓ tokens Redis, held apart"),
    }  # fmt: skip
    both = ("✓ CRM, user", "✓ CRM, clock", "✓ CRM, table contact", "✓ CRM, identity check row")
    for each in (*wanted[role], *both):
        assert each in said


def test_the_doctors_own_redis_user_sees_what_no_role_may(sick: Doctor) -> None:
    """With the ACL's doctor user, settings and clocks of both servers are told to either role."""
    assert sick.line.redis is not None
    urls = {
        "DOCTOR_TOKENS_URL": sick.line.redis.url("tokens", "doctor"),
        "DOCTOR_QUEUE_URL": sick.line.redis.url("queue", "doctor"),
    }

    status, said = sick.text("web", **urls)

    assert status == 0
    assert "✓ tokens Redis, maxmemory-policy: noeviction" in said
    assert "✓ queue Redis, clock" in said
    assert "0 to look at" in said


def test_a_wrong_secret_is_named_though_a_good_token_waits_in_the_cache(sick: Doctor) -> None:
    """The doctor fetches a token of its own, and repeats the authority's number."""
    found = sick.failures("web", BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET="wrong-secret-83xk")

    assert set(found) == {"CRM, user"}
    assert "AADSTS7000215" in found["CRM, user"]
    assert "Certificates & secrets" in found["CRM, user"]


def test_a_missing_application_user_says_how_to_add_it(sick: Doctor) -> None:
    """0x80072560 comes with the way to the form where the user is made."""
    stranger = sick.line.sandbox["dynamics"]["stranger"]
    found = sick.failures(
        "worker",
        BRIDGE_CRM__CREDENTIAL__CLIENT_ID=stranger["client_id"],
        BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET=stranger["client_secret"],
    )

    assert set(found) == {"CRM, user"}
    assert "0x80072560" in found["CRM, user"]
    assert "New app user" in found["CRM, user"]


def test_a_wrong_tenant_and_an_unreachable_authority_are_told_apart(sick: Doctor) -> None:
    """The tenant is named by the authority's number, the host by its name."""
    authority = sick.line.sandbox["dynamics"]["authority"]
    host = "/".join(authority.split("/")[:3])
    tenant = sick.failures(
        "web",
        BRIDGE_CRM__OPTIONS__TENANT="6a1f0b52-0d5e-4c1e-9d2f-3f7c1f0a9bff",
        BRIDGE_CRM__OPTIONS__AUTHORITY=host,
    )
    away = sick.failures("web", BRIDGE_CRM__OPTIONS__AUTHORITY=f"https://127.0.0.1:{free_port()}")

    assert "AADSTS90002" in tenant["CRM, user"]
    assert "network, crm.options.authority" not in tenant
    assert "can't be reached" in away["network, crm.options.authority"]
    assert "unreachable" in away["CRM, user"]


def test_a_missing_privilege_is_named_with_its_table(sick: Doctor) -> None:
    """A role without Read on a table, and one without the secured column, is found by reading."""
    _control(sick.line, {"reader": {"privileges": {"*": ["Read"], "cb_consent": []}}})
    try:
        found = sick.failures("web")
    finally:
        _control(sick.line, {"reader": {"privileges": {"*": ["Read"]}}})

    assert "0x80040220" in found["CRM, reading cb_consent"]
    assert not {"CRM, reading contact", "CRM, reading cb_identity"} & set(found)


def test_a_reader_that_can_write_is_found_and_leaves_nothing(sick: Doctor) -> None:
    """The proof is by trying; the empty record is removed again."""
    crm = sick.line.sandbox["dynamics"]
    state = f"{crm['url']}/_sandbox/state"
    before = requests.get(state, verify=crm["ca_file"], timeout=5).json()["tables"]["contacts"]
    _control(sick.line, {"reader": {"privileges": {"*": ["Read", "Create", "Write", "Delete"]}}})
    try:
        found = sick.failures("web")
    finally:
        _control(sick.line, {"reader": {"privileges": {"*": ["Read"]}}})
    after = requests.get(state, verify=crm["ca_file"], timeout=5).json()["tables"]["contacts"]

    assert set(found) == {
        f"CRM, the reader can't write {table}" for table in ("contact", "cb_identity", "cb_consent")
    }
    assert "removed again" in found["CRM, the reader can't write contact"]
    assert after == before


def test_what_the_mapping_names_and_the_crm_lacks_is_listed(sick: Doctor, tmp_path: Path) -> None:
    """Column, type, option, key and relationship: all of them at once, each by its name."""

    def change(kinds: Any) -> None:
        member = kinds["member"]
        member["ext"]["favourite_model"]["column"] = "cb_nothing"
        member["fields"]["points"]["column"] = "description"
        member["fields"]["tier"]["options"]["gold"] = 534120009
        member["fields"]["subject"]["key"] = "cb_no_key"
        member["fields"]["stamp"]["column"] = "address1_postalcode"
        member["collections"]["consents"] = "cb_no_way"

    found = sick.failures("web", BRIDGE_CRM__MAPPING=_mapping(tmp_path, change))

    assert found["CRM, column cb_nothing of contact"].startswith("missing")
    assert "is Memo" in found["CRM, column description of contact"]
    assert "no option 534120009" in found["CRM, column cb_tier of contact"]
    assert "holds 20 characters" in found["CRM, column address1_postalcode of contact"]
    assert "CRM, key cb_no_key of contact" in found
    assert "CRM, relationship cb_no_way of contact" in found


def test_a_table_that_goes_by_another_entity_set_is_named(sick: Doctor, tmp_path: Path) -> None:
    """The set that the mapping names and the CRM's own are told apart, beside what reading says."""
    path = _mapping(tmp_path, lambda kinds: kinds["consent"].update(entity_set="cb_consent"))
    found = sick.failures("worker", BRIDGE_CRM__MAPPING=path)

    assert found["CRM, table cb_consent"].startswith("its entity set is cb_consents")
    assert "0x8006088a" in found["CRM, reading cb_consent"]


def test_a_clock_that_went_astray_is_found(sick: Doctor) -> None:
    """Ten minutes between the CRM and us are told, with the direction."""
    _sandbox(sick.line, "dynamics", "clock", {"advance": 600})
    try:
        found = sick.failures("worker")
    finally:
        _sandbox(sick.line, "dynamics", "clock", {"set": None})

    assert set(found) == {"CRM, clock"}
    assert "ahead of ours" in found["CRM, clock"]
    assert "NTP" in found["CRM, clock"]


def test_a_certificate_that_nobody_trusts_is_told_from_a_dead_host(
    sick: Doctor, tmp_path: Path
) -> None:
    """TLS is looked at by itself: the network's line says what the CRM's can't."""
    (tmp_path / "none.pem").write_text("no certificate\n")
    found = sick.failures("web", BRIDGE_CRM__OPTIONS__CA_FILE=certifi.where())
    broken = sick.failures("web", BRIDGE_CRM__OPTIONS__CA_FILE=str(tmp_path / "none.pem"))

    assert "isn't trusted" in found["network, crm.options.url"]
    assert "crm.options.ca_file" in found["network, crm.options.url"]
    assert "CA file can't be read" in broken["network, crm.options.url"]
    assert "ca-file" in broken["CRM"]


def test_what_the_writer_may_not_do_is_found_by_trying(sick: Doctor) -> None:
    """Removing is tried on a record that isn't there; all of it, with an empty record, where asked
    for; and nothing is left."""
    state = lambda: _state(sick.line)["contacts"]  # noqa: E731
    before = state()
    assert sick.failures("worker", try_writes=True) == {}
    some = ["Read", "Create", "Write", "Append", "AppendTo"]
    _control(sick.line, {"writer": {"privileges": {"*": some, "contact": ["Read"]}}})
    try:
        silent, tried = sick.failures("worker"), sick.failures("worker", try_writes=True)
    finally:
        every = {"*": [*some, "Delete"]}
        _control(sick.line, {"writer": {"privileges": every}})

    assert set(silent) == {f"CRM, the writer may remove from {table}" for table in TABLES}
    assert "0x80040220" in silent["CRM, the writer may remove from contact"]
    assert tried["CRM, the writer and contact"].startswith("making a record")
    assert "removing a record" in tried["CRM, the writer and cb_identity"]
    assert "left behind" in tried["CRM, the writer and cb_identity"]
    assert state() == before


def _state(line: Line) -> Any:
    crm = line.sandbox["dynamics"]
    url = f"{crm['url']}/_sandbox/state"
    return requests.get(url, verify=crm["ca_file"], timeout=5).json()["tables"]


def test_a_queue_that_may_lose_writes_is_found(sick: Doctor, tmp_path: Path) -> None:
    """`appendfsync everysec` fails, by name, and so does a server without our access rules."""
    with bare(tmp_path, "--appendonly", "yes", "--appendfsync", "everysec") as client:
        url = f"unix://{tmp_path}/s"
        worker = sick.failures("worker", BRIDGE_REDIS__QUEUE_URL=url)
        web = sick.failures("web", BRIDGE_REDIS__QUEUE_URL=url)
        left = client.keys("*")

    assert set(worker) == {"queue Redis, appendfsync"}
    assert "must be always" in worker["queue Redis, appendfsync"]
    assert "LRANGE, LPOP, DEL, RPUSH, PUBLISH, SCAN" in web["queue Redis, held apart"]
    assert "start a worker" in web["fit"]
    assert left == []


def test_a_dead_redis_and_a_wrong_password_are_told_apart(sick: Doctor) -> None:
    """One can't be reached, the other refuses the user; the rest is looked at all the same."""
    assert sick.line.redis is not None
    good = sick.line.redis.url("queue", "web")
    wrong = good.replace(good.split("@")[0], "redis://web:no-such-password")
    dead = sick.failures("web", BRIDGE_REDIS__TOKENS_URL=f"redis://127.0.0.1:{free_port()}/0")
    refused = sick.failures("web", BRIDGE_REDIS__QUEUE_URL=wrong)

    assert set(dead) == {"tokens Redis"}
    assert "can't be reached" in dead["tokens Redis"]
    assert "refuses this user" in refused["queue Redis"]


def test_other_keys_than_the_workers_are_found(sick: Doctor, tmp_path: Path) -> None:
    """A web host with keys of another making is told so twice: by `fit` and by the check row."""
    keys.make(tmp_path / "other")
    found = sick.failures("web", BRIDGE_KEYS__DIRECTORY=str(tmp_path / "other" / "web"))

    assert "signed with other keys" in found["fit"]
    assert "provision --check-row" in found["CRM, identity check row"]


def test_a_key_of_the_other_role_stops_the_rest(sick: Doctor, tmp_path: Path) -> None:
    """The private key on a web host is a mistake of the configuration: nothing else is tried."""
    made = sick.line.directory / "keys"
    shutil.copytree(made / "web", tmp_path / "web")
    shutil.copy(made / "worker" / "private", tmp_path / "web")
    found = sick.failures("web", BRIDGE_KEYS__DIRECTORY=str(tmp_path / "web"))

    assert set(found) == {"configuration"}
    assert "holds private, a key of the other role" in found["configuration"]


def test_keys_that_others_can_read_are_found(sick: Doctor, tmp_path: Path) -> None:
    """A key file's permissions are part of the checklist."""
    shutil.copytree(sick.line.directory / "keys" / "web", tmp_path / "web")
    (tmp_path / "web" / "keyring").chmod(0o644)
    found = sick.failures("web", BRIDGE_KEYS__DIRECTORY=str(tmp_path / "web"))

    assert set(found) == {"keys, permissions"}
    assert "keyring" in found["keys, permissions"]


def test_keys_that_grew_old_are_to_be_looked_at(sick: Doctor, tmp_path: Path) -> None:
    """A file of more than 400 days is named; one that is for life may be as old as it likes."""
    shutil.copytree(sick.line.directory / "keys" / "web", tmp_path / "web")
    for name in ("keyring", "identity"):
        os.utime(tmp_path / "web" / name, (0, 1_600_000_000))
    status, said = sick.text("web", BRIDGE_KEYS__DIRECTORY=str(tmp_path / "web"))

    assert status == 0
    assert "over 400 days: keyring\n" in said
    assert "rotate them" in said


def test_gateways_that_arent_there_are_found_and_nothing_is_sent(sick: Doctor) -> None:
    """HTTP and SMTP are tried without a message; the outbox stays as it was."""
    outbox = f"{sick.line.sandbox['outbox']['url']}/_sandbox/outbox"
    before = requests.get(outbox, timeout=5).json()
    found = sick.failures(
        "worker",
        BRIDGE_NOTIFY__SMS__URL=f"http://127.0.0.1:{free_port()}",
        BRIDGE_NOTIFY__MAIL__KIND="smtp",
        BRIDGE_NOTIFY__MAIL__HOST="127.0.0.1",
        BRIDGE_NOTIFY__MAIL__PORT=str(free_port()),
        BRIDGE_NOTIFY__MAIL__SENDER="members@example.com",
    )
    sick.failures("worker")

    assert set(found) == {"gateway, sms", "gateway, mail"}
    assert requests.get(outbox, timeout=5).json() == before


def test_wechats_refusals_are_named(sick: Doctor) -> None:
    """A wrong secret by WeChat's errcode; a callback that holds another token by its answer."""
    secret = sick.failures("web", BRIDGE_WECHAT__SECRET="not-the-secret-of-it")
    token = sick.failures("web", BRIDGE_WECHAT__TOKEN="another-callback-token")

    assert "errcode 40" in secret["WeChat, token"]
    assert set(token) == {"WeChat, callback"}


def test_a_host_that_isnt_on_wechats_allow_list_is_told_what_to_do(sick: Doctor) -> None:
    """40164 names the list; the same refusal has two other numbers, with the same advice."""
    _sandbox(sick.line, "wechat", "wechat/settings", {"ip_whitelist": ["203.0.113.9"]})
    try:
        found = sick.failures("web")
    finally:
        _sandbox(sick.line, "wechat", "wechat/settings", {"ip_whitelist": ["127.0.0.1"]})

    assert set(found) == {"WeChat, token"}
    assert "errcode 40164" in found["WeChat, token"]
    assert "IP allow list" in found["WeChat, token"]
    advice = remote_checks._WECHAT_ADVICE
    assert advice[40164] == advice[61004] == advice[60020]


def test_a_forged_check_row_is_found(sick: Doctor, capsys: pytest.CaptureFixture[str]) -> None:
    """A row under the right id with another MAC isn't taken for ours, nor written over."""
    crm = sick.line.sandbox["dynamics"]
    state = requests.get(f"{crm['url']}/_sandbox/state", verify=crm["ca_file"], timeout=5).json()
    rows = state["tables"]["cb_identities"]
    row = next(row for row in rows if row["cb_kind"] == 534120005)
    _patch(sick.line, row["cb_identityid"], "x" * 22)
    try:
        found = sick.failures("web")
        status = provision.write_check_row(sick.line.environ("worker"))
    finally:
        _patch(sick.line, row["cb_identityid"], row["cb_mac"])

    assert "isn't ours" in found["CRM, identity check row"]
    assert status == 1


def _patch(line: Line, id: str, mac: str) -> None:
    """As staff of the CRM would."""
    crm = line.sandbox["dynamics"]
    writer = crm["writer"]
    form = {
        "grant_type": "client_credentials",
        "client_id": writer["client_id"],
        "client_secret": writer["client_secret"],
        "scope": f"{crm['url']}/.default",
    }
    place = crm["authority"].rstrip("/").removesuffix(f"/{crm['tenant']}")
    token = requests.post(
        f"{place}/{crm['tenant']}/oauth2/v2.0/token", data=form, verify=crm["ca_file"], timeout=5
    ).json()["access_token"]
    done = requests.patch(
        f"{crm['url']}/api/data/v9.2/cb_identities({id})",
        json={"cb_mac": mac},
        headers={"Authorization": f"Bearer {token}", "If-Match": "*"},
        verify=crm["ca_file"],
        timeout=5,
    )
    assert done.status_code == 204, done.text


def test_a_check_row_of_another_key_is_not_doubled(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A worker with another identity key is refused: it would make every member a second time."""
    keys.make(tmp_path / "other")
    environ = line.environ("worker")
    environ |= {"BRIDGE_KEYS__DIRECTORY": str(tmp_path / "other" / "worker")}

    assert provision.write_check_row(environ) == 1
    assert "another identity key" in capsys.readouterr().err
    assert provision.write_check_row(line.environ("worker")) == 0
    assert "was there" in capsys.readouterr().out


def test_the_plan_lists_what_is_there_and_what_is_missing(
    line: Line, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every mapped column with type and length, keys, relationships, privileges; 1 if any is
    missing."""
    environ = line.environ("worker")
    assert provision.plan("worker", False, environ) == 0
    whole = capsys.readouterr().out
    path = _mapping(tmp_path, lambda k: k["consent"].update(table="cb_nowhere"))
    assert provision.plan("worker", True, environ | {"BRIDGE_CRM__MAPPING": path}) == 1
    document = json.loads(capsys.readouterr().out)

    assert "The CRM has all of it." in whole
    for each in ("cb_subject_key", "400 characters", "534120001 gold", "Append To", "masterid"):
        assert each in whole
    missing = {(n["what"], n["table"]) for n in document["needs"] if n["trouble"] == "missing"}
    assert missing == {(w, "cb_nowhere") for w in ("table", "column", "relationship")}
    assert {row["user"] for row in document["roles"]} == {"reader (web)", "writer (worker)"}


def test_every_route_that_the_privacy_report_names_is_there(line: Line) -> None:
    """A path of the report that answers 404 is one that was renamed or removed."""
    from bridge.cli.ways import paths, ways
    from mappings.loader import load

    named = paths(ways(load(ROOT / "mappings/dynamics.yaml")))

    assert len(named) > 8
    for path in named:
        answers = [
            requests.request(method, f"{line.url}{path}", timeout=5, allow_redirects=False)
            for method in ("GET", "POST")
        ]
        assert {each.status_code for each in answers} - {404}, path
