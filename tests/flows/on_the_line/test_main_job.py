"""The main job on real input, and one trace through all of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import requests

from bridge.cli.journey import Journey
from bridge.cli.walk import JOINED, Walk
from tests.flows.on_the_line.crm import Crm


def lines_of(path: Path, **wanted: str) -> list[dict[str, Any]]:
    """The log lines that have these fields."""
    found = [json.loads(text) for text in path.read_text().splitlines() if text.startswith("{")]
    return [line for line in found if all(line.get(k) == v for k, v in wanted.items())]


@pytest.mark.every_crm
def test_one_member_end_to_end(journey: Journey, crm: Crm) -> None:
    """From the store's code to the record in the CRM and back, every step holds."""
    done = [title for title, do in Walk(journey).steps() if do()]

    member = crm.member(journey.member.mobile)
    assert len(done) == 10
    assert member["registered_store"] == "SH001"
    assert member["registered_scene"].startswith("SH001.autumn")
    assert member["given_name"] == journey.member.edited_name
    assert member["email"] == journey.member.email
    kinds = {row["kind"] for row in crm.rows_of("identity", member)}
    assert kinds == {"mobile", "wechat_oa"}
    consents = {row["purpose"]: row for row in crm.rows_of("consent", member)}
    assert consents["membership"]["granted"] is True
    assert consents["membership"]["text_version"] == "2026-11"


@pytest.mark.every_crm
def test_one_trace_from_the_scan_to_the_crm(journey: Journey, crm: Crm) -> None:
    """The callback's log line, the envelope, the worker's log line and the CRM's request agree."""
    for title, do in Walk(journey).steps():
        do()
        if title == JOINED:
            break

    heard = lines_of(journey.line.logs_by_name()["web"], event="wechat.callback")
    worked = lines_of(journey.line.logs_by_name()["worker"], event="write.done", verb="create")
    asked = [
        r for r in crm.asked("create") if journey.trace in str(r["headers"].get("traceparent"))
    ]
    assert journey.trace in {line["trace"] for line in heard}
    # the worker's trace is what stood in the envelope's header: it has no other source
    assert journey.trace in {line["trace"] for line in worked}
    assert asked


def test_a_doubled_callback_changes_nothing(journey: Journey) -> None:
    """The same push three times gets the same welcome three times, and one decision."""
    code = journey.make_code()
    push = {"openid": journey.follower["openid"], "ticket": code["ticket"], "copies": 3}

    done = requests.post(f"{journey.wechat['url']}/_sandbox/scan", json=push, timeout=20).json()

    links = {str(each["reply"]["fields"]["Content"]).split("~")[0] for each in done["attempts"]}
    assert len(done["attempts"]) == 3
    assert len(links) == 1
    seen = lines_of(journey.line.logs_by_name()["web"], event="wechat.callback")[-3:]
    assert sorted(line["outcome"] for line in seen) == ["duplicate", "duplicate", "store-welcome"]


@pytest.mark.every_crm
def test_a_forwarded_link_registers_the_one_who_opens_it(journey: Journey, crm: Crm) -> None:
    """A link names a store and nobody: opened outside WeChat, no WeChat identity is bound."""
    journey.make_code()
    link = journey.scan()
    journey.phone = journey.desktop()
    journey.phone.get(link)

    journey.prove_mobile()
    journey.give_details()

    member = crm.member(journey.member.mobile)
    assert [row["kind"] for row in crm.rows_of("identity", member)] == ["mobile"]
    assert member["registered_store"] == "SH001"
