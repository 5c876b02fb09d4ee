"""What the `crm` section may say of a Dataverse environment. Not for: timeouts, which are common.

China and other clouds are other values here, never other code.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

_TEXTS = ("url", "authority", "tenant", "scope", "ca_file", "api_version", "hot_reads")
_FLAGS = ("instance_discovery",)
_CREDENTIALS = (
    {"client_id", "client_secret"},
    {"client_id", "private_key", "certificate"},
    {"client_id", "private_key", "certificate", "passphrase"},
    {"client_id", "pfx_path"},
    {"client_id", "pfx_path", "passphrase"},
)


@dataclass(frozen=True)
class Options:
    """`url`: the environment's; `authority`: Entra's host for this cloud; `scope`: by default
    `<url>/.default`. `hot_reads`: `thin` or `requests`. `instance_discovery`: let MSAL ask
    Microsoft's global cloud whether the authority is one; off, since that host may be out of reach
    and the authority is the operator's word. `ca_file`: a CA other than the public ones."""

    url: str
    authority: str
    tenant: str
    scope: str = ""
    ca_file: str | None = None
    api_version: str = "v9.2"
    hot_reads: str = "thin"
    instance_discovery: bool = False
    credential: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def root(self) -> str:
        """The path of the Web API."""
        return f"/api/data/{self.api_version}/"


def problems(options: Mapping[str, Any], credential: Mapping[str, str] | None) -> list[str]:
    """Every mistake, by name and never with its value."""
    place = "crm.options"
    found = [f"{place}.{n} is unknown" for n in options if n not in (*_TEXTS, *_FLAGS)]
    found += [f"{place}.{n} is missing" for n in ("url", "authority", "tenant") if n not in options]
    found += [
        f"{place}.{n} must be text"
        for n in _TEXTS
        if n in options and not (isinstance(options[n], str) and options[n])
    ]
    found += [f"{place}.{n} is true or false" for n in _FLAGS if _flag(options.get(n)) is None]
    found += [
        f"{place}.{name} must be https://host without a path"
        for name, text in _origins(options)
        if not _is_origin(text)
    ]
    if options.get("hot_reads", "thin") not in ("thin", "requests"):
        found.append(f"{place}.hot_reads is thin or requests")
    if credential is not None and set(credential) not in _CREDENTIALS:
        found.append(
            "crm.credential needs client_id and either client_secret, or private_key and "
            "certificate (PEM), or pfx_path; passphrase goes with a key"
        )
    return found


def read(options: Mapping[str, Any], credential: Mapping[str, str]) -> Options:
    """The options, once `problems` found none."""
    url, tenant = str(options["url"]).rstrip("/"), str(options["tenant"])
    return Options(
        url=url,
        # Written with the tenant at its end, as Entra's pages show it, or without.
        authority=str(options["authority"]).rstrip("/").removesuffix(f"/{tenant}"),
        tenant=tenant,
        scope=str(options.get("scope", f"{url}/.default")),
        ca_file=str(options["ca_file"]) if "ca_file" in options else None,
        api_version=str(options.get("api_version", "v9.2")),
        hot_reads=str(options.get("hot_reads", "thin")),
        instance_discovery=bool(_flag(options.get("instance_discovery"))),
        credential=dict(credential),
    )


def _flag(value: Any) -> bool | None:
    """An environment variable gives text."""
    if value is None or isinstance(value, bool):
        return bool(value)
    return {"true": True, "false": False}.get(str(value).lower())


def _origins(options: Mapping[str, Any]) -> list[tuple[str, str]]:
    given = [(n, options[n]) for n in ("url", "authority") if isinstance(options.get(n), str)]
    tenant = f"/{options.get('tenant')}"
    return [(n, t.rstrip("/").removesuffix(tenant) if n == "authority" else t) for n, t in given]


def _is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        has_port = parts.port is None or parts.port > 0
    except ValueError:
        return False
    plain = not (parts.query or parts.fragment or parts.username or parts.path.strip("/"))
    return parts.scheme == "https" and bool(parts.hostname) and has_port and plain
