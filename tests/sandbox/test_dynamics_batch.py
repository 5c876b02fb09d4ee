"""`$batch`: change sets that roll back as a whole, references, line endings, shapes."""

import re

import pytest

from tests.sandbox.dataverse import new_id, problem


def part(method, target, body="", content_id=None, headers=""):
    """One application/http part with line feeds."""
    named = f"Content-ID: {content_id}\n" if content_id else ""
    kind = "Content-Type: application/json\n" if body else ""
    return (
        f"Content-Type: application/http\nContent-Transfer-Encoding: binary\n{named}\n"
        f"{method} {target} HTTP/1.1\n{kind}{headers}\n{body}\n"
    )


def change_set(*parts, boundary="c"):
    """A change set as one part of the batch."""
    inner = "".join(f"--{boundary}\n{item}" for item in parts)
    return f'Content-Type: multipart/mixed; boundary="{boundary}"\n\n{inner}--{boundary}--\n'


def batch(*parts):
    """A batch with boundary `b`."""
    return "".join(f"--b\n{item}" for item in parts) + "--b--\n"


def statuses(answer):
    """The statuses of the parts that were answered."""
    return [int(found) for found in re.findall(r"HTTP/1\.1 (\d+)", answer.text)]


def test_a_change_set_creates_with_references(crm):
    """Parts refer to earlier ones by Content-ID in @odata.bind and in the URL."""
    row = new_id()
    answer = crm.batch(
        batch(
            change_set(
                part("POST", "contacts", f'{{"contactid":"{row}","firstname":"A"}}', 1),
                part(
                    "POST",
                    f"{crm.base}cb_identities",
                    '{"cb_value":"v","cb_Member@odata.bind":"$1"}',
                    2,
                ),
                part("PUT", "$1/lastname", '{"value":"B"}', 3),
                part("PATCH", "$2", '{"cb_name":"n"}', 4, "If-Match: *\n"),
            ),
            part("GET", f"contacts({row})?$select=fullname&$expand=cb_contact_identity_Member"),
        )
    )
    assert answer.status_code == 200, answer.text
    assert statuses(answer) == [204, 204, 204, 204, 200]
    assert '"fullname":"A B"' in answer.text
    assert '"cb_name":"n"' in answer.text
    assert re.search(r"boundary=batchresponse_", answer.headers["Content-Type"])
    assert "--changesetresponse_" in answer.text
    assert f"OData-EntityId: {crm.base}contacts({row})\r\n" in answer.text
    assert f"Location: {crm.base}contacts({row})\r\n" in answer.text
    assert "Content-ID: 2\r\n" in answer.text


def test_a_failing_change_set_leaves_nothing(crm):
    """One part fails: everything of the set is undone and only the failure is answered."""
    row = crm.make(firstname="A", externaluseridentifier="u1")
    before = crm.get(f"contacts({row})").json()
    answer = crm.batch(
        batch(
            change_set(
                part(
                    "PATCH",
                    f"contacts({row})",
                    '{"firstname":"B","externaluseridentifier":"u2"}',
                    1,
                    "If-Match: *\n",
                ),
                part("POST", "cb_consents", '{"cb_purpose":"news"}', 2),
                part("DELETE", f"contacts({new_id()})", "", 3),
            )
        )
    )
    assert (answer.status_code, statuses(answer)) == (400, [404])
    assert "0x80040217" in answer.text
    assert "Content-ID: 3" in answer.text
    assert crm.get(f"contacts({row})").json() == before
    assert crm.get("contacts(externaluseridentifier='u1')").status_code == 200
    assert not crm.rows("cb_consents")


def test_a_stale_version_rolls_a_change_set_back(crm):
    """If-Match inside a change set guards all of it."""
    row = crm.make(firstname="A")
    body = batch(
        change_set(
            part("POST", "cb_consents", "{}", 1),
            part("PATCH", f"contacts({row})", '{"firstname":"B"}', 2, 'If-Match: W/"1"\n'),
        )
    )
    assert statuses(crm.batch(body)) == [412]
    assert not crm.rows("cb_consents")


def test_a_batch_stops_at_the_first_failure_unless_told_to_go_on(crm):
    """Outer 400 and the parts up to the failure; with continue-on-error 200 and all parts."""
    body = batch(*(part("POST", "contacts", text) for text in ('{"firstname":"A"}', "{", "{}")))
    answer = crm.batch(body)
    assert (answer.status_code, statuses(answer)) == (400, [204, 400])
    answer = crm.batch(body, Prefer="odata.continue-on-error")
    assert (answer.status_code, statuses(answer)) == (200, [204, 400, 204])
    assert answer.headers["Preference-Applied"] == "odata.continue-on-error"


def test_line_feeds_alone_are_not_readable(crm):
    """CRLF is asked for; two extra line feeds at the very end are the documented escape."""
    body = batch(part("GET", "WhoAmI"))
    headers = {"Content-Type": 'multipart/mixed; boundary="b"'}

    def send(data):
        return crm.http.post(f"{crm.base}$batch", data=data.encode(), headers=headers)

    refused = send(body)
    assert problem(refused) == (400, "0x80048d19")
    assert "Stream was not readable" in refused.text
    assert statuses(send(body + "\n\n")) == [200]
    assert statuses(send("\r\n" + body.replace("\n", "\r\n"))) == [200]


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ([change_set(part("GET", "contacts", "", 1))], "0x80048d19"),
        ([change_set(part("POST", "contacts", "{}"))], "0x80060888"),
        (
            [change_set(part("POST", "contacts", "{}", 1), part("POST", "contacts", "{}", 1))],
            "0x80060888",
        ),
        (["Content-Type: text/plain\n\nx\n"], "0x80048d19"),
        ([part("GET", "https://elsewhere.example/api/data/v9.2/contacts")], "0x80048d19"),
        ([part("GET", "WhoAmI")] * 1001, "0x80048d19"),
    ],
)
def test_a_malformed_batch_is_refused_whole(crm, parts, code):
    """GET in a change set, a missing or doubled Content-ID, other hosts, 1,001 requests."""
    assert problem(crm.batch(batch(*parts))) == (400, code)
    assert not crm.rows("contacts")


def test_a_reference_used_before_it_is_declared_fails(crm):
    """`$9` that no part has made is a 400 of that part, and a batch can't hold a batch."""
    answer = crm.batch(batch(change_set(part("PATCH", "$9", "{}", 1))))
    assert (answer.status_code, statuses(answer)) == (400, [400])
    assert "does not exist in the batch context" in answer.text
    assert statuses(crm.batch(batch(part("POST", "$batch", "{}")))) == [400]


def test_the_log_has_the_requests_inside(crm):
    """Each request of a batch is seen with its own headers, body and status."""
    crm.control("requests", method="DELETE")
    trace = "traceparent: 00-1-2-01\n"
    crm.batch(batch(change_set(part("POST", "contacts", '{"firstname":"A"}', 1, trace))))
    inner, outer = crm.control("requests", method="GET")["requests"]
    assert (inner["method"], inner["path"]) == ("POST", "/api/data/v9.2/contacts")
    assert inner["status"] == 204
    assert (inner["body"], inner["user"], inner["in_batch"]) == ({"firstname": "A"}, "writer", True)
    assert inner["headers"]["traceparent"] == "00-1-2-01"
    assert outer["path"].endswith("$batch")
