"""Single records: create, read, change, upsert, delete, versions, keys, validation."""

import pytest

from tests.sandbox.dataverse import Crm, new_id, problem

REPRESENTATION = {"Prefer": "return=representation"}


def test_create_gives_the_entity_id_and_no_body(crm):
    """POST answers 204 with OData-EntityId and Location."""
    answer = crm.call("POST", "contacts", {"firstname": "Li", "lastname": "Na"})
    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["OData-EntityId"] == answer.headers["Location"]
    assert answer.headers["OData-Version"] == "4.0"
    assert crm.get(answer.headers["OData-EntityId"]).json()["fullname"] == "Li Na"


def test_create_with_representation_is_201_without_entity_id(crm):
    """With return=representation there is a body, an ETag and no OData-EntityId."""
    answer = crm.call("POST", "contacts?$select=firstname", {"firstname": "Li"}, **REPRESENTATION)
    assert answer.status_code == 201
    assert "OData-EntityId" not in answer.headers
    assert answer.headers["Preference-Applied"] == "return=representation"
    assert set(answer.json()) == {"@odata.context", "@odata.etag", "contactid", "firstname"}
    assert answer.headers["ETag"] == answer.json()["@odata.etag"]


def test_create_with_our_own_id_happens_once(crm):
    """A second create under the same id is 412 0x80040237, by POST and by PATCH."""
    row = new_id()
    assert crm.make(contactid=row) == row
    assert problem(crm.call("POST", "contacts", {"contactid": row})) == (412, "0x80040237")
    answer = crm.call("PATCH", f"contacts({row})", {"firstname": "B"}, If_None_Match="*")
    assert problem(answer) == (412, "0x80040237")
    fresh = crm.call("PATCH", f"contacts({new_id()})", {"firstname": "B"}, If_None_Match="*")
    assert fresh.status_code == 204


def test_a_patch_without_if_match_creates_what_is_gone(crm):
    """PATCH alone upserts; with If-Match, whatever it says, a missing record is 404."""
    row = new_id()
    for wanted in ("*", 'W/"1"'):
        answer = crm.call("PATCH", f"contacts({row})", {"firstname": "B"}, If_Match=wanted)
        assert problem(answer) == (404, "0x80040217")
    assert crm.call("PATCH", f"contacts({row})", {"firstname": "B"}).status_code == 204
    assert crm.get(f"contacts({row})").json()["firstname"] == "B"


def test_versions_grow_and_are_checked(crm):
    """Each change makes a new ETag; If-Match with the old one is 412 0x80060882 and no effect."""
    row = crm.make(firstname="A")
    old = crm.get(f"contacts({row})").headers["ETag"]
    answer = crm.call(
        "PATCH",
        f"contacts({row})?$select=firstname",
        {"firstname": "B"},
        If_Match=old,
        **REPRESENTATION,
    )
    new = answer.json()["@odata.etag"]
    assert answer.status_code == 200
    assert int(new[3:-1]) > int(old[3:-1])
    for method in ("PATCH", "DELETE"):
        answer = crm.call(method, f"contacts({row})", {"firstname": "C"}, If_Match=old)
        assert problem(answer) == (412, "0x80060882")
    assert crm.get(f"contacts({row})").json()["firstname"] == "B"
    assert crm.call("DELETE", f"contacts({row})", If_Match=new).status_code == 204


def test_a_conditional_read_is_304_only_when_plain(crm):
    """If-None-Match gives 304, but not with $expand or annotations; `null` is ignored."""
    row = crm.make(firstname="A")
    etag = crm.get(f"contacts({row})").headers["ETag"]
    answer = crm.get(f"contacts({row})", If_None_Match=etag)
    assert (answer.status_code, answer.content) == (304, b"")
    path = f"contacts({row})?$expand=cb_contact_consent_Member($select=cb_purpose)"
    assert crm.get(path, If_None_Match=etag).status_code == 200
    prefer = 'odata.include-annotations="*"'
    assert crm.get(f"contacts({row})", If_None_Match=etag, Prefer=prefer).status_code == 200
    assert crm.get(f"contacts({row})", If_None_Match="null").status_code == 200


