"""Clauses 2: what goes in comes out. Not for: how a CRM writes it."""

import dataclasses
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest

from adapters.base import Adapter
from adapters.conformance.world import (
    AWKWARD,
    Clauses,
    World,
    bound,
    keeps,
    member,
    new_id,
    read,
)
from adapters.errors import Invalid, Malformed, Refused, Unsupported
from mappings.canonical import each_field
from mappings.canonical.fields import Option
from mappings.converters import InvertedBool, OptionTable, Phone, Text, TextList


class Values(Clauses):
    """Each type both ways."""

    @pytest.mark.parametrize("value", AWKWARD)
    def test_text(self, crm: Adapter, value: str) -> None:
        """2.1 A text comes back as it went in; where `any_text` isn't declared, it may be
        Invalid instead."""
        if not keeps(crm, value):
            pytest.skip("refused, as declared")
        made = member(crm, family_name=value)
        assert read(crm, made, "family_name") == {"family_name": value}

    def test_null_and_absent(self, crm: Adapter) -> None:
        """2.2 None empties a field; an absent one stays as it is."""
        if not crm.capabilities.clears_with_null:
            pytest.skip("not declared")
        made = member(crm, given_name="Ann", family_name="Lee", birth_date=date(1990, 2, 28))
        crm.update("member", made.id, {"given_name": None, "birth_date": None}, made.version)
        assert read(crm, made, "given_name", "family_name", "birth_date") == {
            "given_name": None,
            "family_name": "Lee",
            "birth_date": None,
        }

    @pytest.mark.parametrize("day", [date(2000, 2, 29), date(1900, 1, 1), date(2026, 12, 31)])
    def test_dates(self, crm: Adapter, day: date) -> None:
        """2.3 A date is a day, whatever the zone of either side."""
        assert read(crm, member(crm, birth_date=day), "birth_date") == {"birth_date": day}

    def test_moments(self, crm: Adapter) -> None:
        """2.4 A datetime is the same instant, aware and in UTC, to the second."""
        local = datetime(2026, 3, 1, 1, 30, 59, tzinfo=timezone(timedelta(hours=8)))
        found = read(crm, member(crm, member_since=local), "member_since")["member_since"]
        assert found == local
        assert found.tzinfo is UTC

    @pytest.mark.parametrize("text", ["0", "0.10", "-12.50", "1000000.01", "7"])
    def test_decimals(self, crm: Adapter, text: str) -> None:
        """2.5 A decimal keeps its exact value and never was a float."""
        found = read(crm, member(crm, points=Decimal(text)), "points")["points"]
        assert type(found) is Decimal
        assert found == Decimal(text)

    def test_options(self, crm: Adapter, world: World) -> None:
        """2.6 Every word of every option comes back as it went in."""
        for kind in ("member", "identity"):
            if kind in world.lacks:
                continue
            for name, field in each_field(world.mapping.schema(kind)):
                words = field.choices if isinstance(field, Option) else ()
                for word in words if name in world.mapping.kinds[kind].fields else ():
                    made = crm.create(kind, new_id(), {})
                    crm.update(kind, made.id, {name: word}, made.version)
                    assert read(crm, made, name) == {name: word}

    def test_booleans(self, crm: Adapter) -> None:
        """2.7 Yes is yes and no is no."""
        for value in (True, False):
            made = crm.create("consent", new_id(), {"granted": value})
            assert read(crm, made, "granted") == {"granted": value}

    def test_own_fields_of_a_brand(self, crm: Adapter, world: World) -> None:
        """2.8 A brand's own fields are under `ext`, one by one or together."""
        own = [n for n in world.mapping.kinds["member"].fields if n.startswith("ext.")]
        if "ext.favourite_model" not in own:
            pytest.skip("the mapping has no such field")
        made = member(crm, ext={"favourite_model": "Diver"})
        assert read(crm, made, "ext.favourite_model") == {"ext": {"favourite_model": "Diver"}}
        assert read(crm, made, "ext")["ext"]["favourite_model"] == "Diver"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("given_name", 5),
            ("given_name", "lone \ud800 surrogate"),
            ("birth_date", "1990-01-01"),
            ("birth_date", datetime(1990, 1, 1, tzinfo=UTC)),
            ("member_since", datetime(1990, 1, 1)),  # noqa: DTZ001 - no zone is the point
            ("points", 1.5),
            ("points", Decimal("NaN")),
            ("gender", "unheard-of"),
            ("language", ["en"]),
        ],
    )
    def test_wrong_values(self, crm: Adapter, name: str, value: Any) -> None:
        """2.9 A value of another type is Invalid, with the field's name, and nothing is written."""
        made = member(crm, family_name="Lee")
        with pytest.raises(Invalid) as caught:
            crm.update("member", made.id, {"family_name": "Ng", name: value}, made.version)
        assert caught.value.fields == (name,)
        assert read(crm, made, "family_name") == {"family_name": "Lee"}

    def test_fields_that_the_crm_does_not_hold(self, crm: Adapter, world: World) -> None:
        """2.10 A field under not_held reads as None; a value for it is Unsupported."""
        for kind, binding in world.mapping.kinds.items():
            made = crm.create(kind, new_id(), {})
            for name in binding.not_held - set(binding.collections):
                assert read(crm, made, name) == {name: None}
                with pytest.raises(Unsupported):
                    crm.update(kind, made.id, {name: "x"}, made.version)

    @pytest.mark.parametrize("letter", ["x", "王", "𠮷"])
    def test_longer_than_its_column(self, crm: Adapter, world: World, letter: str) -> None:
        """2.11 A text longer than its column is refused and nothing is written, or it is kept
        whole: never cut."""
        binding = world.mapping.kinds["member"]
        lengths = crm.describe().lengths.get(binding.table, {})
        longer = letter * (lengths.get(binding.fields["family_name"].column, 10_000) + 1)
        made = member(crm, family_name="Lee", given_name="Ann")
        changes = {"family_name": longer, "given_name": "Bob"}
        kept = {"family_name": longer, "given_name": "Bob"}
        try:
            crm.update("member", made.id, changes, made.version)
        except Refused:
            kept = {"family_name": "Lee", "given_name": "Ann"}
        assert read(crm, made, "family_name", "given_name") == kept

    def test_lists(self, crm: Adapter, world: World) -> None:
        """2.12 A list keeps its texts in their order; one with the separator in it is Invalid."""
        made = member(crm, family_name="Lee")
        with bound(world, "member", "family_name", converter=TextList("|")) as other:
            for value in (["b", "a", "王, 小明"], None):
                done = other.update("member", made.id, {"family_name": value}, made.version)
                made = dataclasses.replace(made, version=done.version)
                assert read(other, made, "family_name") == {"family_name": value}
            with pytest.raises(Invalid) as caught:
                other.update("member", made.id, {"family_name": ["a|b"]}, made.version)
        assert caught.value.fields == ("family_name",)

    def test_phones(self, crm: Adapter, world: World) -> None:
        """2.13 A number that staff typed reads in E.164, and what is no number as it stands."""
        typed = {
            "138 0013 8000": "+8613800138000",
            "+86 138-0013-8000": "+8613800138000",
            "+41 44 668 18 00": "+41446681800",
            "ask reception": "ask reception",
        }
        with (
            bound(world, "member", "mobile", converter=Text()) as staff,
            bound(world, "member", "mobile", converter=Phone("CN")) as ours,
        ):
            for text, number in typed.items():
                made = member(crm)
                staff.update("member", made.id, {"mobile": text}, made.version)
                assert read(ours, made, "mobile") == {"mobile": number}

    def test_inverted_booleans(self, crm: Adapter, world: World) -> None:
        """2.14 Bound as inverted, our yes is the CRM's no, and the other way round."""
        with bound(world, "consent", "granted", converter=InvertedBool()) as other:
            for value in (True, False):
                made = crm.create("consent", new_id(), {"granted": value})
                assert read(other, made, "granted") == {"granted": not value}
                other.update("consent", made.id, {"granted": value}, made.version)
                assert read(crm, made, "granted") == {"granted": not value}

    def test_choices_that_no_word_stands_for(self, crm: Adapter, world: World) -> None:
        """2.15 A choice that staff added reads as `unknown`; without it the row is Malformed."""
        given = world.mapping.kinds["member"].fields.get("gender")
        if given is None or not isinstance(given.converter, OptionTable):
            pytest.skip("the mapping has no such field")
        options = {word: v for word, v in given.converter.options.items() if word != "female"}
        made = member(crm, gender="female", family_name="Lee")
        for unknown in ("undisclosed", None):
            table = OptionTable(options=options, unknown=unknown)
            with bound(world, "member", "gender", converter=table) as other:
                if unknown:
                    assert read(other, made, "gender") == {"gender": unknown}
                else:
                    with pytest.raises(Malformed):
                        read(other, made, "gender")
                assert read(other, made, "family_name") == {"family_name": "Lee"}

    def test_fields_that_the_crm_guards(self, crm: Adapter, world: World) -> None:
        """2.16 A field under `access: read` reads; a value for it is Unsupported, and nothing is
        written."""
        made = member(crm, family_name="Lee", given_name="Ann")
        with bound(world, "member", "family_name", access="read") as other:
            assert read(other, made, "family_name") == {"family_name": "Lee"}
            with pytest.raises(Unsupported):
                changes = {"given_name": "Bob", "family_name": "Ng"}
                other.update("member", made.id, changes, made.version)
        assert read(crm, made, "given_name") == {"given_name": "Ann"}
