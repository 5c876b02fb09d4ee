"""Sets: filters with Dataverse's semantics, order, pages, counts, expands, definitions."""

import urllib.parse

import pytest

from tests.sandbox.dataverse import Crm, problem


@pytest.fixture
def people(crm):
    """Three members and what belongs to one of them."""
    crm.people = {
        name: crm.make(firstname=name, **columns)
        for name, columns in {
            "Anna": {"gendercode": 2, "birthdate": "1990-05-01", "emailaddress1": "a_b@x.cn"},
            "bert": {"gendercode": 1, "cb_points": 12.5, "emailaddress1": "acb@x.cn"},
            "O'Neil": {"mobilephone": "+8613800000000", "description": "100% [x]"},
        }.items()
    }
    member = {"cb_Member@odata.bind": f"/contacts({crm.people['Anna']})"}
    for kind in (534120000, 534120001):
        crm.make("cb_identities", cb_kind=kind, cb_value=str(kind), **member)
    return crm


def names(crm, text):
    """The first names that a filter finds."""
    query = urllib.parse.quote(text)
    found = crm.rows(f"contacts?$select=firstname&$filter={query}")
    return sorted(row["firstname"] for row in found)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("firstname eq 'ANNA'", ["Anna"]),
        ("firstname eq 'O''Neil'", ["O'Neil"]),
        ("firstname ne 'anna'", ["O'Neil", "bert"]),
        ("gendercode ne 2", ["O'Neil", "bert"]),
        ("not (gendercode eq 2) and statecode eq 0", ["O'Neil", "bert"]),
        ("gendercode eq 1 or gendercode eq 2", ["Anna", "bert"]),
        ("gendercode eq null", ["O'Neil"]),
        ("gendercode ne null", ["Anna", "bert"]),
        ("birthdate eq 1990-05-01", ["Anna"]),
        ("birthdate lt 1990-05-01", []),
        ("cb_points ge 12.5", ["bert"]),
        ("createdon ge 2000-01-01T00:00:00Z", ["Anna", "O'Neil", "bert"]),
        ("createdon ge 2000-01-01", ["Anna", "O'Neil", "bert"]),
        ("donotemail eq false", ["Anna", "O'Neil", "bert"]),
        ("mobilephone eq '+8613800000000'", ["O'Neil"]),
        ("contains(firstname,'NN')", ["Anna"]),
        ("startswith(firstname,'B') or endswith(firstname,'EIL')", ["O'Neil", "bert"]),
        ("startswith(emailaddress1,'a_b')", ["Anna", "bert"]),
        ("startswith(emailaddress1,'a[_]b')", ["Anna"]),
        ("contains(firstname,'%')", ["Anna", "O'Neil", "bert"]),
        ("contains(description,'100[%]')", ["O'Neil"]),
        ("firstname gt 'b'", ["O'Neil", "bert"]),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=['Anna','O''Neil'])",
            ["Anna", "O'Neil"],
        ),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='firstname',PropertyValues=[\"o'neil\"])",
            ["O'Neil"],
        ),
        (
            "Microsoft.Dynamics.CRM.In(PropertyName='gendercode',PropertyValues=['1','2'])",
            ["Anna", "bert"],
        ),
        ("masterid/firstname eq 'x'", []),
    ],
)
def test_filters_mean_what_dataverse_means(people, text, wanted):
    """Case doesn't count, ne holds for null, string functions take LIKE patterns."""
    assert names(people, text) == wanted


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("cb_contact_identity_Member/any()", ["both", "one"]),
        ("not cb_contact_identity_Member/any()", ["none"]),
        ("cb_contact_identity_Member/any(i:i/cb_value eq 'A')", ["both", "one"]),
        ("cb_contact_identity_Member/any(i:i/cb_value eq 'b' and i/cb_kind eq null)", ["both"]),
        ("cb_contact_identity_Member/all(i:i/cb_value eq 'a')", ["none", "one"]),
        ("cb_contact_identity_Member/any(i:i/cb_Member/lastname eq 'one')", ["one"]),
    ],
)
def test_lambdas_look_at_related_rows(crm, text, wanted):
    """any and all over a collection; of no rows, all is true."""
    crm.make(lastname="none")
    crm.make(lastname="one", cb_contact_identity_Member=[{"cb_value": "a"}])
    crm.make(lastname="both", cb_contact_identity_Member=[{"cb_value": "a"}, {"cb_value": "b"}])
    rows = crm.rows(f"contacts?$select=lastname&$orderby=lastname&$filter={text}")
    assert [row["lastname"] for row in rows] == wanted


