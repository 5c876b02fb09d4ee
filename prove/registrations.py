"""Two devices that register one mobile at once make one member.

Not for: one device that asks twice. Both hold a proof of the number of their own, as two shop
assistants' tills do when they help each other; both send the form in the same moment.
"""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import requests

from bridge.cli.journey import bearer
from bridge.cli.line import Line
from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from bridge.parts import web_parts
from bridge.services import proofs
from prove.line import line, mobile, session
from prove.result import Result

LONG, SHORT = 200, 10
CLIENT = "store-backend"


def run(long: bool) -> Result:
    """On a line of its own."""
    with line() as running:
        return prove(running, LONG if long else SHORT)


def prove(running: Line, times: int) -> Result:
    """One after the other, each with a number of its own."""
    numbers = [mobile() for _ in range(times)]
    parts = web_parts(running.environ("web"))
    token = _token(running)
    bad = sum(not _one_answer(running, parts, token, number) for number in numbers)
    held = [_members(running, number) for number in numbers]
    good = held.count(1) if not bad else held.count(1) - bad
    promise = "Two devices that register one mobile at once make one member"
    return Result(promise, f"{good} of {times} races", held == [1] * times and not bad, 0)


def _one_answer(running: Line, parts: Any, token: str, number: str) -> bool:
    """Exactly one of the two is told that it made the member; the other is refused by a problem."""
    gate, binding = Barrier(2), proofs.client_binding(CLIENT)

    def register(_: int) -> requests.Response:
        form = {
            "proof": proofs.issue(parts, "mobile", number, "registration", binding),
            "given_name": "晓明",
            "family_name": "欧阳",
            "birth_date": "1990-05-17",
            "consents": [{"purpose": "membership", "granted": True, "text_version": "2026-11"}],
        }
        with session() as http:
            gate.wait()
            return http.post(
                f"{running.url}/v1/registrations",
                json=form,
                headers=bearer(token) | {"Prefer": "wait=5"},
                timeout=30,
            )

    with ThreadPoolExecutor(2) as pool:
        states = sorted(_state(running, token, answer) for answer in pool.map(register, range(2)))
    return states == ["made", "refused"]


def _state(running: Line, token: str, answer: requests.Response) -> str:
    if answer.status_code == 201:
        return "made"
    if answer.status_code in (409, 422):
        return "refused"
    while answer.status_code in (200, 202):
        found = answer.json()
        status = found.get("status", "pending")
        if status != "pending":
            return "made" if status == "applied" else "refused"
        where = answer.headers.get("Location", f"/v1/operations/{found.get('operation')}")
        with session() as http:
            answer = http.get(
                running.url + where, headers=bearer(token) | {"Prefer": "wait=5"}, timeout=30
            )
    return f"{answer.status_code}"


def _token(running: Line) -> str:
    with session() as http:
        answer = http.post(
            f"{running.url}/oauth/token",
            data={"grant_type": "client_credentials", "scope": "registrations:write"},
            auth=(CLIENT, SANDBOX_CLIENT_SECRETS[CLIENT]),
            timeout=20,
        )
    return str(answer.json()["access_token"])


def _members(running: Line, number: str) -> int:
    """Records of the CRM that have this number."""
    crm = running.crm
    url = f"{crm['url']}/_sandbox/state"
    with session() as http:
        tables = http.get(url, verify=crm["ca_file"], timeout=30).json()["tables"]
    return sum(number in row.values() for row in tables["contacts"])
