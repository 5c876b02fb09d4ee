"""Sugar's lists: pages, order, counts and every operator of a filter."""

import json

import pytest

from tests.sandbox.sugar import Sugar, label


@pytest.fixture
def three(sugar):
    """Contacts Ann, Bea and Cé in that order of age; gives a function from names to their ids."""
    rows = {
        "Ann": {"birthdate": "1980-05-01", "cb_points_c": "10.50", "do_not_call": True},
        "Bea": {"birthdate": "1990-05-01", "cb_points_c": 20, "title": "Dr. B"},
        "Cé": {"birthdate": "2000-05-01", "title": ""},
    }
    ids = {name: sugar.make(first_name=name, **fields) for name, fields in rows.items()}

    def names(found):
        """The names of ids, sorted."""
        return sorted(name for name, id in ids.items() if id in found)

    return names


@pytest.mark.parametrize(
    ("part", "names"),
    [
        ({"first_name": "ANN "}, ["Ann"]),
        ({"first_name": {"$equals": "ce"}}, ["Cé"]),
        ({"first_name": {"$not_equals": "Ann"}}, ["Bea", "Cé"]),
        ({"title": {"$not_equals": "Dr. B"}}, ["Cé"]),
        ({"first_name": {"$starts": "b"}}, ["Bea"]),
        ({"first_name": {"$ends": "EA"}}, ["Bea"]),
        ({"first_name": {"$contains": "n"}}, ["Ann"]),
        ({"first_name": {"$contains": "%"}}, []),
        ({"first_name": {"$not_contains": "n"}}, ["Bea", "Cé"]),
        ({"first_name": {"$starts": ["a", "b"]}}, ["Ann", "Bea"]),
        ({"first_name": {"$in": ["ann", "BEA"]}}, ["Ann", "Bea"]),
        ({"first_name": {"$not_in": ["ann", "BEA"]}}, ["Cé"]),
        ({"cb_points_c": {"$between": ["10.5", 15]}}, ["Ann"]),
        ({"cb_points_c": 10.5}, ["Ann"]),
        ({"birthdate": {"$lt": "1990-05-01"}}, ["Ann"]),
        ({"birthdate": {"$lte": "1990-05-01"}}, ["Ann", "Bea"]),
        ({"birthdate": {"$gt": "1990-05-01"}}, ["Cé"]),
        ({"birthdate": {"$gte": "1990-05-01"}}, ["Bea", "Cé"]),
        ({"birthdate": {"$gte": "1990-01-01", "$lt": "1999-01-01"}}, ["Bea"]),
        ({"birthdate": {"$dateBetween": ["1980-05-01", "1990-05-01"]}}, ["Ann", "Bea"]),
        ({"date_entered": {"$dateRange": "today"}}, ["Ann", "Bea", "Cé"]),
        ({"date_entered": {"$dateRange": "yesterday"}}, []),
        ({"date_entered": {"$dateRange": "this_year"}}, ["Ann", "Bea", "Cé"]),
        ({"title": {"$is_null": ""}}, ["Ann"]),
        ({"title": {"$not_null": ""}}, ["Bea", "Cé"]),
        ({"title": {"$empty": ""}}, ["Ann", "Cé"]),
        ({"title": {"$not_empty": ""}}, ["Bea"]),
        ({"do_not_call": True}, ["Ann"]),
        ({"do_not_call": "0"}, ["Bea", "Cé"]),
        ({"$or": [{"first_name": "Ann"}, {"title": "Dr. B"}]}, ["Ann", "Bea"]),
        ({"$and": [{"first_name": "Ann"}, {"title": "Dr. B"}]}, []),
        ({"first_name": "Ann", "title": "Dr. B"}, []),
        ({"$creator": ""}, ["Ann", "Bea", "Cé"]),
        ({"$owner": ""}, []),
        ({"$favorite": ""}, []),
        ({"created_by_name": "Administrator"}, ["Ann", "Bea", "Cé"]),
    ],
)
def test_operators(sugar, three, part, names):
    """Texts compare without case, accents and spaces at the end; nothing meets no comparison."""
    assert three(sugar.found(part)) == names


def test_the_parts_of_a_filter_hold_together(sugar, three):
    """A list of several is an $and."""
    assert three(sugar.found({"first_name": {"$in": ["Ann", "Bea"]}}, {"title": "Dr. B"})) == [
        "Bea"
    ]


