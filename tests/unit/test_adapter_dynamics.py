"""Dataverse's notation and error table, without a server."""

import json
from pathlib import Path

import pytest

from adapters import asked, errors
from adapters.answers import document
from adapters.base import Criterion, FreeBudget, Operation, Remote
from adapters.dynamics import batch, query, rows
from adapters.dynamics.client import names_of
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


ID = "0af76519-16cd-43dd-8448-eb211c80319c"
ROW = {"@odata.etag": 'W/"1"', "contactid": ID, "firstname": "Ann"}


class Answers:
    """A client that answers with what it was given and keeps the calls."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.calls = []

    def call(self, call, trace):
        """As Client.call."""
        self.calls.append(call)
        return self.answers.pop(0)


def _adapter(*documents, mapping=MAPPING):
    crm = make("dynamics", mapping, Remote(OPTIONS, SECRET, None, FreeBudget(), "now"))
    crm._client = Answers(
        *(
            d if isinstance(d, Answer) else Answer(200, JSON, json.dumps(d).encode())
            for d in documents
        )
    )
    return crm


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/api/data/v9.2/contacts?$skiptoken=1",
        "https://x.crm.dynamics.cn.evil.example/api/data/v9.2/contacts?$skiptoken=1",
        "https://x.crm.dynamics.cn/api/data/v9.2/accounts?$skiptoken=1",
        "/api/data/v9.2/contacts?$skiptoken=1",
        5,
    ],
)
def test_next_page_elsewhere(link):
    """A next page of another host or set is refused: our token would go there."""
    with pytest.raises(errors.Malformed):
        _adapter({"value": [], "@odata.nextLink": link}).query("member", (), ("given_name",))


def test_next_page():
    """A cursor is the relative part of the next page's address, as it stands."""
    link = "https://x.crm.dynamics.cn/api/data/v9.2/contacts?$skiptoken=%3Ccookie%20a%3D%22b%22"
    crm = _adapter({"value": [ROW], "@odata.nextLink": link}, {"value": []})
    page = crm.query("member", (), ("given_name",))
    assert page.cursor == link.partition("/v9.2/")[2]
    assert crm.query("member", (), ("given_name",), cursor=page.cursor).cursor is None
    assert crm._client.calls[1].target == page.cursor


def test_another_record_than_asked_for():
    """A row with another id than the one asked for is never handed on."""
    other = "1af76519-16cd-43dd-8448-eb211c80319c"
    for verb in (
        lambda crm: crm.get("member", other, ("given_name",)),
        lambda crm: crm.create("member", other, {}),
        lambda crm: crm.update("member", other, {}, 'W/"1"', returning=("given_name",)),
    ):
        with pytest.raises(errors.Malformed):
            verb(_adapter(ROW))


def test_a_batch_with_too_few_answers():
    """A change set is done only when each of its parts was answered."""
    crm = _adapter(Answer(200, BATCH, ANSWER))
    with pytest.raises(errors.Malformed):
        crm.apply([Operation("create", "member", ID, {})])


def test_personal_keys_stay_out_of_urls(tmp_path):
    """Even a key of the CRM's goes in a body where its values are personal."""
    text = (Path(__file__).parents[2] / "mappings" / "dynamics.yaml").read_text()
    path = tmp_path / "m.yaml"
    path.write_text(
        text.replace("{column: emailaddress1,", "{column: emailaddress1, key: cb_mail,")
    )
    crm = _adapter(Answer(200, BATCH, ANSWER), mapping=load(path))
    with pytest.raises(errors.CrmError):
        crm.find("member", "email", "canary", ())
    (call,) = crm._client.calls
    assert call.target == "$batch"
    assert b"canary" in call.body


def test_awkward_keys_go_by_filter():
    """A key's value that Dataverse can't take in a URL's key is looked for by a filter."""
    crm = _adapter(
        {"value": [{**ROW, "externaluseridentifier": "a+b/c"}]},
    )
    assert crm.find("member", "subject", "a+b/c", ("given_name",)).record == {"given_name": "Ann"}
    assert "$filter=" in crm._client.calls[0].target


def test_new_records_carry_no_nulls():
    """A create leaves empty fields out; an update sends them as null, lookups by their way."""
    crm = _adapter({**ROW, "cb_identityid": ID}, {**ROW, "cb_identityid": ID})
    crm.create("identity", ID, {"value": None, "member": None, "mac": "m"})
    crm.update("identity", ID, {"value": None, "member": None}, 'W/"1"')
    created, changed = (json.loads(call.body) for call in crm._client.calls)
    assert created == {"cb_identityid": ID, "cb_mac": "m"}
    assert changed == {"cb_value": None, "cb_Member@odata.bind": None}


@pytest.mark.parametrize("version", ["*", "", 'W/"1"\r\nX: 1', "1", 'W/"*"'])
def test_versions_are_concrete(version):
    """Only a version that the CRM could have given goes into a header."""
    crm = _adapter()
    with pytest.raises(errors.Invalid):
        crm.update("member", ID, {"given_name": "x"}, version)
    assert crm._client.calls == []


def test_guarded_columns(tmp_path):
    """A column that the CRM guards can't be written."""
    with pytest.raises(errors.Unsupported):
        _adapter().update("member", ID, {"master": ID}, 'W/"1"')


def test_update_returns_no_expanded_rows():
    """Dataverse ignores $expand on a PATCH, so it isn't promised."""
    with pytest.raises(errors.Unsupported):
        _adapter().update("member", ID, {}, 'W/"1"', returning=("consents.purpose",))
