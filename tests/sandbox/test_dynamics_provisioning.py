"""An empty tenant becomes one that takes the bridge's rows, by the metadata Web API alone."""

from typing import Any

import pytest

from tests.sandbox.dataverse import Crm, problem

SPACE = "Microsoft.Dynamics.CRM"
CONTACT = "EntityDefinitions(LogicalName='contact')"
SOLUTION = {"MSCRM.SolutionUniqueName": "member"}


def said(text: str) -> dict[str, Any]:
    """A Label with one language."""
    return {"LocalizedLabels": [{"Label": text, "LanguageCode": 1033}]}


def column(kind: str, name: str, **more: Any) -> dict[str, Any]:
    """The definition of a column."""
    head = {"@odata.type": f"{SPACE}.{kind}AttributeMetadata", "SchemaName": name}
    return head | {"DisplayName": said(name)} | more


def table(name: str, *columns: dict[str, Any]) -> dict[str, Any]:
    """The definition of a table with a primary name column `cb_Name`."""
    primary = column("String", "cb_Name", MaxLength=100, IsPrimaryName=True)
    return {
        "@odata.type": f"{SPACE}.EntityMetadata",
        "SchemaName": name,
        "DisplayName": said(name),
        "DisplayCollectionName": said(f"{name}s"),
        "OwnershipType": "UserOwned",
        "HasNotes": False,
        "HasActivities": False,
        "Attributes": [primary, *columns],
    }


