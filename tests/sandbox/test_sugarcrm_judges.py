"""Judges nobody here wrote: Sugar clients of four authors, as they are.

They take the CA from the environment only.
"""

import json

import pysugarcrm
import pytest
import sugarcrm_25_api
from sugarcrm_cloud import exception
from sugarcrm_cloud.client import Client
from zucker import RequestsClient, model

from tests.sandbox.sugar import control


@pytest.fixture
def ready(sugarcrm, monkeypatch):
    """An empty server whose CA the clients trust."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", sugarcrm["ca_file"])
    control(sugarcrm, "reset")
    control(sugarcrm, "clock", {"set": None})
    return sugarcrm


# -- sugarcrm-25-api: JSON, OAuth-Token, v11_24, its own cache of tokens -------------------


@pytest.fixture
def api(ready, monkeypatch, tmp_path):
    """Its module, with the `.env` that it reads from the working directory."""
    lines = {"URL": ready["url"], "PLATFORM": ready["platform"]}
    lines |= {"USERNAME": ready["username"], "PASSWORD": ready["password"]}
    (tmp_path / ".env").write_text("".join(f"SUGAR_{k}={v}\n" for k, v in lines.items()))
    monkeypatch.setattr(sugarcrm_25_api, "BASE_DIR", tmp_path)
    monkeypatch.setattr(sugarcrm_25_api, "TOKEN_CACHE", tmp_path / "token.json")
    monkeypatch.setattr(sugarcrm_25_api, "_shared_client", None)
    return sugarcrm_25_api


def test_the_25_client_and_one_records_life(api):
    """Made, read, changed, found, related, deleted."""
    assert api.ping() == {"ping": "pong", "user": "admin"}
    id = api.create_record("Contacts", {"first_name": "Na", "last_name": "Li"})["id"]
    assert api.get_record("Contacts", id, fields="last_name")["last_name"] == "Li"
    api.update_record("Contacts", id, {"last_name": "Lu"})
    found = api.list_records("Contacts", {"last_name": "Lu"}, fields=["id"], order_by="id:ASC")
    assert [row["id"] for row in found["records"]] == [id]
    account = api.create_record("Accounts", {"name": "Acme"})["id"]
    api.default_client().relate("Contacts", id, "accounts", account)
    assert api.list_records("Contacts", {"accounts.name": "Acme"})["records"][0]["id"] == id
    api.default_client().unrelate("Contacts", id, "accounts", account)
    api.delete_record("Contacts", id)
    with pytest.raises(api.SugarError, match="404"):
        api.get_record("Contacts", id)


def test_the_25_client_reads_metadata(api):
    """Module names and the types of fields."""
    assert "cb_consent" in api.modules()
    assert api.fields("Contacts")["cb_points_c"] == "decimal"


def test_the_25_client_loads_in_bulk(api):
    """Parallel workers that share one token; what fails is told by item."""
    rows = [{"last_name": f"{n}"} for n in range(7)]
    made = api.bulk_create("Contacts", rows, chunk=2, parallel=3, progress=False)
    assert (made["succeeded"], made["failed"]) == (7, 0)
    rows = [{"id": "nobody", "title": "x"}]
    assert api.bulk_update("Contacts", rows, retry=0, progress=False)["failed"] == 1
    assert api.bulk_delete("Contacts", {"last_name": {"$gte": "5"}}, dry_run=True)["matched"] == 2
    gone = api.bulk_delete("Contacts", {}, dry_run=False, progress=False)
    assert (gone["deleted"], gone["failed"]) == (7, 0)


def test_the_25_client_survives_an_expired_and_a_lost_token(api, ready):
    """It refreshes, and logs in where that fails."""
    api.me()
    control(ready, "tokens", {"expire": True})
    assert api.me()["current_user"]["user_name"] == "admin"
    control(ready, "tokens", {"forget": True})
    assert api.me()["current_user"]["user_name"] == "admin"


# -- zucker: forms, `/oauth2/token/`, bodies of {} on GET, filters in the address, v11_5 ---


@pytest.fixture
def zucker(ready):
    """A model of contacts bound to a client with its own platform."""
    client = RequestsClient(ready["url"], ready["username"], ready["password"])

    class Contact(model.SyncModule, client=client, api_name="Contacts"):
        first_name = model.StringField()
        last_name = model.StringField()
        do_not_call = model.BooleanField()
        cb_points_c = model.FloatField()

    return Contact


def test_zucker_and_one_records_life(zucker):
    """Saved, changed, refreshed and deleted."""
    contact = zucker(first_name="Na", last_name="Li")
    contact.save()
    contact.last_name = "Lu"
    contact.cb_points_c = 2.5
    contact.save()
    contact.refresh()
    assert (contact.last_name, contact.cb_points_c) == ("Lu", 2.5)
    assert zucker.get_by_id(str(contact.id)).last_name == "Lu"
    contact.delete()
    assert len(zucker.find()) == 0


def test_zucker_finds(zucker):
    """Its own filters, pages by offset, and counts."""
    for name in ("Li", "Lu", "Ma"):
        zucker(last_name=name, first_name="N", do_not_call=name == "Ma").save()
    assert len(zucker.find()) == 3
    assert sorted(each.last_name for each in zucker.find()) == ["Li", "Lu", "Ma"]
    assert len(zucker.find(zucker.last_name.starts_with("L"))) == 2
    assert zucker.get(zucker.last_name == "ma").do_not_call is True
    either = (zucker.last_name == "Li") | (zucker.last_name == "Lu")
    assert len(zucker.find(either)) == 2
    assert len(zucker.find(zucker.last_name.values("Li", "Ma"))) == 2


def test_zucker_reads_metadata(zucker):
    """The list of modules and the server's version."""
    client = zucker.get_client()
    client.fetch_metadata("full_module_list", "server_info")
    assert "Contacts" in client
    assert client.server_info[0] == "ENT"


