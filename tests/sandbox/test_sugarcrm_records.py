"""Sugar's records: made, changed, shown; e-mails, days, moments and conflicts."""

import pytest

from tests.sandbox.sugar import Sugar, label

NEW_YORK = {"admin": {"zone": "America/New_York"}}


def test_a_post_makes_a_record_with_200(sugar):
    """Not 201; the answer is the whole record with _module and _acl."""
    answer = sugar.call("POST", "Contacts", {"first_name": "Zoë", "last_name": "O'Brien"})
    row = answer.json()
    assert answer.status_code == 200
    assert row["full_name"] == row["name"] == "Zoë O'Brien"
    assert (row["_module"], row["deleted"], row["created_by"]) == ("Contacts", False, "1")
    assert row["created_by_link"]["full_name"] == "Administrator"
    assert {"_acl", "team_name", "locked_fields", "following", "my_favorite"} <= set(row)


def test_a_put_is_partial(sugar):
    """It returns the record; what isn't sent stays."""
    id = sugar.make(first_name="A", last_name="B")
    row = sugar.call("PUT", f"Contacts/{id}", {"last_name": "C"}).json()
    assert (row["first_name"], row["last_name"]) == ("A", "C")


def test_a_put_that_echoes_the_record_changes_nothing(sugar):
    """_acl, _module, deleted, date_modified and all else that a record shows are passed over."""
    sugar.control("settings", {"unknown_fields": "refuse"})
    sugar.make("Accounts", name="Acme")
    (account,) = sugar.found(module="Accounts")
    id = sugar.make(last_name="B", portal_password="pw", account_id=account)
    row = sugar.call("GET", f"Contacts/{id}").json()
    sent = {**row, "deleted": True, "date_modified": "2001-01-01T00:00:00+00:00"}
    again = sugar.call("PUT", f"Contacts/{id}", {**sent, "created_by": "2", "id": "other"}).json()
    assert {**again, "date_modified": ""} == {**row, "date_modified": ""}


def test_a_deleted_record_is_gone(sugar):
    """DELETE answers its id; GET, PUT and DELETE are 404 then, and no list has it."""
    id = sugar.make(last_name="B")
    assert sugar.call("DELETE", f"Contacts/{id}").json() == {"id": id}
    for method in ("GET", "PUT", "DELETE"):
        assert label(sugar.call(method, f"Contacts/{id}", {})) == (404, "not_found")
    assert sugar.found() == []


@pytest.mark.parametrize("fields", ["first_name,phone_mobile", ["first_name", "phone_mobile"]])
def test_fields_are_a_text_or_a_list(sugar, fields):
    """id and date_modified always come."""
    sugar.make(first_name="A")
    (row,) = sugar.call("POST", "Contacts/filter", {"fields": fields}).json()["records"]
    shown = {"id", "date_modified", "first_name", "phone_mobile", "_acl", "_module"}
    assert set(row) == shown


def test_a_read_without_fields_shows_the_hash_of_the_portal_password(sugar):
    """So nobody reads without naming fields; the password itself is nowhere."""
    id = sugar.make(last_name="B", portal_password="planted-password")
    whole = sugar.call("GET", f"Contacts/{id}")
    assert whole.json()["portal_password"].startswith("$2y$10$")
    assert "planted-password" not in whole.text
    assert "portal_password" not in sugar.call("GET", f"Contacts/{id}?fields=name").json()


def test_a_portal_password_is_changed(sugar):
    """An echoed hash keeps it."""
    id = sugar.make(portal_name="zoe", portal_password="one", portal_active=True)
    who = {"client_id": "support_portal", "platform": "portal", "username": "zoe"}
    row = sugar.call("GET", f"Contacts/{id}").json()
    sugar.call("PUT", f"Contacts/{id}", row)
    assert sugar.token(**who, password="one").status_code == 200
    sugar.call("PUT", f"Contacts/{id}", {"portal_password": "two"})
    assert sugar.token(**who, password="one").status_code == 401
    assert sugar.token(**who, password="two").status_code == 200