def choice(name: str, *options: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The definition of a choice column of its own options."""
    return column("Picklist", name, OptionSet={"IsGlobal": False, "Options": [*options]}, **more)


def lookup(relationship: str, name: str, referencing: str, **more: Any) -> dict[str, Any]:
    """The definition of a one to many from `contact`."""
    return {
        "@odata.type": f"{SPACE}.OneToManyRelationshipMetadata",
        "SchemaName": relationship,
        "ReferencedEntity": "contact",
        "ReferencedAttribute": "contactid",
        "ReferencingEntity": referencing,
        "Lookup": column("Lookup", name),
    } | more


@pytest.fixture
def admin(dataverse):
    """The administrator on a stock tenant with the publisher `cb` and its solution."""
    client = Crm(dataverse, "administrator")
    client.control("clock", {"set": None})
    client.control("tenant", {"kind": "stock"})
    publisher = client.make(
        "publishers",
        uniquename="member",
        friendlyname="Member",
        customizationprefix="cb",
        customizationoptionvalueprefix=53412,
    )
    bound = {"publisherid@odata.bind": f"/publishers({publisher})"}
    client.make("solutions", uniquename="member", friendlyname="M", version="1.0.0.0", **bound)
    yield client
    client.control("tenant", {"kind": "bridge"})
    client.http.close()


def made(answer: Any) -> str:
    """The URI of a definition that must have been made."""
    assert answer.status_code == 204, answer.text
    return answer.headers["OData-EntityId"]


def test_a_stock_tenant_lacks_what_the_bridge_needs(admin):
    """The tenant's kind is chosen by the control plane, and a reset keeps it."""
    for _ in range(2):
        names = {row["LogicalName"] for row in admin.rows("EntityDefinitions?$select=LogicalName")}
        assert {"contact", "account"} <= names
        assert not [name for name in names if name.startswith("cb_")]
        columns = admin.rows(f"{CONTACT}/Attributes?$select=LogicalName")
        assert not [row for row in columns if row["LogicalName"].startswith("cb_")]
        assert admin.get("cb_identities").status_code == 404
        admin.control("reset")
    assert admin.control("state", method="GET")["tenant"] == "stock"


def test_a_provisioned_table_takes_rows(admin):
    """Table, columns, lookup: their definitions read back, and rows live in them."""
    kinds = choice("cb_Kind", {"Value": 534120000, "Label": said("Mobile")})
    body = table("cb_Identity", kinds, column("String", "cb_Value", MaxLength=200))
    where = made(admin.call("POST", "EntityDefinitions", body, **SOLUTION))
    shown = admin.get(where).json()
    assert (shown["LogicalName"], shown["EntitySetName"]) == ("cb_identity", "cb_identities")
    assert (shown["PrimaryIdAttribute"], shown["PrimaryNameAttribute"]) == (
        "cb_identityid",
        "cb_name",
    )
    relationship = lookup("cb_contact_identity_Member", "cb_Member", "cb_identity")
    where = made(admin.call("POST", "RelationshipDefinitions", relationship, **SOLUTION))
    shown = admin.get(where).json()
    assert shown["ReferencingEntityNavigationPropertyName"] == "cb_Member"
    assert shown["CascadeConfiguration"]["Delete"] == "RemoveLink"
    member = admin.make(lastname="Li")
    row = admin.make(
        "cb_identities",
        cb_value="v",
        cb_kind=534120000,
        **{"cb_Member@odata.bind": f"/contacts({member})"},
    )
    found = admin.get(f"contacts({member})?$expand=cb_contact_identity_Member").json()
    assert [each["cb_identityid"] for each in found["cb_contact_identity_Member"]] == [row]
    answer = admin.call("PATCH", f"cb_identities({row})", {"cb_value": "x" * 201})
    assert problem(answer) == (400, "0x80044331")
    assert admin.call("DELETE", f"contacts({member})").status_code == 204
    assert admin.get(f"cb_identities({row})").json()["_cb_member_value"] is None


@pytest.mark.parametrize(
    ("body", "value", "type_", "expected"),
    [
        (column("String", "cb_A", MaxLength=10), "ten", "String", {"MaxLength": 10}),
        (column("Memo", "cb_A", MaxLength=5000), "long", "Memo", {"MaxLength": 5000}),
        (column("Integer", "cb_A", MinValue=1, MaxValue=9), 7, "Integer", {"MaxValue": 9}),
        (column("Decimal", "cb_A", Precision=2), 1.25, "Decimal", {"Precision": 2}),
        (column("Double", "cb_A", Precision=3), 0.125, "Double", {"Precision": 3}),
        (column("Money", "cb_A", PrecisionSource=2), 5.5, "Money", {"Precision": 2}),
        (column("Boolean", "cb_A", DefaultValue=True), False, "Boolean", {"DefaultValue": True}),
        (
            column("DateTime", "cb_A", Format="DateAndTime"),
            "2026-01-02T03:04:05Z",
            "DateTime",
            {"DateTimeBehavior": {"Value": "UserLocal"}},
        ),
        (
            column("DateTime", "cb_A", DateTimeBehavior={"Value": "DateOnly"}),
            "2026-01-02",
            "DateTime",
            {"DateTimeBehavior": {"Value": "DateOnly"}},
        ),
    ],
)
def test_a_column_of_each_type(admin, body, value, type_, expected):
    """A column's definition reads back with its type's own properties, and holds a value."""
    where = made(admin.call("POST", f"{CONTACT}/Attributes", body))
    shown = admin.get(where).json()
    assert (shown["LogicalName"], shown["AttributeType"]) == ("cb_a", type_)
    cast = f"{CONTACT}/Attributes(LogicalName='cb_a')/{SPACE}.{type_}AttributeMetadata"
    typed = admin.get(cast).json()
    assert {name: typed[name] for name in expected} == expected
    row = admin.make(cb_a=value)
    assert admin.get(f"contacts({row})?$select=cb_a").json()["cb_a"] == value


def test_a_choice_takes_values_from_the_publisher_and_more_options_later(admin):
    """Options without a value follow the publisher's prefix; InsertOptionValue adds one."""
    body = choice("cb_Tier", {"Label": said("Silver")}, {"Label": said("Gold")})
    made(admin.call("POST", f"{CONTACT}/Attributes", body))
    name = f"{CONTACT}/Attributes(LogicalName='cb_tier')/{SPACE}.PicklistAttributeMetadata"
    path = f"{name}?$select=LogicalName&$expand=OptionSet($select=Options)"
    options = admin.get(path).json()["OptionSet"]["Options"]
    assert [option["Value"] for option in options] == [534120000, 534120001]
    assert options[1]["Label"]["UserLocalizedLabel"]["Label"] == "Gold"
    more = {"EntityLogicalName": "contact", "AttributeLogicalName": "cb_tier"}
    answer = admin.call("POST", "InsertOptionValue", more | {"Label": said("Platinum")})
    assert answer.json()["NewOptionValue"] == 534120002
    row = admin.make(cb_tier=534120002)
    assert admin.get(f"contacts({row})").json()["cb_tier"] == 534120002
    answer = admin.call("POST", "InsertOptionValue", more | {"Value": 534120002})
    assert answer.status_code == 400


def test_what_is_there_already_is_told_by_its_own_code(admin):
    """Table, column, relationship, key, publisher: each has the documented code."""
    calls = [
        ("EntityDefinitions", table("cb_Identity"), (400, "0x80044363")),
        (f"{CONTACT}/Attributes", column("String", "cb_Stamp"), (400, "0x80047013")),
        (
            "RelationshipDefinitions",
            lookup("cb_r", "cb_Member", "cb_identity"),
            (400, "0x8004432B"),
        ),
        (
            f"{CONTACT}/Keys",
            {"SchemaName": "cb_k", "KeyAttributes": ["externaluseridentifier"]},
            (400, "0x80060893"),
        ),
        (
            "publishers",
            {
                "uniquename": "second",
                "friendlyname": "S",
                "customizationprefix": "sec",
                "customizationoptionvalueprefix": 20000,
            },
            (412, "0x80040237"),
        ),
    ]
    for path, body, code in calls:
        assert admin.call("POST", path, body).status_code == 204, path
        assert problem(admin.call("POST", path, body)) == code
    other = table("cb_Identity") | {"EntitySetName": "cb_others"}
    assert problem(admin.call("POST", "EntityDefinitions", other)) == (400, "0x80044363")
    other = {"SchemaName": "cb_k2", "KeyAttributes": ["externaluseridentifier"]}
    assert problem(admin.call("POST", f"{CONTACT}/Keys", other)) == (400, "0x80060894")
    other = lookup("cb_r2", "cb_Member", "cb_identity")
    assert problem(admin.call("POST", "RelationshipDefinitions", other)) == (400, "0x80047013")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{CONTACT}/Attributes", column("String", "xx_A")),
        (f"{CONTACT}/Attributes", column("String", "NoPrefix")),
        (f"{CONTACT}/Attributes", column("String", "cb_A", MaxLength=4001)),
        (f"{CONTACT}/Attributes", column("String", "cb_A", MaxLenght=10)),
        (f"{CONTACT}/Attributes", column("Decimal", "cb_A", Precision=11)),
        (f"{CONTACT}/Attributes", column("Lookup", "cb_A")),
        (f"{CONTACT}/Attributes", column("Picklist", "cb_A", OptionSet={"Options": []})),
        (f"{CONTACT}/Attributes", column("Picklist", "cb_A", OptionSet={"IsGlobal": True})),
        (f"{CONTACT}/Attributes", {"SchemaName": "cb_A", "AttributeType": "String"}),
        (f"{CONTACT}/Keys", {"SchemaName": "cb_K", "KeyAttributes": ["fullname"]}),
        (f"{CONTACT}/Keys", {"SchemaName": "cb_K", "KeyAttributes": ["nothing"]}),
        (f"{CONTACT}/Keys", {"SchemaName": "cb_K", "KeyAttributes": []}),
        ("EntityDefinitions", table("cb_T") | {"Attributes": []}),
        ("EntityDefinitions", table("cb_T", column("String", "cb_Name"))),
        ("RelationshipDefinitions", lookup("cb_R", "cb_M", "nothing")),
        ("publishers", {"uniquename": "p", "friendlyname": "P", "customizationprefix": "mscrm1"}),
        ("solutions", {"uniquename": "s", "friendlyname": "S", "version": "1.0"}),
    ],
)
def test_a_definition_that_cannot_be_is_refused_and_leaves_nothing(admin, path, body):
    """400, and the definitions are as they were."""
    before = admin.get(f"{CONTACT}/Attributes?$select=LogicalName").json()
    assert problem(admin.call("POST", path, body))[0] == 400
    assert admin.get(f"{CONTACT}/Attributes?$select=LogicalName").json() == before
    assert admin.get("EntityDefinitions(LogicalName='cb_t')").status_code == 404