# -- sugarcrm-cloud-python: Bearer, JSON, null keys, a slash at the end, refresh alone ------


@pytest.fixture
def cloud(ready):
    """Signed in at v11_4 on its own default platform."""
    client = Client(ready["url"], "8.3")
    tokens = client.get_token(ready["username"], ready["password"])
    client.set_access_token(tokens["access_token"])
    return client, tokens


def test_the_cloud_client(cloud):
    """Records, filters with null keys, metadata and a refresh without a platform."""
    client, tokens = cloud
    lead = client.create_lead({"last_name": "Li"})
    assert client.get_lead(lead["id"])["last_name"] == "Li"
    client.create_contact({"last_name": "Lu"})
    found = client.filter_contacts([{"last_name": {"$starts": "l"}}])["records"]
    assert [row["last_name"] for row in found] == ["Lu"]
    assert client.get_contact(found[0]["id"])["last_name"] == "Lu"
    assert len(client.get_contacts()["records"]) == len(client.get_leads()["records"]) == 1
    assert "fields" in client.get_metadata("Contacts")["modules"]["Contacts"]
    fresh = client.refresh_token(tokens["refresh_token"])
    with pytest.raises(exception.SugarApiExceptionInvalidGrant):
        client.me()
    client.set_access_token(fresh["access_token"])
    assert client.me()["current_user"]["user_name"] == "admin"


def test_the_cloud_client_tells_refusals_apart(cloud):
    """By their labels."""
    client, _ = cloud
    with pytest.raises(exception.SugarApiExceptionNotFound):
        client.get_contact("nobody")
    client.set_access_token(None)
    with pytest.raises(exception.SugarApiExceptionNeedLogin):
        client.me()


# -- pysugarcrm: JSON without a content type, v10, its own platform, logout -----------------


def test_pysugarcrm(ready):
    """Generic calls; it logs out at the end."""
    who = (ready["url"], ready["username"], ready["password"])
    with pysugarcrm.sugar_api(*who) as api:
        assert api.me["current_user"]["user_name"] == "admin"
        id = api.post("/Contacts", json={"last_name": "Li"})["id"]
        api.put(f"/Contacts/{id}", json={"title": "x"})
        found = api.get("/Contacts", query_params={"filter": json.dumps([{"title": "x"}])})
        assert [row["id"] for row in found["records"]] == [id]
    assert api.is_closed
    assert api.me["error"] == "invalid_grant"
