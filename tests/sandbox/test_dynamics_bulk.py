"""CreateMultiple and its kin, deep insert, references of collections."""

import pytest

from tests.sandbox.dataverse import Crm, new_id, problem

SPACE = "Microsoft.Dynamics.CRM"


def targets(*rows: dict, kind: str = "contact") -> dict:
    """A body of these messages."""
    return {"Targets": [{"@odata.type": f"{SPACE}.{kind}", **row} for row in rows]}


def call(crm: Crm, message: str, *rows: dict, name: str = "contacts"):
    """One of the messages on a set."""
    return crm.call("POST", f"{name}/{SPACE}.{message}", targets(*rows))


def test_create_multiple_gives_the_ids_in_order(crm):
    """200 with Ids; each names the row of its place."""
    answer = call(crm, "CreateMultiple", {"lastname": "A"}, {"lastname": "B"})
    assert answer.status_code == 200
    names = [crm.get(f"contacts({row})").json()["lastname"] for row in answer.json()["Ids"]]
    assert names == ["A", "B"]


def test_multiple_is_all_or_nothing(crm):
    """One target that can't be leaves the others undone, in each of the three messages."""
    row = crm.make(lastname="A")
    bad = {"gendercode": 99}
    ours = {"contactid": row}
    for message, rows in (
        ("CreateMultiple", [{"lastname": "B"}, bad]),
        ("UpdateMultiple", [ours | {"lastname": "B"}, ours | bad]),
        ("UpsertMultiple", [ours | {"lastname": "B"}, {"contactid": new_id(), **bad}]),
    ):
        assert problem(call(crm, message, *rows)) == (400, "0x8004431a")
        assert [each["lastname"] for each in crm.rows("contacts")] == ["A"]


def test_update_multiple_needs_rows_that_are_there(crm):
    """204 and changed; 404 0x80040217 for one that isn't there; 400 without a primary key."""
    row = crm.make(lastname="A")
    assert call(crm, "UpdateMultiple", {"contactid": row, "lastname": "B"}).status_code == 204
    assert crm.get(f"contacts({row})").json()["lastname"] == "B"
    answer = call(crm, "UpdateMultiple", {"contactid": new_id(), "lastname": "C"})
    assert problem(answer) == (404, "0x80040217")
    assert problem(call(crm, "UpdateMultiple", {"lastname": "C"})) == (400, "0x80048d19")


def test_upsert_multiple_by_alternate_key_and_by_id(crm):
    """@odata.id names an alternate key; what isn't there is made with the key's values."""
    row = crm.make(externaluseridentifier="a")
    fresh = new_id()
    answer = call(
        crm,
        "UpsertMultiple",
        {"@odata.id": "contacts(externaluseridentifier='a')", "lastname": "A"},
        {"@odata.id": "contacts(externaluseridentifier='b')", "lastname": "B"},
        {"contactid": fresh, "lastname": "C"},
    )
    assert (answer.status_code, answer.content) == (204, b"")
    assert crm.get(f"contacts({row})").json()["lastname"] == "A"
    assert crm.get("contacts(externaluseridentifier='b')").json()["lastname"] == "B"
    assert crm.get(f"contacts({fresh})").json()["lastname"] == "C"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"Targets": []},
        {"Targets": [{"lastname": "A"}]},
        {"Targets": [{"@odata.type": f"{SPACE}.account", "lastname": "A"}]},
        {"Targets": ["A"]},
    ],
)
def test_targets_say_their_type(crm, body):
    """400 without targets, or with one that isn't of the set's table."""
    answer = crm.call("POST", f"contacts/{SPACE}.CreateMultiple", body)
    assert problem(answer) == (400, "0x80048d19")


def test_multiple_asks_for_privileges(crm):
    """The reader may not, and a GET is no such message."""
    reader = Crm(crm.ready, "reader")
    assert problem(call(reader, "CreateMultiple", {"lastname": "A"})) == (403, "0x80040220")
    assert crm.get(f"contacts/{SPACE}.CreateMultiple").status_code == 405


def test_deep_insert_makes_parents_and_children(crm):
    """A nested object is made before and bound; nested lists are made after, at any depth."""
    body = {
        "lastname": "Li",
        "parentcustomerid_account": {"name": "Acme"},
        "cb_contact_identity_Member": [{"cb_value": "1"}, {"cb_value": "2"}],
    }
    row = crm.make(**body)
    found = crm.get(
        f"contacts({row})?$expand=parentcustomerid_account($select=name),"
        "cb_contact_identity_Member($select=cb_value;$orderby=cb_value)"
    ).json()
    assert found["parentcustomerid_account"]["name"] == "Acme"
    assert [each["cb_value"] for each in found["cb_contact_identity_Member"]] == ["1", "2"]
    del body["parentcustomerid_account"]
    company = crm.make("accounts", name="Two", contact_customer_accounts=[body])
    below = crm.rows(f"accounts({company})/contact_customer_accounts?$select=lastname")
    assert [each["lastname"] for each in below] == ["Li"]


