"""Reading a mapping file: every mistake is told at once, and the shipped files have none."""

from pathlib import Path

import pytest
import yaml
from marshmallow import ValidationError

from mappings.canonical import SCHEMAS, client_readable, client_writable, personal_fields
from mappings.loader import MappingErrors, load

MAPPINGS = Path(__file__).parents[2] / "mappings"


@pytest.fixture
def document():
    """The shipped mapping as data, to be broken."""
    return yaml.safe_load((MAPPINGS / "dynamics.yaml").read_text())


@pytest.fixture
def problems(tmp_path):
    """`problems(document)`: what the loader says of it."""

    def say(document):
        path = tmp_path / "mapping.yaml"
        path.write_text(document if isinstance(document, str) else yaml.safe_dump(document))
        try:
            load(path)
        except MappingErrors as error:
            return error.problems
        return []

    return say


@pytest.mark.parametrize("name", ["dynamics", "memory"])
def test_shipped_mappings(name):
    """The mappings that we ship load, and hold every kind."""
    assert set(load(MAPPINGS / f"{name}.yaml").kinds) == set(SCHEMAS)


def test_all_mistakes_at_once(document, problems):
    """Several mistakes in several places are told in one go."""
    member = document["kinds"]["member"]
    del member["fields"]["email"]
    member["fields"]["mobile"]["colum"] = "x"
    member["fields"]["given_name"]["type"] = "varchar"
    document["kinds"]["consent"]["tabel"] = "x"
    del document["kinds"]["identity"]
    told = "\n".join(problems(document))
    for expected in (
        "member.email: is neither bound nor under not_held",
        "member.mobile: unknown key 'colum'",
        "member.given_name: type is not one of",
        "consent: unknown key 'tabel'",
        "identity: is missing",
    ):
        assert expected in told


def _set(path, value):
    def change(document):
        *outer, last = path.split("/")
        for step in outer:
            document = document[step]
        document[last] = value

    return change


FIELDS = "kinds/member/fields"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("kinds/member/not_held", ["email"], "both bound and under not_held"),
        ("kinds/member/not_held", ["nothing"], "no field 'nothing'"),
        ("kinds/member/not_held", "email", "must be a list"),
        ("kinds/member/collections", {"consents": "x"}, "collections.identities: is neither"),
        ("kinds/member/table", 5, "member.table: must be text"),
        ("kinds/member/fields", [], "must be a block"),
        ("kinds/stranger", {}, "unknown key 'stranger'"),
        (f"{FIELDS}/nickname", {"column": "x", "type": "text"}, "unknown key 'nickname'"),
        (f"{FIELDS}/email/column", "firstname", "column 'firstname' is bound twice"),
        (f"{FIELDS}/email/column", "contactid", "column 'contactid' is bound twice"),
        (f"{FIELDS}/email/column", "", "email.column: must be text"),
        (f"{FIELDS}/email/type", "date", "can't hold a Email"),
        (f"{FIELDS}/email/access", "both", "neither read nor write"),
        (f"{FIELDS}/master/type", "id", "can't hold a Reference"),
        (f"{FIELDS}/tier/type", "text", "can't hold a Option"),
        (f"{FIELDS}/mobile/region", "XX", "not a known country"),
        (f"{FIELDS}/mobile/region", 86, "region is not a str"),
        (f"{FIELDS}/tier/options", {"silver": 1, "gold": 1, "platinum": 2}, "not one to one"),
        (f"{FIELDS}/tier/options", {"silver": 1, "gold": 2}, "option 'platinum' is missing"),
        (
            f"{FIELDS}/tier/options",
            {"silver": 1, "gold": 2, "platinum": 3, "lead": 4},
            "no option 'lead'",
        ),
        (f"{FIELDS}/tier/options", {"silver": 1.5, "gold": 2, "platinum": 3}, "neither a number"),
        (f"{FIELDS}/tier/unknown", "lead", "unknown: names no option"),
        (f"{FIELDS}/language/options", {True: 1, "en": 2}, "not text (quote it)"),
        ("kinds/member/ext/x y", {"column": "x", "type": "text"}, "letters, digits and _"),
        ("kinds/member/ext/size", {"column": "x", "type": "cup"}, "type is not one of"),
        ("kinds/member/ext/size", {"column": "firstname", "type": "text"}, "bound twice"),
        (
            "kinds/member/ext/size",
            {"column": "x", "type": "text", "personal": "no"},
            "personal is neither",
        ),
        (
            "kinds/member/ext/size",
            {"column": "x", "type": "text", "client": "all"},
            "client is not one",
        ),
    ],
)
def test_each_mistake(document, problems, path, value, expected):
    """Each kind of mistake is told with its place."""
    _set(path, value)(document)
    assert any(expected in problem for problem in problems(document)), problems(document)


