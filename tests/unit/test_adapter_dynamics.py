"""Dataverse's notation and error table, without a server."""

import json
from pathlib import Path

import pytest

from adapters import asked, errors
from adapters.base import Criterion, FreeBudget, Operation, Remote
from adapters.dynamics import batch, query, rows
from adapters.dynamics.client import document, names_of
from adapters.dynamics.errors import CODES, error_of, pause
from adapters.http import Answer
from adapters.registry import adapter_class, check_options, make
from mappings.loader import load

MAPPING = load(Path(__file__).parents[2] / "mappings" / "dynamics.yaml")
MEMBER = MAPPING.kinds["member"]
JSON = {"content-type": "application/json; odata.metadata=minimal"}


def _body(code):
    return json.dumps({"error": {"code": code, "message": "canary"}}).encode()


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (400, "0x80048d19", errors.BadMapping),
        (400, "0x80060888", errors.BadMapping),
        (400, "0x0", errors.Invalid),
        (400, "", errors.Invalid),
        (400, "0x80044331", errors.Invalid),
        (400, "0x80040265", errors.Invalid),
        (401, "0x80060888", errors.BadCredentials),
        (403, "0x80072560", errors.BadCredentials),
        (403, "0x80040220", errors.BadCredentials),
        (404, "0x80040217", errors.NotFound),
        (404, "0x8006088a", errors.BadMapping),
        (404, "", errors.NotFound),
        (405, "", errors.Invalid),
        (412, "0x80060882", errors.StaleVersion),
        (412, "0x80060883", errors.BadMapping),
        (412, "0x8006088d", errors.BadMapping),
        (412, "0x80060892", errors.Conflict),
        (412, "0x80040237", errors.Conflict),
        (412, "0x80040333", errors.Conflict),
        (500, "0x80040333", errors.Conflict),
        (413, "", errors.Invalid),
        (429, "0x80072321", errors.Throttled),
        (429, "0x80072322", errors.Throttled),
        (429, "0x80072326", errors.Throttled),
        (501, "0x80060999", errors.Unsupported),
        (500, "", errors.Malformed),
        (502, "", errors.Malformed),
        (503, "", errors.Malformed),
        (504, "", errors.Malformed),
        (418, "", errors.Malformed),
    ],
)
def test_error_table(status, code, expected):
    """Each documented answer is its error, by code first and then by status, without its text."""
    error = error_of(status, {}, _body(code), conditional=True)
    assert type(error) is expected
    assert "canary" not in f"{error!r}{vars(error)}"


def test_codes_in_upper_case():
    """A code's case doesn't matter."""
    assert all(code == code.lower() for code in CODES)
    assert type(error_of(404, {}, _body("0X80040217".replace("X", "x")), conditional=False)) is (
        errors.NotFound
    )


def test_412_without_a_code():
    """Without a code, a 412 is a stale version where one was sent, else a conflict."""
    assert type(error_of(412, {}, _body(""), conditional=True)) is errors.StaleVersion
    assert type(error_of(412, {}, _body(""), conditional=False)) is errors.Conflict


@pytest.mark.parametrize("body", [b"<html>gone</html>", b"", b"[]", b'{"error":"x"}'])
def test_a_proxy_is_not_the_crm(body):
    """A refusal that isn't in Dataverse's shape says nothing of a record."""
    assert type(error_of(404, {}, body, conditional=False)) is errors.Malformed
    assert type(error_of(412, {}, body, conditional=True)) is errors.Malformed
    assert type(error_of(401, {}, body, conditional=False)) is errors.BadCredentials
    assert type(error_of(429, {}, body, conditional=False)) is errors.Throttled


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7),
        ("0", 1),
        ("1.5", 1.5),
        ("-3", 5),
        ("nan", 5),
        ("soon", 5),
        ("", 5),
        ("999999", 3600),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 5),
    ],
)
def test_retry_after(text, seconds):
    """Retry-After is seconds or a date, within reason."""
    assert pause({"retry-after": text}) == seconds


def test_key_in_a_url():
    """A key's value is quoted once and encoded once."""
    field = MEMBER.fields["subject"]
    assert query.by_key(MEMBER, field, "O'B ü") == (
        "contacts(externaluseridentifier='O''B%20%C3%BC')"
    )
    assert query.fits_key("O'Brien_1")
    assert not any(query.fits_key(f"a{c}") for c in "/<>*%&:\\?+\n")
    assert not query.fits_key("")


