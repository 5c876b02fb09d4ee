"""A judge nobody here wrote: Microsoft's Dataverse client with azure-identity."""

import enum

import pytest
from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient
from PowerPlatform.Dataverse.models.upsert import UpsertItem


@pytest.fixture
def client(crm, monkeypatch):
    """The official client signed in as the writer; it takes its CA from the environment only."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", crm.ready["ca_file"])
    credential = ClientSecretCredential(
        crm.ready["tenant"],
        crm.ready["client_id"],
        crm.ready["client_secret"],
        authority=crm.root,
        disable_instance_discovery=True,
    )
    with DataverseClient(crm.root, credential) as made:
        yield made


def test_create_get_update_query_delete(client):
    """The whole life of a record through Microsoft's own client."""
    row = client.records.create("contact", {"firstname": "Li", "lastname": "Na", "gendercode": 1})
    found = client.records.retrieve("contact", row, select=["fullname", "gendercode"])
    assert (found["fullname"], found["gendercode"]) == ("Li Na", 1)
    client.records.update("contact", row, {"firstname": "Lu", "gendercode": 2})
    pages = client.records.list("contact", filter="firstname eq 'LU'", select=["fullname"])
    assert [item["fullname"] for item in pages] == ["Lu Na"]
    client.records.delete("contact", row)
    assert client.records.retrieve("contact", row) is None


def test_a_change_set_of_the_official_client(client):
    """Its batch with a change set is read, and what fails in it leaves nothing behind."""
    batch = client.batch.new()
    with batch.changeset() as changes:
        reference = changes.records.create("contact", {"firstname": "Li"})
        changes.records.update("contact", reference, {"lastname": "Na"})
    result = batch.execute()
    assert not result.has_errors
    assert [row["fullname"] for row in client.records.list("contact", select=["fullname"])] == [
        "Li Na"
    ]
    batch = client.batch.new()
    with batch.changeset() as changes:
        changes.records.create("contact", {"firstname": "Lu"})
        changes.records.update("contact", "11111111-1111-4111-8111-111111111111", {"lastname": "X"})
    assert batch.execute().has_errors
    assert len(list(client.records.list("contact", select=["fullname"]))) == 1


@pytest.fixture
def maker(crm, monkeypatch):
    """The official client signed in as the administrator, on a stock tenant with a publisher."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", crm.ready["ca_file"])
    crm.control("tenant", {"kind": "stock"})
    credential = ClientSecretCredential(
        crm.ready["tenant"],
        **crm.ready["administrator"],
        authority=crm.root,
        disable_instance_discovery=True,
    )
    with DataverseClient(crm.root, credential) as made:
        prefix = {"customizationprefix": "cb", "customizationoptionvalueprefix": 53412}
        made.records.create("publisher", {"uniquename": "m", "friendlyname": "M", **prefix})
        yield made
    crm.control("tenant", {"kind": "bridge"})


class Size(enum.IntEnum):
    """A choice, as the client takes one."""

    SMALL = 534120000
    LARGE = 534120001


def test_the_official_client_makes_a_table_of_every_type(maker):
    """Its own table definitions are taken and read back, typed columns in one request."""
    columns = {
        "cb_Title": "string",
        "cb_Count": "int",
        "cb_Price": "decimal",
        "cb_Rate": "float",
        "cb_On": "bool",
        "cb_When": "datetime",
        "cb_Note": "memo",
        "cb_Size": Size,
    }
    made = maker.tables.create("cb_Widget", columns)
    assert (made.logical_name, made.entity_set_name) == ("cb_widget", "cb_widgets")
    assert maker.tables.get("cb_Nothing") is None
    maker.tables.add_columns("cb_Widget", {"cb_More": {"type": "string", "max_length": 44}})
    maker.tables.update_column("cb_Widget", "cb_More", {"max_length": 55})
    typed = maker.tables.get_column("cb_Widget", "cb_More", typed=True)
    assert typed["MaxLength"] == 55
    maker.tables.remove_columns("cb_Widget", "cb_More")
    assert maker.tables.get_column("cb_Widget", "cb_More") is None
    row = maker.records.create("cb_Widget", {"cb_title": "t", "cb_size": "LARGE", "cb_rate": 0.5})
    found = maker.records.retrieve("cb_Widget", row, select=["cb_size", "cb_rate", "cb_on"])
    assert (found["cb_size"], found["cb_rate"], found["cb_on"]) == (Size.LARGE, 0.5, False)


def test_the_official_client_relates_tables(maker):
    """A lookup with the relationship that carries it, and a many to many."""
    maker.tables.create("cb_Widget", {})
    made = maker.tables.create_lookup_field("cb_widget", "cb_Member", "contact")
    names = {each["SchemaName"] for each in maker.tables.list_table_relationships("cb_widget")}
    assert made.relationship_schema_name in names
    maker.tables.delete_relationship(made.relationship_id)
    assert maker.tables.get_relationship(made.relationship_schema_name) is None
    maker.tables.delete("cb_Widget")
    assert maker.tables.get("cb_Widget") is None


def test_the_official_client_writes_in_bulk_and_pages_fetchxml(maker, crm):
    """A key, CreateMultiple, UpsertMultiple by it, UpdateMultiple, pages by cookie."""
    maker.tables.create("cb_Widget", {"cb_Title": "string", "cb_Count": "int"})
    maker.tables.create_alternate_key("cb_Widget", "cb_title_key", ["cb_title"])
    (key,) = maker.tables.get_alternate_keys("cb_Widget")
    assert key.status == "Pending"
    crm.control("clock", {"advance": 10})
    (key,) = maker.tables.get_alternate_keys("cb_Widget")
    assert key.status == "Active"
    rows = [{"cb_title": f"t{n}", "cb_count": n} for n in range(5)]
    ids = maker.records.create("cb_Widget", rows)
    items = [
        UpsertItem(alternate_key={"cb_title": title}, record={"cb_count": 77})
        for title in ("t1", "new")
    ]
    maker.records.upsert("cb_Widget", items)
    maker.records.update("cb_Widget", ids[2:4], {"cb_count": 5})
    text = (
        "<fetch count='2'><entity name='cb_widget'><attribute name='cb_title'/>"
        "<attribute name='cb_count'/><order attribute='cb_title'/></entity></fetch>"
    )
    found = [(row["cb_title"], row["cb_count"]) for row in maker.query.fetchxml(text).execute()]
    counts = {"new": 77, "t0": 0, "t1": 77, "t2": 5, "t3": 5, "t4": 4}
    assert found == list(counts.items())
    assert maker.records.delete("cb_Widget", ids[:4])
    assert len(list(maker.records.list("cb_Widget", select=["cb_title"]))) == 6
    crm.control("clock", {"advance": 5})
    left = maker.records.list("cb_Widget", select=["cb_title"], orderby=["cb_title"])
    assert [row["cb_title"] for row in left] == ["new", "t4"]