def test_a_deep_insert_fails_as_a_whole(crm):
    """A child that can't be leaves no parent; the children's own privileges are asked for."""
    body = {"lastname": "Li", "cb_contact_identity_Member": [{"cb_kind": 1}]}
    assert problem(crm.call("POST", "contacts", body)) == (400, "0x8004431a")
    held = {"contact": ["Read", "Create"], "cb_identity": ["Read"]}
    crm.control("users", {"writer": {"privileges": held}})
    body = {"lastname": "Li", "cb_contact_identity_Member": [{"cb_value": "1"}]}
    assert problem(crm.call("POST", "contacts", body)) == (403, "0x80040220")
    assert not crm.rows("contacts")


def test_collections_are_tied_and_untied_by_ref(crm):
    """POST and both forms of DELETE on a collection's $ref; GET lists the references."""
    company, row = crm.make("accounts", name="A"), crm.make(lastname="Li")
    path = f"accounts({company})/contact_customer_accounts"
    target = {"@odata.id": f"{crm.base}contacts({row})"}
    assert crm.call("POST", f"{path}/$ref", target).status_code == 204
    assert crm.get(f"contacts({row})").json()["_parentcustomerid_value"] == company
    assert crm.rows(f"{path}/$ref") == [target]
    assert crm.call("DELETE", f"{path}({row})/$ref").status_code == 204
    assert not crm.rows(path)
    assert crm.call("DELETE", f"{path}({row})/$ref").status_code == 404
    crm.call("POST", f"{path}/$ref", target)
    uri = f"{path}/$ref?$id={crm.base}contacts({row})"
    assert crm.call("DELETE", uri).status_code == 204
    assert not crm.rows(path)
    held = {"contact": ["Read", "Write"], "account": ["Read", "AppendTo"]}
    crm.control("users", {"writer": {"privileges": held}})
    assert problem(crm.call("POST", f"{path}/$ref", target)) == (403, "0x80040220")
    held = {"contact": ["Read", "Write", "Append"], "account": ["Read"]}
    crm.control("users", {"writer": {"privileges": held}})
    assert problem(crm.call("POST", f"{path}/$ref", target)) == (403, "0x80040220")
    wrong = {"@odata.id": f"{crm.base}accounts({company})"}
    assert problem(crm.call("POST", f"{path}/$ref", wrong)) == (400, "0x80048d19")


def test_a_lookup_is_read_through_its_navigation_property(crm):
    """GET shows the row it leads to, or 204; $ref gives its reference."""
    company = crm.make("accounts", name="A")
    row = crm.make(**{"parentcustomerid_account@odata.bind": f"/accounts({company})"})
    path = f"contacts({row})/parentcustomerid_account"
    assert crm.get(f"{path}?$select=name").json()["name"] == "A"
    assert crm.get(f"{path}/$ref").json()["@odata.id"] == f"{crm.base}accounts({company})"
    assert crm.get(f"contacts({row})/parentcustomerid_contact").status_code == 204


def bulk_delete(**criteria) -> dict:
    """A job on contacts."""
    return {"JobName": "j", "QuerySet": [{"EntityName": "contact", "Criteria": criteria}]}


def test_a_bulk_deletion_runs_later(crm):
    """Rows go once the job's time has come, and those that fit by then."""
    admin = Crm(crm.ready, "administrator")
    for name in ("A", "B", "C"):
        crm.make(lastname=name)
    wanted = {"AttributeName": "lastname", "Operator": "In", "Values": []}
    wanted["Values"] = [{"Value": name, "Type": "System.String"} for name in ("A", "D")]
    answer = admin.call("POST", "BulkDelete", bulk_delete(Conditions=[wanted]))
    assert answer.json()["JobId"]
    crm.make(lastname="D")
    assert len(crm.rows("contacts")) == 4
    crm.control("clock", {"advance": 5})
    assert sorted(row["lastname"] for row in crm.rows("contacts")) == ["B", "C"]


def test_a_bulk_deletion_is_refused_where_it_must_be(crm):
    """403 without the privilege; 400 and 501 for queries that can't be or aren't played."""
    admin = Crm(crm.ready, "administrator")
    assert problem(crm.call("POST", "BulkDelete", bulk_delete())) == (403, "0x80040220")
    nothing = {"AttributeName": "nothing", "Operator": "Null"}
    for body, status in (
        ({}, 400),
        ({"QuerySet": [{"EntityName": "nothing"}]}, 400),
        (bulk_delete(Conditions=[nothing]), 400),
        (bulk_delete(FilterOperator="Or"), 501),
        (bulk_delete() | {"RecurrencePattern": "FREQ=DAILY;"}, 501),
    ):
        assert problem(admin.call("POST", "BulkDelete", body))[0] == status
    (right,) = admin.rows("privileges?$filter=name eq 'prvBulkDelete'")
    (role,) = admin.rows("roles?$filter=name eq 'Bridge writer'")
    given = {"Privileges": [{"PrivilegeId": right["privilegeid"], "Depth": "Global"}]}
    admin.call("POST", f"roles({role['roleid']})/{SPACE}.AddPrivilegesRole", given)
    assert crm.call("POST", "BulkDelete", bulk_delete()).status_code == 200
    users = {"QuerySet": [{"EntityName": "systemuser"}]}
    assert problem(crm.call("POST", "BulkDelete", users)) == (403, "0x80040220")