def test_moments_come_with_the_users_zone(sugar):
    """The same instant for each user; what is sent has its own zone."""
    id = sugar.make(cookie_consent_received_on="2026-06-01T20:00:00+08:00")
    assert sugar.read(id, "cookie_consent_received_on") == ["2026-06-01T12:00:00+00:00"]
    sugar.control("users", NEW_YORK)
    assert sugar.read(id, "cookie_consent_received_on") == ["2026-06-01T08:00:00-04:00"]


def test_days_have_no_zone(sugar):
    """YYYY-MM-DD, whatever the user's zone; of a whole moment the day is kept."""
    sugar.control("users", NEW_YORK)
    id = sugar.make(birthdate="1990-01-02", dp_consent_last_updated="2026-01-01T00:00:00Z")
    days = sugar.read(id, "birthdate", "dp_consent_last_updated")
    assert days == ["1990-01-02", "2026-01-01"]


@pytest.mark.parametrize(
    "sent",
    [
        {"birthdate": "2000-02-30"},
        {"birthdate": "soon"},
        {"cb_points_c": "many"},
        {"cookie_consent_received_on": "soon"},
        {"email": [{"email_address": "nobody"}]},
        {"email": "a@example.com"},
        {"dp_business_purpose": [1]},
    ],
)
def test_a_value_of_the_wrong_kind_is_refused(sugar, sent):
    """And nothing is written."""
    assert label(sugar.call("POST", "Contacts", sent)) == (422, "invalid_parameter")
    assert sugar.found() == []


def test_a_moment_without_zone_is_not_guessed(sugar):
    """501: nobody could say whose zone it is in."""
    answer = sugar.call("POST", "Contacts", {"cookie_consent_received_on": "2026-06-01 20:00:00"})
    assert label(answer) == (501, "not_played")


def test_null_and_empty(sugar):
    """ "" empties a field of any kind; null is passed over unless the setting says otherwise."""
    full = {"title": "x", "birthdate": "1990-01-02", "cb_points_c": 1, "dp_business_purpose": ["a"]}
    id = sugar.make(**full)
    names = tuple(full)
    sugar.call("PUT", f"Contacts/{id}", dict.fromkeys(names))
    assert sugar.read(id, *names) == ["x", "1990-01-02", 1.0, ["a"]]
    sugar.call("PUT", f"Contacts/{id}", dict.fromkeys(names, ""))
    assert sugar.read(id, *names) == ["", None, None, []]
    sugar.control("settings", {"null_clears": True})
    sugar.call("PUT", f"Contacts/{id}", full)
    sugar.call("PUT", f"Contacts/{id}", dict.fromkeys(names))
    assert sugar.read(id, *names) == ["", None, None, []]


def test_a_text_that_was_never_set(sugar):
    """It is "" or null, by the setting."""
    id = sugar.make(last_name="B")
    assert sugar.read(id, "title") == [""]
    sugar.control("settings", {"empty_text": "null"})
    assert sugar.read(id, "title") == [None]


def test_texts_come_back_as_they_went(sugar):
    """Markup, quotes, emoji and spaces at the ends too."""
    text = " O'Brien & <b>x</b> % _ \\ 𠮷😀 "
    assert sugar.read(sugar.make(last_name=text), "last_name") == [text]


def test_a_text_longer_than_its_column(sugar):
    """Refused, or cut, by the setting."""
    sent = {"first_name": "x" * 101}
    assert label(sugar.call("POST", "Contacts", sent)) == (422, "invalid_parameter")
    sugar.control("settings", {"long_texts": "cut"})
    assert len(sugar.call("POST", "Contacts", sent).json()["first_name"]) == 100


