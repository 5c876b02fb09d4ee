"""Service protection limits, latency and the faults as a Dataverse client meets them."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import requests

from tests.sandbox.dataverse import Crm, problem


def test_too_many_requests_in_the_window(crm):
    """0x80072322 with Retry-After by the sandbox clock; after that time it goes on."""
    crm.control("limits", {"requests": 3})
    assert [crm.get("WhoAmI").status_code for _ in range(3)] == [200, 200, 200]
    answer = crm.get("WhoAmI")
    assert problem(answer) == (429, "0x80072322")
    wait = int(answer.headers["Retry-After"])
    assert 290 <= wait <= 301
    assert Crm(crm.ready, "reader").get("WhoAmI").status_code == 200
    again = [int(crm.get("WhoAmI").headers["Retry-After"]) for _ in range(3)][-1]
    assert again > wait, "going on sending must lengthen the wait"
    crm.control("clock", {"advance": again + 1})
    assert crm.get("WhoAmI").status_code == 200


def test_too_much_execution_time(crm):
    """0x80072321 once the combined time of the window is used up."""
    crm.control("limits", {"milliseconds": 20})
    crm.control("latency", {"read": 0.05})
    assert crm.get("WhoAmI").status_code == 200
    answer = crm.get("WhoAmI")
    assert problem(answer) == (429, "0x80072321")
    assert int(answer.headers["Retry-After"]) > 0


def test_too_many_at_once(crm):
    """0x80072326 for the one above the concurrent limit, at once."""
    crm.control("limits", {"concurrent": 2})
    crm.control("latency", {"read": 0.5})
    clients = [Crm(crm.ready) for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda client: client.get("WhoAmI"), clients))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 429, 429]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert problem(refused) == (429, "0x80072326")


def test_the_rate_limit_headers_count_down(crm):
    """The remaining requests are told on each answer, beside the hint for parallelism."""
    left = [
        int(crm.get("WhoAmI").headers["x-ms-ratelimit-burst-remaining-xrm-requests"])
        for _ in range(2)
    ]
    assert left == [5999, 5998]
    assert crm.get("WhoAmI").headers["x-ms-dop-hint"]


def test_a_throttle_fault_has_dataverses_shape(crm):
    """The fault can name which of the three codes it plays."""
    crm.control(
        "faults",
        {
            "kind": "throttle",
            "retry_after": 17,
            "code": "0x80072321",
            "match": {"path_prefix": "/api/data"},
        },
    )
    answer = crm.get("WhoAmI")
    assert problem(answer) == (429, "0x80072321")
    assert answer.headers["Retry-After"] == "17"
    assert crm.get("WhoAmI").status_code == 200


@pytest.mark.parametrize(("kind", "rows"), [("cut_before", 0), ("cut_after", 1)])
def test_a_write_whose_answer_is_lost(crm, kind, rows):
    """After cut_after the record is there though nobody was told; after cut_before it isn't."""
    crm.control("faults", {"kind": kind, "match": {"method": "POST", "path_prefix": "/api"}})
    with pytest.raises(requests.ConnectionError):
        crm.call("POST", "contacts", {"firstname": "A"})
    assert len(crm.rows("contacts")) == rows


def test_a_batch_that_is_cut_after_its_commit(crm):
    """The change set is in, and the log says which fault the outer request met."""
    crm.control("faults", {"kind": "cut_after", "match": {"path_regex": r"\$batch$"}})
    body = (
        "--b\nContent-Type: multipart/mixed; boundary=c\n\n"
        "--c\nContent-Type: application/http\nContent-ID: 1\n\n"
        "POST contacts HTTP/1.1\n\n{}\n--c--\n--b--\n"
    )
    with pytest.raises(requests.ConnectionError):
        crm.batch(body)
    assert len(crm.rows("contacts")) == 1
    seen = crm.control("requests", method="GET")["requests"]
    assert [entry["fault"] for entry in seen if entry["path"].endswith("$batch")] == ["cut_after"]


def test_seed_and_state(crm):
    """Seeding takes payloads in order, read-only times too; state shows rows and token calls."""
    made = crm.control(
        "seed",
        {
            "contacts": [
                {
                    "contactid": "11111111-1111-4111-8111-111111111111",
                    "firstname": "A",
                    "createdon": "2020-01-01T00:00:00Z",
                    "modifiedon": "2020-01-01T00:00:00Z",
                }
            ],
            "cb_identities": [
                {"cb_Member@odata.bind": "/contacts(11111111-1111-4111-8111-111111111111)"}
            ],
        },
    )["result"]
    state = crm.control("state", method="GET")
    (contact,) = state["tables"]["contacts"]
    assert contact["contactid"] == made["contacts"][0]
    assert contact["modifiedon"] == "2020-01-01T00:00:00Z"
    assert state["tables"]["cb_identities"][0]["_cb_member_value"] == contact["contactid"]
    answer = crm.http.post(f"{crm.root}/_sandbox/seed", json={"contacts": [{"nickname": "x"}]})
    assert answer.status_code == 400
    assert "0x80048d19" in answer.text


def test_a_control_plane_mistake_is_told(crm):
    """A misspelt knob is 400, not silence."""
    for name, body in (
        ("limits", {"request": 1}),
        ("latency", {"reads": 1}),
        ("tokens", {"x": 1}),
        ("users", {"writer": {"role": []}}),
        ("merge", {"set": "nothing"}),
    ):
        answer = crm.http.post(f"{crm.root}/_sandbox/{name}", json=body)
        assert answer.status_code == 400, name


def test_each_web_server_has_limits_of_its_own(crm):
    """A client that keeps the cookie meets one server's limit; one that drops it, the sum."""
    crm.control("servers", {"count": 3})
    crm.control("limits", {"requests": 2})
    crm.http.cookies.clear()
    crm.get("WhoAmI")
    assert crm.http.cookies["ARRAffinity"]
    assert [crm.get("WhoAmI").status_code for _ in range(2)] == [200, 429]
    statuses = []
    for _ in range(6):
        crm.http.cookies.clear()
        statuses.append(crm.get("WhoAmI").status_code)
    assert statuses.count(200) == 4
    assert crm.control("state", method="GET")["limits"]["users"]["writer"]["requests"] == 6
    crm.control("reset")
    crm.http.cookies.clear()
    first = crm.get("WhoAmI").headers["Set-Cookie"]
    assert crm.get("WhoAmI").headers["Set-Cookie"] == first
    answer = crm.http.post(f"{crm.root}/_sandbox/servers", json={"count": 0})
    assert answer.status_code == 400
