"""Settings of one process: `default.yaml`, then `<environment>.yaml`, then `BRIDGE_…` variables.

Not for: making anything of them (`bridge/parts.py`). All mistakes are reported at once, by the
setting's name and never with its value.
"""

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from marshmallow import Schema, ValidationError, fields

from config.schema import Root

HERE = Path(__file__).parent
PREFIX = "BRIDGE_"
Role = Literal["web", "worker"]
_ADDRESSING = ("BRIDGE_CONFIG", "BRIDGE_ENVIRONMENT")


class ConfigTrouble(Exception):
    """The configuration can't be used. `problems`: one sentence each, without values."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class Settings(SimpleNamespace):
    """The configuration by attribute: `settings.crm.adapter`. Its repr shows nothing."""

    environment: str
    issuer: str
    region: str
    log_level: str
    redis: Any
    keys: Any
    crm: Any
    oauth: Any
    bff: Any
    wechat: Any
    notify: Any
    limits: Any
    http: Any
    profile: Any
    security_events: Any
    consents: list[dict[str, Any]]
    brand: Any
    egress: list[str]

    def __repr__(self) -> str:
        return "Settings()"


def load(role: Role, environ: Mapping[str, str] = os.environ) -> Settings:
    """Settings for a process of `role`. Raises ConfigTrouble with every mistake."""
    raw, problems = _merged(environ)
    try:
        checked = Root().load(raw)
    except ValidationError as error:
        problems += list(_sentences(error.messages))
        raise ConfigTrouble(sorted(problems)) from None
    problems += list(_crossed(checked, role))
    if problems:
        raise ConfigTrouble(sorted(problems))
    return Settings(**{name: _tree(name, value) for name, value in checked.items()})


def locations(environ: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What the settings name as adapter and files (`crm.mapping`), as far as they are there: so
    that those can be checked too, when a setting beside them is wrong."""
    raw, _ = _merged(environ)
    named = {}
    for section, name in _NAMED:
        part = raw.get(section)
        value = part.get(name) if isinstance(part, dict) else None
        if isinstance(value, str):
            named[f"{section}.{name}"] = value
    return named


_NAMED = (
    ("crm", "adapter"),
    ("crm", "mapping"),
    ("keys", "directory"),
    ("oauth", "clients_file"),
)


def _tree(name: str, value: Any) -> Any:
    if isinstance(value, dict) and name in _SECTIONS:
        return Settings(**{k: _tree(f"{name}.{k}", v) for k, v in value.items()})
    return value


def _sections(schema: Schema, path: str = "") -> Iterator[str]:
    for name, field in schema.fields.items():
        if isinstance(field, fields.Nested):
            yield f"{path}{name}"
            yield from _sections(field.schema, f"{path}{name}.")


_SECTIONS = frozenset(_sections(Root()))