def test_upsert_by_alternate_key(crm):
    """By key: create takes the key from the URL and echoes it; update drops it from the body."""
    path = "contacts(externaluseridentifier='u1')"
    answer = crm.call("PATCH", path, {"firstname": "A"})
    assert answer.headers["OData-EntityId"].endswith(path)
    row = crm.get(path).json()
    assert row["externaluseridentifier"] == "u1"
    answer = crm.call(
        "PATCH", path, {"firstname": "B", "externaluseridentifier": "u2"}, **REPRESENTATION
    )
    assert (answer.status_code, answer.json()["contactid"]) == (200, row["contactid"])
    assert answer.json()["externaluseridentifier"] == "u1"
    created = crm.call(
        "PATCH",
        "contacts(externaluseridentifier='u3')",
        {"externaluseridentifier": "u4"},
        **REPRESENTATION,
    )
    assert (created.status_code, created.json()["externaluseridentifier"]) == (201, "u4")


def test_alternate_keys_are_unique_without_case(crm):
    """A taken key is 412 0x80060892, on create and on update; null is never taken."""
    crm.make(externaluseridentifier="Abc")
    other = crm.make()
    crm.make()
    answer = crm.call("POST", "contacts", {"externaluseridentifier": "aBC"})
    assert problem(answer) == (412, "0x80060892")
    answer = crm.call("PATCH", f"contacts({other})", {"externaluseridentifier": "ABC "})
    assert problem(answer) == (412, "0x80060892")
    assert crm.get("contacts(externaluseridentifier='abc')").status_code == 200


@pytest.mark.parametrize("char", list("/<>*%&:\\?+"))
def test_a_key_value_with_a_forbidden_character_fails(crm, char):
    """None of / < > * % & : \\ ? + works in an alternate key's URL, however it is encoded."""
    crm.make(externaluseridentifier=f"a{char}b")
    coded = f"%{ord(char):02X}"
    answer = crm.get(f"contacts(externaluseridentifier='a{coded}b')")
    assert problem(answer) == (400, "0x80060888")


def test_a_quote_and_chinese_work_in_a_key(crm):
    """A quote is doubled, other characters are percent-encoded."""
    row = crm.make(externaluseridentifier="o'n 会员")
    assert crm.get("contacts(externaluseridentifier='o''n 会员')").json()["contactid"] == row


def test_wrong_keys_and_missing_records(crm):
    """No such record 0x80040217, no such key value 0x80060891, no such key 0x80060888."""
    assert problem(crm.get(f"contacts({new_id()})")) == (404, "0x80040217")
    assert problem(crm.get("contacts(externaluseridentifier='x')")) == (404, "0x80060891")
    assert problem(crm.get("contacts(emailaddress1='x')")) == (400, "0x80060888")
    assert problem(crm.get("contacts(nonsense)")) == (400, "0x80060888")
    assert problem(crm.get("Contacts")) == (404, "0x8006088a")
    assert problem(crm.call("DELETE", "contacts")) == (405, "0x80060888")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"nickname": "x"}, "0x80048d19"),
        ({"FirstName": "x"}, "0x80048d19"),
        ({"firstname": 5}, "0x80048d19"),
        ({"firstname": "x" * 51}, "0x80044331"),
        ({"gendercode": 3}, "0x8004431a"),
        ({"gendercode": "1"}, "0x80048d19"),
        ({"birthdate": "31.01.2000"}, "0x80048d19"),
        ({"birthdate": "1700-01-01"}, "0x80048d19"),
        ({"cb_registeredat": "2024-01-01T00:00:00Z+08:00"}, "0x80048d19"),
        ({"creditlimit": -1}, "0x80044330"),
        ({"_masterid_value": None}, "0x80048d19"),
        ({"CB_Member@odata.bind": "/contacts(x)"}, "0x80048d19"),
        ({"statuscode": 2}, "0x80048408"),
        ({"statecode": None}, "0x80048d19"),
        ({"firstname": "\ud800"}, "0x80048d19"),
    ],
)
def test_a_bad_payload_changes_nothing(crm, body, code):
    """Unknown or misspelt column, wrong type, length, option or range: the documented code."""
    assert problem(crm.call("POST", "contacts", body)) == (400, code)
    assert not crm.rows("contacts")


def test_a_broken_body_does_not_parse(crm):
    """What isn't JSON is 400 0x80048d19."""
    answer = crm.http.post(
        f"{crm.base}contacts", data=b"{", headers={"Content-Type": "application/json"}
    )
    assert problem(answer) == (400, "0x80048d19")


def test_values_are_brought_to_their_stored_form(crm):
    """Times go to UTC with Z, money and decimal keep their scale, an empty text is null."""
    row = crm.make(
        cb_registeredat="2024-01-01T08:00:00.5+08:00",
        creditlimit=20000,
        cb_points=12.345,
        birthdate="2000-01-31",
        jobtitle="",
    )
    text = crm.get(f"contacts({row})").text
    assert '"cb_registeredat":"2024-01-01T00:00:00Z"' in text
    assert '"creditlimit":20000.0000' in text
    assert '"cb_points":12.35' in text
    assert '"birthdate":"2000-01-31"' in text
    assert '"jobtitle":null' in text


