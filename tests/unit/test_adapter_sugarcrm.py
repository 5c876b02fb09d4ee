"""The SugarCRM adapter's notation: options, refusals, values, searches."""

import json
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.base import FreeBudget, Remote
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Throttled,
    Unsupported,
)
from adapters.http import Answer
from adapters.sugarcrm import options, query, rows
from adapters.sugarcrm.adapter import SugarCrm
from adapters.sugarcrm.errors import error_of
from adapters.sugarcrm.guide import GUIDE
from mappings.binding import FieldBinding
from mappings.converters import (
    CONVERTERS,
    Bool,
    Date,
    Emails,
    InvertedBool,
    Moment,
    Number,
    Text,
    TextArray,
    TextList,
)
from mappings.loader import load
from tests.unit.test_adapter_tokens import Kept

GOOD = {"url": "https://crm.example.com", "platform": "crm_bridge"}
SECRET = {"username": "bridge", "password": "b"}
MAPPING = load(Path(__file__).parents[2] / "mappings" / "sugarcrm.yaml")
CRM = SugarCrm(MAPPING, Remote(GOOD, SECRET, Kept(), FreeBudget(), "now"))
OURS = "4b8f2f5e-0c3e-4c52-9a55-0d8f4f1f2b11"
THEIRS = "0a0a0a0a-0000-4000-8000-00000000000b"


def _field(converter):
    return FieldBinding("x", "x_c", converter)


def _refusal(status, label, headers=None):
    body = {"error": label, "error_message": "canary", "record": {"last_name": "canary"}}
    return Answer(status, headers or {}, json.dumps(body).encode())


@pytest.mark.parametrize(
    ("status", "label", "kind"),
    [
        (301, "incorrect_version", BadMapping),
        (401, "need_login", BadCredentials),
        (401, "invalid_grant", BadCredentials),
        (403, "not_authorized", BadCredentials),
        (403, "portal_not_configured", BadCredentials),
        (404, "not_found", NotFound),
        (404, "no_method", BadMapping),
        (409, "edit_conflict", StaleVersion),
        (412, "metadata_out_of_date", Malformed),
        (413, "request_too_large", Invalid),
        (422, "missing_parameter", Invalid),
        (422, "invalid_parameter", Invalid),
        (500, "fatal_error", Malformed),
        (503, "maintenance", Malformed),
        (422, "something_new", Malformed),
        (422, "Has a Canary in it", Malformed),
    ],
)
def test_refusals(status, label, kind):
    """A label is the error that it means; the text and the record beside it are nowhere in it."""
    error = error_of(_refusal(status, label))
    assert type(error) is kind
    assert "canary" not in repr(vars(error)).lower()


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (301, b"<html>moved", Malformed),
        (302, b"", Malformed),
        (404, b"<html>", Malformed),
        (403, b"<html>", Malformed),
        (500, b'{"password":"hunter2"}', Malformed),
        (422, b'{"error":"invalid_parameter"}Database failure', Malformed),
        (409, b'["edit_conflict"]', Malformed),
        (401, b"<html>", BadCredentials),
    ],
)
def test_what_has_no_label_is_not_sugars(status, body, kind):
    """A proxy's page, a redirect or JSON followed by text tells nothing about a record."""
    error = error_of(Answer(status, {}, body))
    assert type(error) is kind
    assert error.remote_code == str(status)


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("", 5), ("nan", 5), ("999999", 3600)])
def test_pauses(header, seconds):
    """A 429's pause is kept within bounds."""
    error = error_of(Answer(429, {"retry-after": header}, b"<html>"))
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("converter", "value", "wire", "shown"),
    [
        (Text(), "O'Brien <x> &amp;", "O'Brien <x> &amp;", "O'Brien <x> &amp;"),
        (Text(), None, "", ""),
        (Date(), date(2000, 2, 29), "2000-02-29", "2000-02-29"),
        (Date(), None, "", None),
        (Bool(), True, True, "1"),
        (Bool(), False, False, 0),
        (InvertedBool(), True, False, "0"),
        (InvertedBool(), False, True, True),
        (Number(), Decimal("0.10"), "0.1", "0.100000"),
        (Number(), Decimal("1E+20"), "100000000000000000000", "100000000000000000000"),
        (Number(), Decimal("12.5"), "12.5", Decimal("12.50")),
        (TextArray(), ["Marketing", "Sales"], ["Marketing", "Sales"], ["Marketing", "Sales"]),
        (TextArray(), None, [], []),
        (TextList(), ["a", "b"], "a,b", "a,b"),
        (TextList(), None, "", ""),
        (
            Moment(),
            datetime(2026, 12, 1, 10, 0, 31, tzinfo=UTC),
            "2026-12-01T10:00:31+00:00",
            "2026-12-01T05:00:31-05:00",
        ),
    ],
)
def test_values(converter, value, wire, shown):
    """Empty goes out as "", since a null is passed over; a moment comes back in any zone."""
    field = _field(converter)
    dumped = converter.dump(value)
    assert rows.wire(field, dumped) == wire
    held = CRM.value(field, {"x_c": shown})
    assert held == value
    assert CRM.same(field, held, dumped)


