"""`mappings diff` and `draft` against the metadata of each CRM's sandbox, through its adapter."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from bridge.cli.line import ROOT
from bridge.cli.mappings import check, diff, draft
from mappings.loader import load

Environ = dict[str, str]
NOWHERE = {
    "BRIDGE_ISSUER": "http://127.0.0.1:1",
    "BRIDGE_REDIS__TOKENS_URL": "redis://127.0.0.1:1",
    "BRIDGE_REDIS__QUEUE_URL": "redis://127.0.0.1:1",
    "BRIDGE_KEYS__DIRECTORY": "/nowhere",
    "BRIDGE_WECHAT__ENABLED": "false",
}
"""What the commands must do without."""
CRMS = {
    "dynamics": (("url", "authority", "tenant", "ca_file"), ("client_id", "client_secret")),
    "suitecrm": (("url", "ca_file"), ("client_id", "client_secret")),
    "sugarcrm": (("url", "platform", "ca_file"), ("username", "password")),
}


@pytest.fixture(scope="module")
def sandbox() -> Iterator[dict[str, Any]]:
    """All of them in one process."""
    command = [sys.executable, "-m", "sandbox", *CRMS, "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate()


@pytest.fixture(params=CRMS)
def crm(request: pytest.FixtureRequest) -> str:
    """Each CRM in turn."""
    return str(request.param)


@pytest.fixture
def environ(sandbox: dict[str, Any], crm: str) -> Environ:
    """The settings that lead to it."""
    return _environ(sandbox, crm)


def _environ(sandbox: dict[str, Any], crm: str) -> Environ:
    options, credential = CRMS[crm]
    ready = sandbox[crm]
    return {
        **NOWHERE,
        "BRIDGE_CRM__ADAPTER": crm,
        "BRIDGE_CRM__MAPPING": f"mappings/{crm}.yaml",
        **{f"BRIDGE_CRM__OPTIONS__{name.upper()}": ready[name] for name in options},
        **{f"BRIDGE_CRM__CREDENTIAL__{name.upper()}": ready[name] for name in credential},
    }


def _changed(tmp_path: Path, crm: str, *changes: tuple[str, str]) -> Path:
    text = (ROOT / "mappings" / f"{crm}.yaml").read_text()
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "changed.yaml"
    path.write_text(text)
    return path


def _diff(environ: Environ, capsys: Any, path: Path | None = None) -> tuple[int, Any]:
    capsys.readouterr()
    status = diff.run("web", path, True, environ)
    return status, json.loads(capsys.readouterr().out)


def test_the_shipped_mapping_agrees(environ: Environ, capsys: Any) -> None:
    """No difference and status 0; what the CRM has besides is listed and counts for nothing."""
    status, told = _diff(environ, capsys)

    assert (status, told["ok"]) == (0, True)
    assert [each["differences"] for each in told["kinds"]] == [[], [], []]
    member = told["kinds"][0]
    assert member["agree"] > 20
    assert "description" in member["unused_columns"]

    assert diff.run("web", None, False, environ) == 0
    said = capsys.readouterr().out
    assert "They agree." in said
    assert "columns not used" in said


def test_every_sort_of_difference_is_told(
    sandbox: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    """Column, type, length, option, key, relationship and access that don't fit, and no others."""
    path = _changed(
        tmp_path,
        "dynamics",
        ("column: cb_tier, type", "column: cb_tiers, type"),
        ("column: birthdate,", "column: description,"),
        ("column: cb_credential,", "column: jobtitle,"),
        ("en: 534120001", "en: 534120009"),
        ("key: cb_subject_key", "key: cb_subject_keys"),
        ("navigation: masterid, access: read", "navigation: masterids"),
    )
    status, told = _diff(_environ(sandbox, "dynamics"), capsys, path)

    assert (status, told["ok"]) == (1, False)
    found = {(d["what"], d["field"]): d["difference"] for d in told["kinds"][0]["differences"]}
    assert found.pop(("option", "member.language")).startswith("the CRM has 534120001 (en)")
    assert found == {
        ("column", "member.tier"): "missing",
        ("column", "member.birth_date"): "is Memo, which can't hold it",
        ("column", "member.credential"): "holds 100 characters",
        ("column", "member.language"): "has no option 534120009",
        ("key", "member.subject"): "missing",
        ("relationship", "member.master"): "missing",
        ("column", "member.master"): "only the CRM itself writes it: `access: read`",
    }
    assert "cb_subject_key" in told["kinds"][0]["unused_keys"]
    assert "cb_tier" in told["kinds"][0]["unused_columns"]


def test_a_missing_table_is_one_difference(
    environ: Environ, crm: str, tmp_path: Path, capsys: Any
) -> None:
    """Not one for each of its columns."""
    path = _changed(tmp_path, crm, ("table: cb_consent", "table: cb_consents_x"))
    status, told = _diff(environ, capsys, path)

    assert status == 1
    (consent,) = [each for each in told["kinds"] if each["kind"] == "consent"]
    (only,) = consent["differences"]
    assert (only["what"], only["difference"]) == ("table", "missing")


