"""What a profile must have: strict for who joins, lenient for who was there before."""

from datetime import UTC, date, datetime
from types import SimpleNamespace

import pytest

from bridge.errors import Problem
from bridge.services import profiles

NOW = datetime(2026, 11, 28, 12, tzinfo=UTC).timestamp()
RULES = SimpleNamespace(
    required=["family_name", "mobile", "ext.club"], wanted=["email", "family_name"], minimum_age=14
)


def places(check, *args):
    with pytest.raises(Problem) as caught:
        check(RULES, *args, NOW)
    assert caught.value.type == "validation"
    return [(error.pointer, error.code) for error in caught.value.errors]


def test_a_new_member_must_have_what_is_required():
    """Everything that is missing at once; what a proof brings is there."""
    assert places(profiles.check_new, {"family_name": " "}, []) == [
        ("/family_name", "required"),
        ("/mobile", "required"),
        ("/ext/club", "required"),
    ]
    profiles.check_new(RULES, {"family_name": "Li", "ext": {"club": "a"}}, ["mobile"], NOW)


def test_a_member_from_before_may_lack_it_and_still_edit():
    """An edit is about what it names."""
    profiles.check_edit(RULES, {"email": "a@example.com"}, NOW)
    profiles.check_edit(RULES, {"email": None}, NOW)


def test_what_is_required_cannot_be_emptied():
    """Neither by null nor by blanks, a brand's own field included."""
    changes = {"family_name": None, "ext": {"club": ""}}
    assert places(profiles.check_edit, changes) == [
        ("/family_name", "required"),
        ("/ext/club", "required"),
    ]


@pytest.mark.parametrize(
    ("born", "code"),
    [
        (date(2012, 11, 29), "too-young"),
        (date(2026, 11, 29), "out-of-range"),
        (date(1899, 12, 31), "out-of-range"),
    ],
)
def test_a_birth_date_that_cannot_be_or_is_too_young_is_refused(born, code):
    """At registration and at an edit."""
    assert places(profiles.check_edit, {"birth_date": born}) == [("/birth_date", code)]
    whole = {"family_name": "Li", "ext": {"club": "a"}, "birth_date": born}
    assert places(profiles.check_new, whole, ["mobile"]) == [("/birth_date", code)]


def test_who_is_14_today_may_join():
    """The birthday counts."""
    profiles.check_edit(RULES, {"birth_date": date(2012, 11, 28)}, NOW)


@pytest.mark.parametrize(
    ("day", "age"), [(date(2026, 2, 28), 13), (date(2026, 3, 1), 14), (date(2028, 2, 29), 16)]
)
def test_who_was_born_on_29_february(day, age):
    """They are a year older on 1 March where the year has no 29 February."""
    assert profiles.age_on(day, date(2012, 2, 29)) == age


def test_completeness_counts_each_wanted_field_once():
    """Required ones are wanted too; empty text is missing."""
    record = {"family_name": "Li", "mobile": "+86", "email": "", "ext": {"club": None}}
    assert profiles.completeness(RULES, record) == profiles.Completeness(
        ("ext.club", "email"), ("ext.club",), 50
    )


def test_nothing_wanted_is_complete():
    """A brand that asks for nothing has complete members."""
    rules = SimpleNamespace(required=[], wanted=[], minimum_age=0)
    assert profiles.completeness(rules, {}).percent == 100
