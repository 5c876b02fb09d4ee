"""The examples in a real browser, in front of the whole line: the React page on the BFF, and the
CMS that asks about tokens.
"""

import hashlib
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from playwright.sync_api import Browser, Page, Route, expect

from bridge.cli.journey import Journey, bearer
from bridge.cli.line import Line, free_port
from bridge.cli.processes import Child, wait_until
from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from tests.browser.conftest import DEVICES
from tests.browser.look import trouble

EXAMPLES = Path("examples")


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """Everything, and the React page's own server."""
    with Line() as running:
        running.start_site()
        yield running


@pytest.fixture(scope="module")
def member(line: Line) -> Journey:
    """Somebody who has joined."""
    journey = Journey(line)
    journey.phone = journey.desktop()
    journey.phone.get(f"{line.url}/register")
    journey.prove_mobile()
    journey.give_details()
    return journey


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh browser in English, which at the end must have had nothing to complain of."""
    context = browser.new_context(locale="en", **DEVICES["desktop"])
    complaints: list[str] = []
    made = context.new_page()
    made.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    made.on("pageerror", lambda error: complaints.append(str(error)))
    yield made
    context.close()
    assert complaints == []


def enter(page: Page, member: Journey) -> None:
    """From the site's button through the bridge's page and back."""
    page.goto(member.line.site_url)
    page.get_by_role("button", name="Sign in").click()
    page.fill("#identifier", member.member.mobile)
    page.fill("#password", member.member.password)
    page.locator("button.primary").click()
    page.wait_for_url(f"{member.line.site_url}/")
    expect(page.get_by_text(member.member.mobile)).to_be_visible()


@pytest.mark.browser
def test_a_member_signs_in_edits_and_signs_out_on_the_react_page(
    page: Page, member: Journey
) -> None:
    """Profile, an edit that the CRM holds afterwards, and a sign-out after which the next sign-in
    asks for the password. The script could never have seen a token."""
    sent: list[dict[str, str]] = []
    page.on("request", lambda request: sent.append(request.headers))
    enter(page, member)
    assert trouble(page) == {}
    page.get_by_label("Given name").fill("晓燕")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_text("Saved.")).to_be_visible()
    assert page.get_by_label("Given name").input_value() == "晓燕"
    assert [row["firstname"] for row in member.crm_rows()["contacts"]] == ["晓燕"]
    assert not [headers for headers in sent if "authorization" in headers]
    assert page.evaluate("[document.cookie, localStorage.length, sessionStorage.length]") == [
        "",
        0,
        0,
    ]
    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("#password")).to_be_visible()


@pytest.mark.browser
def test_the_react_page_shows_a_change_that_waits(page: Page, member: Journey) -> None:
    """While the worker stands still the change is told as accepted, then as saved."""
    enter(page, member)
    worker = member.line.children["worker"]
    worker.signal(signal.SIGSTOP)
    try:
        page.get_by_label("Family name").fill("欧阳二")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("is on its way")).to_be_visible()
    finally:
        worker.signal(signal.SIGCONT)
    expect(page.get_by_text("Saved.")).to_be_visible(timeout=15_000)
    assert page.get_by_label("Family name").input_value() == "欧阳二"


@pytest.mark.browser
def test_another_site_can_do_nothing_with_the_members_cookie(page: Page, member: Journey) -> None:
    """A page elsewhere calls with credentials and the header: the browser lets it read nothing, and
    the member stays signed in."""
    enter(page, member)
    elsewhere = page.context.new_page()

    def evil(route: Route) -> None:
        route.fulfill(body="<!doctype html><title>evil</title>", content_type="text/html")

    elsewhere.route("http://evil.example/", evil)
    elsewhere.goto("http://evil.example/")
    call = """async ([url, method]) => {
        try {
            const more = {method, credentials: 'include', headers: {'X-CSRF': '1'}};
            return (await fetch(url, more)).status;
        } catch (error) { return error.name; }
    }"""
    for path, method in (("api/me", "GET"), ("logout", "POST")):
        asked = [f"{member.line.url}/bff/{path}", method]
        assert elsewhere.evaluate(call, asked) == "TypeError"
    page.reload()
    expect(page.get_by_text(member.member.mobile)).to_be_visible()


@pytest.fixture(scope="module")
def cms(line: Line) -> Iterator[str]:
    """The CMS, as a process; gives its URL."""
    port = free_port()
    command = [sys.executable, str(EXAMPLES / "cms" / "gate.py"), "--port", str(port)]
    environ = {
        **os.environ,
        "BRIDGE": line.url,
        "SECRET": SANDBOX_CLIENT_SECRETS["cms"],
    }
    child = Child("cms", command, environ, line.directory / "cms.log")
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return requests.get(f"{url}/articles/opening", timeout=2).ok
        except requests.RequestException:
            return False

    try:
        wait_until(ready, 15, "the CMS", child)
        yield url
    finally:
        child.stop()


@pytest.mark.browser
def test_the_cms_shows_a_members_article_to_members_only(
    browser: Browser, member: Journey, cms: str
) -> None:
    """With a token that names this CMS the browser reads it; without, with a client's own, or after
    the sign-out it is told to sign in."""
    member.sign_in()
    tokens = {
        "nobody": {},
        "till": bearer(member.client_token("store-backend", "qr:write")),
        "member": member.authorized(),
    }
    said = {name: _read(browser, f"{cms}/articles/preview", tokens[name]) for name in tokens}
    member.sign_out()
    said["gone"] = _read(browser, f"{cms}/articles/preview", tokens["member"])
    assert {name for name, text in said.items() if "autumn watch" in text} == {"member"}
    assert all("sign in" in said[name] for name in ("nobody", "till", "gone"))
    assert "ten" in _read(browser, f"{cms}/articles/opening", {})


def _read(browser: Browser, url: str, headers: dict[str, str]) -> str:
    context = browser.new_context(extra_http_headers=headers)
    page = context.new_page()
    page.goto(url)
    text = page.inner_text("main")
    context.close()
    return text


def test_what_is_served_was_built_from_what_is_shown() -> None:
    """The digests of source and bundle are those that `make example` wrote last."""
    folder = EXAMPLES / "react"
    for line in (folder / "BUILT").read_text().splitlines():
        digest, name = line.split()
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest, name


@pytest.mark.parametrize("source", ["react/app.jsx", "react/serve.py", "cms/gate.py"])
def test_an_example_is_short(source: str) -> None:
    """Under 200 lines."""
    assert len((EXAMPLES / source).read_text().splitlines()) < 200
