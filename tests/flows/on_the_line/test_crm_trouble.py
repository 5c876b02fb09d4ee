"""A CRM that is slow, down, throttling or answers garbage: reads say so soon, writes are kept."""

import time
from collections.abc import Callable

import pytest
import requests

from bridge.cli.journey import Journey, bearer
from tests.flows.on_the_line.conftest import Watch, forget_codes, journey_of
from tests.flows.on_the_line.crm import Crm

SOON = 4.5
GARBAGE = ("html", "malformed", "status", "reset", "cut_before")


def read(member: Journey) -> tuple[requests.Response, float]:
    """`GET /v1/me`, and how long it took."""
    began = time.monotonic()
    answer = member.http.get(f"{member.line.url}/v1/me", headers=member.authorized(), timeout=20)
    return answer, time.monotonic() - began


def patch(member: Journey, name: str, **headers: str) -> requests.Response:
    """`PATCH /v1/me` with a new given name."""
    return member.http.patch(
        f"{member.line.url}/v1/me",
        json={"given_name": name},
        headers=member.authorized() | headers,
        timeout=20,
    )


def until(check: Callable[[], bool], seconds: float = 15.0) -> None:
    """Waits for what happens later."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, "it didn't happen"
        time.sleep(0.1)


@pytest.mark.parametrize("kind", GARBAGE)
def test_a_read_from_a_broken_crm_is_an_honest_problem(
    member: Journey, crm: Crm, kind: str
) -> None:
    """Whatever comes instead of an answer, the reader gets 502 or 503 with Retry-After, soon."""
    crm.fault(kind, times=2, on="read", **({"status": 503} if kind == "status" else {}))

    answer, took = read(member)

    assert answer.status_code in (502, 503)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) >= 1
    assert took < SOON


def test_a_read_from_a_slow_crm_ends_in_time(member: Journey, crm: Crm) -> None:
    """A CRM that doesn't answer costs a reader at most 4.5 s."""
    crm.fault("slow", times=2, on="read", seconds=30)

    answer, took = read(member)

    assert answer.status_code == 503
    assert took < SOON


def test_a_throttled_crm_is_left_alone(member: Journey, crm: Crm) -> None:
    """After a 429 nobody asks before Retry-After has passed, and readers are told when."""
    crm.fault("throttle", times=1, on="read", retry_after=2)
    first, _ = read(member)
    asked = crm.last()

    second, took = read(member)

    assert (first.status_code, second.status_code) == (503, 503)
    assert took < 0.5
    assert not crm.asked("read", asked)
    until(lambda: read(member)[0].status_code == 200)


@pytest.mark.every_crm
def test_a_write_during_trouble_is_kept_and_applied_later(member: Journey, crm: Crm) -> None:
    """A write is acknowledged sealed while the CRM is down, and applied once when it is back."""
    crm.fault("status", times=3, on="update", status=503)

    answer = patch(member, "稍后", Prefer="respond-async")

    assert answer.status_code == 202
    assert answer.headers["ETag"].startswith('"op-')
    where = member.line.url + answer.headers["Location"]
    until(lambda: member.http.get(where, headers=member.authorized()).json()["status"] == "applied")
    assert crm.member(member.member.mobile)["given_name"] == "稍后"


@pytest.mark.every_crm
def test_writes_during_trouble_are_applied_in_order(member: Journey, crm: Crm) -> None:
    """Three writes wait; the CRM gets the last one last."""
    crm.fault("cut_before", times=2, on="update")
    for name in ("一号", "二号", "三号"):
        assert patch(member, name, Prefer="respond-async").status_code == 202

    until(lambda: crm.member(member.member.mobile)["given_name"] == "三号")
    time.sleep(1)

    assert crm.member(member.member.mobile)["given_name"] == "三号"


@pytest.mark.every_crm
def test_a_reply_lost_after_the_commit_is_one_effect(member: Journey, crm: Crm) -> None:
    """The CRM commits and the answer is lost: the write is found by its id, not made again."""
    since = crm.last()
    crm.fault("cut_after", times=1, on="update")

    answer = patch(member, "只有一次", Prefer="wait=5")

    contact = crm.member(member.member.mobile)
    assert answer.status_code in (202, 204)
    until(lambda: crm.member(member.member.mobile)["given_name"] == "只有一次")
    time.sleep(1.5)
    assert crm.effects("given_name", since) == ["只有一次"]
    operations = contact["last_operations"].split()
    assert len(operations) == len(set(operations))


