"""Sugar's sync_key endpoints, links and bulks."""

import json
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from sandbox.sugarcrm import records
from sandbox.sugarcrm.store import Row
from tests.sandbox.sugar import Sugar, label

# -- sync_key ------------------------------------------------------------------------------


@pytest.mark.parametrize("method", ["PATCH", "PUT"])
@pytest.mark.parametrize("path", ["Contacts/sync_key/m-1", "integrate/Contacts/sync_key/m-1"])
def test_an_upsert_creates_once(sugar, method, path):
    """201, then 200 with the same id; one record however often it is repeated."""
    first = sugar.call(method, path, {"last_name": "Li"})
    again = sugar.call(method, path, {"first_name": "Na"})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json() == {"record": sugar.found()[0]}
    assert len(sugar.found()) == 1
    assert sugar.read(first.json()["record"], "name", "sync_key") == ["Na Li", "m-1"]


def test_upserts_at_once_make_one_record(sugar, monkeypatch):
    """One of them is the 201, however long the making takes."""

    def slow(*given):
        time.sleep(0.02)
        return Row(*given)

    def upsert(_n):
        return sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Li"}).status_code

    monkeypatch.setattr(records, "Row", slow)
    with ThreadPoolExecutor(4) as pool:
        statuses = list(pool.map(upsert, range(8)))
    assert sorted(statuses) == [200] * 7 + [201]
    assert len(sugar.found()) == 1


def test_an_upsert_answers_fields_that_are_asked_for(sugar):
    """Without them it says the id only; `fields` itself is no field."""
    sugar.control("settings", {"unknown_fields": "refuse"})
    body = {"last_name": "Li", "fields": ["last_name"]}
    record = sugar.call("PATCH", "integrate/Contacts/sync_key/m-1", body).json()["record"]
    assert record["last_name"] == "Li"


def test_a_record_is_read_and_deleted_by_its_key(sugar):
    """In the path or as an argument."""
    id = sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Li"}).json()["record"]
    for path in (
        "integrate/Contacts/sync_key/m-1?fields=last_name",
        "integrate/Contacts?sync_key_field_value=m-1&fields=last_name",
    ):
        row = sugar.call("GET", path).json()
        assert (row["id"], row["last_name"]) == (id, "Li")
    assert sugar.call("DELETE", "integrate/Contacts/sync_key/m-1").json() == {"record": id}
    assert sugar.found() == []


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_key_that_no_record_has_is_422(sugar, method):
    """Not 404."""
    answer = sugar.call(method, "integrate/Contacts/sync_key/nobody")
    assert label(answer) == (422, "invalid_parameter")


def test_the_key_of_a_record_without_one_is_set_first(sugar):
    """An upsert would make a second record."""
    one, two = sugar.make(last_name="Li"), sugar.make(last_name="Lu")
    answer = sugar.call("PUT", f"integrate/Contacts/{one}/sync_key/m-1")
    assert answer.json() == {"success": True}
    body = {"sync_key_field_value": "m-2"}
    assert sugar.call("PUT", f"integrate/Contacts/{two}", body).json() == {"success": True}
    for key, id in (("m-1", one), ("m-2", two)):
        assert sugar.call("PATCH", f"Contacts/sync_key/{key}", {}).json() == {"record": id}
    taken = sugar.call("PUT", f"integrate/Contacts/{two}/sync_key/m-1")
    assert label(taken) == (422, "invalid_parameter")


def test_the_endpoints_are_an_administrators(sugar, sugarcrm):
    """403 for others, unless the server is older; a plain POST may set the key, by the setting."""
    writer = Sugar(sugarcrm, "writer")
    for method, path in (
        ("PATCH", "Contacts/sync_key/m-1"),
        ("GET", "integrate/Contacts/sync_key/m-1"),
        ("POST", "Contacts/m-1/link_by_sync_keys/accounts/a-1"),
    ):
        assert label(writer.call(method, path, {})) == (403, "not_authorized")
    sugar.control("settings", {"sync_key_admin_only": False})
    assert writer.call("PATCH", "Contacts/sync_key/m-1", {}).status_code == 201
    assert writer.read(writer.make(sync_key="m-2"), "sync_key") == ["m-2"]
    again = writer.call("POST", "Contacts", {"sync_key": "M-2"})
    assert label(again) == (422, "invalid_parameter")
    sugar.control("settings", {"sync_key_by_post": False})
    assert writer.read(writer.make(sync_key="m-3"), "sync_key") == [""]


def test_older_versions_have_no_sync_key(sugar):
    """They came with v11_10."""
    assert sugar.call("PATCH", "/v11_10/Contacts/sync_key/m-1", {}).status_code == 201
    for version in ("v10", "v11", "v11_9"):
        answer = sugar.call("PATCH", f"/{version}/Contacts/sync_key/m-1", {})
        assert label(answer) == (404, "no_method")


