"""What the options of most CRMs have in common: names, texts, a server's address. Not for: any one
CRM's own options, or timeouts, which are common (`config`)."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

PLACE = "crm.options"
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_COLUMN = re.compile(r"[a-z][a-z0-9_]*\Z")


def texts(options: Mapping[str, Any], known: tuple[str, ...]) -> list[str]:
    """Unknown names, and values that aren't text; never a value."""
    found = [f"{PLACE}.{name} is unknown" for name in options if name not in known]
    return found + [
        f"{PLACE}.{name} must be text"
        for name in known
        if not isinstance(options.get(name, ""), str)
    ]


def server(options: Mapping[str, Any]) -> list[str]:
    """Mistakes in `url`: TLS everywhere but on this machine itself."""
    if "url" not in options:
        return [f"{PLACE}.url is missing"]
    if isinstance(options["url"], str) and not _is_server(options["url"]):
        return [f"{PLACE}.url must be https://host or https://host/path"]
    return []


def column(options: Mapping[str, Any], name: str, default: str) -> list[str]:
    """Mistakes in an option that names a column, or none by being empty."""
    given = options.get(name, default)
    if isinstance(given, str) and given and not _COLUMN.match(given):
        return [f"{PLACE}.{name} must be the name of a column, or empty"]
    return []


def origin(url: str) -> str:
    """Scheme, host and port."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _is_server(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username) and text.isprintable()
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return secure and bool(parts.hostname) and has_port and plain and " " not in text
