"""What the `crm` section may say of a SuiteCRM server. Not for: timeouts, which are common."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_CREDENTIALS = (
    {"client_id", "client_secret"},
    {"client_id", "client_secret", "username", "password"},
)
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*\Z")
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
    def origin(self) -> str:
        """Scheme, host and port."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def root(self) -> str:
        """The path of the API."""
        return f"{urlsplit(self.url).path}/Api/"


def problems(options: Mapping[str, Any], credential: Mapping[str, str] | None) -> list[str]:
    """Every mistake, by name and never with its value."""
    place = "crm.options"
    known = ("url", "version_column", "ca_file")
    found = [f"{place}.{name} is unknown" for name in options if name not in known]
    found += [f"{place}.{n} must be text" for n in known if not isinstance(options.get(n, ""), str)]
    if "url" not in options:
        found.append(f"{place}.url is missing")
    elif isinstance(options["url"], str) and not _is_server(options["url"]):
        found.append(f"{place}.url must be https://host or https://host/path")
    column = options.get("version_column", VERSION_COLUMN)
    if isinstance(column, str) and column and not _COLUMN.match(column):
        found.append(f"{place}.version_column must be the name of a column, or empty")
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


def _is_server(text: str) -> bool:
    """TLS everywhere but on this machine itself."""
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username) and text.isprintable()
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return secure and bool(parts.hostname) and has_port and plain and " " not in text