def test_an_upsert_is_guarded_by_x_timestamp(sugar):
    """As a PUT is."""
    sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Li"})
    old = {"X-Timestamp": "2001-01-01T00:00:00Z"}
    answer = sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Lu"}, headers=old)
    assert label(answer) == (409, "edit_conflict")


@pytest.mark.parametrize(
    "path",
    [
        "integrate/Contacts/sync_key/m-1/link/accounts/sync_key/a-1",
        "Contacts/m-1/link_by_sync_keys/accounts/a-1",
    ],
)
def test_records_are_related_by_their_keys(sugar, path):
    """Either side missing is 422."""
    assert label(sugar.call("POST", path)) == (422, "invalid_parameter")
    sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Li"})
    assert label(sugar.call("POST", path)) == (422, "invalid_parameter")
    sugar.call("PATCH", "Accounts/sync_key/a-1", {"name": "Acme"})
    answer = sugar.call("POST", path)
    assert (answer.status_code, set(answer.json())) == (200, {"record", "related_record"})
    assert sugar.found({"accounts.name": "Acme"}) == [answer.json()["record"]["id"]]
    sugar.call("DELETE", path)
    assert sugar.found({"accounts.name": "Acme"}) == []


def test_other_fields_as_keys_are_not_played(sugar):
    """The documents name an administrator's own; ours has none."""
    answer = sugar.call("GET", "integrate/Contacts/external_user_id/1")
    assert label(answer) == (501, "not_played")


# -- links ---------------------------------------------------------------------------------


def test_records_are_related_by_the_links_name(sugar):
    """Several ids at once, plain or as objects; the module's name is no link's."""
    account = sugar.make("Accounts", name="Acme")
    one, two = sugar.make(last_name="Li"), sugar.make(last_name="Lu")
    body = {"link_name": "contacts", "ids": [one, {"id": two, "role": "x"}]}
    answer = sugar.call("POST", f"Accounts/{account}/link", body).json()
    assert answer["record"]["id"] == account
    assert [row["id"] for row in answer["related_records"]] == [one, two]
    wrong = sugar.call("POST", f"Accounts/{account}/link", {**body, "link_name": "Contacts"})
    assert label(wrong) == (404, "not_found")
    missing = sugar.call("POST", f"Accounts/{account}/link", {"ids": [one]})
    assert label(missing) == (422, "missing_parameter")


def test_related_records_are_listed(sugar):
    """With pages, filter and count."""
    account = sugar.make("Accounts", name="Acme")
    ids = sorted(sugar.make(last_name=f"{n}", account_id=account) for n in range(3))
    sugar.make(last_name="alone")
    path = f"Accounts/{account}/link/contacts"
    page = sugar.call("GET", path, params={"order_by": "id", "max_num": 2}).json()
    assert [row["id"] for row in page["records"]] == ids[:2]
    assert page["next_offset"] == 2
    found = sugar.call("GET", path, params={"filter[0][last_name]": "1"}).json()["records"]
    assert [row["last_name"] for row in found] == ["1"]
    assert sugar.call("GET", f"{path}/count").json() == {"record_count": 3}


@pytest.mark.parametrize("link", ["accounts", "meetings"])
def test_one_record_is_related_and_parted(sugar, link):
    """By a column or by a table between."""
    other = sugar.make(link.capitalize(), name="X")
    id = sugar.make(last_name="Li")
    path = f"Contacts/{id}/link/{link}/{other}"
    assert label(sugar.call("GET", path)) == (404, "not_found")
    assert sugar.call("POST", path).json()["related_record"]["id"] == other
    assert sugar.call("GET", path).json()["id"] == other
    back = sugar.call("GET", f"{link.capitalize()}/{other}/link/contacts").json()["records"]
    assert [row["id"] for row in back] == [id]
    assert sugar.call("PUT", path, {"name": "Y"}).json()["related_record"]["name"] == "Y"
    sugar.call("DELETE", path)
    assert sugar.call("GET", f"Contacts/{id}/link/{link}").json()["records"] == []
    assert label(sugar.call("DELETE", path)) == (404, "not_found")


def test_a_related_record_is_made(sugar):
    """POST to the link."""
    id = sugar.make(last_name="Li")
    answer = sugar.call("POST", f"Contacts/{id}/link/cb_consents", {"cb_purpose": "news"}).json()
    assert answer["related_record"]["cb_member"] == id
    assert len(sugar.call("GET", f"Contacts/{id}/link/cb_consents").json()["records"]) == 1


def test_links_change_inside_a_write(sugar):
    """add, delete and create; where one names nothing, nothing is written."""
    one, two = (sugar.make("Meetings", name=name) for name in "ab")
    ways = {"meetings": {"add": [one, {"id": two}], "create": [{"name": "c"}]}}
    id = sugar.make(last_name="Li", **ways)
    sugar.call("PUT", f"Contacts/{id}", {"meetings": {"delete": [one]}})
    rows = sugar.call("GET", f"Contacts/{id}/link/meetings").json()["records"]
    assert sorted(row["name"] for row in rows) == ["b", "c"]
    sent = {"last_name": "Lu", "meetings": {"add": ["nobody"]}}
    assert label(sugar.call("PUT", f"Contacts/{id}", sent)) == (404, "not_found")
    assert sugar.read(id, "last_name") == ["Li"]


