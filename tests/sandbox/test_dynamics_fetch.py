"""FetchXML in its simple form, and 501 for the rest."""

import urllib.parse
import xml.etree.ElementTree as ET

import pytest

from tests.sandbox.dataverse import Crm, problem

BY_NAME = "<attribute name='lastname'/><order attribute='lastname'/>"
ANNOTATED = {
    "Prefer": 'odata.include-annotations="Microsoft.Dynamics.CRM.fetchxmlpagingcookie,'
    'Microsoft.Dynamics.CRM.morerecords"'
}


def ask(crm: Crm, inner: str, options: str = "", name: str = "contact"):
    """A fetch on contacts."""
    text = f"<fetch {options}><entity name='{name}'>{inner}</entity></fetch>"
    return crm.get(f"contacts?fetchXml={urllib.parse.quote(text)}", **ANNOTATED)


def names(answer) -> list[str]:
    """The last names of an answer that must be good."""
    assert answer.status_code == 200, answer.text
    return [row["lastname"] for row in answer.json()["value"]]


@pytest.fixture
def people(crm) -> Crm:
    """Five members, one without a first name."""
    for n, name in enumerate(["An", "bo", "Cui", "Du", "E%"]):
        crm.make(lastname=name, firstname=None if n == 4 else "Li", gendercode=1 + n % 2)
    return crm


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("attribute='lastname' operator='eq' value='AN'", ["An"]),
        ("attribute='lastname' operator='ne' value='an'", ["bo", "Cui", "Du", "E%"]),
        ("attribute='firstname' operator='ne' value='li'", ["E%"]),
        ("attribute='firstname' operator='null'", ["E%"]),
        ("attribute='firstname' operator='not-null'", ["An", "bo", "Cui", "Du"]),
        ("attribute='lastname' operator='like' value='_u%'", ["Cui", "Du"]),
        ("attribute='lastname' operator='like' value='u'", []),
        ("attribute='lastname' operator='not-like' value='%u%'", ["An", "bo", "E%"]),
        ("attribute='lastname' operator='begins-with' value='b'", ["bo"]),
        ("attribute='lastname' operator='ends-with' value='I'", ["Cui"]),
        ("attribute='gendercode' operator='gt' value='1'", ["bo", "Du"]),
        ("attribute='gendercode' operator='le' value='1'", ["An", "Cui", "E%"]),
        ("attribute='statecode' operator='eq' value='0'", ["An", "bo", "Cui", "Du", "E%"]),
    ],
)
def test_operators(people, condition, expected):
    """Each operator finds what SQL would, without regard to case."""
    condition = f"<filter><condition {condition}/></filter>"
    assert names(ask(people, BY_NAME + condition)) == expected


def test_values_and_nested_filters(people):
    """`in` and `between` take value elements; filters nest and may be alternatives."""
    several = "<filter><condition attribute='lastname' operator='{}'>{}</condition></filter>"
    two = "<value>{}</value><value>{}</value>".format
    assert names(ask(people, BY_NAME + several.format("in", two("An", "du")))) == ["An", "Du"]
    between = several.format("between", two("bo", "Du"))
    assert names(ask(people, BY_NAME + between)) == ["bo", "Cui", "Du"]
    one = "<condition attribute='lastname' operator='eq' value='An'/>"
    other = "<filter><condition attribute='lastname' operator='eq' value='Du'/></filter>"
    inner = (
        f"<order attribute='lastname' descending='true'/><filter type='or'>{one}{other}</filter>"
    )
    assert names(ask(people, inner)) == ["Du", "An"]