PRIMARY = {"email_address": "a@example.com", "primary_address": "1", "opt_out": True}
SECOND = {"email_address": "b@example.com", "primary_address": "0", "opt_out": True}


@pytest.mark.parametrize(
    ("before", "address", "sent"),
    [
        (None, "a@example.com", [("a@example.com", True, None)]),
        ([], "a@example.com", [("a@example.com", True, None)]),
        (
            [PRIMARY, SECOND],
            "c@example.com",
            [("c@example.com", True, None), ("b@example.com", "0", True)],
        ),
        ([PRIMARY, SECOND], "b@example.com", [("b@example.com", True, True)]),
        (
            [PRIMARY, SECOND],
            "a@example.com",
            [("a@example.com", True, True), ("b@example.com", "0", True)],
        ),
        ([PRIMARY, SECOND], None, []),
    ],
    ids=["none", "empty", "new", "promoted", "same", "emptied"],
)
def test_addresses_go_out_whole(before, address, sent):
    """The primary one is replaced, the others and their opt-outs stay; None leaves none."""
    field = _field(Emails())
    array = rows.wire(field, Emails().dump(address), before)
    assert [
        (each["email_address"], each["primary_address"], each.get("opt_out")) for each in array
    ] == sent
    assert CRM.value(field, {"x_c": array}) == address


@pytest.mark.parametrize("flag", [True, 1, "1"])
def test_the_primary_address_is_the_value(flag):
    """Whatever the flag looks like, and wherever it stands."""
    held = [SECOND, {**PRIMARY, "primary_address": flag}]
    assert CRM.value(_field(Emails()), {"x_c": held}) == "a@example.com"


@pytest.mark.parametrize("raw", [{}, 5, [{"email": "x"}], [5], [{"primary_address": True}]])
def test_what_is_no_address(raw):
    """An array of something else is Malformed, or has no primary address."""
    try:
        assert CRM.value(_field(Emails()), {"x_c": raw}) is None
    except Malformed as error:
        assert error.__cause__ is None


@pytest.mark.parametrize(
    ("sync_key", "ids", "known"),
    [
        (OURS, "sync_key", OURS),
        (OURS.upper(), "sync_key", OURS),
        ("", "sync_key", THEIRS),
        (None, "sync_key", THEIRS),
        ("ERP-17", "sync_key", THEIRS),
        (OURS, "id", THEIRS),
    ],
)
def test_what_a_record_is_known_by(sync_key, ids, known):
    """Our sync_key; a record without one, or with another integration's, by Sugar's own id."""
    row = rows.row_of({"id": THEIRS, "sync_key": sync_key}, ids, ["id"])
    assert (row["id"], row[rows.OWN]) == (known, THEIRS)


def test_a_column_that_is_not_there():
    """Sugar leaves out names that it doesn't know: that is the mapping's fault."""
    with pytest.raises(BadMapping):
        rows.row_of({"id": THEIRS, "sync_key": ""}, "sync_key", ["id", "nosuch_c"])
    for record in ({"id": 5}, {"id": "seed_jim_id"}, {}, []):
        with pytest.raises(Malformed):
            rows.row_of(record, "sync_key", [])


