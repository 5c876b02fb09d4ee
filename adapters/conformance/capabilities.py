"""Clauses 7: what is declared works, what isn't is refused. Not for: how it works."""

import pytest

from adapters.base import Adapter, Operation
from adapters.conformance.world import Clauses, World, member, new_id
from adapters.errors import Unsupported


class Declared(Clauses):
    """Both ways: the other clauses use what is declared."""

    def test_what_is_not_declared(self, crm: Adapter, world: World) -> None:
        """7.1 A verb whose capability isn't declared is Unsupported."""
        made = member(crm)
        if not crm.capabilities.checks_passwords:
            with pytest.raises(Unsupported):
                crm.run("check_password", {})
        if not crm.capabilities.atomic_batch:
            with pytest.raises(Unsupported):
                crm.apply([Operation("create", "member", new_id(), {})])
        if not crm.capabilities.expands:
            for onward in ("consents.purpose", "master.stamp"):
                if onward.partition(".")[0] not in world.mapping.kinds["member"].not_held:
                    with pytest.raises(Unsupported):
                        crm.get("member", made.id, (onward,))
        if not crm.capabilities.clears_with_null:
            with pytest.raises(Unsupported):
                crm.update("member", made.id, {"given_name": None}, made.version)
        if not crm.capabilities.pages_with_cursor:
            with pytest.raises(Unsupported):
                crm.query("member", (), (), cursor=made.id)

    def test_unknown_operation(self, crm: Adapter) -> None:
        """7.2 An operation that this CRM doesn't know is Unsupported."""
        with pytest.raises(Unsupported):
            crm.run("no_such_operation", {})

    def test_describe(self, crm: Adapter, world: World) -> None:
        """7.3 describe names every table, column and key of the mapping that the CRM has."""
        description = crm.describe()
        for binding in world.mapping.kinds.values():
            columns = {binding.id_column, *(f.column for f in binding.fields.values())}
            assert columns <= set(description.tables[binding.table])
            for name, key in binding.keys.items():
                assert description.keys[binding.table][key] == (binding.fields[name].column,)

    def test_ping(self, crm: Adapter) -> None:
        """7.4 ping says nothing where all is well."""
        crm.ping()

    def test_two_reads_deep(self, crm: Adapter) -> None:
        """7.5 A dotted field leads one record further; two are Unsupported."""
        made = member(crm)
        with pytest.raises(Unsupported):
            crm.get("member", made.id, ("consents.member.stamp",))

    def test_passwords(self, crm: Adapter, world: World) -> None:
        """7.6 Where checks_passwords is declared, the right password is told from a wrong one, and
        a wrong one not from somebody unknown."""
        if not crm.capabilities.checks_passwords:
            pytest.skip("not declared")
        known = world.password()
        if known is None:
            pytest.skip("the world names nobody whose password the CRM knows")
        name, password = known
        right = crm.run("check_password", {"name": name, "password": password})
        wrong = crm.run("check_password", {"name": name, "password": f"{password}x"})
        nobody = crm.run("check_password", {"name": f"{name}x", "password": password})
        assert (right, wrong, nobody) == ({"right": True}, {"right": False}, {"right": False})

    def test_tables(self, crm: Adapter, world: World) -> None:
        """7.7 tables is Unsupported, or has each table of the mapping with what a mapping says."""
        try:
            told = {(each.name, each.entity_set, each.id_column) for each in crm.tables()}
        except Unsupported:
            return
        kinds = world.mapping.kinds.values()
        assert {(kind.table, kind.entity_set, kind.id_column) for kind in kinds} <= told
