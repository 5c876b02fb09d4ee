"""Step 6: the adapter keeps the contract."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from rest_table.adapter import RestTable
from rest_table.server import FAULTS, Service

from adapters.base import Adapter, Remote
from adapters.conformance import Conformance, CountingBudget, FileTokens, Seen, World
from mappings.loader import load

MAPPING = Path(__file__).parent / "mapping.yaml"


class RestWorld(World):
    """A service of its own for each test, and a hold on it."""

    disturbs = True
    mapping = load(MAPPING)

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.tokens = FileTokens(directory)
        kinds = self.mapping.kinds.values()
        self.service = Service(
            {kind.table: {field.column: "any" for field in kind.fields.values()} | {"id": "id"}
             for kind in kinds}
        )  # fmt: skip

    def adapter(self, **changes: Any) -> Adapter:
        given: dict[str, Any] = {
            "options": {"url": self.service.url},
            "credential": {"key": self.service.key},
            "tokens": self.tokens,
            "budget": CountingBudget(self),
            "lane": "now",
        }
        return RestTable(self.mapping, Remote(**(given | changes)))

    def wrong_credential(self) -> dict[str, str]:
        return {"key": "WRONG-key"}

    def seen(self) -> list[Seen]:
        return [Seen(**each) for each in self.service.seen]

    def reads(self, request: Seen) -> bool:
        return request.method == "GET" or request.target.endswith("/search")

    def forget(self) -> None:
        self.service.seen.clear()

    def fault(self, kind: str, **rule: Any) -> None:
        if kind not in FAULTS:
            pytest.skip(f"the service can't play {kind}")
        self.service.fault = {"kind": kind, **rule}

    def expire_tokens(self) -> None:
        self.service.tokens.clear()

    def token_calls(self) -> int:
        return self.service.issued


class TestRestTable(Conformance):
    """All clauses."""

    @pytest.fixture
    def world(self, tmp_path: Path) -> Iterator[World]:
        made = RestWorld(tmp_path)
        yield made
        made.service.close()
