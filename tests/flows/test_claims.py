"""Claiming on the whole line: a contact that staff made, found by its number in a request body."""

import uuid
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
import requests

from bridge.cli.line import Line
from tests.flows.on_the_line.conftest import ROOMY, Watch, forget_codes
from tests.flows.on_the_line.crm import Crm
from tests.flows.on_the_line.test_member_api import CONSENTS, Someone


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """One that knows claims."""
    with Line(overrides=ROOMY | {"BRIDGE_CLAIMS__ENABLED": "true"}) as running:
        yield running


@pytest.fixture
def watch(line: Line) -> Watch:
    return Watch(line)


def imported(crm: Crm, person: Someone) -> str:
    """A contact as an import leaves it, its number as staff spell it; gives the id."""
    local = person.member.mobile.removeprefix("+86")
    record = {
        "mobile": f"{local[:3]} {local[3:7]} {local[7:]}",
        "given_name": person.member.given_name,
        "birth_date": date.fromisoformat(person.member.birth_date),
        "email": person.member.email,
    }
    id = str(uuid.uuid4())
    with crm._staff() as staff:
        staff.create("member", id, record)
    return id


def post(person: Someone, path: str, **body: Any) -> requests.Response:
    """By the back end, with a fresh proof of the number."""
    forget_codes(person.line)
    return person.as_backend(path, {"proof": person.proof(), "consents": CONSENTS} | body)


def test_an_imported_contact_becomes_its_holders(line: Line, watch: Watch) -> None:
    """A registration is sent to the claim; the birth date opens it; the holder signs in to the
    very record; and no value rests on our side or stands in a URL of the CRM's."""
    person, crm = Someone(line, watch), Crm(line)
    id = imported(crm, person)
    refused = post(person, "/v1/registrations", given_name="New", family_name="Li")
    assert (refused.status_code, refused.json()["type"][-10:]) == (409, "/claimable")
    born, password = person.member.birth_date, person.member.password
    claimed = post(person, "/v1/claims", birth_date=born, password=password)
    assert claimed.status_code == 201, claimed.text
    person.sign_in()
    assert person.read().json()["given_name"] == person.member.given_name
    assert [row["id"] for row in crm.rows("member") if row["subject"]] == [id]
    assert watch.findings() == []
    assert watch.strays == []


def test_whoever_cannot_claim_it_leaves_it(line: Line, watch: Watch) -> None:
    """After three wrong facts a new contact is made, and the old one is marked for staff."""
    person, crm = Someone(line, watch), Crm(line)
    id = imported(crm, person)
    for _ in range(3):
        assert post(person, "/v1/claims", birth_date="1911-01-01").status_code == 422
    assert post(person, "/v1/claims", birth_date=person.member.birth_date).status_code == 409
    password = person.member.password
    made = post(person, "/v1/registrations", given_name="New", family_name="Li", password=password)
    assert made.status_code == 201, made.text
    person.sign_in()
    assert person.read().json()["given_name"] == "New"
    (old,) = [row for row in crm.rows("member") if row["id"] == id]
    assert old["review"] == "number-moved"
    assert watch.findings() == []
