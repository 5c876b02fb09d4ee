"""`mappings check`, `explain` and the guesses of `draft`: what needs no CRM to be asked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.base import Description, Table
from adapters.guide import Guide
from bridge.cli.line import ROOT
from bridge.cli.mappings import check, diff, draft, explain
from bridge.cli.mappings.match import Known, Matcher
from config.settings import ConfigTrouble
from mappings.canonical import SCHEMAS, each_field
from mappings.loader import load

DYNAMICS = ROOT / "mappings" / "dynamics.yaml"
CONFIGURED = {"BRIDGE_CRM__ADAPTER": "dynamics", "BRIDGE_CRM__MAPPING": "mappings/dynamics.yaml"}
GUIDE = Guide(
    column_types={
        "text": ("String",), "phone": ("String",), "option": ("Picklist", "Integer"),
        "date": ("Date",), "datetime": ("Moment",), "decimal": ("Decimal",), "bool": ("Boolean",),
        "lookup": ("Lookup",),
    }
)  # fmt: skip


def _broken(tmp_path: Path) -> Path:
    """A mapping with five mistakes in four places, one of them a repeated key."""
    text = DYNAMICS.read_text()
    for old, new in (
        ("      email: {column", "      emial: {column"),
        ("type: phone, region: CN", "type: phone, region: XX"),
        ("platinum: 534120002}", "platin: 534120002}"),
        ("    table: cb_consent", "    table: cb_consent\n    table: cb_consent"),
    ):
        assert old in text
        text = text.replace(old, new, 1)
    path = tmp_path / "broken.yaml"
    path.write_text(text)
    return path


def test_check_tells_all_mistakes_with_their_lines(tmp_path, capsys):
    """Five mistakes are told at once, each with the line it is on, a repeated key among them."""
    path = _broken(tmp_path)
    lines = path.read_text().splitlines()

    assert check.run([path], True, {}) == check.EX_CONFIG
    (told,) = json.loads(capsys.readouterr().out)["files"].values()

    assert len(told) == 6
    placed = [int(each.split()[1].strip(":")) for each in told if each.startswith("line ")]
    assert placed == sorted(placed)
    for word, on in (
        ("unknown key 'emial'", "fields:"),
        ("member.email: is neither bound", "member:"),
        ("region is not a known", "mobile:"),
        ("option 'platinum' is missing", "tier:"),
        ("no option 'platin'", "tier:"),
    ):
        (sentence,) = [each for each in told if word in each]
        line = int(sentence.removeprefix("line ").partition(":")[0])
        assert on in lines[line - 1], sentence
    assert any("'table' stands twice" in each for each in told)


def test_check_says_yes_and_no_for_each_file(tmp_path, capsys):
    """One wrong file among several is 78; the others are said to be fine."""
    assert check.run([DYNAMICS], False, {}) == 0
    assert check.run([DYNAMICS, _broken(tmp_path)], False, {}) == check.EX_CONFIG
    said = capsys.readouterr()
    assert said.out.count("is fine") == 2
    assert "6 to mend." in said.err


def test_check_takes_the_configured_file(capsys):
    """Without a file it is the one of `crm.mapping`; without that it is a mistake."""
    assert check.run([], False, CONFIGURED) == 0
    assert "dynamics.yaml is fine" in capsys.readouterr().out
    assert check.run([], False, {"BRIDGE_CRM__MAPPING": "no/such.yaml"}) == check.EX_CONFIG


@pytest.mark.parametrize("text", ["", "- a\n", "a: [", "kinds: 3\n", "kinds: {member: [x]}\n"])
def test_check_survives_any_file(tmp_path, text, capsys):
    """What is no mapping at all is a list of mistakes, not a traceback."""
    path = tmp_path / "odd.yaml"
    path.write_text(text)

    assert check.run([path], False, {}) == check.EX_CONFIG
    assert "✗" in capsys.readouterr().err


def _explained(field: str, capsys: Any, environ: Mapping[str, str] = CONFIGURED) -> Any:
    capsys.readouterr()
    assert explain.run(field, None, True, environ) == 0
    return json.loads(capsys.readouterr().out)


def test_explain_tells_all_of_a_field(capsys):
    """Column, type, access, key, converter, options, readers and writers, personal, scan, logs."""
    (email,) = _explained("member.email", capsys)
    assert email["column"] == "contact.emailaddress1"
    assert email["length"] == "at most 100 characters"
    assert email["clients"] == "may read and change it"
    assert "PATCH /v1/me" in email["comes in by"]
    assert "GET /v1/me" in email["goes out by"]
    assert email["personal"] == "yes"
    assert "mb:" in email["may rest, sealed, in"]
    assert "planted" in email["privacy scan"]
    assert email["logs"].startswith("never")

    (gender,) = _explained("gender", capsys)
    assert gender["options"] == {"male": 1, "female": 2, "undisclosed": None}
    assert gender["unknown"] == "undisclosed"
    (subject,) = _explained("subject", capsys)
    assert subject["key"] == "cb_subject_key"
    assert subject["personal"] == "no"
    assert "may rest, sealed, in" not in subject


def test_explain_tells_who_sees_a_field(capsys):
    """What the bridge keeps to itself, what clients read only, what is given once."""
    clients = {
        name: _explained(name, capsys)[0]["clients"]
        for name in ("credential", "tier", "mobile", "member.master")
    }
    assert clients["credential"].startswith("see nothing")
    assert clients["tier"] == "may read it"
    assert "at registration only" in clients["mobile"]
    assert _explained("credential", capsys)[0]["goes out by"] == []
    (master,) = _explained("member.master", capsys)
    assert master["access"].startswith("the bridge only reads it")
    assert master["leads to"] == "member, by the way masterid"


def test_explain_knows_a_brands_own_fields(capsys, tmp_path):
    """`ext.x` is explained like any other, with what its line of YAML says."""
    line = "      shoe: {column: cb_shoe, type: text, personal: false, client: read}\n    coll"
    path = tmp_path / "mapping.yaml"
    path.write_text(DYNAMICS.read_text().replace("    coll", line, 1))
    (told,) = _explained("ext.shoe", capsys, CONFIGURED | {"BRIDGE_CRM__MAPPING": str(path)})

    assert told["column"] == "contact.cb_shoe"
    assert (told["personal"], told["clients"]) == ("no", "may read it")
    assert told["goes out by"] == ["GET /v1/me", "PATCH /v1/me"]
    assert told["comes in by"] == []


def test_explain_finds_a_name_in_every_kind(capsys):
    """A bare name is explained for each kind that has it; collections and unheld fields too."""
    found = {each["field"] for each in _explained("last_operations", capsys)}
    assert found == {"member.last_operations", "identity.last_operations"}
    (rows,) = _explained("consents", capsys)
    assert "cb_contact_consent_Member" in rows["column"]
    suite = {"BRIDGE_CRM__ADAPTER": "suitecrm", "BRIDGE_CRM__MAPPING": "mappings/suitecrm.yaml"}
    (master,) = _explained("master", capsys, suite)
    assert "not_held" in master["column"]
    (email,) = _explained("email", capsys, suite)
    assert "would stand in one of the CRM's" in email["URLs"]


def test_explain_a_name_that_is_not_there(capsys):
    """It is 1, with names that are near; a mapping that is wrong is a list of mistakes."""
    assert explain.run("emial", None, False, CONFIGURED) == 1
    assert "did you mean email" in capsys.readouterr().err
    with pytest.raises(ConfigTrouble):
        explain.run("email", ROOT / "README.md", False, CONFIGURED)


def test_explain_lists_every_field(capsys):
    """Without a name there is a line for each field of each kind."""
    assert explain.run("", None, False, CONFIGURED) == 0
    said = capsys.readouterr().out
    mapping = load(DYNAMICS)
    for kind in mapping.kinds.values():
        assert all(f"{kind.kind}.{name} " in said for name in kind.fields)


def _told(**changes: Any) -> Description:
    """A tenant with names of its own."""
    columns = {
        "id": "Uniqueidentifier", "acme_firstname": "String", "surname": "String",
        "mail1": "String", "acme_level": "Picklist", "acme_sex": "Picklist", "loyaltypoints_c":
        "Decimal", "dob": "Date", "acme_joinedat": "Moment", "status": "Picklist",
        "preferredlanguage": "Integer", "acme_home": "String", "other_stamp": "Decimal",
        "x_last_store": "String", "y_last_store": "String", "acme_subjectcode": "String",
    }  # fmt: skip
    given: dict[str, Any] = {
        "tables": {"acme_person": columns},
        "keys": {"acme_person": {"by_subject": ("acme_subjectcode",), "two": ("dob", "mail1")}},
        "lengths": {"acme_person": {"mail1": 40}},
        "options": {
            "acme_person": {
                "acme_sex": frozenset((1, 2)),
                "acme_level": frozenset((7, 8)),
                "status": frozenset(("A", "I")),
            }
        },
        "labels": {"acme_person": {"acme_sex": {1: "Woman", 2: "Male"}, "acme_level": {7: "Gold",
                   8: "Silver"}, "status": {"A": "Active", "I": "Inactive"}}},
        "read_only": {"acme_person": frozenset(["acme_joinedat"])},
    }  # fmt: skip
    return Description(**(given | changes))


def _matched(found: Description, example: Mapping[str, Any] | None = None) -> Matcher:
    home = Table("acme_person", "acme_people", "id")
    known = Known(home, found, GUIDE, {"member": "acme_person"})
    return Matcher(known, example or {}, "old.yaml")


@pytest.fixture
def guesses():
    """What is guessed from names and types alone."""
    return _matched(_told()).fields(dict(each_field(SCHEMAS["member"])))


def test_a_guess_has_its_reason(guesses):
    """The same name, another usual one, or nearly one; each said."""
    found = {name: (g.entry["column"], g.reason) for name, g in guesses.items() if g.entry}
    assert found["given_name"] == ("acme_firstname", "often called firstname")
    assert found["family_name"] == ("surname", "often called surname")
    assert found["points"][0] == "loyaltypoints_c"
    assert found["email"] == ("mail1", "nearly mail; holds 40 characters only, 100 may come")
    assert found["birth_date"][0] == "dob"


def test_what_the_crm_says_of_a_column_is_kept(guesses):
    """A key over it alone, and that only the CRM writes it."""
    assert guesses["subject"].entry == {
        "column": "acme_subjectcode", "type": "text", "key": "by_subject",
    }  # fmt: skip
    assert guesses["member_since"].entry["access"] == "read"
    assert "key" not in guesses["birth_date"].entry


def test_options_are_guessed_by_label_or_not_at_all(guesses):
    """Each word needs a value of its own; one word may stand for empty; a missing one is said."""
    assert guesses["gender"].entry["options"] == {"female": 1, "male": 2, "undisclosed": None}
    assert guesses["gender"].reason.endswith("empty is undisclosed")
    assert guesses["state"].entry["options"] == {"active": "A", "inactive": "I"}
    assert guesses["tier"].entry is None
    assert guesses["tier"].reason == "acme_level could be it, but it has no option like platinum"
    assert guesses["language"].entry is None  # a whole number, and no word of what it means


def test_nothing_is_guessed_between_two_or_against_a_type(guesses):
    """Two columns that are as good are both named; a name with another type is no match."""
    assert guesses["last_store"].entry is None
    assert guesses["last_store"].reason == "several could be it: x_last_store, y_last_store"
    assert guesses["stamp"].entry is None


def test_a_lookup_leads_to_the_kinds_own_table():
    """One of the right name that leads elsewhere is passed over for one that leads there."""
    columns = {"id": "Uniqueidentifier", "_a_master_value": "Lookup", "_b_masterid_value": "Lookup"}
    ways = {
        "_a_master_value": (("a_Master", "account"),),
        "_b_masterid_value": (("b_Owner", "owner"), ("b_Master", "acme_person")),
    }
    found = _told(tables={"acme_person": columns}, lookups={"acme_person": ways})
    guess = _matched(found).fields(dict(each_field(SCHEMAS["member"])))["master"]

    assert guess.entry == {
        "column": "_b_masterid_value", "type": "lookup", "navigation": "b_Master",
    }  # fmt: skip


def test_a_reason_stays_on_its_line():
    """Whatever the CRM calls its things, a comment never becomes YAML."""
    (line,) = draft._said("      - tier", "x\n    table: other")

    assert "\n" not in line


def test_no_column_is_given_away_twice(guesses):
    """Each column stands under one field at most."""
    columns = [guess.entry["column"] for guess in guesses.values() if guess.entry]
    assert len(columns) == len(set(columns))


def test_an_example_goes_before_guesses_where_it_fits():
    """Its column is taken with its options; not where the type or the options aren't the CRM's."""
    example = yaml.safe_load("""
        fields:
          given_name: {column: acme_home, type: text}
          email: {column: mail1, type: text, key: gone}
          points: {column: surname, type: decimal}
          gender: {column: acme_sex, type: option, options: {male: 1, female: 3, undisclosed: null}}
        ext:
          level: {column: acme_level, type: option, options: {a: 7, b: 8}}
          gone: {column: nowhere, type: text}
    """)
    matcher = _matched(_told(), example)
    made = matcher.fields(dict(each_field(SCHEMAS["member"])))

    assert made["given_name"].entry["column"] == "acme_home"
    assert made["given_name"].reason == "as in old.yaml"
    assert made["email"].entry == {"column": "mail1", "type": "text"}
    assert made["points"].entry["column"] == "loyaltypoints_c"
    assert made["gender"].reason != "as in old.yaml"
    assert set(matcher.extras()) == {"level"}
    assert "acme_level" not in matcher.columns


def test_a_choice_without_a_word_is_a_difference(tmp_path):
    """A row with it couldn't be read; with `unknown` it can."""
    mapping = load(ROOT / "mappings" / "memory.yaml")
    member = mapping.kinds["member"]
    options = {"member": {"tier": frozenset(("silver", "gold", "platinum", "steel"))}}
    columns = {f.column: "x" for f in member.fields.values()} | {"id": "x"}
    found = Description({"member": columns}, {"member": {"subject": ("subject",)}}, options=options)

    (told, *_) = diff.compare(mapping, Guide(), found)

    (difference,) = told.differences
    assert (difference.what, difference.field) == ("option", "member.tier")
    assert "steel" in difference.difference
    text = (ROOT / "mappings" / "memory.yaml").read_text()
    forgiving = tmp_path / "forgiving.yaml"
    forgiving.write_text(text.replace("{column: tier,", "{column: tier, unknown: silver,"))
    assert diff.compare(load(forgiving), Guide(), found)[0].differences == ()
