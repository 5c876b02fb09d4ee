"""A CRM that checks passwords itself: its portal's password signs a member in."""

import pytest
import requests

from bridge.cli.journey import Journey, Member, StepFailed
from bridge.cli.line import Line

PASSWORD = "portal-Right-1"


@pytest.fixture
def journey():
    """A member of SugarCRM who registered, with a password of the portal in place of ours."""
    with Line(crm="sugarcrm", overrides={"BRIDGE_CRM__OPTIONS__PASSWORDS": "portal"}) as line:
        made = Journey(line, Member())
        made.phone = made.desktop()
        made.phone.get(f"{line.url}/register")
        made.prove_mobile()
        made.give_details()
        own = {"portal_name": "ann", "portal_active": True, "portal_password": PASSWORD}
        staff(line, {"cb_credential_c": "", **own})
        yield made


def staff(line: Line, columns: dict) -> None:
    """As an administrator of the CRM would, by its API."""
    crm = line.sandbox["sugarcrm"]
    url, ca = f"{crm['url']}/rest/v11", crm["ca_file"]
    form = {
        "grant_type": "password",
        "client_id": "sugar",
        "client_secret": "",
        "username": crm["username"],
        "password": crm["password"],
        "platform": "base",
    }
    token = requests.post(f"{url}/oauth2/token", json=form, verify=ca, timeout=10).json()
    headers = {"OAuth-Token": token["access_token"]}
    found = requests.get(f"{url}/Contacts", headers=headers, verify=ca, timeout=10).json()
    (contact,) = [row for row in found["records"] if row.get("cb_credential_c")]
    done = requests.put(
        f"{url}/Contacts/{contact['id']}", json=columns, headers=headers, verify=ca, timeout=10
    )
    assert done.status_code == 200, done.text


def test_the_portals_password_signs_in_and_no_other_does(journey: Journey) -> None:
    """The one that was chosen here is gone; the CRM's own counts, and stays the CRM's."""
    with pytest.raises(StepFailed):
        journey.sign_in()
    journey.member.password = PASSWORD
    journey.sign_in()
    assert journey.read().json()["given_name"] == journey.member.given_name
