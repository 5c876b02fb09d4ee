"""`/v1/me/consents` and `/v1/operations`."""

from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.api.seldom import Seldom
from bridge.errors import KINDS
from bridge.services import operations
from bridge.writes.write import Outcome
from tests.unit.api_harness import Api

OTHER = "20000000-0000-4000-8000-000000000002"


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


def answer_to(api: Api, n: int, member: str, **row: Any) -> None:
    """A consent row in the CRM."""
    base = {
        "member": member,
        "purpose": "membership",
        "granted": True,
        "text_version": "1",
        "channel": "pages",
        "at": datetime(2026, 1, n, tzinfo=UTC),
    }
    api.crm.create("consent", f"40000000-0000-4000-8000-00000000000{n}", base | row)


def put(api: Api, token: str, *answers: dict[str, Any], **kwargs: Any) -> Any:
    """PUT these answers."""
    return api.call("PUT", "/v1/me/consents", token, json={"consents": list(answers)}, **kwargs)


def test_the_newest_answer_counts(api: Api) -> None:
    """Each purpose of the brand is there once; an answer to an older text isn't current."""
    member = api.member()
    answer_to(api, 1, member, granted=False)
    answer_to(api, 2, member)
    shown = api.call("GET", "/v1/me/consents", api.token(member)).get_json()["consents"]
    assert shown == [
        {
            "purpose": "membership",
            "required": True,
            "granted": True,
            "text_version": "1",
            "is_current": False,
            "at": "2026-01-02T00:00:00+00:00",
        },
        {
            "purpose": "marketing",
            "required": False,
            "granted": None,
            "text_version": None,
            "is_current": False,
            "at": None,
        },
    ]


def test_of_two_at_one_moment_the_withdrawal_counts(api: Api) -> None:
    """Nobody is taken to agree where it isn't sure."""
    member, at = api.member(), datetime(2026, 1, 5, tzinfo=UTC)
    answer_to(api, 1, member, at=at, granted=False)
    answer_to(api, 2, member, at=at)
    shown = api.call("GET", "/v1/me/consents", api.token(member)).get_json()["consents"]
    assert shown[0]["granted"] is False


def test_another_members_consents_arent_shown(api: Api) -> None:
    """Only rows of the member's own count."""
    member, other = api.member(), api.member(id=OTHER)
    answer_to(api, 1, other)
    shown = api.call("GET", "/v1/me/consents", api.token(member)).get_json()["consents"]
    assert shown[0]["granted"] is None


def test_an_answer_is_a_new_row_and_a_retry_isnt(api: Api) -> None:
    """PUT adds; what was answered before stays; the same key adds once."""
    member = api.member()
    answer_to(api, 1, member, purpose="marketing", granted=False)
    token, key = api.token(member), {"Idempotency-Key": "0123456789abcdef"}
    yes = {"purpose": "marketing", "granted": True, "text_version": "1"}
    for _ in range(2):
        answer = put(api, token, yes, headers=key)
        assert (answer.status_code, answer.get_json()["consents"][1]["granted"]) == (200, True)
    assert len(api.crm.store.rows["consent"]) == 2


@pytest.mark.parametrize(
    ("answers", "errors"),
    [
        ([], [("/consents", "wrong-length")]),
        (
            [{"purpose": "membership", "granted": False, "text_version": "2"}],
            [("/consents", "consent-required")],
        ),
        (
            [{"purpose": "marketing", "granted": True, "text_version": "0"}],
            [("/consents/0/text_version", "not-current")],
        ),
        (
            [{"purpose": "marketing", "granted": True}],
            [("/consents/0/text_version", "required")],
        ),
    ],
)
def test_wrong_answers_add_nothing(
    api: Api, answers: list[dict[str, Any]], errors: list[tuple[str, str]]
) -> None:
    """A required consent isn't withdrawn here, and nobody agrees to a text that isn't today's."""
    answer = put(api, api.token(api.member()), *answers)
    places = [(e["pointer"], e["code"]) for e in answer.get_json()["errors"]]
    assert (answer.status_code, places) == (422, errors)
    assert api.mailboxes.writes == []