def test_a_key_serves_once_its_index_is_built(admin):
    """Pending, InProgress, Active by the clock; before that it finds and forbids nothing."""
    admin.control("keys", {"seconds": 60})
    first = admin.make(externaluseridentifier="a")
    body = {"SchemaName": "cb_Subject_Key", "KeyAttributes": ["externaluseridentifier"]}
    where = made(admin.call("POST", f"{CONTACT}/Keys", body, **SOLUTION))
    path = "contacts(externaluseridentifier='a')"
    assert admin.get(where).json()["EntityKeyIndexStatus"] == "Pending"
    assert admin.get(path).status_code == 400
    admin.control("clock", {"advance": 31})
    (row,) = admin.rows(f"{CONTACT}/Keys?$select=SchemaName,EntityKeyIndexStatus")
    assert row["EntityKeyIndexStatus"] == "InProgress"
    admin.control("clock", {"advance": 31})
    assert admin.get(where).json()["EntityKeyIndexStatus"] == "Active"
    assert admin.get(path).json()["contactid"] == first
    taken = admin.call("POST", "contacts", {"externaluseridentifier": "A"})
    assert problem(taken) == (412, "0x80060892")


def test_a_key_fails_on_double_values_and_can_be_built_again(admin):
    """Failed where two rows have the same values; ReactivateEntityKey tries once more."""
    rows = [admin.make(jobtitle=title) for title in ("One", "ONE")]
    body = {"SchemaName": "cb_Job_Key", "KeyAttributes": ["jobtitle"]}
    where = made(admin.call("POST", f"{CONTACT}/Keys", body))
    admin.control("clock", {"advance": 5})
    assert admin.get(where).json()["EntityKeyIndexStatus"] == "Failed"
    assert admin.call("DELETE", f"contacts({rows[0]})").status_code == 204
    again = {"EntityLogicalName": "contact", "EntityKeyLogicalName": "cb_job_key"}
    assert admin.call("POST", "ReactivateEntityKey", again).status_code == 204
    admin.control("clock", {"advance": 5})
    assert admin.get("contacts(jobtitle='one')").json()["contactid"] == rows[1]