def test_an_expand_may_stand_inside_another(crm):
    """Nested $expand, each needing the right to read its table; many to many can't be nested."""
    crm.make(lastname="Li", cb_contact_identity_Member=[{"cb_value": "a"}])
    inner = "$select=cb_value;$expand=cb_Member($select=lastname)"
    path = f"contacts?$select=lastname&$expand=cb_contact_identity_Member({inner})"
    (row,) = crm.rows(path)
    assert row["cb_contact_identity_Member"][0]["cb_Member"]["lastname"] == "Li"
    path = "contacts?$expand=ownerid($expand=systemuserroles_association)"
    assert problem(crm.get(path))[0] == 400
    held = {"contact": ["Read"], "cb_consent": ["Read"], "systemuser": []}
    crm.control("users", {"writer": {"privileges": held}})
    path = "contacts?$expand=cb_contact_consent_Member($expand=ownerid)"
    assert problem(crm.get(path)) == (403, "0x80040220")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("$filter=nickname eq 'x'", 400),
        ("$filter=FirstName eq 'x'", 400),
        ("$filter=firstname in ('Anna','bert')", 400),
        ("$filter=tolower(firstname) eq 'anna'", 400),
        ("$filter=firstname eq 5", 400),
        ("$filter=gendercode eq '1'", 400),
        ("$filter=firstname eq 'x", 400),
        ("$filter=(firstname eq 'x'", 400),
        ("$filter=cb_contact_identity_Member/any(o:cb_kind eq 1)", 400),
        ("$filter=nothing/any(o:o/cb_kind eq 1)", 400),
        ("$filter=Microsoft.Dynamics.CRM.LastXDays(PropertyName='createdon',PropertyValue=1)", 501),
        ("$select=nickname", 400),
        ("$select=FirstName", 400),
        ("$skip=1", 400),
        ("$search=x", 400),
        ("$format=json", 400),
        ("$orderby=nickname", 400),
        ("$top=x", 400),
        ("$expand=cb_member", 400),
        ("$expand=parentcustomerid_Account", 400),
        ("$filter=@p1", 400),
        ("unknown=1", 400),
        ("$top=1&$top=2", 400),
    ],
)
def test_what_dataverse_refuses_is_refused(crm, query, status):
    """Unknown names, wrong types and unsupported operators are errors, never empty answers."""
    assert problem(crm.get(f"contacts?{query}"))[0] == status


def test_only_400_0x80060888_for_an_unknown_column(crm):
    """An unknown column in a query is 0x80060888."""
    assert problem(crm.get("contacts?$select=nickname")) == (400, "0x80060888")


def test_plus_and_percent_20_are_both_a_space(people):
    """requests sends `+` for a space, Node clients `%20`; an encoded plus is a plus."""
    for space in ("+", "%20"):
        query = f"contacts?$filter=firstname{space}eq{space}'Anna'"
        assert len(people.rows(query)) == 1
    assert len(people.rows("contacts?$filter=mobilephone eq '%2B8613800000000'")) == 1
    assert not people.rows("contacts?$filter=mobilephone eq '+8613800000000'")


