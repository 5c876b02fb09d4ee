"""`check-config` tells every mistake of every file at once, by name and never with a value."""

from pathlib import Path

import pytest

from bridge import keys
from bridge.cli import check_config
from bridge.parts import web_parts
from config.settings import ConfigTrouble
from tests.unit.test_config import GOOD


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    """A configuration without a mistake, for either role."""
    keys.make(tmp_path / "keys")
    crm = {"URL": "https://a.example", "AUTHORITY": "https://b.example", "TENANT": "c"}
    options = {f"BRIDGE_CRM__OPTIONS__{name}": value for name, value in crm.items()}
    return {**GOOD, **options, "BRIDGE_KEYS__DIRECTORY": str(tmp_path / "keys" / "web")}


def test_a_good_configuration_is_one_line(
    environ: dict[str, str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing to mend is status 0 and one line."""
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert check_config.mistakes("web", environ) == []

    monkeypatch.setattr(check_config, "mistakes", lambda role: [])
    assert check_config.run("web") == 0
    assert capsys.readouterr().out.count("\n") == 1


def test_mistakes_of_all_files_come_at_once(environ: dict[str, str], tmp_path: Path) -> None:
    """A wrong setting doesn't hide a wrong mapping, key directory or list of clients."""
    (tmp_path / "mapping.yaml").write_text("crm: dynamics\nkinds: {}\n")
    (tmp_path / "clients.yaml").write_text("clients: [{client_id: secret-value}]\n")
    (tmp_path / "keys/web/private").write_text("k AAAA")
    environ |= {
        "BRIDGE_OAUTH__CODE_SECONDS": "9999",
        "BRIDGE_WECHAT__ORIGINAL_ID": "",
        "BRIDGE_CRM__MAPPING": str(tmp_path / "mapping.yaml"),
        "BRIDGE_OAUTH__CLIENTS_FILE": str(tmp_path / "clients.yaml"),
    }

    found = check_config.mistakes("web", environ)

    assert {"member: is missing", "identity: is missing", "consent: is missing"} <= set(found)
    begins = ("oauth.code_seconds", "keys.directory: holds private", "clients")
    for begin in begins:
        assert any(sentence.startswith(begin) for sentence in found), begin
    with pytest.raises(ConfigTrouble) as refused:  # a process that starts says the same
        web_parts(environ)
    for begin in (*begins, "member: is missing"):
        assert any(sentence.startswith(begin) for sentence in refused.value.problems), begin
    assert not any("secret-value" in sentence or "9999" in sentence for sentence in found)


def test_what_settings_contradict_comes_with_the_rest(environ: dict[str, str]) -> None:
    """A missing WeChat id and an unknown adapter option stand beside each other."""
    environ |= {"BRIDGE_CRM__OPTIONS__COLOUR": "red"}
    found = check_config.mistakes("web", environ)

    assert found == ["crm.options.colour is unknown"]


@pytest.fixture
def without_batch(environ: dict[str, str]) -> dict[str, str]:
    """The same for a CRM that can't change several records at once."""
    plain = {k: v for k, v in environ.items() if "OPTIONS" not in k}
    crm = {"ADAPTER": "suitecrm", "MAPPING": "mappings/suitecrm.yaml"}
    more = {f"BRIDGE_CRM__{name}": value for name, value in crm.items()}
    return plain | more | {"BRIDGE_CRM__OPTIONS__URL": "https://a.example"}


def test_a_deployment_says_what_it_cant_do_without(without_batch: dict[str, str]) -> None:
    """By default a CRM without an atomic batch will do; where it is required it won't."""
    assert check_config.mistakes("web", without_batch) == []
    without_batch["BRIDGE_CRM__REQUIRES"] = '["atomic_batch"]'
    assert check_config.mistakes("web", without_batch) == [
        "crm.requires: atomic_batch is not held by suitecrm"
    ]


def test_what_the_options_take_away_isnt_held(without_batch: dict[str, str]) -> None:
    """A process doesn't start on an adapter whose options leave it without versions."""
    without_batch["BRIDGE_CRM__OPTIONS__VERSION_COLUMN"] = ""
    with pytest.raises(ConfigTrouble) as refused:
        web_parts(without_batch)
    assert refused.value.problems == ["crm.requires: versioned_update is not held by suitecrm"]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"BRIDGE_NOTIFY__SMS__KIND": "http"}, {"notify.sms.url", "notify.sms.token"}),
        ({"BRIDGE_NOTIFY__MAIL__KIND": "smtp"}, {"notify.mail.host", "notify.mail.sender"}),
        (
            {
                "BRIDGE_NOTIFY__MAIL__KIND": "smtp",
                "BRIDGE_NOTIFY__MAIL__HOST": "h",
                "BRIDGE_NOTIFY__MAIL__SENDER": "a@b.example",
                "BRIDGE_NOTIFY__MAIL__USER": "u",
                "BRIDGE_NOTIFY__MAIL__STARTTLS": "false",
            },
            {"notify.mail.starttls"},
        ),
    ],
)
def test_half_a_gateway_is_the_workers_mistake(
    environ: dict[str, str], tmp_path: Path, change: dict[str, str], named: set[str]
) -> None:
    """A gateway without its address, or a password without TLS, is told to the worker alone."""
    worker = {"BRIDGE_KEYS__DIRECTORY": str(tmp_path / "keys" / "worker")}

    found = check_config.mistakes("worker", {**environ, **change, **worker})

    assert {sentence.split(":")[0] for sentence in found} == named
    assert check_config.mistakes("web", {**environ, **change}) == []