def test_components_belong_to_the_solution_that_the_header_names(admin):
    """Each thing made under the header is listed once; an unknown solution is refused."""
    made(admin.call("POST", "EntityDefinitions", table("cb_Identity"), **SOLUTION))
    made(admin.call("POST", f"{CONTACT}/Attributes", column("String", "cb_A"), **SOLUTION))
    made(admin.call("POST", f"{CONTACT}/Attributes", column("String", "cb_B")))
    (solution,) = admin.rows("solutions?$filter=uniquename eq 'member'&$expand=publisherid")
    assert solution["publisherid"]["customizationprefix"] == "cb"
    listed = f"solutioncomponents?$filter=_solutionid_value eq {solution['solutionid']}"
    assert sorted(row["componenttype"] for row in admin.rows(listed)) == [1, 2]
    loose = admin.get(f"{CONTACT}/Attributes(LogicalName='cb_b')").json()["MetadataId"]
    add = {"ComponentId": loose, "ComponentType": 2, "SolutionUniqueName": "member"}
    for _ in range(2):
        assert admin.call("POST", "AddSolutionComponent", add).status_code == 200
    assert len(admin.rows(listed)) == 3
    nobody = {"MSCRM.SolutionUniqueName": "nothing"}
    answer = admin.call("POST", f"{CONTACT}/Attributes", column("String", "cb_C"), **nobody)
    assert answer.status_code == 404
    assert admin.get(f"{CONTACT}/Attributes(LogicalName='cb_c')").status_code == 404


