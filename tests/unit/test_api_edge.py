"""What every answer has: ids, trace, headers, CORS, one log line that names nobody."""

import json
import logging
from typing import Any

import pytest

from adapters.base import Found
from bridge.log import Lines
from bridge.store import StoreDown
from tests.unit.api_harness import Api

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
ORIGIN = "https://www.example.com"


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What our log says, line by line."""
    found: list[dict[str, Any]] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            found.append(json.loads(Lines().format(record)))

    logger = logging.getLogger("bridge")
    monkeypatch.setattr(logger, "handlers", [Keep()])
    monkeypatch.setattr(logger, "level", logging.INFO)
    logger.manager._clear_cache()  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/me"), ("GET", "/nowhere"), ("GET", "/healthz"), ("POST", "/v1/me")],
)
def test_every_answer_is_locked_down(api: Api, method: str, path: str) -> None:
    """Answers and errors alike: nothing stored, sniffed, framed, run, or told to the next page."""
    headers = api.call(method, path).headers
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert headers["Referrer-Policy"] == "no-referrer"
    assert "Strict-Transport-Security" not in headers
    assert "Server" not in headers


@pytest.mark.parametrize("path", ["/v1//me", "//healthz", "/v1/me/", "/healthz//"])
def test_no_path_leads_to_the_host_that_a_request_names(api: Api, path: str) -> None:
    """Werkzeug would merge slashes by a redirect to whatever `Host` says: it isn't there."""
    answer = api.call("GET", path, base_url="https://evil.example")
    assert answer.status_code == 404
    assert "Location" not in answer.headers


def test_https_is_for_good_where_it_is_spoken(api: Api) -> None:
    """HSTS is sent over https alone (RFC 6797 section 7.2)."""
    answer = api.call("GET", "/healthz", base_url="https://members.example.com")
    assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("0f8fad5b-d9cb-469f-a165-70867728950e", True),
        ("4bf92f3577b34da6a3ce929d0e0e4736", True),
        ("13800138000", False),
        ("li.wei@example.com", False),
        ("", False),
    ],
)
def test_a_request_id_is_kept_if_it_can_be_no_persons(api: Api, given: str, kept: bool) -> None:
    """A UUID or 32 hex digits; anything else is replaced by our own."""
    answer = api.call("GET", "/healthz", headers={"X-Request-Id": given})
    assert (answer.headers["X-Request-Id"] == given) == kept
    assert len(answer.headers["X-Request-Id"]) >= 32


def test_one_line_that_names_nobody(api: Api, lines: list[dict[str, Any]]) -> None:
    """The log has the route's template, status and ids; no path value, query, agent or id."""
    member = api.member()
    api.call(
        "GET",
        "/v1/operations/li.wei@example.com?x=13800138000",
        api.token(member),
        headers={"User-Agent": "agent-of-li", "traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"},
    )
    (line,) = lines
    assert line["route"] == "/v1/operations/<id>"
    assert (line["method"], line["status"], line["client"]) == ("GET", 400, "site")
    assert line["trace"] == TRACE
    for personal in ("li.wei", "138001", "agent-of-li", member):
        assert personal not in json.dumps(line)


def test_a_trace_goes_on_with_a_span_of_our_own(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's trace id reaches the CRM and the write; a malformed one is replaced."""
    token, seen, real = api.token(api.member()), [], api.crm.get

    def get(*args: Any, trace: Any = None, **kwargs: Any) -> Found:
        seen.append(trace.traceparent)
        return real(*args, trace=trace, **kwargs)

    monkeypatch.setattr(api.crm, "get", get)
    given = f"00-{TRACE}-00f067aa0ba902b7-01"
    api.call("GET", "/v1/me", token, headers={"traceparent": given})
    assert seen[0].split("-")[1] == TRACE
    assert seen[0] != given
    api.call("GET", "/v1/me", token, headers={"traceparent": "00-li.wei@example.com"})
    assert "li.wei" not in seen[1]
    monkeypatch.setattr(api.crm, "get", real)
    body = {"given_name": "An"}
    api.call("PATCH", "/v1/me", token, json=body, headers={"traceparent": given})
    assert api.mailboxes.writes[0].trace.split("-")[1] == TRACE


def test_what_nobody_foresaw_is_500_and_says_nothing(
    api: Api, monkeypatch: pytest.MonkeyPatch, lines: list[dict[str, Any]]
) -> None:
    """An unhandled error is logged by type and place; its text is in no answer and no line."""
    token = api.token(api.member())

    def broken(*_: Any, **__: Any) -> Found:
        raise RuntimeError("li.wei@example.com")

    monkeypatch.setattr(api.crm, "get", broken)
    answer = api.call("GET", "/v1/me", token)
    assert (answer.status_code, answer.mimetype) == (500, "application/problem+json")
    assert "li.wei" not in answer.text + json.dumps(lines)
    assert lines[0]["code"] == "RuntimeError"


def test_redis_down_is_503(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is let in or turned away while tokens can't be looked up."""

    def down(_: str) -> None:
        raise StoreDown

    monkeypatch.setattr(api.grants, "check", down)
    answer = api.call("GET", "/v1/me", "any")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


def test_readiness_tells_what_is_missing(api: Api) -> None:
    """503 where a Redis role is down or no worker vouches for the queue; liveness doesn't care."""

    def down(*_: object) -> None:
        raise StoreDown

    api.parts.queue.do = down
    answer = api.call("GET", "/readyz")
    assert (answer.status_code, answer.get_json()["status"]) == (503, "trouble")
    assert answer.get_json()["parts"]["queue"] is False
    assert api.call("GET", "/healthz").status_code == 200


def test_a_crm_that_rests_takes_no_process_out(api: Api) -> None:
    """An open breaker is shown, and the process stays ready: writes are still accepted."""
    api.parts.budget.is_open = lambda: True
    answer = api.call("GET", "/readyz")
    assert (answer.status_code, answer.get_json()["parts"]["crm"]) == (200, False)


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", f"{ORIGIN}.evil.example", "http://www.example.com"]
)
def test_a_strange_origin_gets_no_leave(api: Api, origin: str) -> None:
    """No reflection, no `null`, no suffix, no other scheme; caches are told that it varies."""
    answer = api.call("GET", "/v1/me", api.token(api.member()), headers={"Origin": origin})
    assert "Access-Control-Allow-Origin" not in answer.headers
    assert "Origin" in answer.headers["Vary"]


def test_a_clients_own_origin_reads_its_answers(api: Api) -> None:
    """The origin of the token's client may read answer and ETag; cookies are never offered."""
    answer = api.call("GET", "/v1/me", api.token(api.member()), headers={"Origin": ORIGIN})
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "ETag" in answer.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in answer.headers
    other = api.token(api.member(id="20000000-0000-4000-8000-000000000002"), client_id="till")
    foreign = api.call("GET", "/v1/me", other, headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in foreign.headers


def test_a_preflight_names_methods_and_headers(api: Api) -> None:
    """OPTIONS needs no token; it allows the route's methods and our headers."""
    headers = {"Origin": ORIGIN, "Access-Control-Request-Method": "PATCH"}
    answer = api.call("OPTIONS", "/v1/me", headers=headers)
    assert answer.status_code == 200
    assert "PATCH" in answer.headers["Access-Control-Allow-Methods"]
    assert "If-Match" in answer.headers["Access-Control-Allow-Headers"]
    assert (
        "Access-Control-Allow-Origin"
        not in api.call("OPTIONS", "/healthz", headers=headers).headers
    )
