"""A wrong configuration is refused whole, by names and never with values."""

from pathlib import Path

import pytest

from config.settings import ConfigTrouble, load

GOOD = {
    "BRIDGE_ENVIRONMENT": "sandbox",
    "BRIDGE_ISSUER": "http://127.0.0.1:8000",
    "BRIDGE_REDIS__TOKENS_URL": "redis://127.0.0.1:1/0",
    "BRIDGE_REDIS__QUEUE_URL": "redis://127.0.0.1:2/0",
    "BRIDGE_KEYS__DIRECTORY": "/nowhere",
    "BRIDGE_CRM__CREDENTIAL__CLIENT_ID": "id",
    "BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET": "123456789",
    "BRIDGE_WECHAT__APPID": "wx",
    "BRIDGE_WECHAT__SECRET": "s",
    "BRIDGE_WECHAT__TOKEN": "t",
    "BRIDGE_WECHAT__ORIGINAL_ID": "gh_x",
    "BRIDGE_WECHAT__AES_KEY": "A" * 43,
}


def _problems(**changes: str) -> list[str]:
    environ = {**GOOD, **changes}
    with pytest.raises(ConfigTrouble) as caught:
        load("web", environ)
    return caught.value.problems


def test_a_good_configuration_loads() -> None:
    """Defaults, the environment's file and variables come together, each by its own type."""
    settings = load("web", GOOD)

    assert settings.crm.adapter == "dynamics"
    assert settings.crm.credential["client_secret"] == "123456789"
    assert settings.http.threads == 64
    assert settings.http.secure_cookies is False
    assert settings.brand.stores["SH001"]["en"]


def test_every_mistake_is_listed_at_once() -> None:
    """Three mistakes give three sentences, and none holds a value."""
    problems = _problems(
        BRIDGE_REDIS__QUEUE_URL="http://secret-host",
        BRIDGE_OAUTH__CODE_SECONDS="6000",
        BRIDGE_NO_SUCH_THING="secret-value",
    )

    assert len(problems) == 3
    assert not any("secret" in problem for problem in problems)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"BRIDGE_WECHAT__TOKEN": ""}, "wechat.token"),
        ({"BRIDGE_WECHAT__AES_KEY": "short"}, "wechat.aes_key"),
        ({"BRIDGE_ISSUER": "http://127.0.0.1:8000/"}, "issuer"),
        ({"BRIDGE_CRM__CREDENTIAL": "{}"}, "crm.credential"),
        ({"BRIDGE_OAUTH__CLIENTS_FILE": ""}, "oauth.clients_file"),
    ],
)
def test_a_setting_that_contradicts_another_is_named(change: dict[str, str], named: str) -> None:
    """What one setting says of another is checked too."""
    environ = {k: v for k, v in GOOD.items() if not k.startswith("BRIDGE_CRM__CRED")}
    environ = (environ if "BRIDGE_CRM__CREDENTIAL" in change else GOOD) | change

    with pytest.raises(ConfigTrouble) as caught:
        load("web", environ)

    assert any(problem.startswith(named) for problem in caught.value.problems)


def test_production_refuses_what_only_a_sandbox_may_have() -> None:
    """http, loopback hosts, plain cookies, DEBUG and the memory adapter are refused."""
    problems = _problems(
        BRIDGE_ENVIRONMENT="production",
        BRIDGE_CRM__ADAPTER="memory",
        BRIDGE_CRM__OPTIONS__URL="https://127.0.0.1:9",
        BRIDGE_HTTP__SECURE_COOKIES="false",
        BRIDGE_LOG_LEVEL="DEBUG",
        BRIDGE_OAUTH__CLIENTS_FILE="config/clients.sandbox.yaml",
    )

    named = {problem.split(":")[0] for problem in problems}
    assert {"issuer", "crm.adapter", "crm.options.url", "http.secure_cookies", "log_level"} <= named


def test_production_refuses_a_host_that_is_not_in_egress() -> None:
    """A process may call only the hosts that its configuration lists."""
    problems = _problems(
        BRIDGE_ENVIRONMENT="production",
        BRIDGE_ISSUER="https://members.example.com",
        BRIDGE_CRM__OPTIONS__URL="https://elsewhere.example.com",
        BRIDGE_OAUTH__CLIENTS_FILE="config/clients.sandbox.yaml",
    )

    assert any(p.startswith("crm.options.url: its host isn't") for p in problems)


def test_production_sends_mail_to_a_listed_relay_over_tls() -> None:
    """A mail holds a code and an address; only a relay on the same host needs neither."""
    relay = {
        "BRIDGE_ENVIRONMENT": "production",
        "BRIDGE_NOTIFY__MAIL__KIND": "smtp",
        "BRIDGE_NOTIFY__MAIL__STARTTLS": "false",
    }
    far = _problems(**relay, BRIDGE_NOTIFY__MAIL__HOST="smtp.example.com")
    near = _problems(**relay, BRIDGE_NOTIFY__MAIL__HOST="127.0.0.1")

    named = ["notify.mail.host", "notify.mail.starttls"]
    assert [p.split(":")[0] for p in far if p.startswith("notify.")] == named
    assert [p for p in near if p.startswith("notify.")] == []


def test_a_secret_can_come_from_a_file(tmp_path: Path) -> None:
    """`…_FILE` names a file whose content, without the line's end, is the value."""
    (tmp_path / "secret").write_text("from-a-file\n")
    environ = {k: v for k, v in GOOD.items() if k != "BRIDGE_WECHAT__SECRET"}

    settings = load("web", environ | {"BRIDGE_WECHAT__SECRET_FILE": str(tmp_path / "secret")})

    assert settings.wechat.secret == "from-a-file"


def test_settings_never_show_themselves() -> None:
    """A repr in a traceback holds no setting."""
    assert repr(load("web", GOOD)) == "Settings()"
    assert "123456789" not in repr(load("web", GOOD).crm)
