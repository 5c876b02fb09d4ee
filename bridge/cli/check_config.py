"""`check-config`: every mistake in settings, mapping, keys, clients and gateways at once.

Not for: connections, which `doctor` tries. Nothing is called and no value is shown.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from joserfc.errors import JoseError
from joserfc.jwk import ECKey

from adapters import registry
from adapters.errors import CrmError
from bridge.keys import Keys, KeyTrouble, Role
from bridge.pages import brand
from bridge.pages.brand import BrandTrouble
from bridge.parts import ROOT, foundation
from bridge.services import clients
from bridge.services.clients import ClientTrouble
from bridge.wechat.crypto import key_of
from config import settings as config
from config.settings import ConfigTrouble, Settings
from mappings.loader import MappingErrors
from mappings.loader import load as load_mapping

EX_CONFIG = 78  # sysexits.h


def run(role: Role) -> int:
    """0, or 78 with a line for each mistake."""
    found = mistakes(role)
    for sentence in found:
        click.echo(f"  ✗ {sentence}", err=True)
    if found:
        click.echo(f"{len(found)} to mend for role {role}.", err=True)
        return EX_CONFIG
    click.echo(f"✓ The configuration of role {role} is fine (connections: doctor --role {role}).")
    return 0


def mistakes(role: Role, environ: Mapping[str, str] = os.environ) -> list[str]:
    """Every mistake, as a sentence that begins with the setting's name; no values."""
    named = config.locations(environ)
    found = {sentence for check in _FILES for sentence in check(role, named)}
    try:
        settings = config.load(role, environ)
    except ConfigTrouble as trouble:
        return sorted(found | set(trouble.problems))
    found |= set(_foundation(role, environ)) | set(_sections(role, settings))
    return sorted(found)


def _foundation(role: Role, environ: Mapping[str, str]) -> list[str]:
    try:
        foundation(role, environ)
    except (ConfigTrouble, MappingErrors, KeyTrouble) as trouble:
        return trouble.problems
    except CrmError:
        return ["crm.adapter: can't be made from crm.options and the mapping"]
    return []


def _mapping(role: Role, named: Mapping[str, str]) -> list[str]:
    return _told(lambda: load_mapping(ROOT / named["crm.mapping"]))


def _keys(role: Role, named: Mapping[str, str]) -> list[str]:
    return _told(lambda: Keys(Path(named["keys.directory"]), role))


def _id_token_key(role: Role, named: Mapping[str, str]) -> list[str]:
    path = Path(named.get("keys.directory", "")) / "id-token.json"
    if role != "web" or not path.is_file():  # a missing one is among the keys' mistakes
        return []
    try:
        key = ECKey.import_key(json.loads(path.read_text()))
    except (OSError, ValueError, JoseError):
        return ["keys.directory: id-token.json isn't a JWK of type EC"]
    if not key.is_private or key.curve_name != "P-256":
        return ["keys.directory: id-token.json must be a private P-256 key"]
    return []


def _clients(role: Role, named: Mapping[str, str]) -> list[str]:
    if role != "web":
        return []
    return _told(lambda: clients.load(ROOT / named["oauth.clients_file"]))


def _adapter(role: Role, named: Mapping[str, str]) -> list[str]:
    try:
        registry.adapter_class(named["crm.adapter"])
    except KeyError:
        return []
    except LookupError as error:
        return [str(error)]
    return []


def _told(check: Callable[[], Any]) -> list[str]:
    """What `check` finds wrong. A file that isn't named is the settings' own mistake."""
    try:
        check()
    except KeyError:
        return []
    except (MappingErrors, KeyTrouble, ClientTrouble, BrandTrouble) as trouble:
        return trouble.problems
    return []


_FILES = (_mapping, _keys, _id_token_key, _clients, _adapter)


def _sections(role: Role, settings: Settings) -> Iterator[str]:
    if role == "web":
        yield from _told(lambda: brand.load(settings.brand, ROOT))
    if role == "web" and settings.wechat.enabled:
        yield from _aes_keys(settings)
    if role == "worker":
        for channel in ("sms", "mail"):
            yield from _gateway(f"notify.{channel}", getattr(settings.notify, channel))


def _aes_keys(settings: Settings) -> Iterator[str]:
    for name in ("aes_key", "previous_aes_key"):
        given = getattr(settings.wechat, name)
        try:
            if given:
                key_of(given)
        except ValueError:
            yield f"wechat.{name}: isn't 43 characters of base64"


def _gateway(place: str, gateway: Any) -> Iterator[str]:
    if gateway.kind == "http":
        if not gateway.url.startswith(("http://", "https://")):
            yield f"{place}.url: an http gateway needs its base URL"
        if not gateway.token:
            yield f"{place}.token: an http gateway needs its bearer token"
    elif gateway.kind == "smtp":
        if not gateway.host:
            yield f"{place}.host: needed for smtp"
        if "@" not in gateway.sender:
            yield f"{place}.sender: needed for smtp, an address"
        if gateway.user and not gateway.starttls:
            yield f"{place}.starttls: a password isn't sent without TLS"