@pytest.mark.parametrize("text", ["{}", "not json", '{"kty": "oct", "k": "AAAA"}'])
def test_a_broken_signing_key_is_told(environ: dict[str, str], tmp_path: Path, text: str) -> None:
    """id-token.json must be a private P-256 key."""
    path = tmp_path / "keys/web/id-token.json"
    path.chmod(0o600)
    path.write_text(text)

    found = check_config.mistakes("web", environ)

    assert len(found) == 1
    assert "id-token.json" in found[0]


def test_an_aes_key_that_could_open_nothing_is_told(environ: dict[str, str]) -> None:
    """43 characters that aren't base64."""
    environ["BRIDGE_WECHAT__AES_KEY"] = "*" * 43

    assert check_config.mistakes("web", environ)[0].startswith("wechat.aes_key")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("crm: [secret-value\n", "extra.yaml: not YAML, line 2"),
        ("secret-value\n", "extra.yaml: must be a block of settings"),
    ],
)
def test_a_file_that_cannot_be_read_is_told_without_its_lines(
    environ: dict[str, str], tmp_path: Path, text: str, said: str
) -> None:
    """A YAML error quotes the line, which may hold a secret: only its number is told."""
    (tmp_path / "extra.yaml").write_text(text)
    environ["BRIDGE_CONFIG"] = str(tmp_path / "extra.yaml")

    assert check_config.mistakes("web", environ) == [said]


def test_a_variable_that_contradicts_another_is_told(environ: dict[str, str]) -> None:
    """A section as a single value, and a block that isn't YAML, are mistakes, not crashes."""
    environ |= {"BRIDGE_CONSENTS": "[secret-value", "BRIDGE_HTTP": "secret-value"}
    environ |= {"BRIDGE_HTTP__THREADS": "8"}

    found = check_config.mistakes("web", environ)

    assert "BRIDGE_CONSENTS: not YAML" in found
    assert "BRIDGE_HTTP__THREADS: http is set as a single value too" in found
    assert not any("secret-value" in sentence for sentence in found)


def test_a_bff_needs_the_secret_of_its_client(environ: dict[str, str]) -> None:
    """Another's, or none, is named by its client."""
    environ |= {"BRIDGE_BFF__SECRETS__REACT": "secret-value"}
    found = check_config.mistakes("web", environ)

    assert [sentence[:20] for sentence in found] == ["bff.secrets: react: "]
