"""A member at a site whose tokens the BFF holds, over the whole line: the real pages, API, CRM."""

import json

import pytest
import requests

from bridge.cli.journey import Journey
from bridge.cli.line import Line
from bridge.cli.visitor import Visitor


class Page:
    """The site's script in one browser: calls with the cookie, the origin and the header."""

    def __init__(self, line: Line, browser: Visitor) -> None:
        self.line, self.browser = line, browser

    def __call__(self, method: str, path: str, **more: object) -> requests.Response:
        headers = {"Origin": self.line.site_url, "X-CSRF": "1", **dict(more.pop("headers", {}))}  # type: ignore[call-overload]
        return self.browser.session.request(
            method, f"{self.line.url}/bff{path}", headers=headers, timeout=20, **more
        )


@pytest.fixture
def page(member: Journey) -> Page:
    """Signed in through the hosted page."""
    browser = member.desktop()
    answer = browser.session.get(
        f"{member.line.url}/bff/login?client_id=react", allow_redirects=False
    )
    browser.follow(answer, member.line.site_url)
    back = browser.submit(
        identifier=member.member.mobile,
        password=member.member.password,
        stop_at=member.line.site_url,
    )
    assert back.headers["Location"] == f"{member.line.site_url}/"
    return Page(member.line, browser)


def test_a_member_reads_and_changes_the_own_record(member: Journey, page: Page) -> None:
    """Profile, edit on top of its ETag, the pending state, and no token in anything seen."""
    me = page("GET", "/api/me")
    assert me.json()["given_name"] == member.member.given_name
    changed = page(
        "PATCH",
        "/api/me",
        json={"given_name": member.member.edited_name},
        headers={"If-Match": me.headers["ETag"], "Prefer": "respond-async"},
    )
    assert changed.status_code == 202
    operation = changed.headers["Location"].removeprefix("/bff")
    assert operation.startswith("/api/operations/")
    assert page("GET", operation, headers={"Prefer": "wait=5"}).json()["status"] == "applied"
    again = page("GET", "/api/me?fields=given_name")
    assert again.json() == {"given_name": member.member.edited_name}
    stale = page("PATCH", "/api/me", json={"gender": None}, headers={"If-Match": '"no"'})
    assert stale.status_code == 412
    seen = [[dict(a.headers), a.text] for a in (*page.browser.seen, me, changed, again)]
    assert "v1." not in json.dumps(seen) and "access_token" not in json.dumps(seen)


def test_after_signing_out_the_next_sign_in_asks_again(member: Journey, page: Page) -> None:
    """The session at the hosted pages has ended too."""
    assert page("POST", "/logout").status_code == 204
    assert page("GET", "/api/me").status_code == 401
    answer = page.browser.session.get(
        f"{member.line.url}/bff/login?client_id=react", allow_redirects=False
    )
    page.browser.follow(answer, member.line.site_url)
    assert page.browser.path() == "/sign-in"