@pytest.mark.parametrize(
    ("criterion", "expected"),
    [
        (Criterion("given_name", "eq", "O'B"), "firstname eq 'O''B'"),
        (Criterion("given_name", "eq", "a&b#c+d%"), "firstname eq 'a%26b%23c%2Bd%25'"),
        (Criterion("gender", "eq", "female"), "gendercode eq 2"),
        (Criterion("gender", "eq", "undisclosed"), "gendercode eq null"),
        (Criterion("given_name", "ne", "x"), "(firstname ne 'x' or firstname eq null)"),
        (Criterion("given_name", "in", ("a", "b")), "(firstname eq 'a' or firstname eq 'b')"),
        (Criterion("master", "eq", "no-id' or 1 eq 1"), errors.Invalid),
        (
            Criterion("master", "eq", "0af76519-16cd-43dd-8448-eb211c80319c"),
            "_masterid_value eq 0af76519-16cd-43dd-8448-eb211c80319c",
        ),
    ],
)
def test_filters(criterion, expected):
    """Text is quoted, everything else bare, and nothing can end its literal."""

    def made():
        return query.filtering([(criterion.op, *asked.condition(MEMBER, criterion))])

    if isinstance(expected, str):
        assert made().replace("%20", " ") == f"$filter={expected}"
    else:
        with pytest.raises(expected):
            made()


def test_change_set_notation():
    """CRLF throughout, a Content-ID on every part, JSON as it stands."""
    part = batch.Part("PATCH", "contacts(1)", {"If-Match": 'W/"1"'}, '{"a":"é"}'.encode())
    content_type, body = batch.change_set("/api/data/v9.2/", [part, part])
    assert content_type.startswith('multipart/mixed; boundary="batch_')
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert body.count(b"Content-ID: 1\r\n") == body.count(b"Content-ID: 2\r\n") == 1
    assert '\r\n\r\n{"a":"é"}\r\n'.encode() in body
    assert b'PATCH /api/data/v9.2/contacts(1) HTTP/1.1\r\nIf-Match: W/"1"\r\n' in body


ANSWER = (
    b"--batchresponse_1\r\nContent-Type: multipart/mixed; boundary=changesetresponse_2\r\n\r\n"
    b"--changesetresponse_2\r\nContent-Type: application/http\r\nContent-ID: 1\r\n\r\n"
    b"HTTP/1.1 204 No Content\r\nOData-EntityId: x\r\n\r\n\r\n"
    b"--changesetresponse_2\r\nContent-Type: application/http\r\nContent-ID: 2\r\n\r\n"
    b'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n{"a":1}\r\n'
    b"--changesetresponse_2--\r\n--batchresponse_1--\r\n"
)
BATCH = {"content-type": "multipart/mixed; boundary=batchresponse_1"}


def test_batch_answers():
    """The answers of a change set come out in their order."""
    found = batch.answers(BATCH, ANSWER)
    assert [(each.status, each.body) for each in found] == [(204, b""), (201, b'{"a":1}')]


@pytest.mark.parametrize("length", range(0, len(ANSWER) - 2, 7))
def test_batch_cut_short(length):
    """A batch's answer that ends early is Malformed, wherever it ends."""
    with pytest.raises(errors.Malformed):
        batch.answers(BATCH, ANSWER[:length])


@pytest.mark.parametrize(
    "row",
    [
        None,
        [],
        {},
        {"contactid": "0af76519-16cd-43dd-8448-eb211c80319c", "firstname": "canary"},
        {"@odata.etag": "1", "contactid": "canary", "firstname": "x"},
        {"@odata.etag": "1", "contactid": "0af76519-16cd-43dd-8448-eb211c80319c"},
        {
            "@odata.etag": "1",
            "contactid": "0af76519-16cd-43dd-8448-eb211c80319c",
            "firstname": ["canary"],
        },
    ],
)
def test_rows_that_are_none(row):
    """A row without its id, version or a column asked for, or with another type, is Malformed."""
    with pytest.raises(errors.Malformed) as caught:
        rows.found(asked.split(MAPPING, "member", ["given_name"]), row)
    assert "canary" not in repr(vars(caught.value))


