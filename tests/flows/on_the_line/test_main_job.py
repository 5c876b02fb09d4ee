"""The main job on real input, and one trace through all of it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import requests

from bridge.cli.journey import Journey
from bridge.cli.walk import JOINED, Walk
from tests.flows.on_the_line.crm import Crm


def lines_of(path: Path, **wanted: str) -> list[dict[str, Any]]:
    """The log lines that have these fields."""
    found = [json.loads(text) for text in path.read_text().splitlines() if text.startswith("{")]
    return [line for line in found if all(line.get(k) == v for k, v in wanted.items())]


def test_one_member_end_to_end(journey: Journey, crm: Crm) -> None:
    """From the store's code to the record in Dynamics and back, every step holds."""
    done = [title for title, do in Walk(journey).steps() if do()]

    contact = crm.contact(journey.member.mobile)
    assert len(done) == 10
    assert contact["cb_registeredstore"] == "SH001"
    assert contact["cb_registeredscene"].startswith("SH001.autumn")
    assert contact["firstname"] == journey.member.edited_name
    assert contact["emailaddress1"] == journey.member.email
    kinds = {row["cb_kind"] for row in of_member(crm.rows("cb_identities"), contact)}
    assert kinds == {534120000, 534120002}  # mobile and WeChat
    consents = {r["cb_purpose"]: r for r in of_member(crm.rows("cb_consents"), contact)}
    assert consents["membership"]["cb_granted"] is True
    assert consents["membership"]["cb_textversion"] == "2026-11"


def of_member(rows: Iterable[dict[str, Any]], contact: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows that name the contact."""
    return [row for row in rows if row["_cb_member_value"] == contact["contactid"]]


def test_one_trace_from_the_scan_to_the_crm(journey: Journey, crm: Crm) -> None:
    """The callback's log line, the envelope, the worker's log line and the CRM's request agree."""
    for title, do in Walk(journey).steps():
        do()
        if title == JOINED:
            break

    heard = lines_of(journey.line.logs_by_name()["web"], event="wechat.callback")
    worked = lines_of(journey.line.logs_by_name()["worker"], event="write.done", verb="create")
    asked = [r for r in crm.requests() if journey.trace in str(r["headers"].get("traceparent"))]
    assert journey.trace in {line["trace"] for line in heard}
    # the worker's trace is what stood in the envelope's header: it has no other source
    assert journey.trace in {line["trace"] for line in worked}
    assert any(r["method"] == "POST" and "$batch" in r["path"] for r in asked)


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


def test_a_forwarded_link_registers_the_one_who_opens_it(journey: Journey, crm: Crm) -> None:
    """A link names a store and nobody: opened outside WeChat, no WeChat identity is bound."""
    journey.make_code()
    link = journey.scan()
    journey.phone = journey.desktop()
    journey.phone.get(link)

    journey.prove_mobile()
    journey.give_details()

    contact = crm.contact(journey.member.mobile)
    kinds = [row["cb_kind"] for row in of_member(crm.rows("cb_identities"), contact)]
    assert kinds == [534120000]
    assert contact["cb_registeredstore"] == "SH001"