def test_pages_by_number_and_by_cookie(people):
    """morerecords and a cookie, but no nextLink; the cookie resumes after the last row."""
    first = ask(people, BY_NAME, "count='2'")
    assert names(first) == ["An", "bo"]
    document = first.json()
    assert document["@Microsoft.Dynamics.CRM.morerecords"] is True
    assert "@odata.nextLink" not in document
    cookie = ET.fromstring(document["@Microsoft.Dynamics.CRM.fetchxmlpagingcookie"])  # noqa: S314
    assert cookie.get("pagenumber") == "2"
    inside = urllib.parse.unquote(urllib.parse.unquote(cookie.get("pagingcookie") or ""))
    people.make(lastname="Aa")
    quoted = inside.replace("<", "&lt;").replace('"', "&quot;")
    resumed = ask(people, BY_NAME, f"count='2' page='2' paging-cookie=\"{quoted}\"")
    assert names(resumed) == ["Cui", "Du"]
    assert names(ask(people, BY_NAME, "count='2' page='2'")) == ["bo", "Cui"]
    last = ask(people, BY_NAME, "count='2' page='3'")
    assert names(last) == ["Du", "E%"]
    assert last.json()["@Microsoft.Dynamics.CRM.morerecords"] is False
    assert names(ask(people, BY_NAME, "top='1'")) == ["Aa"]


def test_a_link_joins_one_level(crm):
    """Inner links drop rows without partner, outer ones keep them; columns are `alias.name`."""
    company = crm.make("accounts", name="Acme")
    crm.make(lastname="A", **{"parentcustomerid_account@odata.bind": f"/accounts({company})"})
    crm.make(lastname="B")
    link = (
        "<attribute name='lastname'/><order attribute='lastname'/><link-entity name='account' "
        "from='accountid' to='parentcustomerid' alias='c' link-type='{}'>"
        "<attribute name='name'/></link-entity>"
    )
    (row,) = ask(crm, link.format("inner")).json()["value"]
    assert (row["lastname"], row["c.name"]) == ("A", "Acme")
    rows = ask(crm, link.format("outer")).json()["value"]
    assert [row.get("c.name") for row in rows] == ["Acme", None]
    crm.control("users", {"writer": {"privileges": {"contact": ["Read"]}}})
    assert problem(ask(crm, link.format("inner"))) == (403, "0x80040220")


@pytest.mark.parametrize(
    ("inner", "options", "status"),
    [
        ("<attribute name='lastname' aggregate='count' alias='n'/>", "aggregate='true'", 501),
        ("", "distinct='true'", 501),
        (
            "<link-entity name='account' from='accountid' to='parentcustomerid'><link-entity "
            "name='systemuser' from='systemuserid' to='ownerid'/></link-entity>",
            "",
            501,
        ),
        (
            "<filter><condition attribute='createdon' operator='last-x-days' value='3'/></filter>",
            "",
            501,
        ),
        ("<attribute name='nothing'/>", "", 400),
        ("<filter><condition attribute='lastname' operator='eq'/></filter>", "", 400),
        ("<filter><condition attribute='gendercode' operator='eq' value='x'/></filter>", "", 400),
        ("", "count='x'", 400),
        ("", "top='1' page='2'", 400),
    ],
)
def test_what_is_not_played_or_not_right(crm, inner, options, status):
    """501 names what isn't played; 400 what Dataverse itself would refuse."""
    assert problem(ask(crm, inner, options))[0] == status


def test_a_fetch_is_for_the_sets_own_table_and_plain_xml(crm):
    """Another entity, broken XML, and a document type are 400."""
    assert problem(ask(crm, "", name="account"))[0] == 400
    for text in ("<fetch>", "<!DOCTYPE a><fetch><entity name='contact'/></fetch>", "<a/>"):
        assert problem(crm.get(f"contacts?fetchXml={urllib.parse.quote(text)}"))[0] == 400


def test_a_secured_column_is_no_oracle(crm):
    """A condition on a column that the caller doesn't see finds nothing."""
    crm.make(lastname="A", cb_credential="hash")
    inner = "<filter><condition attribute='cb_credential' operator='like' value='h%'/></filter>"
    assert names(ask(crm, inner)) == ["A"]
    crm.control("users", {"writer": {"secured": False}})
    assert names(ask(crm, inner)) == []
