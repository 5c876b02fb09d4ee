"""Clauses 9: what an operator sets, and gets wrong. Not for: the configuration itself."""

import logging

import pytest

from adapters.base import Adapter, FreeBudget
from adapters.conformance.world import Clauses, World, bound, member, new_id, read
from adapters.errors import BadCredentials, BadMapping, NotFound, Throttled

NOWHERE = "cb_nosuchcolumn"


class NoLeave(FreeBudget):
    """An allowance that is spent."""

    def take(self, lane: str) -> None:
        """Never granted."""
        raise Throttled(retry_after=3)


class Set(Clauses):
    """Options, credential, mapping, allowance."""

    def test_options_are_checked(self, crm: Adapter) -> None:
        """9.1 check_options names what is unknown or missing, and shows no value."""
        check = type(crm).check_options if isinstance(crm, Adapter) else crm.check_options
        told = check({"no_such_option": "Canary7Zq"}, {"no_such_secret": "Canary7Zq"})
        assert any("crm.options.no_such_option" in sentence for sentence in told)
        assert not [sentence for sentence in told if "Canary7Zq" in sentence]

    def test_wrong_credential(self, world: World, caplog: pytest.LogCaptureFixture) -> None:
        """9.2 A credential that the CRM doesn't know is BadCredentials, and stands nowhere."""
        wrong = world.wrong_credential()
        if wrong is None:
            pytest.skip("not to be tried here")
        caplog.set_level(logging.DEBUG)
        crm = world.adapter(credential=wrong, tokens=NoTokens())
        for call in (crm.ping, crm.describe, lambda: crm.get("member", new_id(), ())):
            with pytest.raises(BadCredentials) as caught:
                call()
            assert "WRONG" not in f"{caught.value!r}{vars(caught.value)}{crm!r}{caplog.text}"
        crm.close()

    def test_no_such_column(self, crm: Adapter, world: World) -> None:
        """9.3 A column that the CRM doesn't have is BadMapping for reads and writes, and nothing
        is written."""
        table = world.mapping.kinds["member"].table
        made = member(crm, given_name="Ann")
        with bound(world, "member", "family_name", column=NOWHERE) as other:
            if NOWHERE in other.describe().tables[table]:
                pytest.skip("this CRM has any column")
            with pytest.raises(BadMapping):
                other.get("member", made.id, ("family_name",))
            with pytest.raises(BadMapping):
                changes = {"given_name": "Bob", "family_name": "Lee"}
                other.update("member", made.id, changes, made.version)
            id = new_id()
            with pytest.raises(BadMapping):
                other.create("member", id, {"family_name": "Lee"})
        assert read(crm, made, "given_name") == {"given_name": "Ann"}
        with pytest.raises(NotFound):
            crm.get("member", id, ())

    def test_no_leave(self, crm: Adapter, remote: World) -> None:
        """9.4 Where the budget gives no leave the call is Throttled, and nothing is sent."""
        made = member(crm, given_name="Ann")
        other = remote.adapter(budget=NoLeave())
        remote.forget()
        with pytest.raises(Throttled) as caught:
            other.get("member", made.id, ("given_name",))
        assert caught.value.retry_after == 3
        with pytest.raises(Throttled):
            other.update("member", made.id, {"given_name": "Bob"}, made.version)
        with pytest.raises(Throttled):
            other.create("member", new_id(), {})
        assert remote.seen() == []
        other.close()


class NoTokens:
    """A TokenCache that keeps nothing, so that the credential itself is tried."""

    def get(self, name: str) -> None:
        """Never one."""

    def put(self, name: str, token: str, seconds: float) -> None:
        """Not kept."""

    def single_flight(self, name: str, seconds: float) -> "NoTokens":
        """There is nobody else."""
        return self

    def __enter__(self) -> bool:
        return True

    def __exit__(self, *exc: object) -> None:
        return None
