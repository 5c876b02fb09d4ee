"""The contract as tests, for any adapter, also one that lives elsewhere. Not for: unit tests.

    from adapters.conformance import Conformance, World

    class TestMine(Conformance):
        @pytest.fixture
        def world(self) -> Iterator[World]: ...

Each test's docstring begins with the number of its clause in `docs/adapter-contract.md`. A test
asks for a capability or for what the world can do, never for an adapter's name.
"""

import pytest

pytest.register_assert_rewrite(  # before they are imported: a failed assert shows what it compared
    *(f"adapters.conformance.{name}" for name in (
        "batches", "capabilities", "privacy", "reading", "settings", "tokens", "trouble", "values",
        "world", "writing",
    ))
)  # fmt: skip

from adapters.conformance.batches import Batches
from adapters.conformance.capabilities import Declared
from adapters.conformance.kept import FileTokens
from adapters.conformance.privacy import Privacy
from adapters.conformance.reading import Reading
from adapters.conformance.settings import Set
from adapters.conformance.tokens import Tokens
from adapters.conformance.trouble import Trouble
from adapters.conformance.values import Values
from adapters.conformance.world import CountingBudget, Seen, World
from adapters.conformance.writing import Writing


class Conformance(Reading, Values, Writing, Batches, Trouble, Privacy, Declared, Tokens, Set):
    """All clauses."""


__all__ = ["Conformance", "CountingBudget", "FileTokens", "Seen", "World"]
