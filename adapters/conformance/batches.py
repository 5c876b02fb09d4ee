"""Clauses 4: several changes in one `apply`. Not for: single writes."""

import pytest

from adapters.base import Adapter, Operation
from adapters.conformance.world import Clauses, World, member, new_id, read
from adapters.errors import (
    Conflict,
    CrmError,
    Invalid,
    NotFound,
    StaleVersion,
    Unavailable,
    Unsupported,
)


class Batches(Clauses):
    """apply, where `atomic_batch` is declared."""

    @pytest.fixture
    def batch(self, crm: Adapter) -> Adapter:
        """The adapter, if it declares `atomic_batch`."""
        if not crm.capabilities.atomic_batch:
            pytest.skip("not declared")
        return crm

    def test_all_are_done(self, batch: Adapter) -> None:
        """4.1 apply does all of its operations and gives one answer each, in their order."""
        one, two = member(batch, given_name="Ann"), member(batch)
        id = new_id()
        answers = batch.apply(
            [
                Operation("create", "identity", id, {"kind": "email", "member": one.id}),
                Operation("update", "member", one.id, {"given_name": "Bob"}, one.version),
                Operation("erase", "member", two.id),
            ]
        )
        assert [answer and answer.id for answer in answers] == [id, one.id, None]
        assert read(batch, one, "given_name") == {"given_name": "Bob"}
        assert batch.get("identity", id, ("member",)).record == {"member": one.id}
        with pytest.raises(NotFound):
            batch.get("member", two.id, ())

    @pytest.mark.parametrize("error", [Conflict, StaleVersion, NotFound])
    def test_all_or_nothing(self, batch: Adapter, error: type[CrmError]) -> None:
        """4.2 Where one operation is refused, none is done, and the error is that one's."""
        one, old = member(batch, given_name="Ann"), member(batch)
        batch.update("member", old.id, {"given_name": "x"}, old.version)
        each: dict[type[CrmError], Operation] = {
            Conflict: Operation("create", "member", one.id, {}),
            StaleVersion: Operation("update", "member", old.id, {"given_name": "y"}, old.version),
            NotFound: Operation("update", "member", new_id(), {"given_name": "y"}, old.version),
        }
        id = new_id()
        with pytest.raises(error):
            batch.apply(
                [
                    Operation("create", "identity", id, {"kind": "email"}),
                    Operation("update", "member", one.id, {"given_name": "Bob"}, one.version),
                    each[error],
                ]
            )
        assert batch.get("member", one.id, ("given_name",)).record == {"given_name": "Ann"}
        with pytest.raises(NotFound):
            batch.get("identity", id, ())

    def test_no_update_of_what_it_makes(self, batch: Adapter) -> None:
        """4.3 An update of a record that the same apply makes is Unsupported; nothing is done."""
        id = new_id()
        change = Operation("update", "member", id, {"given_name": "Bob"}, 'W/"1"')
        with pytest.raises(Unsupported):
            batch.apply([Operation("create", "member", id, {}), change])
        with pytest.raises(NotFound):
            batch.get("member", id, ())

    def test_concrete_versions_here_too(self, batch: Adapter) -> None:
        """4.4 An update in an apply needs a concrete version as any other."""
        made = member(batch, given_name="Ann")
        for version in (None, "", "*"):
            with pytest.raises(Invalid):
                batch.apply([Operation("update", "member", made.id, {}, version)])

    def test_nothing_to_do(self, batch: Adapter) -> None:
        """4.5 An apply of nothing does nothing."""
        assert batch.apply([]) == ()

    def test_cut(self, batch: Adapter, remote: World) -> None:
        """4.6 An apply whose answer was lost is done whole or not at all."""
        for fault, done in (("cut_before", False), ("cut_after", True)):
            ids = [new_id(), new_id()]
            remote.fault(fault)
            with pytest.raises(Unavailable):
                batch.apply([Operation("create", "member", id, {"given_name": "x"}) for id in ids])
            for id in ids:
                if done:
                    assert batch.get("member", id, ()).id == id
                else:
                    with pytest.raises(NotFound):
                        batch.get("member", id, ())
