"""Each page, in both languages, inside WeChat on two sizes of phone, and on a desktop."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Tab
from tests.browser.look import trouble
from tests.browser.stage import Stage
from tests.browser.steps import fill_details, fresh_number, join, prove, sign_in, submit

pytestmark = pytest.mark.browser


def _good(page: Page, lang: str) -> None:
    assert page.locator("html").get_attribute("lang") == lang
    assert trouble(page) == {}, page.url


@pytest.mark.parametrize(
    ("device", "lang", "scheme"),
    [
        ("phone", "zh-CN", "light"),
        ("small", "en", "light"),
        ("desktop", "en", "light"),
        ("desktop", "zh-CN", "dark"),
    ],
)
def test_each_page_of_joining_is_right(
    tab: Callable[..., Tab], site: Stage, device: str, lang: str, scheme: str
) -> None:
    """From the link to the welcome, with and without mistakes, no page has anything against it."""
    page, number = tab(device, lang, color_scheme=scheme).page, fresh_number()
    page.goto(site.link())
    _good(page, lang)
    submit(page)
    _good(page, lang)
    page.fill("#mobile", number)
    submit(page)
    _good(page, lang)
    page.fill("#code", "000000")
    submit(page)
    _good(page, lang)
    page.fill("#code", site.code(f"+86{number}"))
    submit(page)
    _good(page, lang)
    submit(page)
    _good(page, lang)
    site.worker.paused.set()
    fill_details(page)
    submit(page)
    page.wait_for_url("**/register/pending*")
    _good(page, lang)
    site.worker.paused.clear()
    page.wait_for_url("**/register/welcome*")
    _good(page, lang)
    page.goto(f"{site.url}/register")
    prove(page, site, number)
    page.wait_for_url("**/register/already*")
    _good(page, lang)


@pytest.mark.parametrize(
    ("device", "lang", "scheme"),
    [("phone", "zh-CN", "dark"), ("small", "en", "light"), ("desktop", "en", "light")],
)
def test_each_other_page_is_right(
    tab: Callable[..., Tab], site: Stage, device: str, lang: str, scheme: str
) -> None:
    """Signing in, with its mistakes, and what is said when something is wrong."""
    page = tab(device, lang, color_scheme=scheme).page
    paths = ["/sign-in", "/sign-in/code", "/signed-out", "/error", "/register?s=forged"]
    for path in [*paths, "/error?type=too-many", "/error?type=sign-in-over", "/no-such-page"]:
        page.goto(site.url + path)
        _good(page, lang)
    page.goto(site.url + "/sign-in")
    submit(page)
    _good(page, lang)
    page.fill("#identifier", "nobody@example.com")
    page.fill("#password", "not a password")
    submit(page)
    _good(page, lang)


@pytest.mark.parametrize(
    ("device", "lang", "scheme"), [("phone", "zh-CN", "light"), ("desktop", "en", "dark")]
)
def test_each_page_of_an_account_is_right(
    tab: Callable[..., Tab], site: Stage, device: str, lang: str, scheme: str
) -> None:
    """From the account to its end, with and without mistakes."""
    page, number = tab(device, lang, color_scheme=scheme).page, fresh_number()
    page.goto(f"{site.url}/register")
    join(page, site, number)
    page.goto(f"{site.url}/account/confirm")
    sign_in(page, number)
    _good(page, lang)
    for path in ("", "/profile", "/consents", "/addresses", "/email", "/password"):
        page.goto(f"{site.url}/account{path}")
        _good(page, lang)
    for path in ("/sessions", "/export"):
        page.goto(f"{site.url}/account{path}")
        _good(page, lang)
    page.goto(f"{site.url}/account/profile")
    page.fill("#given_name", "")
    submit(page)
    _good(page, lang)
    page.goto(f"{site.url}/account/erase")
    submit(page)
    _good(page, lang)
    page.check("#sure")
    submit(page)
    page.wait_for_selector("code")
    _good(page, lang)