def test_nothing_and_not_equals(sugar, three):
    """Whether what was never set meets a negative comparison is a knob."""
    sugar.control("settings", {"not_equals_meets_empty": True})
    assert three(sugar.found({"title": {"$not_equals": "Dr. B"}})) == ["Ann", "Cé"]
    assert three(sugar.found({"title": {"$not_in": ["Dr. B"]}})) == ["Ann", "Cé"]
    assert three(sugar.found({"title": {"$not_contains": "Dr"}})) == ["Ann", "Cé"]


def test_marks_of_the_user(sugar, three):
    """$favorite and $following are the caller's own."""
    (id,) = sugar.found({"first_name": "Ann"})
    assert sugar.call("PUT", f"Contacts/{id}/favorite").json()["my_favorite"] is True
    sugar.call("POST", f"Contacts/{id}/subscribe")
    assert three(sugar.found({"$favorite": ""}, {"$following": ""})) == ["Ann"]
    sugar.call("DELETE", f"Contacts/{id}/favorite")
    sugar.call("DELETE", f"Contacts/{id}/unsubscribe")
    assert sugar.found({"$favorite": ""}) == sugar.found({"$following": ""}) == []


def test_my_items_and_favorites(sugar):
    """Of the caller: assigned, or marked."""
    mine, marked = sugar.make(assigned_user_id="1"), sugar.make(last_name="Li")
    sugar.call("PUT", f"Contacts/{marked}/favorite")
    for params, id in (({"my_items": "1"}, mine), ({"favorites": "1"}, marked)):
        rows = sugar.call("GET", "Contacts", params=params).json()["records"]
        assert [row["id"] for row in rows] == [id]
    none = sugar.call("GET", "Contacts", params={"my_items": 0, "favorites": "1"}).json()
    assert [row["id"] for row in none["records"]] == [marked]


@pytest.mark.parametrize("name", ["email", "email1", "email_addresses.email_address"])
def test_an_address_is_found(sugar, name):
    """By the field or by the link; which one a real server takes is unverified."""
    sent = [{"email_address": "a@example.com"}, {"email_address": "b@example.com"}]
    id = sugar.make(email=sent)
    sugar.make(email=[{"email_address": "c@example.com"}])
    assert sugar.found({name: {"$equals": "B@example.com"}}) == [id]
    assert len(sugar.found({name: {"$in": ["b@example.com", "c@example.com"]}})) == 2


def test_a_field_of_a_related_record(sugar):
    """`link.field`."""
    account = sugar.make("Accounts", name="Acme")
    id = sugar.make(account_id=account)
    sugar.make(last_name="alone")
    assert sugar.found({"accounts.name": "acme"}) == [id]
    assert sugar.found({"contacts.id": id}, module="Accounts") == [account]


def test_moments_compare_as_instants(sugar):
    """Whatever zone the filter's has."""
    id = sugar.make(cookie_consent_received_on="2026-06-01T12:00:00Z")
    for moment, found in (("2026-06-01T20:00:00+08:00", [id]), ("2026-06-01T20:00:01+08:00", [])):
        assert sugar.found({"cookie_consent_received_on": {"$gte": moment}}) == found


def test_purposes_contain(sugar):
    """A choice of several holds each of its words, not parts of them."""
    id = sugar.make(dp_business_purpose=["marketing", "service"])
    assert sugar.found({"dp_business_purpose": {"$contains": ["service"]}}) == [id]
    assert sugar.found({"dp_business_purpose": {"$contains": ["serv"]}}) == []


@pytest.mark.parametrize(
    ("part", "wanted"),
    [
        ({"nosuch_c": "x"}, (422, "invalid_parameter")),
        ({"nosuch.name": "x"}, (422, "invalid_parameter")),
        ({"birthdate": {"$gt": "soon"}}, (422, "invalid_parameter")),
        ({"first_name": {"$regex": "x"}}, (501, "not_played")),
        ({"$tracker": "-7 DAY"}, (501, "not_played")),
        ({"$in_radius_from_zip": ["1", "2"]}, (501, "not_played")),
        ({"first_name": None}, (501, "not_played")),
        ({"date_entered": {"$gt": "2026-01-01"}}, (501, "not_played")),
    ],
)
def test_a_filter_that_cannot_be(sugar, part, wanted):
    """An unknown field is refused; what isn't documented is not guessed."""
    assert label(sugar.call("POST", "Contacts/filter", {"filter": [part]})) == wanted


# -- the forms of a request ----------------------------------------------------------------

LI = {"last_name": {"$equals": "Li"}}