def test_parameter_aliases_stand_for_values(people):
    """`@p1` is put in from the query string, in comparisons and in In."""
    assert len(people.rows("contacts?$filter=firstname eq @p1&@p1='Anna'")) == 1
    query = "contacts?$filter=Microsoft.Dynamics.CRM.In(PropertyName=@p1,PropertyValues=@p2)"
    assert len(people.rows(query + "&@p1='firstname'&@p2=['Anna','bert']")) == 2
    assert problem(people.get("contacts?$filter=firstname eq @p1"))[0] == 400


def test_select_brings_the_key_and_money_its_currency(people):
    """Only what was selected, the primary key, and a money column's currency."""
    row = people.rows("contacts?$select=creditlimit")[0]
    assert set(row) == {"@odata.etag", "creditlimit", "_transactioncurrencyid_value", "contactid"}


def test_expand_of_a_collection_takes_options(people):
    """A member with its identities: filter, order, top and select inside the parentheses."""
    path = f"contacts({people.people['Anna']})?$select=firstname&$expand=cb_contact_identity_Member"
    options = "($select=cb_value;$filter=cb_kind ge 534120000;$orderby=cb_kind desc;$top=1)"
    found = people.get(path + options).json()["cb_contact_identity_Member"]
    assert [row["cb_value"] for row in found] == ["534120001"]
    assert set(found[0]) == {"@odata.etag", "cb_value", "cb_identityid"}
    assert len(people.get(path).json()["cb_contact_identity_Member"]) == 2


def test_expand_of_a_lookup_is_one_read_by_key(people):
    """The identity with its member in one request; the navigation's case counts."""
    row = people.rows("cb_identities?$top=1")[0]
    path = f"cb_identities({row['cb_identityid']})?$select=cb_value&$expand="
    found = people.get(f"{path}cb_Member($select=firstname)").json()
    assert found["cb_Member"]["firstname"] == "Anna"
    assert problem(people.get(f"{path}cb_member($select=firstname)")) == (400, "0x80060888")


def test_a_lookup_is_filtered_by_its_value_column(people):
    """`_x_value eq <guid>` and a path through the navigation find the same rows."""
    anna = people.people["Anna"]
    assert len(people.rows(f"cb_identities?$filter=_cb_member_value eq {anna}")) == 2
    assert len(people.rows("cb_identities?$filter=cb_Member/firstname eq 'anna'")) == 2
    assert len(people.rows(f"contacts({anna})/cb_contact_identity_Member")) == 2


def test_order_and_top(people):
    """Order is without case, nulls first; $top cuts."""
    found = people.rows("contacts?$select=firstname&$orderby=firstname desc&$top=2")
    assert [row["firstname"] for row in found] == ["O'Neil", "bert"]
    found = people.rows("contacts?$select=firstname&$orderby=gendercode,firstname")
    assert [row["firstname"] for row in found] == ["O'Neil", "bert", "Anna"]


def test_counts(people):
    """$count=true stands beside the rows, /$count is plain text and takes a filter."""
    assert people.get("contacts?$count=true&$top=1").json()["@odata.count"] == 3
    answer = people.get("contacts/$count?$filter=gendercode eq 1")
    assert (answer.text, answer.headers["Content-Type"]) == ("1", "text/plain")


def test_pages_follow_the_cookie(crm):
    """nextLink leads through every row once, $top gives way, and it survives a deleted last row."""
    crm.control("seed", {"contacts": [{"firstname": f"n{i % 4}"} for i in range(11)]})
    prefer = {"Prefer": "odata.maxpagesize=3"}
    link, found = "contacts?$select=firstname&$orderby=firstname desc&$top=1&$count=true", []
    while link:
        page = crm.get(link, **prefer).json()
        assert len(page["value"]) <= 3
        found += page["value"]
        link = page.get("@odata.nextLink")
        if link and len(found) == 3:
            assert "$skiptoken=%3Ccookie%20pagenumber%3D%222%22" in link
            crm.call("DELETE", f"contacts({found[-1]['contactid']})")
    assert len({row["contactid"] for row in found}) == 11
    names_found = [row["firstname"] for row in found]
    assert names_found == sorted(names_found, reverse=True)


