"""The Dynamics adapter over plain HTTP on this machine, with a token that was given.

Not for: production, which never loads it: the benchmark names it as `crm.adapter`, and both it and
the plain build then speak to the same upstream in the same way. Everything else is the real thing.
"""

from collections.abc import Mapping as Dict
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from adapters.base import FlightLock, Remote, TokenCache
from adapters.dynamics.adapter import Dynamics
from mappings.loader import Mapping

TOKEN = "t" * 1400
"""As long as Entra's."""


class _Given(TokenCache, FlightLock):
    """A token cache that always holds the token."""

    def get(self, name: str) -> tuple[str, float] | None:
        return TOKEN, 3600.0

    def put(self, name: str, token: str, seconds: float) -> None:
        return

    def single_flight(self, name: str, seconds: float) -> FlightLock:
        return self

    def __enter__(self) -> bool:
        return False

    def __exit__(self, *exc: object) -> None:
        return


class OverPlainHttp(Dynamics):
    """`crm.options`: `url` (http://127.0.0.1:port), and `hot_reads`."""

    def __init__(self, mapping: Mapping, remote: Remote) -> None:
        super().__init__(mapping, replace(remote, tokens=_Given()))

    @classmethod
    def check_options(
        cls, options: Dict[str, Any], credential: Dict[str, str] | None = None
    ) -> list[str]:
        """Only this machine."""
        if urlsplit(str(options.get("url"))).hostname != "127.0.0.1":
            return ["crm.options.url: the benchmark stays on 127.0.0.1"]
        secure = {**options, "url": "https://127.0.0.1"}
        return super().check_options(secure, credential)
