"""A desktop shows a code, a phone says yes: the real page, over the whole line."""

import requests

from bridge.cli.journey import Journey, bearer
from bridge.cli.line import Line

GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def post(line: Line, endpoint: str, **form: str) -> requests.Response:
    """The desktop's call."""
    data = {"client_id": "desk", **form}
    return requests.post(f"{line.url}/oauth/{endpoint}", data=data, timeout=20)


def test_a_phone_signs_a_desktop_in(member: Journey) -> None:
    """The scanned link asks for a sign-in first, then shows who asks; opening it approves nothing;
    yes gives the desktop the member."""
    line, phone = member.line, member.desktop()
    begun = post(line, "device_authorization", scope="openid member:read").json()
    phone.get(begun["verification_uri_complete"])
    assert phone.path() == "/sign-in"
    phone.submit(identifier=member.member.mobile, password=member.member.password)
    assert phone.path() == "/device"
    assert "Desktop app" in phone.text() and begun["user_code"] in phone.text()
    assert "the same network" in phone.text()
    poll = {"grant_type": GRANT, "device_code": begun["device_code"]}
    assert post(line, "token", **poll).json()["error"] == "authorization_pending"
    form = phone.forms()[-1]
    phone.post(f"{line.url}{form.action}", {**form.fields, "answer": "yes"})
    assert "Signed in on the other device" in phone.text()
    token = post(line, "token", **poll).json()
    me = requests.get(f"{line.url}/v1/me", headers=bearer(token["access_token"]), timeout=20)
    assert me.json()["mobile"] == member.member.mobile


def test_a_no_is_a_no(member: Journey) -> None:
    """And a form without the session's token is refused."""
    line, phone = member.line, member.site
    begun = post(line, "device_authorization").json()
    phone.get(begun["verification_uri_complete"])
    form = phone.forms()[-1]
    forged = phone.post(f"{line.url}{form.action}", {"csrf": "x", "answer": "yes"})
    assert forged.status_code == 403
    phone.get(begun["verification_uri_complete"])
    phone.post(f"{line.url}{form.action}", {**phone.forms()[-1].fields, "answer": "no"})
    poll = {"grant_type": GRANT, "device_code": begun["device_code"]}
    assert post(line, "token", **poll).json()["error"] == "access_denied"


def test_the_code_is_a_picture_too(line: Line) -> None:
    """For the desktop's own page, of whatever origin; a malformed code has none."""
    good = requests.get(f"{line.url}/device/code.svg?code=BCDF-GHJK", timeout=10)
    assert good.headers["Content-Type"].startswith("image/svg+xml")
    assert good.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert requests.get(f"{line.url}/device/code.svg?code=x", timeout=10).status_code == 404