def test_repeated_keys(problems):
    """A key that stands twice in one block is a mistake, though YAML takes the last."""
    text = (MAPPINGS / "dynamics.yaml").read_text()
    assert any("'crm' stands twice" in problem for problem in problems(text + "\ncrm: other\n"))


@pytest.mark.parametrize("text", ["", "- a list", "a: [", "\x00"])
def test_no_mapping_at_all(problems, text):
    """A file that is no mapping is told as such, not by a traceback."""
    assert problems(text)


def test_field_of_a_brand_by_yaml_alone(document, tmp_path):
    """A brand's own field needs YAML only: it is in the schema, personal unless said otherwise."""
    document["kinds"]["member"]["ext"] = {
        "wrist": {"column": "cb_wrist", "type": "decimal"},
        "club": {"column": "cb_club", "type": "option", "options": {"a": 1}, "personal": False},
        "note": {"column": "cb_note", "type": "text", "client": "none"},
        "sizes": {"column": "cb_sizes", "type": "list", "separator": ";", "client": "read"},
    }
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(document))
    mapping = load(path)
    schema = mapping.schema("member")()
    assert schema.load({"ext": {"wrist": "17.5", "club": "a"}})["ext"]["club"] == "a"
    for wrong in ({"club": "b"}, {"other": 1}, {"wrist": "wide"}):
        with pytest.raises(ValidationError):
            schema.load({"ext": wrong})
    assert {"ext.wrist", "ext.club", "ext.sizes"} <= set(mapping.readable("member"))
    assert {"ext.wrist", "ext.club"} <= set(mapping.writable("member"))
    assert not {"ext.note", "ext.sizes"} & set(mapping.writable("member"))
    assert ("member", "ext.wrist") in mapping.personal_fields
    assert ("member", "ext.club") not in mapping.personal_fields


def test_not_held_is_not_shown(document, tmp_path):
    """What a CRM doesn't hold can be neither asked for nor changed by a client."""
    del document["kinds"]["member"]["fields"]["language"]
    document["kinds"]["member"]["not_held"].append("language")
    path = tmp_path / "m.yaml"
    path.write_text(yaml.safe_dump(document))
    mapping = load(path)
    assert "language" not in mapping.readable("member")
    assert "language" not in mapping.writable("member")


def test_what_a_client_may(tmp_path):
    """System fields are never a client's; points, tier and mobile can't be changed by an edit."""
    shown, changed = client_readable("member"), client_writable("member")
    for system in ("credential", "stamp", "subject", "master", "state", "last_operations"):
        assert system not in shown
    assert set(changed) < set(shown)
    assert not {"mobile", "points", "tier", "member_since", "registered_store"} & set(changed)
    assert client_readable("identity") == ()


def test_personal_fields():
    """Whatever tells who a person is or how they sign in is personal."""
    assert {
        ("member", "given_name"),
        ("member", "mobile"),
        ("member", "birth_date"),
        ("member", "credential"),
        ("identity", "value"),
    } <= personal_fields()


def test_hints_for_provision_have_defaults(document, tmp_path):
    """A column's length is the vocabulary's limit and its label our name in words, unless given."""
    document["kinds"]["member"]["label"] = "Club member"
    document["kinds"]["member"]["fields"]["credential"] |= {"length": 500, "label": "Sealed hash"}
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(document))
    member = load(path).kinds["member"]

    fields = member.fields
    assert (member.label, load(path).kinds["identity"].label) == ("Club member", "Identity")
    assert (fields["credential"].length, fields["credential"].label) == (500, "Sealed hash")
    assert (fields["stamp"].length, fields["registered_store"].label) == (64, "Registered store")
    assert [name for name, field in fields.items() if field.secret] == ["credential", "stamp"]


def test_a_column_shorter_than_the_vocabulary_is_a_mistake(document, problems):
    """`length` below the vocabulary's limit, and hints of another type, are told."""
    fields = document["kinds"]["member"]["fields"]
    fields["credential"]["length"] = 399
    fields["stamp"]["length"] = "64"
    fields["email"]["label"] = ["E-mail"]
    document["prefix"] = "CB_"

    told = "\n".join(problems(document))
    assert "member.credential: length is not a number of at least 400" in told
    assert "member.stamp: length is not a number of at least 64" in told
    assert "member.email: label is not a line of text" in told
    assert "prefix: must be 2 to 8 small letters and digits" in told


def test_the_length_of_a_brands_own_text_is_its_limit(document, tmp_path):
    """What the column can't hold is refused before the CRM is asked."""
    document["kinds"]["member"]["ext"]["favourite_model"]["length"] = 5
    path = tmp_path / "mapping.yaml"
    path.write_text(yaml.safe_dump(document))
    schema = load(path).schema("member")()

    assert schema.load({"ext": {"favourite_model": "12345"}})
    with pytest.raises(ValidationError):
        schema.load({"ext": {"favourite_model": "123456"}})
