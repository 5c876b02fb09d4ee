"""What the `crm` section may say of a Sugar instance. Not for: timeouts, which are common."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.places import PLACE, server, texts

_KNOWN = ("url", "platform", "api_version", "ids", "passwords", "ca_file")
_CREDENTIALS = (
    {"username", "password"},
    {"username", "password", "client_id", "client_secret"},
)
_PLATFORM = re.compile(r"[A-Za-z0-9_-]{1,127}\Z")
# Whoever signs in to Sugar in a browser, an app or the portal would end our session there.
_TAKEN = ("base", "mobile", "portal")
_VERSION = re.compile(r"v1[01](_[0-9]{1,3})?\Z")
API_VERSION = "v11_10"


@dataclass(frozen=True)
class Options:
    """`url`: what stands before `/rest`. `platform`: the API platform that is ours alone.
    `ids`: `sync_key` (our id is the record's sync_key) or `id` (it is Sugar's own). `passwords`:
    `portal` where Sugar's portal checks them, else ""."""

    url: str
    platform: str
    api_version: str = API_VERSION
    ids: str = "sync_key"
    passwords: str = ""
    ca_file: str | None = None
    credential: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> str:
        """The path of the API."""
        return f"{urlsplit(self.url).path}/rest/{self.api_version}/"


def problems(options: Mapping[str, Any], credential: Mapping[str, str] | None) -> list[str]:
    """Every mistake, by name and never with its value."""
    found = texts(options, _KNOWN) + server(options)
    platform = options.get("platform", "")
    if not isinstance(platform, str) or platform in _TAKEN or not _PLATFORM.match(platform):
        found.append(
            f"{PLACE}.platform must be an API platform of its own (Admin > Configure API "
            "Platforms), not base, mobile or portal: a platform has one session per user"
        )
    if not _VERSION.match(str(options.get("api_version", API_VERSION))):
        found.append(f"{PLACE}.api_version must be like {API_VERSION}")
    if options.get("ids", "sync_key") not in ("sync_key", "id"):
        found.append(f"{PLACE}.ids is sync_key or id")
    if options.get("passwords", "") not in ("", "portal"):
        found.append(f"{PLACE}.passwords is portal, or empty")
    if credential is not None and set(credential) not in _CREDENTIALS:
        found.append(
            "crm.credential needs username and password; with client_id and client_secret for an "
            "OAuth key of its own"
        )
    return found


def read(options: Mapping[str, Any], credential: Mapping[str, str]) -> Options:
    """The options, once `problems` found none."""
    given = {name: str(options[name]) for name in _KNOWN if name in options}
    given["url"] = given["url"].rstrip("/")
    ca_file = given.pop("ca_file", "") or None
    return Options(**given, ca_file=ca_file, credential=dict(credential))