def test_a_version_is_the_same_in_every_zone():
    """The web tier's user and the worker's may have different ones; the stamp tells two writes of
    one second apart."""
    binding = MAPPING.kinds["member"]
    east = {"date_modified": "2026-01-01T08:00:00+08:00", "cb_version_c": "a"}
    west = {"date_modified": "2025-12-31T19:00:00-05:00", "cb_version_c": "a"}
    assert CRM.version(binding, east) == CRM.version(binding, west) == "2026-01-01T00:00:00Z~a"
    assert CRM.version(binding, {**east, "cb_version_c": None}) != CRM.version(binding, east)
    for moment in ("yesterday", "2026-01-01T08:00:00", None):
        with pytest.raises(Malformed):
            CRM.version(binding, {**east, "date_modified": moment})


def test_searches():
    """What Sugar compares as we do is left to it, in a body; order and pages go by its own id."""
    binding = MAPPING.kinds["member"]
    fields = binding.fields
    moment = datetime(2026, 1, 1, 8, tzinfo=timezone(timedelta(hours=8)))
    conditions = [
        ("eq", fields["email"], "a@example.com"),
        ("ne", fields["given_name"], "x"),
        ("eq", fields["given_name"], None),
        ("in", fields["family_name"], ("a", "b")),
        ("ge", fields["member_since"], Moment().dump(moment)),
    ]
    asked = query.search(query.clauses(conditions, OURS), ["id", "email", "id"], 7)
    assert asked == {
        "filter": [
            {"email_addresses.email_address": {"$equals": "a@example.com"}},
            {"first_name": {"$empty": ""}},
            {"last_name": {"$in": ["a", "b"]}},
            {"cb_registeredat_c": {"$gte": "2026-01-01T00:00:00+00:00"}},
            {"id": {"$gt": OURS}},
        ],
        "fields": "id,email",
        "max_num": 7,
        "order_by": "id:ASC",
    }


@pytest.mark.parametrize(
    ("given", "credential", "told"),
    [
        (GOOD, SECRET, ""),
        ({**GOOD, "url": "http://127.0.0.1:8080/sugar"}, SECRET, ""),
        ({**GOOD, "api_version": "v11"}, {**SECRET, "client_id": "a", "client_secret": "b"}, ""),
        ({**GOOD, "passwords": "portal", "ids": "id"}, SECRET, ""),
        ({"platform": "crm_bridge"}, SECRET, "url is missing"),
        ({**GOOD, "url": "http://crm.example.com"}, SECRET, "url must be https"),
        ({"url": GOOD["url"]}, SECRET, "platform must be"),
        ({**GOOD, "platform": "base"}, SECRET, "platform must be"),
        ({**GOOD, "platform": "a b"}, SECRET, "platform must be"),
        ({**GOOD, "platform": 5}, SECRET, "platform must be"),
        ({**GOOD, "api_version": "11.10"}, SECRET, "api_version must be"),
        ({**GOOD, "ids": "both"}, SECRET, "ids is"),
        ({**GOOD, "passwords": "ldap"}, SECRET, "passwords is"),
        ({**GOOD, "tenant": "x"}, SECRET, "tenant is unknown"),
        (GOOD, {"username": "a"}, "crm.credential"),
    ],
)
def test_options(given, credential, told):
    """Every mistake is told by name; a platform that people sign in on is one."""
    found = options.problems(given, credential)
    assert (told in "; ".join(found)) if told else not found


def test_passwords_are_checked_only_where_an_option_says_so():
    """The capability is declared with it, and the operation takes a name and a password."""
    assert not CRM.capabilities.checks_passwords
    with pytest.raises(Unsupported):
        CRM.run("check_password", {"name": "ann", "password": "x"})
    remote = Remote({**GOOD, "passwords": "portal"}, SECRET, Kept(), FreeBudget(), "now")
    portal = SugarCrm(MAPPING, remote)
    assert portal.capabilities.checks_passwords
    for record in ({}, {"name": "ann"}, {"name": "", "password": "x"}, {"name": 5, "password": 6}):
        with pytest.raises(Invalid):
            portal.run("check_password", record)


def test_the_guide_knows_a_column_type_for_every_converter():
    """Whatever a mapping may say, the plan has a type to make."""
    assert set(GUIDE.column_types) == set(CONVERTERS)