def test_an_edited_skiptoken_is_refused(crm):
    """The paging cookie is not ours to edit."""
    assert problem(crm.get("contacts?$skiptoken=abc")) == (400, "0x80060888")


def test_five_thousand_rows_are_the_most(crm):
    """Page and counts stop at 5,000, with the annotation that says so."""
    crm.control("seed", {"accounts": [{"name": "x"}] * 5001})
    prefer = 'odata.include-annotations="*"'
    page = crm.get("accounts?$select=name&$count=true", Prefer=prefer).json()
    assert (len(page["value"]), page["@odata.count"]) == (5000, 5000)
    assert page["@Microsoft.Dynamics.CRM.totalrecordcountlimitexceeded"] is True
    assert len(crm.get(page["@odata.nextLink"]).json()["value"]) == 1
    assert crm.get("accounts/$count").text == "5000"


def test_a_url_above_32_kb_is_refused(crm):
    """The URL cap is 32,768 characters."""
    assert problem(crm.get(f"contacts?$filter=firstname eq '{'x' * 33000}'"))[0] == 414


def test_table_definitions_are_found_by_name(crm):
    """EntityDefinitions answers what a doctor or the SDK asks of a table."""
    select = "$select=LogicalName,EntitySetName,PrimaryIdAttribute,PrimaryNameAttribute"
    (row,) = crm.rows(f"EntityDefinitions?{select}&$filter=LogicalName+eq+'cb_identity'")
    assert row["EntitySetName"] == "cb_identities"
    assert row["PrimaryIdAttribute"] == "cb_identityid"
    path = f"EntityDefinitions({row['MetadataId']})/Attributes(LogicalName='cb_value')"
    assert crm.get(path).json()["MaxLength"] == 200
    assert not crm.rows("EntityDefinitions?$filter=LogicalName eq 'nothing'")
    assert crm.get("EntityDefinitions(LogicalName='nothing')").status_code == 404
    answer = crm.get("EntityDefinitions?$filter=startswith(LogicalName,'cb')")
    assert problem(answer) == (501, "0x8006088a")


def test_column_key_and_relationship_definitions(crm):
    """Every column with type and length, keys with their state, options with their labels."""
    base = "EntityDefinitions(LogicalName='contact')"
    rows = crm.rows(
        f"{base}/Attributes?$select=LogicalName,AttributeType,IsSecured"
        "&$filter=AttributeType eq 'String'"
    )
    secured = [row["LogicalName"] for row in rows if row["IsSecured"]]
    assert secured == ["cb_credential"]
    (key,) = crm.rows(f"{base}/Keys?$select=SchemaName,KeyAttributes,EntityKeyIndexStatus")
    assert key["KeyAttributes"] == ["externaluseridentifier"]
    assert key["EntityKeyIndexStatus"] == "Active"
    kind = f"{base}/Attributes/Microsoft.Dynamics.CRM.PicklistAttributeMetadata"
    picklists = crm.rows(f"{kind}?$select=LogicalName&$expand=OptionSet($select=Options)")
    options = {row["LogicalName"]: row["OptionSet"]["Options"] for row in picklists}
    assert [option["Value"] for option in options["gendercode"]] == [1, 2]
    related = crm.rows("EntityDefinitions(LogicalName='cb_consent')/ManyToOneRelationships")
    navigations = {row["ReferencingEntityNavigationPropertyName"] for row in related}
    assert navigations == {"cb_Member", "ownerid"}
    columns = "$expand=Attributes($select=LogicalName)"
    expanded = crm.rows(f"EntityDefinitions?$select=LogicalName&{columns}")
    assert {"LogicalName", "MetadataId", "Attributes"} <= set(expanded[0])


def test_a_reader_may_read_definitions(crm):
    """Metadata is open to every application user."""
    assert Crm(crm.ready, "reader").rows("EntityDefinitions?$select=LogicalName")