def test_publishing_needs_its_privilege_and_names_that_are_there(admin):
    """PublishAllXml and PublishXml answer 204 to who may customise."""
    assert admin.call("POST", "PublishAllXml").status_code == 204
    text = "<importexportxml><entities><entity>{}</entity></entities></importexportxml>"
    for name, status in (("contact", 204), ("nothing", 404)):
        answer = admin.call("POST", "PublishXml", {"ParameterXml": text.format(name)})
        assert answer.status_code == status
    assert admin.call("POST", "PublishXml", {"ParameterXml": "<a"}).status_code == 400
    writer = Crm(admin.ready, "writer")
    assert problem(writer.call("POST", "PublishAllXml")) == (403, "0x80040220")


def test_only_a_customizer_changes_the_schema(admin):
    """The bridge's own users are refused with 403, and nothing is made."""
    writer = Crm(admin.ready, "writer")
    for path, body in (
        ("EntityDefinitions", table("cb_Identity")),
        (f"{CONTACT}/Attributes", column("String", "cb_A")),
        (f"{CONTACT}/Keys", {"SchemaName": "cb_K", "KeyAttributes": ["jobtitle"]}),
        ("RelationshipDefinitions", lookup("cb_R", "cb_M", "account")),
    ):
        assert problem(writer.call("POST", path, body)) == (403, "0x80040220")
    assert not admin.rows(f"{CONTACT}/Keys?$select=SchemaName")


def test_a_new_table_is_closed_until_a_role_is_given_its_privileges(admin):
    """AddPrivilegesRole opens it to a user of that role, verb by verb."""
    made(admin.call("POST", "EntityDefinitions", table("cb_Consent")))
    writer = Crm(admin.ready, "writer")
    assert problem(writer.get("cb_consents")) == (403, "0x80040220")
    names = ["prvReadcb_Consent", "prvCreatecb_Consent"]
    wanted = " or ".join(f"name eq '{name}'" for name in names)
    rows = admin.rows(f"privileges?$select=privilegeid,name&$filter={wanted}")
    assert [row["name"] for row in rows] == sorted(names, reverse=True)
    (role,) = admin.rows("roles?$filter=name eq 'Bridge writer'&$select=roleid")
    action = f"roles({role['roleid']})/{SPACE}.AddPrivilegesRole"
    given = [{"PrivilegeId": row["privilegeid"], "Depth": "Global"} for row in rows]
    numeric = [given[0] | {"Depth": 3}]
    assert admin.call("POST", action, {"Privileges": numeric}).status_code == 400
    basic = [given[0] | {"Depth": "Basic"}]
    assert admin.call("POST", action, {"Privileges": basic}).status_code == 501
    assert problem(writer.call("POST", action, {"Privileges": given})) == (403, "0x80040220")
    assert admin.call("POST", action, {"Privileges": given}).status_code == 204
    row = writer.make("cb_consents", cb_name="c")
    assert problem(writer.call("DELETE", f"cb_consents({row})")) == (403, "0x80040220")
    path = f"roles({role['roleid']})/{SPACE}.RetrieveRolePrivilegesRole()"
    told = {each["PrivilegeName"] for each in admin.get(path).json()["RolePrivileges"]}
    assert set(names) <= told
    assert "prvDeletecb_Consent" not in told