def _merged(environ: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    name = environ.get("BRIDGE_ENVIRONMENT", "sandbox")
    files = [HERE / "default.yaml", HERE / f"{name}.yaml"]
    if "BRIDGE_CONFIG" in environ:
        files.append(Path(environ["BRIDGE_CONFIG"]))
    raw: dict[str, Any] = {}
    problems: list[str] = []
    for path in files:
        if path.is_file():
            problems += _from_file(raw, path)
        elif path == files[-1] and "BRIDGE_CONFIG" in environ:
            problems.append("BRIDGE_CONFIG: there is no such file")
    for key, value in environ.items():
        if key.startswith(PREFIX) and key not in _ADDRESSING:
            problems += _from_environment(raw, key, value)
    raw["environment"] = name
    return raw, problems


def _from_file(raw: dict[str, Any], path: Path) -> list[str]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        mark = getattr(error, "problem_mark", None)  # its text quotes the line
        return [f"{path.name}: not YAML" + (f", line {mark.line + 1}" if mark else "")]
    if not isinstance(found, dict):
        return [f"{path.name}: must be a block of settings"]
    _overlay(raw, found)
    return []


def _overlay(base: dict[str, Any], over: Mapping[str, Any]) -> None:
    for key, value in over.items():
        if isinstance(value, dict) and isinstance(base.get(key), dict):
            _overlay(base[key], value)
        else:
            base[key] = value


def _from_environment(raw: dict[str, Any], key: str, value: str) -> list[str]:
    """`BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET=x`, or `…_FILE=path` for what belongs in a file."""
    path = key[len(PREFIX) :].lower().split("__")
    if path[-1].endswith("_file") and path[-1] not in ("ca_file", "clients_file"):
        path[-1] = path[-1][: -len("_file")]
        try:
            value = Path(value).read_text().strip()
        except OSError:
            return [f"{key}: the file can't be read"]
    elif value[:1] in ("[", "{"):
        try:
            value = yaml.safe_load(value)
        except yaml.YAMLError:
            return [f"{key}: not YAML"]
    here = raw
    for step in path[:-1]:
        here = here.setdefault(step, {})
        if not isinstance(here, dict):
            return [f"{key}: {step} is set as a single value too"]
    here[path[-1]] = value
    return []


def _sentences(messages: Any, path: str = "") -> Iterator[str]:
    if isinstance(messages, Mapping):
        for key, below in messages.items():
            yield from _sentences(below, f"{path}.{key}" if path else str(key))
    elif isinstance(messages, list):
        for message in messages:
            yield f"{path}: {message}"


def _crossed(checked: Mapping[str, Any], role: Role) -> Iterator[str]:
    """What one setting says of another."""
    yield from _wechat_trouble(checked["wechat"], role)
    if checked["environment"] == "production":
        yield from _production_trouble(checked)
    if role == "web" and not checked["oauth"]["clients_file"]:
        yield "oauth.clients_file: the web tier needs it"
    if checked["issuer"].endswith("/"):
        yield "issuer: no slash at the end"
    purposes = [consent["purpose"] for consent in checked["consents"]]
    if len(set(purposes)) != len(purposes):
        yield "consents: a purpose is listed twice"
    if not checked["crm"]["credential"] and checked["crm"]["adapter"] != "memory":
        yield "crm.credential: this role's CRM user is missing"


def _wechat_trouble(wechat: Mapping[str, Any], role: Role) -> Iterator[str]:
    if not wechat["enabled"] or role != "web":
        return
    for name in ("appid", "secret", "token", "original_id"):
        if not wechat[name]:  # an empty token would let anyone post
            yield f"wechat.{name}: needed when wechat.enabled"
    if bool(wechat["mini_appid"]) != bool(wechat["mini_secret"]):
        yield "wechat.mini_secret: goes with wechat.mini_appid"
    if len(wechat["aes_key"]) != 43:
        yield "wechat.aes_key: 43 characters are needed; plain mode isn't served"


def _production_trouble(checked: Mapping[str, Any]) -> Iterator[str]:
    if not checked["issuer"].startswith("https://"):
        yield "issuer: must be https in production"
    if not checked["http"]["secure_cookies"]:
        yield "http.secure_cookies: must be on in production"
    if checked["log_level"] == "DEBUG":
        yield "log_level: DEBUG isn't for production"
    if checked["crm"]["adapter"] == "memory":
        yield "crm.adapter: memory isn't for production"
    for name, url in _outgoing(checked):
        parts = urlsplit(url)
        if _is_loopback(parts.hostname):
            yield f"{name}: a loopback (sandbox) address isn't for production"
        elif parts.scheme != "https":
            yield f"{name}: must be https in production"
        elif parts.hostname not in checked["egress"] and parts.netloc not in checked["egress"]:
            yield f"{name}: its host isn't in `egress`"
    yield from _relay_trouble(checked)


def _relay_trouble(checked: Mapping[str, Any]) -> Iterator[str]:
    """A relay on this host is fine, in clear too."""
    for channel, gateway in checked["notify"].items():
        host, port = gateway["host"], gateway["port"]
        if gateway["kind"] != "smtp" or _is_loopback(host):
            continue
        if not gateway["starttls"]:
            yield f"notify.{channel}.starttls: must be on in production"
        if not {host, f"{host}:{port}"} & set(checked["egress"]):
            yield f"notify.{channel}.host: isn't in `egress`"


def _outgoing(checked: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    options, wechat = checked["crm"]["options"], checked["wechat"]
    yield from ((f"crm.options.{n}", str(options[n])) for n in ("url", "authority") if n in options)
    if wechat["enabled"]:
        yield from ((f"wechat.{n}", wechat[n]) for n in ("api_base", "open_base", "mp_base"))
    if checked["security_events"]["url"]:
        yield "security_events.url", checked["security_events"]["url"]
    for channel in ("sms", "mail"):
        if checked["notify"][channel]["kind"] == "http":
            yield f"notify.{channel}.url", checked["notify"][channel]["url"]


def _is_loopback(host: str | None) -> bool:
    return host in (None, "localhost", "::1") or str(host).startswith("127.")
