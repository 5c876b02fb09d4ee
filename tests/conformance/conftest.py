"""The Dataverse sandbox as a process for these tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from adapters.base import Adapter, Remote
from adapters.conformance import CountingBudget, FileTokens, Seen, World
from adapters.registry import make
from mappings.loader import load

ROOT = Path(__file__).parents[2]


class Sandbox:
    """A running Dataverse sandbox and its control plane."""

    def __init__(self, ready: dict[str, Any]) -> None:
        self.ready = ready
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.verify = ready["ca_file"]

    @property
    def options(self) -> dict[str, Any]:
        """The `crm.options` that lead to it."""
        return {name: self.ready[name] for name in ("url", "authority", "tenant", "ca_file")}

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """One call to the control plane; its answer as data."""
        url = f"{self.ready['url']}/_sandbox/{path}"
        answer = self._session.request(method, url, json=document, timeout=10)
        answer.raise_for_status()
        return answer.json()


@pytest.fixture(scope="session")
def dataverse() -> Iterator[Sandbox]:
    """One sandbox for all tests of a run."""
    command = [sys.executable, "-m", "sandbox", "dynamics", "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield Sandbox(json.loads(process.stdout.readline())["dynamics"])
        process.communicate()


class DynamicsWorld(World):
    """Dynamics against the sandbox."""

    disturbs = True
    mapping = load(ROOT / "mappings" / "dynamics.yaml")

    def __init__(self, sandbox: Sandbox, tokens: Path, **options: Any) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.tokens = FileTokens(tokens)
        self.options = {**sandbox.options, **options}
        sandbox.control("POST", "reset")

    def adapter(self, **changes: Any) -> Adapter:
        """See World."""
        given: dict[str, Any] = {
            "options": self.options,
            "credential": self.sandbox.ready["writer"],
            "tokens": self.tokens,
            "budget": CountingBudget(self),
            "lane": "now",
        }
        return make("dynamics", self.mapping, Remote(**(given | changes)))

    def seen(self) -> list[Seen]:
        """See World."""
        entries = self.sandbox.control("GET", "requests")["requests"]
        return [
            Seen(e["method"], e["path"], e["headers"], e["body"], e["in_batch"])
            for e in entries
            if e["path"].startswith("/api/")
        ]

    def forget(self) -> None:
        """See World."""
        self.sandbox.control("DELETE", "requests")

    def fault(self, kind: str, **rule: Any) -> None:
        """See World."""
        self.sandbox.control("DELETE", "faults")
        match = {"path_prefix": "/api/"}
        self.sandbox.control("POST", "faults", {"kind": kind, "match": match, **rule})

    def wrong_credential(self) -> dict[str, str]:
        """See World."""
        return {**self.sandbox.ready["writer"], "client_secret": "WRONG-secret"}

    def expire_tokens(self) -> None:
        """See World."""
        self.sandbox.control("POST", "tokens", {"expire": True})

    def token_calls(self) -> int:
        """See World."""
        return sum(self.sandbox.control("GET", "state")["tokens"]["calls"].values())
