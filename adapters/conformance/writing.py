"""Clauses 3: single writes. Not for: several at once (`batches.py`)."""

import threading

import pytest

from adapters.base import Adapter
from adapters.conformance.world import Clauses, World, member, new_id, read, tag
from adapters.errors import Conflict, Invalid, NotFound, StaleVersion


class Writing(Clauses):
    """create, update, erase."""

    def test_create_under_our_id(self, crm: Adapter) -> None:
        """3.1 A record is made under the id we chose, and its version is told."""
        _needs(crm.capabilities.create_with_our_id)
        id = new_id()
        made = crm.create("member", id, {"given_name": "Ann"})
        assert made.id == id
        assert made.version == crm.get("member", id, ()).version != ""

    def test_create_again(self, crm: Adapter) -> None:
        """3.2 A create that is repeated is Conflict and changes nothing."""
        _needs(crm.capabilities.create_with_our_id)
        made = member(crm, given_name="Ann")
        with pytest.raises(Conflict):
            crm.create("member", made.id, {"given_name": "Bob"})
        assert crm.get("member", made.id, ("given_name",)).record == {"given_name": "Ann"}
        with pytest.raises(Invalid):
            crm.create("member", "no-id", {})

    def test_key_taken(self, crm: Adapter, world: World) -> None:
        """3.3 A key's value that another record has is Conflict."""
        if "subject" not in world.mapping.kinds["member"].keys:
            pytest.skip("the mapping has no such key")
        taken = tag()
        member(crm, subject=taken)
        other = member(crm, subject=tag())
        with pytest.raises(Conflict):
            member(crm, subject=taken)
        with pytest.raises(Conflict):
            crm.update("member", other.id, {"subject": taken}, other.version)

    def test_stale(self, crm: Adapter) -> None:
        """3.4 An update or erase based on a version that has passed is StaleVersion, no change."""
        _needs(crm.capabilities.versioned_update != "no")
        made = member(crm, given_name="Ann")
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)
        with pytest.raises(StaleVersion):
            crm.update("member", made.id, {"given_name": "Cy"}, made.version)
        with pytest.raises(StaleVersion):
            crm.erase("member", made.id, made.version)
        assert read(crm, made, "given_name") == {"given_name": "Bob"}

    def test_update_tells(self, crm: Adapter) -> None:
        """3.5 An update gives the new version and the fields of `returning`."""
        made = member(crm, given_name="Ann", last_operations="a")
        done = crm.update(
            "member", made.id, {"given_name": "Bob"}, made.version, returning=("last_operations",)
        )
        assert done.record == {"last_operations": "a"}
        if crm.capabilities.versioned_update != "no":
            assert done.version != made.version
        assert done.version == crm.get("member", made.id, ()).version

    def test_update_never_creates(self, crm: Adapter) -> None:
        """3.6 An update of a record that is gone is NotFound and doesn't bring it back."""
        made = member(crm, given_name="Ann")
        crm.erase("member", made.id)
        with pytest.raises(NotFound):
            crm.update("member", made.id, {"given_name": "Bob"}, made.version)
        with pytest.raises(NotFound):
            crm.get("member", made.id, ("given_name",))

    def test_no_version(self, crm: Adapter) -> None:
        """3.7 An update without a concrete version is Invalid."""
        made = member(crm, given_name="Ann")
        for version in ("", "*"):
            with pytest.raises(Invalid):
                crm.update("member", made.id, {"given_name": "Bob"}, version)
        assert read(crm, made, "given_name") == {"given_name": "Ann"}

    def test_one_of_many_wins(self, crm: Adapter) -> None:
        """3.8 Of several updates based on one version, exactly one is done."""
        _needs(crm.capabilities.versioned_update == "yes")
        made = member(crm, given_name="Ann")
        results: list[str] = []

        def write(name: str) -> None:
            try:
                crm.update("member", made.id, {"given_name": name}, made.version)
                results.append(name)
            except StaleVersion:
                results.append("stale")

        threads = [threading.Thread(target=write, args=(f"n{n}",)) for n in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        (winner,) = [name for name in results if name != "stale"]
        assert read(crm, made, "given_name") == {"given_name": winner}
        assert len(results) == len(threads)

    def test_erase(self, crm: Adapter) -> None:
        """3.9 An erased record is gone; erasing what isn't there is NotFound."""
        made = member(crm, given_name="Ann")
        crm.erase("member", made.id, made.version)
        for erase in (
            lambda: crm.get("member", made.id, ("given_name",)),
            lambda: crm.erase("member", made.id),
            lambda: crm.erase("member", made.id, made.version),
        ):
            with pytest.raises(NotFound):
                erase()

    def test_only_changes_are_sent(self, crm: Adapter, remote: World) -> None:
        """3.10 An update sends the changed columns only, and, where the CRM itself compares, the
        version it is based on."""
        made = member(crm, given_name="Ann", family_name="Lee")
        remote.forget()
        crm.update("member", made.id, {"given_name": "Bob"}, made.version)
        (request,) = [request for request in remote.seen() if not remote.reads(request)]
        column = remote.mapping.kinds["member"].fields["given_name"].column
        assert remote.written(request) == {column: "Bob"}
        if crm.capabilities.versioned_update == "yes":
            assert request.headers["if-match"] == made.version

    def test_born_active(self, crm: Adapter) -> None:
        """3.12 A new member is active, whether the CRM or the adapter sees to it."""
        assert read(crm, member(crm), "state") == {"state": "active"}

    def test_lookup_is_moved(self, crm: Adapter) -> None:
        """3.11 A lookup is set, moved and emptied by the id it names."""
        one, two = member(crm), member(crm)
        row = crm.create("identity", new_id(), {"member": one.id})
        for target in (two.id, None):
            done = crm.update(
                "identity", row.id, {"member": target}, row.version, returning=("member",)
            )
            row = done
            assert done.record == {"member": target}

    def test_lookup_of_nothing(self, crm: Adapter) -> None:
        """3.13 A lookup that names no record is NotFound and nothing is written, or it leads
        nowhere; never to another record."""
        id = new_id()
        try:
            crm.create("identity", id, {"kind": "mobile", "member": new_id()})
        except NotFound:
            with pytest.raises(NotFound):
                crm.get("identity", id, ())
            return
        if crm.capabilities.expands:
            assert crm.get("identity", id, ("member.stamp",)).lookups == {"member": None}

    def test_a_version_does_not_come_back(self, crm: Adapter) -> None:
        """3.14 A change that is undone is a change: a version never stands for two states."""
        _needs(crm.capabilities.versioned_update != "no")
        made = member(crm, given_name="Ann")
        versions = [made.version]
        for name in ("Bob", "Ann", "Bob", "Ann"):
            done = crm.update("member", made.id, {"given_name": name}, versions[-1])
            versions.append(done.version)
        assert len(set(versions)) == len(versions)
        with pytest.raises(StaleVersion):
            crm.update("member", made.id, {"given_name": "Cy"}, made.version)


def _needs(capability: bool) -> None:
    if not capability:
        pytest.skip("not declared")