def test_a_secured_column_is_seen_through_a_profile(admin):
    """Null and unwritable without a field permission; read and write are given apart."""
    body = column("String", "cb_Credential", MaxLength=400, IsSecured=True)
    made(admin.call("POST", f"{CONTACT}/Attributes", body, **SOLUTION))
    row = admin.make(lastname="Li", cb_credential="hash")
    writer = Crm(admin.ready, "writer")
    path = f"contacts({row})"
    assert writer.get(path).json()["cb_credential"] is None
    profile = admin.make("fieldsecurityprofiles", name="Bridge")
    bound = {"fieldsecurityprofileid@odata.bind": f"/fieldsecurityprofiles({profile})"}
    about = {"entityname": "contact", "attributelogicalname": "cb_credential"} | bound
    permission = admin.make("fieldpermissions", canread=4, cancreate=0, canupdate=0, **about)
    user = writer.get("WhoAmI").json()["UserId"]
    tie = f"systemusers({user})/systemuserprofiles_association/$ref"
    target = {"@odata.id": f"{admin.base}fieldsecurityprofiles({profile})"}
    assert admin.call("POST", tie, target).status_code == 204
    assert writer.get(path).json()["cb_credential"] == "hash"
    account = "EntityDefinitions(LogicalName='account')/Attributes"
    made(admin.call("POST", account, body))
    company = admin.make("accounts", cb_credential="other")
    assert writer.get(f"accounts({company})").json()["cb_credential"] is None
    assert writer.call("PATCH", path, {"cb_credential": "b"}).status_code == 403
    allowed = admin.call("PATCH", f"fieldpermissions({permission})", {"canupdate": 4})
    assert allowed.status_code == 204
    assert writer.call("PATCH", path, {"cb_credential": "b"}).status_code == 204
    untie = f"systemusers({user})/systemuserprofiles_association({profile})/$ref"
    assert admin.call("DELETE", untie).status_code == 204
    assert writer.get(path).json()["cb_credential"] is None
    plain = about | {"attributelogicalname": "lastname"}
    assert admin.call("POST", "fieldpermissions", plain).status_code == 400
    key = {"SchemaName": "cb_K", "KeyAttributes": ["cb_credential"]}
    assert admin.call("POST", f"{CONTACT}/Keys", key).status_code == 400


def test_definitions_change_by_put_and_go_by_delete(admin):
    """PUT replaces a column's definition; DELETE refuses what is in use or the system's own."""
    where = made(admin.call("POST", f"{CONTACT}/Attributes", column("String", "cb_A")))
    typed = f"{where}/{SPACE}.StringAttributeMetadata"
    whole = {n: v for n, v in admin.get(typed).json().items() if not n.startswith("@")}
    whole |= {"@odata.type": f"{SPACE}.StringAttributeMetadata", "MaxLength": 7}
    assert admin.call("PUT", where, whole).status_code == 204
    assert admin.get(typed).json()["MaxLength"] == 7
    assert admin.call("POST", "contacts", {"cb_a": "12345678"}).status_code == 400
    row = admin.make(cb_a="1234567")
    key = {"SchemaName": "cb_K", "KeyAttributes": ["cb_a"]}
    made_key = made(admin.call("POST", f"{CONTACT}/Keys", key))
    assert problem(admin.call("DELETE", where)) == (400, "0x8004f01f")
    for wrong in (
        whole | {"IsSecured": True},
        {"@odata.type": f"{SPACE}.MemoAttributeMetadata", "SchemaName": "cb_A"},
    ):
        assert admin.call("PUT", where, wrong).status_code == 400
    assert admin.call("DELETE", made_key).status_code == 204
    assert admin.call("DELETE", where, If_Match="*").status_code == 204
    assert "cb_a" not in admin.get(f"contacts({row})").json()
    name = f"{CONTACT}/Attributes(LogicalName='lastname')"
    assert admin.call("DELETE", name).status_code == 400
    assert admin.call("DELETE", CONTACT).status_code == 400


