"""Definitions as clients read them: casts, option sets, CSDL, changes, messages."""

import json

import pytest
from odatapy.edm.xml_io import parse_metadata

from tests.sandbox.dataverse import Crm, problem

SPACE = "Microsoft.Dynamics.CRM"
CONTACT = "EntityDefinitions(LogicalName='contact')"


def test_the_csdl_is_read_by_a_parser_of_others(crm):
    """$metadata is valid CSDL: every set has its type, every type its key and properties."""
    answer = crm.get("$metadata")
    assert answer.headers["Content-Type"] == "application/xml"
    (schema,) = parse_metadata(answer.text)
    assert (schema.namespace, schema.alias) == (SPACE, "mscrm")
    types = {each.name: each for each in schema.entity_types}
    contact = types["contact"]
    assert [key.name for key in contact.key] == ["contactid"]
    kinds = {each.name: str(each.type) for each in contact.properties}
    assert kinds["birthdate"] == "Edm.Date"
    assert kinds["creditlimit"] == "Edm.Decimal"
    assert kinds["_parentcustomerid_value"] == "Edm.Guid"
    sets = {each.name for each in schema.entity_container.entity_sets}
    assert sets == {row["url"] for row in crm.rows("")}
    navigations = {each.name for each in types["cb_identity"].navigation_properties}
    assert navigations == {"cb_Member", "ownerid"}


def test_the_csdl_names_every_property_of_a_row(crm):
    """What a row shows is what its type declares."""
    (schema,) = parse_metadata(crm.get("$metadata").text)
    types = {each.name: each for each in schema.entity_types}
    shown = crm.get(f"contacts({crm.make()})").json()
    declared = {each.name for each in types["contact"].properties}
    assert {name for name in shown if "@" not in name} == declared


def test_casts_show_what_a_type_has_of_its_own(crm):
    """MaxLength without a cast is 400; with it, for one column and for all of a type."""
    plain = crm.get(f"{CONTACT}/Attributes?$select=LogicalName,MaxLength")
    assert problem(plain)[0] == 400
    strings = "$select=MaxLength&$filter=AttributeType eq 'String'"
    assert problem(crm.get(f"{CONTACT}/Attributes?{strings}"))[0] == 400
    typed = f"{CONTACT}/Attributes/{SPACE}.StringAttributeMetadata?$select=LogicalName,MaxLength"
    lengths = {row["LogicalName"]: row["MaxLength"] for row in crm.rows(typed)}
    assert lengths["lastname"] == 50
    assert "birthdate" not in lengths
    one = f"{CONTACT}/Attributes(LogicalName='lastname')/{SPACE}.MemoAttributeMetadata"
    assert crm.get(one).status_code == 404


def test_option_sets_stand_below_their_column(crm):
    """By $expand and by path; a Boolean has two options, a status the state it belongs to."""
    base = f"{CONTACT}/Attributes"
    path = f"{base}(LogicalName='statuscode')/{SPACE}.StatusAttributeMetadata/OptionSet"
    options = crm.get(path).json()["Options"]
    assert [(option["Value"], option["State"]) for option in options] == [(1, 0), (2, 1)]
    path = f"{base}(LogicalName='donotemail')/{SPACE}.BooleanAttributeMetadata?$expand=OptionSet"
    found = crm.get(path).json()["OptionSet"]
    assert found["TrueOption"]["Label"]["UserLocalizedLabel"]["Label"] == "Do Not Allow"
    assert (found["TrueOption"]["Value"], found["FalseOption"]["Value"]) == (1, 0)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"AttributeType eq {SPACE}.AttributeTypeCode'Money'", ["creditlimit"]),
        ("AttributeType eq 'Money'", ["creditlimit"]),
        ("IsPrimaryId eq true", ["contactid"]),
        ("AttributeTypeName/Value eq 'MoneyType'", ["creditlimit"]),
        ("not (IsSecured ne true)", ["cb_credential"]),
    ],
)
def test_filters_of_metadata(crm, text, expected):
    """Enumerations in both spellings, booleans, paths and not."""
    rows = crm.rows(f"{CONTACT}/Attributes?$select=LogicalName&$filter={text}")
    assert [row["LogicalName"] for row in rows] == expected


def test_relationships_have_a_set_of_their_own(crm):
    """By schema name, by id, by filter, and by a cast to their type."""
    path = "RelationshipDefinitions(SchemaName='cb_contact_identity_Member')"
    one = crm.get(path).json()
    assert (one["ReferencingEntity"], one["ReferencingAttribute"]) == ("cb_identity", "cb_member")
    by_id = crm.get(f"RelationshipDefinitions({one['MetadataId']})").json()
    assert by_id["SchemaName"] == one["SchemaName"]
    kind = f"{SPACE}.RelationshipType'ManyToManyRelationship'"
    many = crm.rows(f"RelationshipDefinitions?$filter=RelationshipType eq {kind}")
    assert {row["SchemaName"] for row in many} >= {"systemuserroles_association"}
    cast = crm.rows(f"RelationshipDefinitions/{SPACE}.OneToManyRelationshipMetadata")
    assert "systemuserroles_association" not in {row["SchemaName"] for row in cast}


def test_metadata_changes_in_one_request(crm):
    """RetrieveMetadataChanges gives the tables and columns that the query asks for."""
    named = {
        "PropertyName": "LogicalName",
        "ConditionOperator": "Equals",
        "Value": {"Type": "System.String", "Value": "contact"},
    }
    query = {
        "Properties": {"PropertyNames": ["LogicalName", "Attributes"]},
        "Criteria": {
            "Conditions": [named | {"Value": {"Type": "System.String", "Value": "contact"}}]
        },
        "AttributeQuery": {"Properties": {"PropertyNames": ["MaxLength"]}},
    }
    path = f"RetrieveMetadataChanges(Query=@p1)?@p1={json.dumps(query)}"
    (table,) = crm.get(path).json()["EntityMetadata"]
    lengths = {each["LogicalName"]: each.get("MaxLength") for each in table["Attributes"]}
    assert (lengths["lastname"], lengths["birthdate"]) == (50, None)
    assert "EntitySetName" not in table
    query["Criteria"]["FilterOperator"] = "Or"
    path = f"RetrieveMetadataChanges(Query=@p1)?@p1={json.dumps(query)}"
    assert problem(crm.get(path))[0] == 501
    assert problem(crm.get("RetrieveMetadataChanges"))[0] == 400


def test_messages_of_a_table_are_rows(crm):
    """sdkmessagefilters tells which table takes CreateMultiple."""
    wanted = "(sdkmessageid/name eq 'CreateMultiple' or sdkmessageid/name eq 'UpdateMultiple')"
    path = "sdkmessagefilters?$select=sdkmessagefilterid&$expand=sdkmessageid($select=name)"
    rows = crm.rows(f"{path}&$filter={wanted} and primaryobjecttypecode eq 'contact'")
    assert sorted(row["sdkmessageid"]["name"] for row in rows) == [
        "CreateMultiple",
        "UpdateMultiple",
    ]
    assert not crm.rows(f"{path}&$filter={wanted} and primaryobjecttypecode eq 'privilege'")
    admin = Crm(crm.ready, "administrator")
    answer = admin.call("POST", "sdkmessages", {"name": "x"})
    assert problem(answer) == (400, "0x80040800")
    assert crm.get("RetrieveAvailableLanguages").json()["LocaleIds"] == [1033]
