"""A judge nobody here wrote: Microsoft's Dataverse client with azure-identity."""

import pytest
from azure.identity import ClientSecretCredential
from PowerPlatform.Dataverse.client import DataverseClient


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