def test_a_table_goes_when_nothing_leads_to_it(admin):
    """A relationship goes with its lookup; a table with its rows and privileges."""
    made(admin.call("POST", "EntityDefinitions", table("cb_Identity")))
    body = lookup("cb_r", "cb_Member", "cb_identity")
    where = made(admin.call("POST", "RelationshipDefinitions", body))
    assert admin.call("DELETE", where).status_code == 204
    columns = admin.rows("EntityDefinitions(LogicalName='cb_identity')/Attributes")
    assert "cb_member" not in {row["LogicalName"] for row in columns}
    made(admin.call("POST", "EntityDefinitions", table("cb_Other")))
    body = lookup("cb_o", "cb_To", "cb_other", ReferencedEntity="cb_identity")
    del body["ReferencedAttribute"]
    where = made(admin.call("POST", "RelationshipDefinitions", body))
    kept = admin.call("DELETE", "EntityDefinitions(LogicalName='cb_identity')")
    assert problem(kept) == (400, "0x8004f01f")
    assert admin.call("DELETE", where).status_code == 204
    admin.make("cb_identities", cb_name="n")
    gone = admin.call("DELETE", "EntityDefinitions(LogicalName='cb_identity')")
    assert gone.status_code == 204
    assert admin.get("cb_identities").status_code == 404
    assert not admin.rows("privileges?$filter=endswith(name,'cb_Identity')")


@pytest.mark.parametrize(("behaviour", "status"), [("Cascade", 404), ("Restrict", 200)])
def test_a_relationship_says_what_a_delete_does(admin, behaviour, status):
    """Cascade deletes the rows that lead there; Restrict refuses, with 405 0x80040227."""
    made(admin.call("POST", "EntityDefinitions", table("cb_Identity")))
    cascade = {"CascadeConfiguration": {"Delete": behaviour}}
    body = lookup("cb_r", "cb_Member", "cb_identity", **cascade)
    made(admin.call("POST", "RelationshipDefinitions", body))
    member = admin.make()
    row = admin.make("cb_identities", **{"cb_Member@odata.bind": f"/contacts({member})"})
    answer = admin.call("DELETE", f"contacts({member})")
    if behaviour == "Restrict":
        assert problem(answer) == (405, "0x80040227")
    assert admin.get(f"cb_identities({row})").status_code == status


def test_an_administrator_makes_an_application_user(admin):
    """A systemuser row with the registration's application id lets its token in."""
    stranger = Crm(admin.ready, "stranger")
    assert problem(stranger.get("WhoAmI")) == (403, "0x80072560")
    user = admin.make("systemusers", applicationid=admin.ready["stranger"]["client_id"])
    assert stranger.get("WhoAmI").json()["UserId"] == user
    assert problem(stranger.get("contacts")) == (403, "0x80040220")
    (role,) = admin.rows("roles?$filter=name eq 'Bridge reader'&$select=roleid")
    tie = {"@odata.id": f"{admin.base}roles({role['roleid']})"}
    path = f"systemusers({user})/systemuserroles_association"
    assert admin.call("POST", f"{path}/$ref", tie).status_code == 204
    assert stranger.get("contacts").status_code == 200
    assert [row["name"] for row in admin.rows(path)] == ["Bridge reader"]
    disabled = admin.call("PATCH", f"systemusers({user})", {"isdisabled": True})
    assert disabled.status_code == 204
    assert problem(stranger.get("WhoAmI")) == (403, "0x80072560")


def test_schema_changes_in_a_change_set_are_not_played(admin):
    """501 and nothing made; the same request alone in a batch is done."""
    part = (
        "Content-Type: application/http\nContent-Transfer-Encoding: binary\nContent-ID: 1\n\n"
        "POST PublishAllXml HTTP/1.1\nContent-Type: application/json\n\n{}\n"
    )
    create = part.replace("PublishAllXml", f"{CONTACT}/Attributes").replace(
        "{}",
        '{"@odata.type": "Microsoft.Dynamics.CRM.StringAttributeMetadata", "SchemaName": "cb_A"}',
    )
    inside = f"--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n{create}--c--\n--b--\n"
    assert "501 Not Implemented" in admin.batch(inside).text
    assert admin.get(f"{CONTACT}/Attributes(LogicalName='cb_a')").status_code == 404
    assert "204 No Content" in admin.batch(f"--b\n{create}--b--\n").text
    assert admin.get(f"{CONTACT}/Attributes(LogicalName='cb_a')").status_code == 200