def test_a_withdrawal_needs_no_current_text(api: Api) -> None:
    """Whoever agreed to an older text may withdraw it."""
    no = {"purpose": "marketing", "granted": False, "text_version": "0"}
    assert put(api, api.token(api.member()), no).status_code == 200


# -- operations ----------------------------------------------------------------------------------


def test_an_operation_is_its_owners(api: Api) -> None:
    """Pending, then applied with the ETag that the record then has; for anybody else, 404."""
    api.mailboxes.held = True
    token = api.token(api.member())
    place = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}).headers["Location"]
    pending = api.call("GET", place, token)
    assert (pending.get_json()["status"], pending.headers["Retry-After"]) == ("pending", "1")
    api.mailboxes.release(api.mailboxes.writes[0])
    shown = api.call("GET", place, token).get_json()
    assert shown["etag"] == api.call("GET", "/v1/me", token).headers["ETag"]
    assert (shown["status"], shown["at"]) == ("applied", "1970-01-01T00:00:01+00:00")
    for stranger in (api.token(api.member(id=OTHER)), api.token(None)):
        assert api.call("GET", place, stranger).status_code == 404


def test_a_retry_after_the_fact_gets_the_outcome_at_once(api: Api) -> None:
    """`respond-async` on a repetition of what is done answers as if it had waited."""
    token = api.token(api.member())
    headers = {"Idempotency-Key": "0123456789abcdef", "Prefer": "respond-async"}
    first = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=headers)
    again = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=headers)
    assert (first.status_code, again.status_code) == (202, 204)


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (Outcome("a", "applied"), None),
        (Outcome("a", "refused", "conflict"), "conflict"),
        (Outcome("a", "refused", "merged"), "stale"),
        (Outcome("a", "refused", "unreadable"), "internal"),
        (Outcome("a", "refused", "something new"), "refused"),
        (Outcome("a", "stale", "stale"), "stale"),
        (Outcome("a", "expired"), "expired"),
        (Outcome("a", "cancelled"), "cancelled"),
    ],
)
def test_each_end_is_a_problem_type_or_none(outcome: Outcome, problem: str | None) -> None:
    """Whatever the worker says, a client gets a type of the table."""
    found = operations.problem_of(outcome)
    assert found == problem
    assert found is None or found in KINDS


@pytest.mark.parametrize(
    ("prefer", "seconds", "applied"),
    [
        ("", 5.0, ""),
        ("respond-async", 0.0, "respond-async"),
        ("wait=2", 2.0, "wait=2"),
        ("wait=60", 5.0, ""),
        ("respond-async, wait=3", 3.0, "respond-async, wait=3"),
        ('RESPOND-ASYNC; foo="bar", WAIT="1"', 1.0, "respond-async, wait=1"),
        ("wait=2, wait=4", 2.0, "wait=2"),
        ("wait=soon, handling=lenient, =;,", 5.0, ""),
    ],
)
def test_prefer_says_how_long_to_wait(
    api: Api, monkeypatch: pytest.MonkeyPatch, prefer: str, seconds: float, applied: str
) -> None:
    """RFC 7240: at most five seconds; the first of a name; what we don't know is ignored."""
    api.mailboxes.held = True
    waited = [0.0]
    monkeypatch.setattr(api.mailboxes, "wait", lambda _, s: waited.append(s))
    answer = api.call(
        "PATCH",
        "/v1/me",
        api.token(api.member()),
        json={"given_name": "An"},
        headers={"Prefer": prefer},
    )
    assert waited[-1] == seconds
    assert answer.headers.get("Preference-Applied", "") == applied


def test_seldom_says_yes_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for a name until the time is over; the oldest names are forgotten."""
    now = [0.0]
    monkeypatch.setattr("bridge.api.seldom.time.monotonic", lambda: now[0])
    seldom = Seldom(10.0, most=2)
    assert [seldom.due("a"), seldom.due("a"), seldom.due("b"), seldom.due("c")] == [1, 0, 1, 1]
    assert seldom.due("a")
    now[0] = 11.0
    assert seldom.due("c")