def test_fields_that_the_module_lacks(sugar):
    """Passed over or refused, by the setting, in a write and under `fields`."""
    id = sugar.make(nosuch_c="x")
    assert "nosuch_c" not in sugar.call("GET", f"Contacts/{id}?fields=nosuch_c").json()
    sugar.control("settings", {"unknown_fields": "refuse"})
    for answer in (
        sugar.call("PUT", f"Contacts/{id}", {"nosuch_c": "x"}),
        sugar.call("GET", f"Contacts/{id}?fields=nosuch_c"),
    ):
        assert label(answer) == (422, "invalid_parameter")


def test_required_fields(sugar):
    """Enforced only by the setting."""
    sugar.make(first_name="A")
    sugar.control("settings", {"required_fields": "enforce"})
    answer = sugar.call("POST", "Contacts", {"first_name": "A"})
    assert label(answer) == (422, "missing_parameter")


def test_an_id_that_is_sent_with_a_post(sugar):
    """Passed over, unless the setting says otherwise; one that a record has is refused then."""
    id = "11111111-1111-4111-8111-111111111111"
    assert sugar.make(id=id) != id
    sugar.control("settings", {"id_on_create": True})
    assert sugar.make(id=id) == id
    assert label(sugar.call("POST", "Contacts", {"id": id})) == (422, "invalid_parameter")
    sugar.call("DELETE", f"Contacts/{id}")
    assert label(sugar.call("POST", "Contacts", {"id": id})) == (501, "not_played")


# -- X-Timestamp ---------------------------------------------------------------------------


def stamped(sugar, id, stamp, **sent):
    """A PUT with X-Timestamp."""
    return sugar.call("PUT", f"Contacts/{id}", sent, headers={"X-Timestamp": stamp})


def test_x_timestamp_guards_a_put(sugar):
    """The date_modified that was read, whatever zone it is in; after a change it is 409."""
    id = sugar.make(last_name="B")
    (read,) = sugar.read(id, "date_modified")
    sugar.control("clock", {"advance": 2})
    assert stamped(sugar, id, read.replace("+00:00", "Z"), last_name="C").status_code == 200
    answer = stamped(sugar, id, read, last_name="D")
    assert label(answer) == (409, "edit_conflict")
    assert sugar.read(id, "last_name") == ["C"]
    assert "record" not in answer.json()


def test_a_conflict_may_show_the_record(sugar):
    """By the setting."""
    id = sugar.make(last_name="B")
    sugar.control("settings", {"conflict_shows_record": True})
    answer = stamped(sugar, id, "2001-01-01T00:00:00Z", last_name="D")
    assert answer.json()["record"]["last_name"] == "B"


def test_x_timestamp_does_not_see_a_change_in_the_same_second(sugar):
    """date_modified has whole seconds: who needs more must read again."""
    sugar.control("settings", {"access_lifetime": 10**9})
    sugar.http.headers["OAuth-Token"] = sugar.token().json()["access_token"]
    sugar.control("clock", {"set": 1800000000})
    id = sugar.make(last_name="B")
    (read,) = sugar.read(id, "date_modified")
    sugar.control("clock", {"set": 1800000000})
    sugar.call("PUT", f"Contacts/{id}", {"last_name": "C"})
    assert stamped(sugar, id, read, last_name="D").status_code == 200


# -- e-mail --------------------------------------------------------------------------------


def addresses(sugar, id):
    """(address, primary, opt_out) of each."""
    (held,) = sugar.read(id, "email")
    return [(e["email_address"], e["primary_address"], e["opt_out"]) for e in held]


@pytest.mark.parametrize(("yes", "no"), [(True, False), ("1", "0"), (1, 0)])
def test_addresses_are_an_array(sugar, yes, no):
    """Flags go in as true or as "1"; email1 shows the primary one."""
    sent = [
        {"email_address": "a@example.com", "primary_address": no, "opt_out": yes},
        {"email_address": "b@example.com", "primary_address": yes},
    ]
    id = sugar.make(email=sent)
    assert addresses(sugar, id) == [
        ("a@example.com", False, True),
        ("b@example.com", True, False),
    ]
    assert sugar.read(id, "email1") == ["b@example.com"]


