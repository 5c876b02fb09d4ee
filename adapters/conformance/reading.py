"""Clauses 1: reading. Not for: single values (`values.py`)."""

import re
from urllib.parse import unquote

import pytest

from adapters.base import Adapter, Criterion
from adapters.conformance.world import AWKWARD, Clauses, World, keeps, member, new_id, tag
from adapters.errors import Conflict, Invalid, NotFound, Unsupported


class Reading(Clauses):
    """get, find, query."""

    def test_only_what_was_asked_for(self, crm: Adapter) -> None:
        """1.1 A read gives exactly the fields asked for."""
        made = member(crm, given_name="Ann", family_name="Lee")
        found = crm.get("member", made.id, ("given_name", "birth_date"))
        assert found.record == {"given_name": "Ann", "birth_date": None}
        assert (found.kind, found.id, found.version) == ("member", made.id, made.version)

    def test_the_crm_is_asked_for_no_more(self, crm: Adapter, remote: World) -> None:
        """1.2 The CRM is asked for those fields only, by the columns of the mapping."""
        made = member(crm, given_name="Ann")
        remote.forget()
        crm.get("member", made.id, ("given_name",))
        (request,) = remote.seen()
        binding = remote.mapping.kinds["member"]
        others = {f.column for n, f in binding.fields.items() if n != "given_name"}
        asked = set(re.findall(r"\w+", f"{unquote(request.target)} {request.body}"))
        assert binding.fields["given_name"].column in asked
        assert not asked & others

    def test_no_such_record(self, crm: Adapter) -> None:
        """1.3 A record that doesn't exist is NotFound, also where the id can't be one."""
        for id in (new_id(), "no-id", "x' or 1 eq 1"):
            with pytest.raises(NotFound):
                crm.get("member", id, ("given_name",))

    def test_unknown_names(self, crm: Adapter) -> None:
        """1.4 An unknown field is Invalid, an unknown kind Unsupported, and nothing is asked."""
        with pytest.raises(Invalid):
            crm.get("member", new_id(), ("firstname",))
        with pytest.raises(Unsupported):
            crm.get("nothing", new_id(), ("given_name",))

    def test_find_is_exact(self, crm: Adapter) -> None:
        """1.5 find compares exactly: another case is another value."""
        own = f"Abc{tag()}"
        made = member(crm, subject=own, given_name="Ann")
        assert crm.find("member", "subject", own, ("given_name",)).id == made.id
        for other in (own.lower(), own.upper(), own[:-1], f"{own} ", f"{own[:-1]}%", "_" * 15):
            with pytest.raises(NotFound):
                crm.find("member", "subject", other, ("given_name",))

    @pytest.mark.parametrize("key", ["subject", "family_name"])
    @pytest.mark.parametrize("value", AWKWARD)
    def test_find_any_value(self, crm: Adapter, key: str, value: str) -> None:
        """1.6 find works for every value, and finds no other record by it."""
        value = f"{tag()}{value}"[:50]
        _needs(keeps(crm, value))
        member(crm, **{key: "decoy"})
        made = member(crm, **{key: value})
        assert crm.find("member", key, value, (key,)).record == {key: value}
        assert crm.find("member", key, value, ()).id == made.id

    def test_find_more_than_one(self, crm: Adapter) -> None:
        """1.7 find is Conflict where more than one record has the value."""
        email = f"{tag()}@example.com"
        member(crm, email=email)
        member(crm, email=email)
        with pytest.raises(Conflict):
            crm.find("member", "email", email, ())

    def test_lookups(self, crm: Adapter) -> None:
        """1.8 A dotted field through a lookup brings the record it names, None where empty."""
        _needs(crm.capabilities.expands)
        one = member(crm, stamp="s1")
        held = crm.create("identity", new_id(), {"kind": "mobile", "member": one.id})
        free = crm.create("identity", new_id(), {"kind": "mobile"})
        found = crm.get("identity", held.id, ("kind", "member", "member.stamp", "member.state"))
        assert found.record == {"kind": "mobile", "member": one.id}
        brought = found.lookups["member"]
        assert brought is not None
        assert brought.record == {"stamp": "s1", "state": "active"}
        assert (brought.id, brought.version) == (one.id, one.version)
        assert crm.get("identity", free.id, ("member.stamp",)).lookups == {"member": None}

    def test_collections(self, crm: Adapter) -> None:
        """1.9 A dotted field through a collection brings this record's rows and no others."""
        _needs(crm.capabilities.expands)
        one, other = member(crm), member(crm)
        for owner, purpose in ((one, "a"), (one, "b"), (other, "c")):
            crm.create("consent", new_id(), {"member": owner.id, "purpose": purpose})
        found = crm.get("member", one.id, ("given_name", "consents.purpose"))
        assert sorted(row.record["purpose"] for row in found.collections["consents"]) == ["a", "b"]
        assert crm.get("member", member(crm).id, ("consents.purpose",)).collections == {
            "consents": ()
        }

    def test_criteria(self, crm: Adapter) -> None:
        """1.10 A query's rows meet all criteria; `ne` holds for an empty field too."""
        one = member(crm)
        for name, points in (("a", "1"), ("b", "2"), ("c", "3"), ("d", None)):
            record = {"purpose": name, "text_version": points, "member": one.id}
            crm.create("consent", new_id(), record)
        crm.create("consent", new_id(), {"purpose": "a", "text_version": "1"})

        def names(*criteria: Criterion) -> list[str]:
            mine = Criterion("member", "eq", one.id)
            page = crm.query("consent", (mine, *criteria), ("purpose",))
            return sorted(row.record["purpose"] for row in page.rows)

        assert names() == ["a", "b", "c", "d"]
        assert names(Criterion("purpose", "in", ("a", "c", "z"))) == ["a", "c"]
        assert names(Criterion("text_version", "ne", "2")) == ["a", "c", "d"]
        assert names(Criterion("text_version", "eq", None)) == ["d"]
        assert names(Criterion("text_version", "gt", "1")) == ["b", "c"]
        both = Criterion("text_version", "le", "2"), Criterion("purpose", "ne", "a")
        assert names(*both) == ["b"]

    def test_pages(self, crm: Adapter) -> None:
        """1.11 A cursor leads through all rows, each once, also while rows are added."""
        _needs(crm.capabilities.pages_with_cursor)
        name = f"Lee{tag()}"
        made = {member(crm, family_name=name).id for _ in range(5)}
        criteria = [Criterion("family_name", "eq", name)]
        page = crm.query("member", criteria, ("given_name",), limit=2)
        met = [row.id for row in page.rows]
        member(crm, family_name=name)
        while page.cursor is not None:
            page = crm.query("member", criteria, ("given_name",), cursor=page.cursor, limit=2)
            met += [row.id for row in page.rows]
        assert len(met) == len(set(met))
        assert made <= set(met)

    def test_foreign_cursor(self, crm: Adapter) -> None:
        """1.12 What is no cursor of this kind is Invalid."""
        for cursor in ("https://example.com/", "//example.com", "../x", "x?$filter=1"):
            with pytest.raises(Invalid):
                crm.query("member", (), ("given_name",), cursor=cursor)

    def test_nothing_personal_in_a_url(self, crm: Adapter, remote: World) -> None:
        """1.13 No personal value stands in a URL, not in those of later pages either."""
        _needs(crm.capabilities.hides_values)
        for _ in range(3):
            member(crm, email="canary@example.com", family_name="Canary'Name")
        remote.forget()
        with pytest.raises(Conflict):
            crm.find("member", "email", "canary@example.com", ())
        criteria = [Criterion("family_name", "eq", "Canary'Name")]
        page = crm.query("member", criteria, (), limit=2)
        crm.query("member", criteria, (), cursor=page.cursor, limit=2)
        outside = [unquote(seen.target).lower() for seen in remote.seen() if not seen.in_batch]
        assert outside
        assert not [target for target in outside if "canary" in target]

    def test_find_by_key(self, crm: Adapter, remote: World) -> None:
        """1.14 Where finds_by_key is declared, a find by an alternate key is one request."""
        _needs(crm.capabilities.finds_by_key)
        keys = remote.mapping.kinds["member"].keys
        if "subject" not in keys:
            pytest.skip("the mapping has no such key")
        own = tag()
        made = member(crm, subject=own)
        remote.forget()
        assert crm.find("member", "subject", own, ()).id == made.id
        assert len([seen for seen in remote.seen() if not seen.in_batch]) == 1

    @pytest.mark.parametrize("key", ["subject", "family_name"])
    def test_find_by_a_very_long_value(self, crm: Adapter, key: str) -> None:
        """1.15 A find by a value that is longer than any is NotFound or Invalid."""
        with pytest.raises((NotFound, Invalid)):
            crm.find("member", key, "x" * 5000, ())


def _needs(capability: bool) -> None:
    if not capability:
        pytest.skip("not declared")
