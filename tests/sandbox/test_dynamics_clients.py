"""Judges nobody here wrote: two more Dataverse clients, unchanged, each with its own token flow."""

import warnings

import pytest
from authlib.integrations.requests_client import OAuth2Session
from dataverse_api.dataverse import DataverseClient
from dataverse_api.metadata import attributes
from dataverse_api.metadata.entity import define_entity
from dataverse_api.metadata.enums import OwnershipType
from dataverse_api.metadata.helpers import Publisher

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # it uses authlib's older client, which says so
    from dynamics.client import DynamicsClient
    from dynamics.exceptions import NotFound


@pytest.fixture
def trusted(crm, monkeypatch):
    """Where clients take their CA from when they aren't told."""
    monkeypatch.setenv("SSL_CERT_FILE", crm.ready["ca_file"])
    return crm


@pytest.fixture
def bulk(crm):
    """dataverse-api on a session of authlib, which sends its secret as HTTP Basic."""
    session = OAuth2Session(**crm.ready["administrator"], scope=f"{crm.root}/.default")
    session.trust_env = False
    session.verify = crm.ready["ca_file"]
    url = f"{crm.ready['authority']}/oauth2/v2.0/token"
    session.fetch_token(url, grant_type="client_credentials")
    with session:
        yield DataverseClient(session, crm.root)


@pytest.fixture
def dynamics(trusted):
    """dynamics-client, which fetches its own token by httpx."""
    return DynamicsClient(
        api_url=trusted.base.rstrip("/"),
        token_url=f"{trusted.ready['authority']}/oauth2/v2.0/token",
        client_id=trusted.ready["client_id"],
        client_secret=trusted.ready["client_secret"],
        scope=[f"{trusted.root}/.default"],
        cache_token=False,
    )


def test_dataverse_api_learns_a_table(bulk):
    """It reads set, keys, messages and relationships of a table before it does anything."""
    contact = bulk.entity("contact")
    assert (contact.entity_set_name, contact.primary_id_attr) == ("contacts", "contactid")
    assert contact.alternate_keys == {"cb_subject_key": ["externaluseridentifier"]}
    assert contact.supports_create_multiple
    assert contact.supports_update_multiple


@pytest.mark.parametrize("mode", ["individual", "multiple", "batch"])
def test_dataverse_api_creates_in_each_of_its_modes(bulk, mode):
    """Single requests, CreateMultiple, and a batch whose lines end with line feeds."""
    contact = bulk.entity("contact")
    answers = contact.create([{"lastname": "A"}, {"lastname": "B"}], mode=mode)
    assert all(answer.ok for answer in answers)
    rows = contact.read(select=["lastname"], order_by="lastname", page_size=1)
    assert [row["lastname"] for row in rows] == ["A", "B"]


def test_dataverse_api_changes_and_deletes(bulk):
    """Upsert by id and by alternate key, one column emptied, rows deleted in a batch."""
    contact = bulk.entity("contact")
    rows = [{"externaluseridentifier": f"e{n}", "firstname": "A"} for n in range(2)]
    contact.upsert(rows, altkey_name="cb_subject_key", mode="batch")
    found = contact.read(select=["firstname"])
    assert len(found) == 2
    first = found[0]["contactid"]
    contact.upsert([{"contactid": first, "lastname": "L"}], mode="individual")
    contact.delete_columns(ids=[first], columns=["firstname"], mode="individual")
    (row,) = contact.read(select=["firstname", "lastname"], filter="lastname eq 'L'")
    assert row["firstname"] is None
    contact.delete(ids=[row["contactid"] for row in found], mode="batch")
    assert not contact.read(select=["lastname"])


def test_dataverse_api_makes_a_table(bulk, crm):
    """Publisher, table, column, lookup and their removal by its own metadata classes."""
    crm.control("tenant", {"kind": "stock"})
    try:
        bulk.create_publisher(Publisher("Member", "member", "of the tests", "cb", 53412))
        name = attributes.StringAttributeMetadata(
            schema_name="cb_Name",
            max_length=100,
            is_primary_name=True,
            display_name=attributes.define_label("Name"),
        )
        owned = OwnershipType.USER_OWNED
        bulk.create_entity(define_entity("cb_Thing", [name], "d", "Thing", "Things", owned))
        thing = bulk.entity("cb_thing")
        memo = attributes.MemoAttributeMetadata(
            schema_name="cb_Memo", display_name=attributes.define_label("Memo")
        )
        thing.add_attribute(memo)
        assert thing.create([{"cb_name": "n", "cb_memo": "m"}], mode="individual")[0].ok
        assert bulk.update_entity(bulk.get_entity_definition("cb_thing")).ok
        thing.remove_attribute(logical_name="cb_memo")
        bulk.delete_entity("cb_thing")
        assert crm.get("cb_things").status_code == 404
    finally:
        crm.control("tenant", {"kind": "bridge"})


def ask(client: DynamicsClient, **query) -> DynamicsClient:
    """A new query on contacts."""
    client.reset_query()
    client.table = "contacts"
    for name, value in query.items():
        setattr(client, name, value)
    return client


def test_dynamics_client_lives_a_record_through(dynamics):
    """Create, read, change, delete; what is gone is its own NotFound."""
    made = ask(dynamics, select=["lastname"]).post({"lastname": "Li"})
    row = made.data["contactid"]
    assert ask(dynamics, row_id=row).patch({"firstname": "Na"}).data["contactid"] == row
    (found,) = ask(dynamics, select=["fullname"], filter=["lastname eq 'LI'"]).get().data
    assert found["fullname"] == "Na Li"
    ask(dynamics, row_id=row).delete()
    with pytest.raises(NotFound):
        ask(dynamics, row_id=row).get()


def test_dynamics_client_pages_expands_and_fetches(dynamics):
    """Its pages are followed to the end; expands and FetchXML are answered in its form."""
    for n in range(5):
        ask(dynamics).post({"lastname": f"P{n}", "parentcustomerid_account": {"name": "Acme"}})
    query = ask(dynamics, select=["lastname"], orderby={"lastname": "asc"}, pagesize=2)
    rows = query.get(pagination_rules={"pages": 9}).data
    assert [row["lastname"] for row in rows] == [f"P{n}" for n in range(5)]
    expand = {"parentcustomerid_account": {"select": ["name"]}}
    rows = ask(dynamics, select=["lastname"], expand=expand).get().data
    assert {row["parentcustomerid_account"]["name"] for row in rows} == {"Acme"}
    text = "<fetch top='2'><entity name='contact'><attribute name='lastname'/></entity></fetch>"
    assert len(ask(dynamics, fetch_xml=text).get().data) == 2
    dynamics.reset_query()
    dynamics.action = "WhoAmI"
    assert dynamics.get().data[0]["UserId"]
