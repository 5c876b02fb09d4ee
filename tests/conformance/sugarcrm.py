"""The SugarCRM sandbox as a process for these tests."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.base import Adapter, Remote
from adapters.conformance import CountingBudget, FileTokens, Seen, World
from adapters.registry import make
from mappings.loader import load
from tests.conformance.conftest import ROOT, Sandbox


@pytest.fixture(scope="session")
def sugarcrm() -> Iterator[Sandbox]:
    """One sandbox for all tests of a run."""
    command = [sys.executable, "-m", "sandbox", "sugarcrm", "--with-parent"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        yield Sandbox(json.loads(process.stdout.readline())["sugarcrm"])
        process.communicate()


class SugarWorld(World):
    """SugarCRM against the sandbox, our package installed, as an administrator."""

    disturbs = True
    user = ""
    ids = "sync_key"
    mapping = load(ROOT / "mappings" / "sugarcrm.yaml")

    def __init__(self, sandbox: Sandbox, tokens: Path) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.tokens = FileTokens(tokens)
        self.options = {name: sandbox.ready[name] for name in ("url", "ca_file", "platform")}
        self.options |= {"ids": self.ids, "passwords": "portal"}
        user = sandbox.ready[self.user] if self.user else sandbox.ready
        self.credential = {name: user[name] for name in ("username", "password")}
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
        return make("sugarcrm", self.mapping, Remote(**(given | changes)))

    def seen(self) -> list[Seen]:
        """See World."""
        entries = self.sandbox.control("GET", "requests")["requests"]
        return [
            Seen(e["method"], e["path"], e["headers"], e["body"])
            for e in entries
            if e["path"].startswith("/rest/") and "/oauth2/" not in e["path"]
        ]

    def reads(self, request: Seen) -> bool:
        """See World."""
        return super().reads(request) or request.target.endswith("/filter")

    def written(self, request: Seen) -> Any:
        """See World."""
        own = {binding.version for binding in self.mapping.kinds.values()}
        return {name: value for name, value in request.body.items() if name not in own}

    def forget(self) -> None:
        """See World."""
        self.sandbox.control("DELETE", "requests")

    def fault(self, kind: str, **rule: Any) -> None:
        """See World."""
        self._fault(r"^/rest/(?!.*/oauth2/)", kind, rule)

    def fault_in_write(self, kind: str, **rule: Any) -> None:
        """See World."""
        self._fault(r"^/rest/(?!.*/(oauth2/|filter$))", kind, rule)

    def wrong_credential(self) -> dict[str, str]:
        """See World."""
        return {**self.credential, "password": "WRONG-password"}

    def password(self) -> tuple[str, str]:
        """See World: a contact whom the portal knows."""
        given = {"portal_name": "ann", "portal_password": "Right-1", "portal_active": True}
        self.sandbox.control("POST", "seed", {"Contacts": [{"last_name": "Lee", **given}]})
        return "ann", "Right-1"

    def expire_tokens(self) -> None:
        """See World."""
        self.sandbox.control("POST", "tokens", {"expire": True})

    def token_calls(self) -> int:
        """See World."""
        return sum(self.sandbox.control("GET", "state")["tokens"]["calls"].values())

    def set(self, **settings: Any) -> None:
        """Of the sandbox: what an administrator may set, and what nobody could verify."""
        self.sandbox.control("POST", "settings", settings)

    def _fault(self, path: str, kind: str, rule: dict[str, Any]) -> None:
        self.sandbox.control("DELETE", "faults")
        match = {"path_regex": path}
        self.sandbox.control("POST", "faults", {"kind": kind, "match": match, **rule})


class WriterWorld(SugarWorld):
    """As a user who may not upsert, whose upserts are refused before the write itself."""

    user = "writer"

    def fault_in_write(self, kind: str, **rule: Any) -> None:
        """See World."""
        self._fault(r"^/rest/(?!.*/(oauth2/|filter$|sync_key/))", kind, rule)


class OwnIdsWorld(SugarWorld):
    """Our id is Sugar's own, where the instance takes one at a create."""

    ids = "id"

    def __init__(self, sandbox: Sandbox, tokens: Path) -> None:
        super().__init__(sandbox, tokens)
        self.set(id_on_create=True)
