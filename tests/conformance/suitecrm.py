"""The SuiteCRM sandbox as a process for these tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, Remote
from adapters.conformance import CountingBudget, FileTokens, Seen, World
from adapters.conformance.partial import held
from adapters.registry import make
from mappings.loader import load
from tests.conformance.conftest import ROOT, Sandbox


@pytest.fixture(scope="session")
def suitecrm() -> Iterator[Sandbox]:
    """One sandbox for all tests of a run."""
    command = [sys.executable, "-m", "sandbox", "suitecrm", "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield Sandbox(json.loads(process.stdout.readline())["suitecrm"])
        process.communicate()


class SuiteWorld(World):
    """SuiteCRM against the sandbox, our package installed."""

    disturbs = True
    mapping = load(ROOT / "mappings" / "suitecrm.yaml")

    def __init__(self, sandbox: Sandbox, tokens: Path) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.tokens = FileTokens(tokens)
        self.options = {name: sandbox.ready[name] for name in ("url", "ca_file")}
        self.credential = {name: sandbox.ready[name] for name in ("client_id", "client_secret")}
        sandbox.control("POST", "reset")

    def adapter(self, **changes: Any) -> Adapter:
        """See World."""
        given: dict[str, Any] = {
            "options": self.options,
            "credential": self.credential,
            "tokens": self.tokens,
            "budget": CountingBudget(self),
            "lane": "now",
        }
        return make("suitecrm", self.mapping, Remote(**(given | changes)))

    def seen(self) -> list[Seen]:
        """See World."""
        entries = self.sandbox.control("GET", "requests")["requests"]
        return [
            Seen(e["method"], e["path"], e["headers"], e["body"])
            for e in entries
            if e["path"].startswith("/Api/V8/")
        ]

    def written(self, request: Seen) -> Any:
        """See World."""
        attributes = dict(request.body["data"]["attributes"])
        attributes.pop("cb_version_c", None)
        return attributes

    def forget(self) -> None:
        """See World."""
        self.sandbox.control("DELETE", "requests")

    def fault(self, kind: str, **rule: Any) -> None:
        """See World."""
        self.sandbox.control("DELETE", "faults")
        match = {"path_prefix": "/Api/V8/"}
        self.sandbox.control("POST", "faults", {"kind": kind, "match": match, **rule})

    def wrong_credential(self) -> dict[str, str]:
        """See World."""
        return {**self.credential, "client_secret": "WRONG-secret"}

    def expire_tokens(self) -> None:
        """See World."""
        self.sandbox.control("POST", "tokens", {"expire": True})

    def token_calls(self) -> int:
        """See World."""
        return sum(self.sandbox.control("GET", "state")["tokens"]["calls"].values())


class StockWorld(SuiteWorld):
    """A server without our package: it has Contacts, and of those the stock columns."""

    def __init__(self, sandbox: Sandbox, tokens: Path) -> None:
        super().__init__(sandbox, tokens)
        sandbox.control("POST", "package", {"installed": False})
        self.options["version_column"] = ""
        told = self.adapter().describe()
        self.mapping, self.lacks = held(self.mapping, told)