def test_a_crm_that_can_not_be_asked(environ: Environ, crm: str, capsys: Any) -> None:
    """It is 1 with what to do, in JSON too, and no secret is shown."""
    secret = "not-the-secret-7"
    *_, last = CRMS[crm][1]
    wrong = {**environ, f"BRIDGE_CRM__CREDENTIAL__{last.upper()}": secret}
    status, told = _diff(wrong, capsys)
    assert (status, told["ok"], told["trouble"]) == (1, False, "bad-credentials")
    assert told["do"]

    assert draft.run("web", None, False, (), None, wrong) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "bad-credentials" in said.err
    assert secret not in said.err + json.dumps(told)


def _drafted(environ: Environ, tmp_path: Path, fresh: bool, *tables: str) -> tuple[Path, str]:
    out = tmp_path / "draft.yaml"
    assert draft.run("web", None, fresh, tables, out, environ) == 0
    return out, out.read_text()


@pytest.mark.parametrize("fresh", [False, True], ids=["like", "fresh"])
def test_a_draft_is_accepted_and_agrees(
    environ: Environ, crm: str, tmp_path: Path, capsys: Any, fresh: bool
) -> None:
    """`check` takes it, `diff` finds that the CRM has all of it, and most fields are placed."""
    path, text = _drafted(environ, tmp_path, fresh)

    assert check.run([path], False, {}) == 0
    assert _diff(environ, capsys, path)[0] == 0
    made, shipped = load(path), load(ROOT / "mappings" / f"{crm}.yaml")
    for kind, binding in made.kinds.items():
        ours = shipped.kinds[kind]
        assert (binding.table, binding.entity_set) == (ours.table, ours.entity_set)
        assert binding.not_held - ours.not_held <= {"subject"}
        same = {n for n, f in binding.fields.items() if f.column == ours.fields[n].column}
        assert set(binding.fields) - same <= {"email"}  # SuiteCRM has a column of that very name
    lines = [each for each in text.splitlines() if ": {column: " in each]
    assert len(lines) > 30
    assert all("  # " in each for each in lines)


def test_a_draft_like_ours_is_ours(environ: Environ, crm: str, tmp_path: Path) -> None:
    """With the shipped mapping as example and its tables there, the same bindings come out."""
    path, _ = _drafted(environ, tmp_path, False)

    made, shipped = load(path), load(ROOT / "mappings" / f"{crm}.yaml")
    for kind, binding in made.kinds.items():
        ours = shipped.kinds[kind]
        assert dict(binding.fields) == dict(ours.fields)
        assert binding.collections == ours.collections
        assert binding.not_held == ours.not_held


def test_what_can_not_be_placed_is_under_not_held(
    sandbox: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    """A stock server without our modules: its own columns are found, the rest is named with why."""
    ready = sandbox["suitecrm"]
    _control(ready, {"installed": False})
    try:
        path, text = _drafted(_environ(sandbox, "suitecrm"), tmp_path, False)
    finally:
        _control(ready, {"installed": True})

    assert check.run([path], False, {}) == 0
    made = load(path)
    assert {"given_name", "family_name", "email", "mobile", "birth_date"} <= set(
        made.kinds["member"].fields
    )
    assert {"subject", "tier", "credential", "consents"} <= made.kinds["member"].not_held
    assert not made.kinds["identity"].fields
    assert "table: identity  # MISSING: no table is called like it" in text
    assert "- credential  # no column of a fitting type has such a name" in text
    assert "- identities  # identity.member isn't placed" in text
    assert "- value  # its table isn't there" in text


def test_a_crm_that_lists_no_tables(tmp_path: Path) -> None:
    """The example's tables are asked for, and no others."""
    environ = {
        **NOWHERE, "BRIDGE_CRM__ADAPTER": "memory", "BRIDGE_CRM__MAPPING": "mappings/memory.yaml",
    }  # fmt: skip
    path, _ = _drafted(environ, tmp_path, False)

    assert check.run([path], False, {}) == 0
    assert load(path).kinds["consent"].table == "consent"


def _control(ready: dict[str, Any], document: dict[str, Any]) -> None:
    url = f"{ready['url']}/_sandbox/package"
    requests.post(url, json=document, verify=ready["ca_file"], timeout=10).raise_for_status()


def test_a_kind_lives_where_somebody_says(
    sandbox: dict[str, Any], tmp_path: Path, capsys: Any
) -> None:
    """--table goes before any guess; a kind or table that isn't there is told."""
    environ = _environ(sandbox, "dynamics")
    path, _ = _drafted(environ, tmp_path, True, "member=account")
    document = yaml.safe_load(path.read_text())["kinds"]["member"]
    assert (document["table"], document["entity_set"], document["id"]) == (
        "account", "accounts", "accountid",
    )  # fmt: skip

    for wrong in ("member=nosuch", "person=contact", "member"):
        assert draft.run("web", None, False, (wrong,), None, environ) == 1
        assert "--table" in capsys.readouterr().err