def test_one_column_is_read_written_and_cleared(crm):
    """GET, PUT and DELETE on a column; $value is plain text; null is 204."""
    row = crm.make(firstname="A")
    path = f"contacts({row})/firstname"
    assert crm.get(path).json()["value"] == "A"
    assert crm.get(f"{path}/$value").text == "A"
    assert crm.call("PUT", path, {"value": "B"}).status_code == 204
    assert crm.get(f"contacts({row})").json()["fullname"] == "B"
    assert crm.call("DELETE", path).status_code == 204
    assert crm.get(path).status_code == 204


def test_lookups_are_bound_by_id_and_by_key_and_cleared(crm):
    """@odata.bind takes a URI by id, by alternate key, absolute; null clears, either way spelt."""
    contact = crm.make(externaluseridentifier="u1")
    for uri in (
        f"/contacts({contact})",
        "contacts(externaluseridentifier='u1')",
        f"{crm.base}contacts({contact})",
        f"/api/data/v9.2/contacts({contact})",
    ):
        row = crm.make("cb_identities", **{"cb_Member@odata.bind": uri})
        assert crm.get(f"cb_identities({row})").json()["_cb_member_value"] == contact
    for name in ("cb_Member@odata.bind", "cb_Member"):
        crm.call(
            "PATCH", f"cb_identities({row})", {"cb_Member@odata.bind": f"/contacts({contact})"}
        )
        assert crm.call("PATCH", f"cb_identities({row})", {name: None}).status_code == 204
        assert crm.get(f"cb_identities({row})").json()["_cb_member_value"] is None
    wrong = {"cb_member@odata.bind": f"/contacts({contact})"}
    assert problem(crm.call("POST", "cb_identities", wrong)) == (400, "0x80048d19")
    missing = {"cb_Member@odata.bind": f"/contacts({new_id()})"}
    assert problem(crm.call("POST", "cb_identities", missing)) == (404, "0x80040217")