@pytest.mark.parametrize("path", ["Contacts", "Contacts/filter"])
@pytest.mark.parametrize(
    "params",
    [
        {"filter[0][last_name][$equals]": "Li"},
        {"filter[0][last_name]": "Li"},
        {"filter[][last_name][$in][]": "Li"},
        {"filter[0][$or][0][last_name][$equals]": "Li", "filter[0][$or][1][title]": "x"},
        {"filter": json.dumps([LI])},
    ],
)
def test_a_filter_in_the_address(sugar, path, params):
    """As PHP's brackets, or as one JSON text; a body of {} does no harm."""
    id = sugar.make(last_name="Li")
    sugar.make(last_name="Lu")
    answer = sugar.call("GET", path, {}, params={**params, "fields": "id"})
    assert [row["id"] for row in answer.json()["records"]] == [id]


def test_keys_that_say_nothing(sugar):
    """Clients send what they don't use as null."""
    id = sugar.make(last_name="Li")
    names = ("filter", "filter_id", "max_num", "offset", "fields", "view", "order_by")
    answer = sugar.call("POST", "Contacts/filter", dict.fromkeys(names))
    assert [row["id"] for row in answer.json()["records"]] == [id]


@pytest.mark.parametrize("name", ["filter_id", "view", "q", "deleted", "nosuch"])
def test_parameters_that_are_not_played(sugar, name):
    """They are refused where they say something."""
    assert label(sugar.call("POST", "Contacts/filter", {name: "x"})) == (501, "not_played")


def test_pages(sugar):
    """20 by default; next_offset leads on and is -1 on the last page, whole or not."""
    ids = sorted(sugar.make(last_name=f"{n}") for n in range(21))
    first = sugar.call("GET", "Contacts", params={"order_by": "id:ASC"}).json()
    assert (len(first["records"]), first["next_offset"]) == (20, 20)
    body = {"order_by": "id", "offset": 20, "max_num": "1"}
    last = sugar.call("POST", "Contacts/filter", body).json()
    assert (last["records"][0]["id"], last["next_offset"]) == (ids[20], -1)
    beyond = sugar.call("POST", "Contacts/filter", {"offset": 99}).json()
    assert beyond == {"next_offset": -1, "records": []}


def test_max_num_has_a_cap(sugar):
    """The instance's; a page is then shorter than was asked for, and next_offset leads on."""
    sugar.control("settings", {"max_num_cap": 2})
    for n in range(3):
        sugar.make(last_name=f"{n}")
    page = sugar.call("POST", "Contacts/filter", {"max_num": 50}).json()
    assert (len(page["records"]), page["next_offset"]) == (2, 2)


def test_the_newest_come_first(sugar):
    """Where no order is given."""
    names = []
    for name in "abcdef":
        sugar.make(last_name=name)
        sugar.control("clock", {"advance": 2})
        names.insert(0, name)
    rows = sugar.call("GET", "Contacts").json()["records"]
    assert [row["last_name"] for row in rows] == names


def test_order(sugar, three):
    """By several fields, each up or down; nothing comes first."""

    def titles(order):
        rows = sugar.call("GET", "Contacts", params={"order_by": order}).json()["records"]
        return [row["first_name"] for row in rows]

    assert titles("birthdate:DESC") == ["Cé", "Bea", "Ann"]
    assert titles("title:ASC,first_name:DESC") == ["Ann", "Cé", "Bea"]
    assert label(sugar.call("GET", "Contacts?order_by=nosuch")) == (422, "invalid_parameter")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "Contacts/count"),
        ("GET", "Contacts/filter/count"),
        ("POST", "Contacts/filter/count"),
    ],
)
def test_counts(sugar, method, path):
    """How many meet the filter."""
    sugar.make(last_name="Li")
    sugar.make(last_name="Lu")
    given = {"params": {"filter[0][last_name]": "Li"}} if method == "GET" else {}
    body = None if method == "GET" else {"filter": [LI]}
    assert sugar.call(method, path, body, **given).json() == {"record_count": 1}


def test_duplicate_check(sugar):
    """The record's own fields are sent; those whose names begin so are told."""
    id = sugar.make(first_name="Na", last_name="Li")
    sugar.make(first_name="Xi", last_name="Li")
    answer = sugar.call("POST", "Contacts/duplicateCheck", {"first_name": "na", "last_name": "l"})
    assert answer.json()["next_offset"] == -1
    assert [row["id"] for row in answer.json()["records"]] == [id]
    assert sugar.call("POST", "Contacts/duplicateCheck", {"title": "x"}).json()["records"] == []


def test_the_reader_lists(sugar, sugarcrm):
    """Another user's list shows moments in that user's zone."""
    sugar.make(last_name="Li")
    sugar.control("users", {"reader": {"zone": "Asia/Shanghai"}})
    reader = Sugar(sugarcrm, "reader")
    (row,) = reader.call("GET", "Contacts").json()["records"]
    assert row["date_entered"].endswith("+08:00")
