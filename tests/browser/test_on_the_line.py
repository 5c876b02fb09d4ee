"""The pages in front of the whole line: the sandbox's WeChat and Dataverse, a worker, two Redis
roles, the real authorize endpoint. A real browser does what the customer does.
"""

import secrets
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
import requests
from playwright.sync_api import Browser, BrowserContext, Page, Route

from bridge.cli.journey import REDIRECT, SCOPE, Journey, challenge_of
from bridge.cli.line import Line
from tests.browser.conftest import DEVICES
from tests.browser.look import trouble

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def line() -> Iterator[Line]:
    """Everything, as processes."""
    with Line() as running:
        yield running


@pytest.fixture
def complaints() -> Iterator[list[str]]:
    """What the browser complained of; at the end, nothing."""
    found: list[str] = []
    yield found
    assert found == []


def _page(browser: Browser, device: str, locale: str, complaints: list[str]) -> Page:
    context: BrowserContext = browser.new_context(locale=locale, **DEVICES[device])
    context.route(f"{REDIRECT}*", _arrived)
    page = context.new_page()
    page.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    return page


def _arrived(route: Route) -> None:
    """The client's site, which isn't there."""
    route.fulfill(body="<!doctype html><html lang=en><title>site</title>", content_type="text/html")


def _authorize(line: Line, verifier: str) -> str:
    query = {
        "response_type": "code",
        "client_id": "portal",
        "redirect_uri": REDIRECT,
        "scope": SCOPE,
        "state": "abc",
        "code_challenge": challenge_of(verifier),
        "code_challenge_method": "S256",
    }
    return f"{line.url}/oauth/authorize?{urlencode(query)}"


def _join(page: Page, journey: Journey) -> None:
    """From the first step to the end of the last."""
    member = journey.member
    sent = time.time()
    page.fill("#mobile", member.mobile)
    page.click("button.primary")
    page.fill("#code", journey.code(member.mobile, sent))
    page.click("button.primary")
    for name in ("given_name", "family_name", "email", "password"):
        page.fill(f"#{name}", getattr(member, name))
    for name, part in zip(("year", "month", "day"), member.birth_date.split("-"), strict=True):
        page.fill(f"[name=birth_{name}]", part)
    page.check("#consent_membership")
    page.click("button.primary")


def _tokens(line: Line, page: Page, verifier: str) -> dict[str, str]:
    page.wait_for_url(f"{REDIRECT}*")
    given = parse_qs(urlsplit(page.url).query)
    assert (given["state"], given["iss"]) == (["abc"], [line.url])
    form = {
        "grant_type": "authorization_code",
        "client_id": "portal",
        "code": given["code"][0],
        "redirect_uri": REDIRECT,
        "code_verifier": verifier,
    }
    answer = requests.post(f"{line.url}/oauth/token", data=form, timeout=10)
    assert answer.status_code == 200
    return dict(answer.json())


def _name(line: Line, tokens: dict[str, str]) -> str:
    bearer = {"Authorization": f"Bearer {tokens['access_token']}"}
    answer = requests.get(f"{line.url}/v1/me", headers=bearer, timeout=10)
    return str(answer.json()["given_name"])


def test_from_the_stores_code_to_the_member_site(
    browser: Browser, line: Line, complaints: list[str]
) -> None:
    """Scan, welcome, link inside WeChat, joining; later a sign-in on a desktop gives the site's
    client a token that reads the same member. The browser has nothing to complain of on the way,
    though the sign-in form's redirect ends on another origin."""
    journey = Journey(line)
    journey.make_code()
    link = journey.scan()
    phone = _page(browser, "phone", "zh-CN", complaints)
    wechat = f"{journey.wechat['url']}/_sandbox/wechat/as"
    phone.goto(f"{wechat}?openid={journey.follower['openid']}")
    complaints.clear()  # the sandbox's page is not ours
    phone.goto(link)
    assert phone.locator(".place").inner_text() == "上海南京西路店"
    _join(phone, journey)
    phone.wait_for_url("**/register/welcome*")
    assert trouble(phone) == {}
    rows = journey.crm_rows()
    assert [row["cb_registeredstore"] for row in rows["contacts"]] == ["SH001"]
    assert any(journey.follower["openid"] in str(row["cb_value"]) for row in rows["cb_identities"])
    site, verifier = _page(browser, "desktop", "en", complaints), secrets.token_urlsafe(48)
    site.goto(_authorize(line, verifier))
    site.fill("#identifier", journey.member.mobile)
    site.fill("#password", journey.member.password)
    site.click("button.primary")
    assert _name(line, _tokens(line, site, verifier)) == journey.member.given_name
    site.go_back()
    site.goto(f"{line.url}/oauth/authorize?continue=over")
    assert site.url.endswith("/error?type=sign-in-over")
    assert trouble(site) == {}
    complaints.clear()  # Chromium's own line for a status of 400
    site.goto(f"{line.url}/oauth/logout")
    assert site.url.endswith("/signed-in"), "a link without a hint asks first"
    site.click("button.secondary")
    assert site.url.endswith("/signed-out")


def test_joining_on_the_way_to_a_site_ends_there(
    browser: Browser, line: Line, complaints: list[str]
) -> None:
    """Who joins because a site asked for a sign-in ends on that site, signed in, without typing the
    password again."""
    journey = Journey(line)
    journey.member.mobile = "+8613811110002"
    page, verifier = _page(browser, "desktop", "en", complaints), secrets.token_urlsafe(48)
    page.goto(_authorize(line, verifier))
    page.click(".turn a[href*='/register']")
    _join(page, journey)
    assert _name(line, _tokens(line, page, verifier)) == journey.member.given_name
