"""Sugar's versions, metadata and control plane, and what isn't played."""

import pytest

from tests.sandbox.sugar import label

CORE = "application/vnd.sugarcrm.core+json; version="


@pytest.mark.parametrize("version", ["v10", "v11", "v11_1", "v11_24"])
def test_older_versions_keep_working(sugar, version):
    """From v10 to the server's own."""
    assert sugar.call("GET", f"/{version}/ping").json() == "pong"


@pytest.mark.parametrize("version", ["v11_25", "v12", "v9", "11", "v11_x"])
def test_a_wrong_version_is_301(sugar, version):
    """With a body and without a place to go: a client that follows redirects gets lost."""
    answer = sugar.call("GET", f"/{version}/ping")
    assert label(answer) == (301, "incorrect_version")
    assert "Location" not in answer.headers


def test_the_servers_version_is_a_setting(sugar):
    """An older server knows fewer."""
    sugar.control("settings", {"newest_version": "v11_4"})
    assert sugar.call("GET", "/v11_4/ping").status_code == 200
    assert label(sugar.call("GET", "/v11_5/ping")) == (301, "incorrect_version")


def test_the_version_may_be_in_accept(sugar):
    """Instead of the path, never in both."""
    assert sugar.call("GET", "/ping", headers={"Accept": CORE + "11.24"}).json() == "pong"
    wrong = sugar.call("GET", "/ping", headers={"Accept": CORE + "12"})
    assert label(wrong) == (301, "incorrect_version")
    both = sugar.call("GET", "/v11/ping", headers={"Accept": CORE + "11"})
    assert label(both) == (501, "not_played")
    assert label(sugar.call("GET", "/ping")) == (301, "incorrect_version")


def test_slashes_at_the_end_and_doubled(sugar):
    """Some clients send them."""
    id = sugar.make(last_name="Li")
    assert sugar.call("GET", f"Contacts/{id}/", {}).json()["last_name"] == "Li"
    assert sugar.call("GET", f"/v11//Contacts//{id}").json()["last_name"] == "Li"


def test_ping_and_the_servers_time(sugar):
    """The time comes in the user's zone."""
    sugar.control("users", {"admin": {"zone": "Asia/Shanghai"}})
    assert sugar.call("GET", "ping").json() == "pong"
    assert sugar.call("GET", "ping/whattimeisit").json().endswith("+08:00")


def test_me(sugar):
    """Who the token is, and whether an administrator."""
    me = sugar.call("GET", "me").json()["current_user"]
    assert (me["user_name"], me["type"]) == ("admin", "admin")
    assert me["preferences"]["timezone"] == "UTC"


def test_the_metadata_of_a_module(sugar):
    """Types, lengths, options and links; nothing but what was asked for."""
    params = {"type_filter": "modules", "module_filter": "Contacts"}
    answer = sugar.call("GET", "metadata", params=params).json()
    assert set(answer) == {"modules", "_hash"}
    assert set(answer["modules"]) == {"Contacts"}
    fields = answer["modules"]["Contacts"]["fields"]
    assert fields["cb_subject_c"]["len"] == "50"
    assert fields["cb_points_c"] == {
        "name": "cb_points_c",
        "type": "decimal",
        "len": "18,2",
        "precision": 2,
        "source": "custom_fields",
    }
    assert fields["cb_consents"]["type"] == "link"
    options = fields["cb_gender_c"]["options"]
    assert options == "cb_gender_list"
    assert sugar.call("GET", "Contacts/enum/cb_gender_c").json()["male"] == "Male"
    assert label(sugar.call("GET", "Contacts/enum/title")) == (404, "not_found")


def test_the_list_of_modules(sugar):
    """Each of its names has metadata, since a client looks them up; and the server's version."""
    params = {"type_filter": "full_module_list,modules,server_info"}
    answer = sugar.call("GET", "metadata", params=params).json()
    names = set(answer["full_module_list"]) - {"_hash"}
    assert {"Contacts", "cb_identity"} <= names == set(answer["modules"])
    assert answer["server_info"]["flavor"] == "ENT"
    whole = sugar.call("GET", "metadata?modules").json()
    assert {"modules", "full_module_list"} <= set(whole)


def test_a_stock_server(sugar):
    """Without our package: neither its fields nor its modules."""
    sugar.control("package", {"installed": False})
    params = {"type_filter": "modules"}
    modules = sugar.call("GET", "metadata", params=params).json()["modules"]
    assert not any(name.startswith("cb_") for name in (*modules, *modules["Contacts"]["fields"]))
    assert label(sugar.call("GET", "cb_identity")) == (404, "no_method")
    sugar.control("package", {"installed": True})
    assert sugar.call("GET", "cb_identity").status_code == 200