def test_what_a_write_makes_under_a_link_needs_the_right(sugar, sugarcrm):
    """To create there, too."""
    sugar.control("users", {"writer": {"denied": {"Meetings": ["create"]}}})
    writer = Sugar(sugarcrm, "writer")
    sent = {"last_name": "Li", "meetings": {"create": [{"name": "c"}]}}
    assert label(writer.call("POST", "Contacts", sent)) == (403, "not_authorized")
    assert sugar.found() == []


def test_a_request_of_data_privacy_is_filed(sugar):
    """It relates to contacts; erasing itself isn't played."""
    id = sugar.make(last_name="Li")
    sent = {"name": "erase", "type": "Right to Erase", "contacts": {"add": [id]}}
    sugar.make("DataPrivacy", **sent)
    (row,) = sugar.call("GET", f"Contacts/{id}/link/dataprivacy").json()["records"]
    assert row["type"] == "Right to Erase"


# -- bulk ----------------------------------------------------------------------------------


def bulk(sugar, *items, path="bulk"):
    """(status, contents) of each item."""
    answer = sugar.call("POST", path, {"requests": list(items)})
    assert answer.status_code == 200
    assert all(item["headers"] == {} for item in answer.json())
    return [(item["status"], item["contents"]) for item in answer.json()]


@pytest.mark.parametrize("path", ["bulk", "/v11_24//bulk/"])
@pytest.mark.parametrize("data", [{"last_name": "Li"}, json.dumps({"last_name": "Li"})])
@pytest.mark.parametrize("url", ["/v11/Contacts", "v10/Contacts"])
def test_a_bulk_takes_what_clients_send(sugar, path, data, url):
    """Data as an object or JSON text; addresses with a slash or without, of another version."""
    item = {"url": url, "method": "POST", "data": data, "headers": []}
    ((status, contents),) = bulk(sugar, item, path=path)
    assert (status, contents["last_name"]) == (200, "Li")


def test_a_bulk_is_no_transaction(sugar):
    """In order; what fails leaves the others as they are, and the whole is still 200."""
    made = bulk(
        sugar,
        {"url": "v11/Contacts", "method": "POST", "data": {"last_name": "Li"}},
        {"url": "v11/Contacts/nobody", "method": "GET"},
        {"url": "v11/Contacts/count", "method": "GET"},
        {"url": "v99/Contacts", "method": "GET"},
        {"url": "v11/ping", "method": "GET"},
    )
    assert [status for status, _ in made] == [200, 404, 200, 301, 200]
    assert made[1][1]["error"] == "not_found"
    assert made[2][1] == {"record_count": 1}


def test_an_item_has_arguments_and_headers(sugar):
    """A query in its address; X-Timestamp as a line or in an object."""
    id = sugar.make(last_name="Li")
    query = f"v11/Contacts?filter[0][id]={id}&fields=last_name"
    put = {"url": f"v11/Contacts/{id}", "method": "PUT", "data": {"last_name": "Lu"}}
    old = "2001-01-01T00:00:00Z"
    found, one, two = bulk(
        sugar,
        {"url": query, "method": "GET"},
        {**put, "headers": [f"X-Timestamp: {old}"]},
        {**put, "headers": {"X-Timestamp": old}},
    )
    assert found[1]["records"][0]["last_name"] == "Li"
    assert (one[0], two[0]) == (409, 409)


def test_an_upsert_in_a_bulk_tells_its_status(sugar):
    """201 inside 200."""
    item = {"url": "v11_24/Contacts/sync_key/m-1", "method": "PATCH", "data": {"title": "x"}}
    assert [status for status, _ in bulk(sugar, item, item)] == [201, 200]


def test_items_are_logged(sugar):
    """Each by itself, marked as in a batch."""
    bulk(sugar, {"url": "v11/ping", "method": "GET"})
    log = sugar.http.get(f"{sugar.root}/_sandbox/requests", timeout=10).json()["requests"]
    inner, outer = log[-2:]
    assert (inner["path"], inner["status"], inner["in_batch"]) == ("v11/ping", 200, True)
    assert (outer["in_batch"], outer["user"]) == (False, "admin")


@pytest.mark.parametrize(
    "item",
    [
        {"url": "v11/bulk", "method": "POST"},
        {"url": "v11/oauth2/token", "method": "POST"},
        {"url": "v11/Contacts", "method": "POST", "data": "{"},
        {"url": "v11/Contacts", "method": "POST", "data": [1]},
    ],
)
def test_what_a_bulk_does_not_play(sugar, item):
    """501 for that item."""
    ((status, contents),) = bulk(sugar, item)
    assert (status, contents["error"]) == (501, "not_played")


def test_a_bulk_without_requests(sugar):
    """422."""
    assert label(sugar.call("POST", "bulk", {})) == (422, "missing_parameter")