def test_one_branch_of_a_polymorphic_lookup_nulls_the_other(crm):
    """parentcustomerid leads to an account or to a contact, never to both."""
    account, parent = crm.make("accounts", name="Shop"), crm.make(firstname="P")
    row = crm.make(**{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    crm.call(
        "PATCH", f"contacts({row})", {"parentcustomerid_contact@odata.bind": f"/contacts({parent})"}
    )
    found = crm.get(
        f"contacts({row})?$expand=parentcustomerid_account($select=name),"
        "parentcustomerid_contact($select=fullname)"
    ).json()
    assert found["parentcustomerid_account"] is None
    assert found["parentcustomerid_contact"]["fullname"] == "P"


def test_deleting_a_contact_clears_the_lookups_to_it(crm):
    """Remove Link: the children stay, their lookup is null and they have a new version."""
    contact = crm.make()
    child = crm.make(
        "cb_identities", cb_name="n", **{"cb_Member@odata.bind": f"/contacts({contact})"}
    )
    before = crm.get(f"cb_identities({child})").json()["@odata.etag"]
    assert crm.call("DELETE", f"contacts({contact})").status_code == 204
    assert problem(crm.call("DELETE", f"contacts({contact})")) == (404, "0x80040217")
    after = crm.get(f"cb_identities({child})").json()
    assert after["_cb_member_value"] is None
    assert after["@odata.etag"] != before


def test_a_merge_closes_one_contact_and_moves_its_rows(crm):
    """The control plane merges as staff do: inactive, merged, masterid, children moved."""
    lost, kept = crm.make(firstname="A"), crm.make(firstname="B")
    child = crm.make(
        "cb_identities", cb_membertext=lost, **{"cb_Member@odata.bind": f"/contacts({lost})"}
    )
    crm.control("merge", {"set": "contacts", "subordinate": lost, "master": kept})
    row = crm.get(f"contacts({lost})").json()
    assert (row["statecode"], row["statuscode"], row["merged"]) == (1, 2, True)
    assert row["_masterid_value"] == kept
    moved = crm.get(f"cb_identities({child})").json()
    assert (moved["_cb_member_value"], moved["cb_membertext"]) == (kept, lost)


def test_deactivating_brings_the_status_along(crm):
    """statecode 1 alone makes statuscode 2."""
    row = crm.make()
    crm.call("PATCH", f"contacts({row})", {"statecode": 1})
    assert crm.get(f"contacts({row})").json()["statuscode"] == 2


def test_annotations_only_when_asked(crm):
    """FormattedValue and lookup annotations come in all the forms Prefer is sent in."""
    account = crm.make("accounts", name="Shop")
    row = crm.make(gendercode=2, **{"parentcustomerid_account@odata.bind": f"/accounts({account})"})
    assert "@OData.Community" not in crm.get(f"contacts({row})").text
    formatted = "OData.Community.Display.V1.FormattedValue"
    for prefer in (
        f'odata.maxpagesize=2,odata.include-annotations="{formatted}"',
        f"odata.include-annotations={formatted},odata.maxpagesize=2",
        'odata.include-annotations="*"',
    ):
        answer = crm.get(f"contacts({row})", Prefer=prefer)
        assert answer.json()[f"gendercode@{formatted}"] == "Female"
        assert answer.json()[f"_parentcustomerid_value@{formatted}"] == "Shop"
        assert formatted in answer.headers["Preference-Applied"] or "*" in prefer
    name = "_parentcustomerid_value@Microsoft.Dynamics.CRM.associatednavigationproperty"
    assert answer.json()[name] == "parentcustomerid_account"


def test_what_is_not_played_says_so(crm):
    """501 in Dataverse's shape for what the real one does and the sandbox doesn't."""
    row = crm.make()
    calls = [
        ("GET", "contacts?sql=SELECT 1"),
        ("GET", "contacts?$apply=aggregate($count as n)"),
        ("POST", "contacts/Microsoft.Dynamics.CRM.Merge", {}),
        ("PATCH", f"contacts({row})", {"cb_contact_identity_Member": [{"cb_name": "x"}]}),
        ("PATCH", f"contacts({row})", {"createdon": "2024-01-01T00:00:00Z"}),
        ("POST", "CloseIncident", {}),
    ]
    for call in calls:
        assert problem(crm.call(*call))[0] == 501, call
    assert problem(crm.get("contacts", CallerObjectId=new_id()))[0] == 501


def test_the_affinity_cookie_and_request_ids_are_set(crm):
    """Every answer sets ARRAffinity and names the request; the log shows who sent a cookie back."""
    crm.control("requests", method="DELETE")
    answer = crm.get("WhoAmI")
    assert "ARRAffinity=" in answer.headers["Set-Cookie"]
    assert answer.headers["REQ_ID"] == answer.headers["x-ms-service-request-id"]
    crm.get("WhoAmI")
    first, second = crm.control("requests", method="GET")["requests"]
    assert first["user"] == "writer"
    assert "ARRAffinity=" in second["headers"]["cookie"]


def test_two_writers_of_one_version_have_one_winner(crm):
    """Of many writes with the same If-Match exactly one is applied."""
    from concurrent.futures import ThreadPoolExecutor

    row = crm.make(firstname="A")
    etag = crm.get(f"contacts({row})").headers["ETag"]
    clients = [Crm(crm.ready) for _ in range(8)]

    def write(client):
        return client.call("PATCH", f"contacts({row})", {"firstname": "B"}, If_Match=etag)

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(write, clients))
    assert statuses == [204, *[412] * 7]


def test_an_update_ignores_expand_and_keeps_the_primary_key(crm):
    """PATCH with representation answers without $expand; another id in the body is refused."""
    row = crm.make(firstname="A")
    path = f"contacts({row})?$select=firstname&$expand=cb_contact_consent_Member"
    answer = crm.call("PATCH", path, {"firstname": "B"}, If_Match="*", **REPRESENTATION)
    assert set(answer.json()) == {"@odata.context", "@odata.etag", "contactid", "firstname"}
    answer = crm.call("PATCH", f"contacts({row})", {"contactid": new_id()}, If_Match="*")
    assert problem(answer) == (400, "0x80048d19")


def test_a_lookup_takes_only_its_own_table(crm):
    """A navigation property bound to a record of another table is refused."""
    account = crm.make("accounts", name="Shop")
    answer = crm.call("POST", "cb_identities", {"cb_Member@odata.bind": f"/accounts({account})"})
    assert problem(answer) == (400, "0x80048d19")


def test_a_reference_is_set_and_removed_by_ref(crm):
    """PUT and DELETE on <navigation>/$ref change a lookup."""
    contact, row = crm.make(), crm.make("cb_identities")
    path = f"cb_identities({row})"
    answer = crm.call("PUT", f"{path}/cb_Member/$ref", {"@odata.id": f"contacts({contact})"})
    assert answer.status_code == 204
    assert crm.get(path).json()["_cb_member_value"] == contact
    assert crm.call("DELETE", f"{path}/cb_Member/$ref").status_code == 204
    assert crm.get(path).json()["_cb_member_value"] is None