def test_a_web_logic_hook_is_made(sugar):
    """As elastic.io's connector does it."""
    sent = {
        "trigger_event": "after_save",
        "url": "https://example.com/hook",
        "request_method": "POST",
        "webhook_target_module": "Contacts",
        "name": "bridge",
    }
    answer = sugar.call("POST", "WebLogicHooks", sent)
    assert answer.status_code == 200
    assert {name: answer.json()[name] for name in sent} == sent


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "Quotes"),
        ("GET", "Contacts/1/2/3/4"),
        ("PATCH", "Contacts/1"),
        ("GET", "Contacts/1/file/picture"),
        ("POST", "Contacts/register"),
        ("GET", "metadata?type_filter=labels"),
        ("GET", "Administration/packages/nosuch/page"),
        ("GET", ""),
    ],
)
def test_what_is_not_played(sugar, method, path):
    """It is answered 501, never with a guess."""
    assert label(sugar.call(method, path)) == (501, "not_played")


def test_a_path_that_there_is_not(sugar):
    """No module of that name, played or not."""
    assert label(sugar.call("GET", "Nosuch")) == (404, "no_method")


@pytest.mark.parametrize("body", [b"{", b"[1]", b"<xml/>"])
def test_bodies_that_are_not_played(sugar, body):
    """Neither JSON nor a form, or no object."""
    answer = sugar.call("POST", "Contacts", data=body)
    assert label(answer) == (501, "not_played")


def test_an_address_outside_the_api(sugar):
    """501 too."""
    answer = sugar.http.get(f"{sugar.root}/service/v4_1/rest.php", timeout=10)
    assert label(answer) == (501, "not_played")


# -- control plane -------------------------------------------------------------------------


def test_what_it_prints_when_ready(sugarcrm):
    """Enough for any client, and the bridge's two users."""
    assert {"url", "username", "password", "platform", "ca_file"} <= set(sugarcrm)
    assert sugarcrm["administrators"] == [sugarcrm["username"]]
    assert set(sugarcrm["writer"]) == set(sugarcrm["reader"]) == {"username", "password"}
    assert set(sugarcrm["options"]) == {"url", "platform", "ca_file"}


def test_seed_and_state(sugar):
    """Payloads as a POST has them, with an id and a key if wanted."""
    id = "11111111-1111-4111-8111-111111111111"
    seeded = sugar.control("seed", {"Contacts": [{"id": id, "sync_key": "m-1", "title": "x"}]})
    assert seeded["result"] == {"Contacts": [id]}
    (row,) = sugar.state()["tables"]["Contacts"]
    assert (row["id"], row["sync_key"], row["title"]) == (id, "m-1", "x")
    assert sugar.call("GET", "integrate/Contacts/sync_key/m-1").json()["id"] == id


@pytest.mark.parametrize(
    ("name", "document"),
    [
        ("settings", {"nosuch": 1}),
        ("settings", {"email_array": "both"}),
        ("settings", {"access_lifetime": True}),
        ("settings", {"platforms": "base"}),
        ("users", {"nobody": {"admin": True}}),
        ("users", {"admin": {"zone": "Nowhere"}}),
        ("users", {"admin": {"denied": {"*": ["fly"]}}}),
        ("users", {"admin": {"id": "2"}}),
        ("tokens", {"expired": True}),
        ("package", {}),
        ("seed", {"Nosuch": [{}]}),
        ("seed", {"Contacts": [{"birthdate": "soon"}]}),
    ],
)
def test_a_misspelt_knob_is_a_400(sugar, name, document):
    """And nothing is changed."""
    before = sugar.state()
    answer = sugar.http.post(f"{sugar.root}/_sandbox/{name}", json=document, timeout=10)
    assert answer.status_code == 400
    assert sugar.state() == before


def test_reset(sugar):
    """Records, settings, users and package as at the start; tokens stay good."""
    sugar.make(last_name="Li")
    sugar.control("settings", {"null_clears": True})
    sugar.control("users", {"admin": {"zone": "Asia/Shanghai"}})
    sugar.control("package", {"installed": False})
    sugar.control("reset")
    assert sugar.found() == []
    assert sugar.state()["settings"]["null_clears"] is False
    assert sugar.call("GET", "me").json()["current_user"]["preferences"]["timezone"] == "UTC"
    assert sugar.call("GET", "cb_identity").status_code == 200


def test_faults_have_sugars_shape(sugar):
    """The label of the status, or one that is given."""
    sugar.control("faults", {"kind": "status", "status": 409})
    assert label(sugar.call("GET", "ping")) == (409, "edit_conflict")
    sugar.control("faults", {"kind": "status", "status": 503, "code": "maintenance"})
    assert label(sugar.call("GET", "ping")) == (503, "maintenance")
    sugar.control("faults", {"kind": "cut_after", "match": {"method": "PATCH"}})
    with pytest.raises(Exception, match="Connection"):
        sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Li"})
    again = sugar.call("PATCH", "Contacts/sync_key/m-1", {"last_name": "Li"})
    assert (again.status_code, len(sugar.found())) == (200, 1)
