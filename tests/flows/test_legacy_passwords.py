"""Members of a Power Pages site, on the whole line: their old hash signs them in once."""

import time
from pathlib import Path

import pytest
import requests

from bridge.cli.journey import Journey, Member, StepFailed, bearer
from bridge.cli.line import ROOT, Line
from tests.support.collector import Taking
from tests.unit.test_aspnet_hashes import KNOWN, PASSWORD

COLUMN = "description"  # a stock text column, in the place of adx_identity_passwordhash


@pytest.fixture
def collector():
    made = Taking()
    yield made
    made.stop()


@pytest.fixture
def journey(tmp_path: Path, collector: Taking):
    """On a line whose mapping binds the other system's hash."""
    ours = "      credential: {column: cb_credential, type: text}\n"
    theirs = f"      legacy_credential: {{column: {COLUMN}, type: text}}\n"
    text = (ROOT / "mappings/dynamics.yaml").read_text().replace(ours, ours + theirs)
    mapping = tmp_path / "mapping.yaml"
    mapping.write_text(text.replace("not_held: [legacy_credential, ", "not_held: ["))
    overrides = {
        "BRIDGE_CRM__MAPPING": str(mapping),
        "BRIDGE_SECURITY_EVENTS__URL": collector.url,
        "BRIDGE_SECURITY_EVENTS__TOKEN": "a sandbox secret",
    }
    with Line(overrides=overrides) as line:
        journey = Journey(line, Member(password=PASSWORD))
        journey.phone = journey.desktop()
        journey.phone.get(f"{line.url}/register")
        journey.prove_mobile()
        journey.give_details()
        yield journey


def contact(journey: Journey) -> dict:
    (row,) = journey.crm_rows()["contacts"]
    return row


def put(journey: Journey, **columns: str | None) -> None:
    """As a migration would, by the Web API."""
    crm = journey.line.sandbox["dynamics"]
    form = {
        "grant_type": "client_credentials",
        "client_id": crm["writer"]["client_id"],
        "client_secret": crm["writer"]["client_secret"],
        "scope": f"{crm['url']}/.default",
    }
    token_url = f"{crm['authority']}/oauth2/v2.0/token"
    token = requests.post(token_url, data=form, verify=crm["ca_file"], timeout=10).json()
    requests.patch(
        f"{crm['url']}/api/data/v9.2/contacts({contact(journey)['contactid']})",
        json=columns,
        headers=bearer(token["access_token"]) | {"If-Match": "*"},
        verify=crm["ca_file"],
        timeout=10,
    ).raise_for_status()


def test_the_old_hash_signs_in_once_and_then_ours_does(journey: Journey, collector: Taking) -> None:
    """After the first sign-in the contact holds a hash of ours and the other is gone; a wrong
    password never signed in by either. The collector was told by one pseudonym, and of nothing
    that names the member."""
    put(journey, cb_credential=None, **{COLUMN: KNOWN["v3 sha256"]})
    journey.member.password = "not the password"
    with pytest.raises(StepFailed):
        journey.sign_in()
    assert contact(journey)[COLUMN] == KNOWN["v3 sha256"]
    journey.member.password = PASSWORD
    journey.sign_in()
    deadline = time.monotonic() + 15
    while contact(journey).get(COLUMN) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert contact(journey).get(COLUMN) is None
    assert contact(journey)["cb_credential"]
    journey.sign_in()
    assert journey.read().json()["given_name"] == journey.member.given_name
    events = collector.wait(4)
    assert [each["event"] for each in events] == [
        "registered",
        "sign-in-failed",
        "sign-in",
        "sign-in",
    ]
    assert len({each["who"] for each in events if each["who"]}) == 1
    for value in (*journey.member.canaries().values(), contact(journey)["contactid"], "127.0.0"):
        assert value not in str(events)
