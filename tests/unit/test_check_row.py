"""A process that holds another identity key than the CRM's rows were made with doesn't start."""

from collections.abc import Iterator
from typing import Any

import pytest

from adapters import registry
from adapters.base import Adapter, FreeBudget, Remote
from adapters.errors import BadCredentials, Unreachable
from bridge.cli.crm_checks import OwnTokens
from bridge.cli.line import ROOT
from bridge.services import check_row
from bridge.services.check_row import OtherKey
from bridge.services.identities import IdentityKeys
from mappings.loader import load

OURS, OTHERS = IdentityKeys(b"a" * 32), IdentityKeys(b"b" * 32)


@pytest.fixture
def crm() -> Iterator[Adapter]:
    remote = Remote({}, {}, OwnTokens(), FreeBudget(), "test")
    made = registry.make("memory", load(ROOT / "mappings" / "memory.yaml"), remote)
    yield made
    made.close()


def test_the_row_is_written_once_and_found(crm: Adapter) -> None:
    """Writing it again changes nothing, and a process with the key may start."""
    assert check_row.state(crm, OURS) == "missing"
    assert check_row.write(crm, OURS) is True
    assert check_row.write(crm, OURS) is False
    assert check_row.state(crm, OURS) == "found"
    check_row.require(crm, OURS)


def test_another_key_neither_starts_nor_writes(crm: Adapter) -> None:
    """Under another key the row isn't there, and a second one isn't made beside it."""
    check_row.write(crm, OURS)

    with pytest.raises(OtherKey):
        check_row.require(crm, OTHERS)
    with pytest.raises(OtherKey):
        check_row.write(crm, OTHERS)
    assert check_row.state(crm, OTHERS) == "missing"


def test_a_row_with_another_mac_is_forged(crm: Adapter) -> None:
    """Its id alone doesn't make it ours."""
    crm.create("identity", OURS.check_row()[0], {"kind": "check", "mac": "x" * 22})

    assert check_row.state(crm, OURS) == "forged"
    with pytest.raises(OtherKey):
        check_row.require(crm, OURS)


class _Failing:
    """A CRM whose reads end in `error`."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def get(self, *args: Any, **kwargs: Any) -> Any:
        raise self._error


def test_a_crm_that_is_away_keeps_nobody_from_starting() -> None:
    """The row can't be looked for now, which says nothing; a refused credential does."""
    check_row.require(_Failing(Unreachable()), OURS)
    with pytest.raises(BadCredentials):
        check_row.require(_Failing(BadCredentials()), OURS)