@pytest.mark.every_crm
def test_a_request_delivered_late_is_one_effect(member: Journey, crm: Crm) -> None:
    """A request that arrives after its caller gave up and tried again has no second effect."""
    if crm.can.versioned_update != "yes":
        pytest.skip("this CRM compares no version when such a request arrives (declared)")
    since = crm.last()
    crm.fault("late", times=1, on="update", seconds=3)

    patch(member, "先到的", Prefer="wait=5")
    until(lambda: crm.member(member.member.mobile)["given_name"] == "先到的")
    assert patch(member, "后来的", Prefer="wait=5").status_code in (202, 204)
    time.sleep(4)

    assert crm.member(member.member.mobile)["given_name"] == "后来的"
    assert crm.effects("given_name", since) == ["先到的", "后来的"]


@pytest.mark.every_crm
def test_a_registration_whose_reply_is_lost_is_one_member(journey: Journey, crm: Crm) -> None:
    """The change set commits and the answer is lost: one contact, and the member signs in."""
    journey.phone = journey.desktop()
    journey.phone.get(f"{journey.line.url}/register")
    journey.prove_mobile()
    crm.fault("cut_after", times=1, on="create")

    journey.give_details()

    assert crm.member(journey.member.mobile)
    journey.sign_in()


@pytest.mark.every_crm
def test_a_registration_while_the_crm_is_down_is_made_later(journey: Journey, crm: Crm) -> None:
    """The CRM answers nothing from the proof on: the member is told to wait, and becomes one."""
    journey.phone = journey.desktop()
    journey.phone.get(f"{journey.line.url}/register")
    crm.fault("status", times=6, status=503)

    journey.prove_mobile()
    journey.give_details()

    assert crm.member(journey.member.mobile)
    journey.sign_in()


@pytest.mark.every_crm
def test_a_number_that_was_given_up_is_free(member: Journey, watch: Watch, crm: Crm) -> None:
    """Erased, then registered again, with the CRM down when it is asked: a new member, one row."""
    old = crm.member(member.member.mobile)["id"]
    erased = member.http.delete(f"{member.line.url}/v1/me", headers=member.authorized())
    again = journey_of(member.line, watch)
    again.member.mobile = member.member.mobile
    again.facts = member.facts
    again.phone = again.desktop()
    again.phone.get(f"{again.line.url}/register")
    forget_codes(member.line)
    crm.fault("status", times=4, status=503)

    again.prove_mobile()
    again.give_details()

    new = crm.member(member.member.mobile)
    rows = [r for r in crm.rows("identity") if r["value"] == member.member.mobile]
    assert erased.status_code == 200
    assert new["id"] != old
    assert [row["member"] for row in rows] == [new["id"]]
    again.sign_in()


@pytest.mark.every_crm
def test_a_stale_version_is_412(member: Journey, crm: Crm) -> None:
    """An edit based on what was read before somebody else's edit is refused."""
    etag = member.read().headers["ETag"]
    assert patch(member, "别人改的").status_code == 204

    answer = patch(member, "太晚了", **{"If-Match": etag})

    assert answer.status_code == 412
    assert crm.member(member.member.mobile)["given_name"] == "别人改的"


@pytest.mark.every_crm
def test_a_repeated_request_has_one_effect(member: Journey, crm: Crm) -> None:
    """The same Idempotency-Key with the same body is the same write; with another body, 422."""
    since = crm.last()
    key = {"Idempotency-Key": '"a-key-of-sixteen-characters"'}

    answers = [patch(member, "同一次", **key).status_code for _ in range(3)]

    assert answers == [204, 204, 204]
    assert crm.effects("given_name", since) == ["同一次"]
    assert patch(member, "另一次", **key).status_code == 422


@pytest.mark.every_crm
def test_a_member_reads_their_own_pending_write(member: Journey, crm: Crm) -> None:
    """`?after=` waits for the write, and `If-Match: "op-…"` builds on it."""
    crm.fault("slow", times=1, on="update", seconds=1)
    answer = patch(member, "等等", Prefer="respond-async")
    pending = answer.headers["ETag"]
    op = pending.strip('"').removeprefix("op-")

    on_top = patch(member, "在其上", **{"If-Match": pending, "Prefer": "wait=5"})
    me = member.http.get(
        f"{member.line.url}/v1/me?after={op}", headers=member.authorized(), timeout=20
    )

    assert on_top.status_code == 204
    assert me.json()["given_name"] == "在其上"


def test_another_member_learns_nothing_of_an_operation(
    member: Journey, line: "object", crm: Crm
) -> None:
    """An operation is its owner's: a client's token and a stranger get 404 or 403."""
    answer = patch(member, "我的", Prefer="respond-async")
    where = member.line.url + answer.headers["Location"]
    stranger = member.client_token("store-backend", "registrations:write")

    assert member.http.get(where, headers=bearer(stranger)).status_code in (403, 404)
    assert member.http.get(where).status_code == 401
