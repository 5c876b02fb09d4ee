"""A live system, named by environment variables, as a world of the suite. Not for: sandboxes, which
can be reset and disturbed.

`BRIDGE_LIVE_<CRM>_<SETTING>`: `BRIDGE_LIVE_SUITECRM_URL` is `crm.options.url`, and so on for every
option and every part of the credential; `BRIDGE_LIVE_<CRM>_MAPPING` is another mapping file.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters import registry
from adapters.base import Adapter, Remote
from adapters.conformance.kept import FileTokens
from adapters.conformance.partial import held
from adapters.conformance.world import CountingBudget, World
from mappings.loader import load

_MAPPINGS = Path(__file__).parents[2] / "mappings"


@dataclass(frozen=True)
class Live:
    """How the environment names one CRM. `adapter`: as in `crm.adapter`."""

    name: str
    adapter: str
    options: tuple[str, ...]
    credential: tuple[str, ...]
    mapping: Path

    def variable(self, setting: str) -> str:
        """The variable's name."""
        return f"BRIDGE_LIVE_{self.name}_{setting}".upper()

    def given(self, environ: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
        """(options, credential), as far as they are set."""
        return self._of(self.options, environ), self._of(self.credential, environ)

    def _of(self, names: tuple[str, ...], environ: Mapping[str, str]) -> dict[str, str]:
        return {n: environ[self.variable(n)] for n in names if environ.get(self.variable(n))}

    def problems(self, environ: Mapping[str, str]) -> list[str]:
        """What is missing or wrong, by the names of the variables and without values."""
        options, credential = self.given(environ)
        said = registry.check_options(self.adapter, options, credential)
        for name in self.options:
            said = [each.replace(f"crm.options.{name}", self.variable(name)) for each in said]
        return said

    def variables(self) -> list[str]:
        """Every variable that it knows."""
        return [self.variable(n) for n in (*self.options, *self.credential, "mapping")]


_ALL = (
    Live(
        "dynamics",
        "dynamics",
        ("url", "authority", "tenant", "scope", "ca_file", "api_version"),
        ("client_id", "client_secret", "pfx_path", "passphrase"),
        _MAPPINGS / "dynamics.yaml",
    ),
    Live(
        "suitecrm",
        "suitecrm",
        ("url", "version_column", "ca_file"),
        ("client_id", "client_secret", "username", "password"),
        _MAPPINGS / "suitecrm.yaml",
    ),
    Live(
        "sugarcrm",
        "sugarcrm",
        ("url", "platform", "api_version", "ids", "passwords", "ca_file"),
        ("username", "password", "client_id", "client_secret"),
        _MAPPINGS / "sugarcrm.yaml",
    ),
)
LIVE: Mapping[str, Live] = {each.name: each for each in _ALL if each.adapter in registry.KNOWN}
"""Those that ship."""


class LiveWorld(World):
    """What the server has of the mapping. Nothing is disturbed, and what a test makes is erased
    after it."""

    shared = True

    def __init__(self, live: Live, tokens: Path, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__()
        self.live, self.tokens = live, FileTokens(tokens)
        self.options: dict[str, Any] = {}
        given, self.credential = live.given(environ)
        self.options |= given
        self.mapping = load(environ.get(live.variable("mapping")) or live.mapping)
        told = self.adapter().describe()
        for option, (usual, _) in registry.adapter_class(live.adapter).guide.own_columns.items():
            column = self.options.get(option, usual)
            if not all(column in columns for columns in told.tables.values()):
                self.options[option] = ""  # a stock server has no column of ours
        self.mapping, self.lacks = held(self.mapping, told)

    def adapter(self, **changes: Any) -> Adapter:
        """See World."""
        given: dict[str, Any] = {
            "options": self.options,
            "credential": self.credential,
            "tokens": self.tokens,
            "budget": CountingBudget(self),
            "lane": "now",
            "read_timeout": 15.0,
        }
        return registry.make(self.live.adapter, self.mapping, Remote(**(given | changes)))
