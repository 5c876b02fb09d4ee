"""What the `crm` section may say of a SuiteCRM server. Not for: timeouts, which are common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from adapters.places import column, server, texts

_CREDENTIALS = (
    {"client_id", "client_secret"},
    {"client_id", "client_secret", "username", "password"},
)
VERSION_COLUMN = "cb_version_c"


@dataclass(frozen=True)
class Options:
    """`url`: what stands before `/Api` (SuiteCRM 8: `https://host/legacy`). `version_column`: the
    text column of every module that says which write was the last; "" where there is none."""

    url: str
    version_column: str = VERSION_COLUMN
    ca_file: str | None = None
    credential: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> str:
        """The path of the API."""
        return f"{urlsplit(self.url).path}/Api/"


def problems(options: Mapping[str, Any], credential: Mapping[str, str] | None) -> list[str]:
    """Every mistake, by name and never with its value."""
    found = texts(options, ("url", "version_column", "ca_file"))
    found += server(options) + column(options, "version_column", VERSION_COLUMN)
    if credential is not None and set(credential) not in _CREDENTIALS:
        found.append(
            "crm.credential needs client_id and client_secret; with username and password for a "
            "client of the password grant"
        )
    return found


def read(options: Mapping[str, Any], credential: Mapping[str, str]) -> Options:
    """The options, once `problems` found none."""
    return Options(
        url=str(options["url"]).rstrip("/"),
        version_column=str(options.get("version_column", VERSION_COLUMN)),
        ca_file=str(options["ca_file"]) if options.get("ca_file") else None,
        credential=dict(credential),
    )