def test_flags_of_addresses_come_back_as_set(sugar):
    """The documents' samples have both `true` and `"1"`."""
    id = sugar.make(email=[{"email_address": "a@example.com"}])
    sugar.control("settings", {"email_flags": "text"})
    assert addresses(sugar, id) == [("a@example.com", "1", "0")]


def test_an_array_replaces_or_merges(sugar):
    """By the setting; what isn't said of an address that stays is kept."""
    id = sugar.make(email=[{"email_address": "a@example.com", "opt_out": True}])
    both = [{"email_address": "b@example.com", "primary_address": True}]
    sugar.control("settings", {"email_array": "merge"})
    sugar.call("PUT", f"Contacts/{id}", {"email": both})
    assert addresses(sugar, id) == [
        ("a@example.com", False, True),
        ("b@example.com", True, False),
    ]
    sugar.control("settings", {"email_array": "replace"})
    sugar.call("PUT", f"Contacts/{id}", {"email": [{"email_address": "A@example.com"}]})
    assert addresses(sugar, id) == [("a@example.com", True, True)]
    sugar.call("PUT", f"Contacts/{id}", {"email": []})
    assert addresses(sugar, id) == []


def test_email1_still_works(sugar):
    """It names the primary address; the others stay."""
    id = sugar.make(email1="a@example.com")
    sent = [{"email_address": "a@example.com"}, {"email_address": "b@example.com"}]
    sugar.call("PUT", f"Contacts/{id}", {"email": sent})
    sugar.call("PUT", f"Contacts/{id}", {"email1": "c@example.com"})
    assert addresses(sugar, id) == [
        ("c@example.com", True, False),
        ("b@example.com", False, False),
    ]


def test_new_addresses_take_the_instances_default(sugar):
    """Opted out, where an administrator says so."""
    sugar.control("settings", {"opt_out_new_addresses": True})
    id = sugar.make(email=[{"email_address": "a@example.com"}])
    assert addresses(sugar, id) == [("a@example.com", True, True)]


# -- consent, rights -----------------------------------------------------------------------


def test_purposes_are_a_choice_of_several(sugar):
    """An array; the database's own form goes in too. The day of the consent isn't set by itself."""
    id = sugar.make(dp_business_purpose=["a", "b"])
    assert sugar.read(id, "dp_business_purpose", "dp_consent_last_updated") == [["a", "b"], None]
    sugar.call("PUT", f"Contacts/{id}", {"dp_business_purpose": "^c^,^d^"})
    assert sugar.read(id, "dp_business_purpose") == [["c", "d"]]


def test_the_reader_cannot_write(sugar, sugarcrm):
    """403; its role shows in _acl and in /me."""
    id = sugar.make(last_name="B")
    reader = Sugar(sugarcrm, "reader")
    assert reader.read(id, "last_name") == ["B"]
    for method, path in (
        ("POST", "Contacts"),
        ("PUT", f"Contacts/{id}"),
        ("DELETE", f"Contacts/{id}"),
        ("POST", f"Contacts/{id}/link/tasks"),
        ("POST", f"Contacts/{id}/link"),
    ):
        assert label(reader.call(method, path, {"last_name": "C"})) == (403, "not_authorized")
    assert reader.call("GET", f"Contacts/{id}").json()["_acl"]["edit"] == "no"
    acl = reader.call("GET", "me").json()["current_user"]["acl"]["Contacts"]
    assert (acl["create"], acl["edit"]) == ("no", "no")


def test_a_role_is_changed_by_the_control_plane(sugar, sugarcrm):
    """For one module, or all."""
    sugar.control("users", {"reader": {"denied": {"Contacts": ["list"]}}})
    reader = Sugar(sugarcrm, "reader")
    assert label(reader.call("GET", "Contacts")) == (403, "not_authorized")
    assert reader.call("GET", "Accounts").status_code == 200
    assert reader.call("POST", "Contacts", {"last_name": "B"}).status_code == 200