def test_expanded_rows_must_be_whole():
    """A collection that goes on on another page isn't taken for all of it."""
    row = {
        "@odata.etag": "1",
        "contactid": "0af76519-16cd-43dd-8448-eb211c80319c",
        "cb_contact_consent_Member": [],
    }
    wanted = asked.split(MAPPING, "member", ["consents.purpose"])
    assert rows.found(wanted, row).collections == {"consents": ()}
    with pytest.raises(errors.Malformed):
        rows.found(wanted, row | {"cb_contact_consent_Member@odata.nextLink": "x"})


def test_documents():
    """Only a JSON object of JSON type is an answer."""
    for headers, body in [
        (JSON, b"[]"),
        (JSON, b"{"),
        (JSON, b"[" * 100_000),
        ({"content-type": "text/html"}, b"{}"),
        ({}, b"{}"),
    ]:
        with pytest.raises(errors.Malformed):
            document(Answer(200, headers, body))


def test_trace_is_never_taken_as_it_comes():
    """Only a well-formed traceparent goes into headers; else a new one does."""
    from adapters.base import Trace

    good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    named = names_of(Trace(good))
    assert named["traceparent"] == good
    assert named["x-ms-correlation-id"] == "0af76519-16cd-43dd-8448-eb211c80319c"
    for bad in ("x\r\nEvil: 1", "", good + "\n"):
        assert names_of(Trace(bad))["traceparent"].count("-") == 3
        assert "Evil" not in str(names_of(Trace(bad)))
    assert "\n" not in names_of(Trace(good + "\n"))["traceparent"]


OPTIONS = {
    "url": "https://x.crm.dynamics.cn",
    "authority": "https://login.partner.microsoftonline.cn",
    "tenant": "t",
}
SECRET = {"client_id": "a", "client_secret": "b"}


@pytest.mark.parametrize(
    ("options", "credential", "expected"),
    [
        ({}, SECRET, "url is missing"),
        ({**OPTIONS, "url": "http://x"}, SECRET, "url must be https"),
        ({**OPTIONS, "url": "https://x/api/data"}, SECRET, "url must be https"),
        ({**OPTIONS, "authority": "https://me:pw@x"}, SECRET, "authority must be https"),
        ({**OPTIONS, "ulr": "x"}, SECRET, "ulr is unknown"),
        ({**OPTIONS, "hot_reads": "fast"}, SECRET, "hot_reads is thin or requests"),
        ({**OPTIONS, "instance_discovery": "perhaps"}, SECRET, "instance_discovery is true"),
        ({**OPTIONS, "tenant": 5}, SECRET, "tenant must be text"),
        (OPTIONS, {"client_id": "a"}, "crm.credential needs"),
        (OPTIONS, {**SECRET, "pfx_path": "x"}, "crm.credential needs"),
    ],
)
def test_options(options, credential, expected):
    """Each mistake in the options is told by name and without its value."""
    (problem,) = [p for p in check_options("dynamics", options, credential) if expected in p]
    assert "pw" not in problem


@pytest.mark.parametrize(
    "credential",
    [
        SECRET,
        {"client_id": "a", "pfx_path": "x"},
        {"client_id": "a", "private_key": "k", "certificate": "c", "passphrase": "p"},
    ],
)
def test_good_options(credential):
    """China's hosts are values like any other, and every kind of credential is known."""
    assert check_options("dynamics", OPTIONS, credential) == []
    assert check_options("dynamics", {**OPTIONS, "instance_discovery": "false"}, credential) == []


def test_wrong_options_make_no_adapter():
    """An adapter isn't made of options that can't work."""
    remote = Remote({}, {}, None, FreeBudget(), "now")
    with pytest.raises(errors.BadMapping):
        make("dynamics", MAPPING, remote)


@pytest.mark.parametrize(
    "name", ["nothing", "no.such.module:X", "adapters.base:NoSuch", "adapters.base:Remote"]
)
def test_registry(name):
    """A name that leads to no adapter is told as such."""
    with pytest.raises(LookupError):
        adapter_class(name)
    assert check_options(name, {})


def test_adapter_from_elsewhere():
    """`package.module:Class` names an adapter that nobody registered."""
    assert adapter_class("adapters.memory:Memory").__name__ == "Memory"


def test_operations_are_checked():
    """An unknown verb is refused before anything is sent."""
    with pytest.raises(errors.Invalid):
        asked.checked([Operation("upsert", "member", "x")])
