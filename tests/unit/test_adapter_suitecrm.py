"""The SuiteCRM adapter's notation: options, refusals, values."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from adapters.base import FreeBudget, Remote
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    Throttled,
    Unsupported,
)
from adapters.http import Answer
from adapters.places import origin
from adapters.suitecrm import options, rows
from adapters.suitecrm.adapter import SuiteCrm
from adapters.suitecrm.client import data_of
from adapters.suitecrm.errors import error_of
from mappings.binding import FieldBinding
from mappings.converters import Bool, Date, Moment, Number, Text
from mappings.loader import load
from tests.unit.test_adapter_tokens import Kept

GOOD = {"url": "https://crm.example.com/legacy"}
SECRET = {"client_id": "a", "client_secret": "b"}
RECORDED = Path(__file__).parents[1] / "sandbox" / "recordings" / "suitecrm-7.14.6-v8.jsonl"
REFUSALS = {
    "create.same_id": Conflict,
    "create.id_of_deleted": Conflict,
    "create.unknown_module": BadMapping,
    "create.unknown_attr": BadMapping,
    "get.bad_uuid": NotFound,
    "get.missing": NotFound,
    "get.bad_field": BadMapping,
    "delete.again": NotFound,
    "auth.none": BadCredentials,
    "auth.garbage": BadCredentials,
    "list.filter.bad_op": Invalid,
}


MAPPING = load(Path(__file__).parents[2] / "mappings" / "suitecrm.yaml")
CRM = SuiteCrm(
    MAPPING, Remote({**GOOD, "version_column": "v_c"}, SECRET, Kept(), FreeBudget(), "now")
)


def _field(converter):
    return FieldBinding("x", "x_c", converter)


@pytest.mark.parametrize("name", REFUSALS)
def test_recorded_refusals(name):
    """What a real server said is the error that it means, and its text is nowhere in it."""
    lines = map(json.loads, RECORDED.read_text().splitlines())
    (told,) = [line["response"] for line in lines if line["name"] == name]
    error = error_of(Answer(told["status"], {}, json.dumps(told["body"]).encode()))
    assert type(error) is REFUSALS[name]
    assert len(error.remote_code) < 20
    assert not any(str(value) in repr(vars(error)) for value in told["body"].values())


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, b'{"errors":{"detail":"x"}}Database failure', Malformed),
        (400, b"<html>", Malformed),
        (400, b'{"errors":[{"detail":"x"}]}', Malformed),
        (400, b'{"errors":{"status":400,"detail":"something new"}}', Invalid),
        (404, b"<html>", Malformed),
        (500, b'{"password":"hunter2"}', Malformed),
        (501, b"", Unsupported),
        (403, b"", BadCredentials),
    ],
)
def test_other_refusals(status, body, kind):
    """JSON followed by text isn't an answer; a 404 is never V8's own."""
    assert type(error_of(Answer(status, {}, body))) is kind


@pytest.mark.parametrize(("header", "seconds"), [("7", 7), ("", 5), ("nan", 5), ("999999", 3600)])
def test_pauses(header, seconds):
    """A 429 is of a proxy in front; its pause is kept within bounds."""
    error = error_of(Answer(429, {"retry-after": header}, b""))
    assert isinstance(error, Throttled)
    assert error.retry_after == seconds


@pytest.mark.parametrize(
    ("converter", "value", "wire", "shown"),
    [
        (Text(), "O'Brien <x>", "O'Brien <x>", "O&#039;Brien &lt;x&gt;"),
        (Text(), "a & b", "a & b", "a & b"),
        (Date(), date(2000, 2, 29), "2000-02-29", "2000-02-29"),
        (Bool(), True, "1", "1"),
        (Bool(), False, "0", False),
        (Number(), Decimal("0.10"), "0.1", "0.10"),
        (Number(), Decimal("1E+20"), "100000000000000000000", "100000000000000000000"),
        (
            Moment(),
            datetime(2026, 12, 1, 10, 0, 31, tzinfo=UTC),
            "2026-12-01 10:00:31",
            "2026-12-01 10:00:31",
        ),
        (Text(), None, "", ""),
    ],
)
def test_values(converter, value, wire, shown):
    """Everything is text on the wire, "" is empty, and what comes back is what was meant."""
    field = _field(converter)
    dumped = converter.dump(value)
    assert rows.wire(field, dumped) == wire
    held = CRM.value(field, {"x_c": shown})
    assert held == value
    assert CRM.same(field, held, dumped)


def test_a_datetime_column_holds_the_minute():
    """V8 shows it to the minute; that isn't a dropped write, another minute is."""
    field = _field(Moment())
    sent = Moment().dump(datetime(2026, 12, 1, 10, 0, 31, tzinfo=UTC))
    for shown, same in (("10:00:00", True), ("10:01:00", False), ("15:00:31", False)):
        held = CRM.value(field, {"x_c": f"2026-12-01T{shown}+00:00"})
        assert CRM.same(field, held, sent) is same


@pytest.mark.parametrize("row", [{}, {"x_c": {}}, {"x_c": 5}])
def test_what_is_no_text(row):
    """A column that is missing or holds something else is Malformed."""
    with pytest.raises(Malformed):
        CRM.value(_field(Text()), row)


def test_a_version_fits_a_header():
    """Whatever staff wrote into the version's column."""
    version = CRM.version(
        MAPPING.kinds["member"], {"date_modified": "2026-01-01", "v_c": "a\r\nb*é"}
    )
    assert version == "2026-01-01~a__b__"


@pytest.mark.parametrize(
    ("given", "credential", "told"),
    [
        (GOOD, SECRET, ""),
        ({"url": "http://127.0.0.1:8080"}, SECRET, ""),
        (GOOD, {**SECRET, "username": "u", "password": "p"}, ""),
        ({}, SECRET, "url is missing"),
        ({"url": "http://crm.example.com"}, SECRET, "url must be https"),
        ({"url": "https://u@crm.example.com"}, SECRET, "url must be https"),
        ({"url": "https://crm.example.com/?a=b"}, SECRET, "url must be https"),
        ({"url": "https://crm.example.com:x"}, SECRET, "url must be https"),
        ({"url": 5}, SECRET, "url must be text"),
        ({**GOOD, "version_column": "x y"}, SECRET, "version_column"),
        ({**GOOD, "tenant": "x"}, SECRET, "tenant is unknown"),
        (GOOD, {"client_id": "a"}, "crm.credential"),
    ],
)
def test_options(given, credential, told):
    """Every mistake is told by name; TLS everywhere but on this machine itself."""
    found = options.problems(given, credential)
    assert (told in "; ".join(found)) if told else not found


def test_addresses():
    """SuiteCRM 8 keeps this API below /legacy."""
    read = options.read({"url": "https://crm.example.com/legacy/"}, SECRET)
    assert (origin(read.url), read.root) == ("https://crm.example.com", "/legacy/Api/")


def test_json_by_another_name():
    """What calls itself HTML isn't an answer, whatever it holds."""
    body = b'{"data":{}}'
    assert data_of(Answer(200, {"content-type": "application/vnd.api+json"}, body)) == {}
    with pytest.raises(Malformed):
        data_of(Answer(200, {"content-type": "text/html"}, body))


def test_an_empty_field_is_less_than_nothing():
    """An emptied text may be "" and not null, which MySQL holds to be less than any other."""
    assert not CRM.meets({"x_c": ""}, "lt", _field(Text()), "z")
    assert CRM.meets({"x_c": "a"}, "lt", _field(Text()), "z")
