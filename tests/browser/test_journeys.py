"""What a person can do on the pages: by keyboard, without JavaScript, twice, backwards, while the
CRM is slow. Each journey is with real sessions, codes, sealed mailboxes and a drain.
"""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from bridge.pages import joining
from tests.browser.conftest import WECHAT, Tab
from tests.browser.stage import Stage
from tests.browser.steps import PASSWORD, fill_details, fresh_number, join, prove, sign_in, submit

pytestmark = pytest.mark.browser

AUTHORIZE = "/oauth/authorize?ui_locales=en"


def _named(site: Stage, number: str) -> list[dict[str, object]]:
    return [each for each in site.members() if each["mobile"] == f"+86{number}"]


def _press(page: Page, *presses: str) -> None:
    for each in presses:
        page.keyboard.press(each)


def _focus(page: Page) -> str:
    """The name or class of what has the focus; it must be seen to have it."""
    seen = page.evaluate("""() => {
      const e = document.activeElement, s = getComputedStyle(e.closest('.choice label') || e);
      return [e.name || e.className || e.tagName, s.outlineStyle, s.outlineWidth]; }""")
    assert seen[1] != "none", f"no focus ring on {seen[0]}"
    assert seen[2] != "0px", f"no focus ring on {seen[0]}"
    return str(seen[0])


def _tab_to(page: Page, name: str) -> None:
    for _ in range(12):
        page.keyboard.press("Tab")
        if _focus(page) == name:
            return
    raise AssertionError(f"{name} can't be reached")


def test_keyboard_alone_is_enough(tab: Callable[..., Tab], site: Stage) -> None:
    """Everything can be reached, seen and worked with Tab, Space, arrows and Enter."""
    page, number = tab("desktop", "en").page, fresh_number()
    page.goto(site.link())
    _tab_to(page, "mobile")
    page.keyboard.type(number)
    _press(page, "Enter")
    page.wait_for_url("**/register/code*")
    _tab_to(page, "code")
    page.keyboard.type(site.code(f"+86{number}"))
    _press(page, "Enter")
    page.wait_for_url("**/register/details*")
    typed = {"given_name": "Wei", "family_name": "Li", "email": "wei@example.com"}
    typed |= {"birth_day": "3", "birth_month": "2", "birth_year": "1990"}
    for name, text in typed.items():
        _tab_to(page, name)
        page.keyboard.type(text)
    _tab_to(page, "gender")
    _press(page, "Space", "ArrowRight")
    _tab_to(page, "password")
    page.keyboard.type(PASSWORD)
    _tab_to(page, "consent_membership")
    _press(page, "Space")
    _tab_to(page, "primary")
    _press(page, "Enter")
    page.wait_for_url("**/register/welcome*")
    assert [each["gender"] for each in _named(site, number)] == ["male"]


def test_javascript_is_not_needed(tab: Callable[..., Tab], site: Stage) -> None:
    """With JavaScript off a member joins, waits on a page that refreshes itself, and signs in."""
    page, number = tab("phone", java_script_enabled=False).page, fresh_number()
    page.goto(site.link())
    prove(page, site, number)
    fill_details(page)
    site.worker.paused.set()
    submit(page)
    page.wait_for_url("**/register/pending*")
    site.worker.paused.clear()
    page.wait_for_url("**/register/welcome*", timeout=15_000)
    page.goto(site.url + AUTHORIZE)
    page.fill("#identifier", number)
    page.fill("#password", PASSWORD)
    submit(page)
    page.wait_for_url("**/oauth/arrived?code=yes")


def test_nobody_is_signed_in_before_the_crm_confirmed(tab: Callable[..., Tab], site: Stage) -> None:
    """While the CRM hasn't the record the visit waits, not signed in; then it goes on by itself to
    the client that sent it."""
    page, number = tab("phone").page, fresh_number()
    page.goto(site.url + AUTHORIZE)
    page.click(".turn a[href*='/register']")
    prove(page, site, number)
    fill_details(page)
    site.worker.paused.set()
    submit(page)
    page.wait_for_url("**/register/pending*")
    handle = page.url.partition("continue=")[2]
    other = page.context.new_page()
    other.goto(f"{site.url}/oauth/authorize?continue={handle}")
    assert other.url.endswith("code=no")
    other.close()
    site.worker.paused.clear()
    page.wait_for_url("**/oauth/arrived?code=yes")
    assert len(_named(site, number)) == 1


def test_a_slow_crm_is_said_to_be_slow(
    tab: Callable[..., Tab], site: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while the waiting page says that one may leave, and that nothing is lost."""
    monkeypatch.setattr(joining, "LONG_SECONDS", 0)
    page = tab("phone", "en").page
    page.goto(site.link())
    prove(page, site, fresh_number())
    fill_details(page)
    site.worker.paused.set()
    submit(page)
    page.wait_for_url("**/register/pending*")
    expect(page.get_by_role("status")).to_contain_text("Your application is safe")


def test_sent_twice_is_one_registration(tab: Callable[..., Tab], site: Stage) -> None:
    """Two clicks, with and without JavaScript's help, make one member."""
    for options in ({}, {"java_script_enabled": False}):
        page, number = tab("phone", **options).page, fresh_number()
        page.goto(site.link())
        prove(page, site, number)
        fill_details(page)
        page.locator("button.primary").dblclick(no_wait_after=True)
        page.wait_for_url("**/register/welcome*")
        assert len(_named(site, number)) == 1


def test_the_back_button_does_no_harm(tab: Callable[..., Tab], site: Stage) -> None:
    """From the welcome back through the steps: no error page, and sending again makes nothing."""
    page, number = tab("phone").page, fresh_number()
    page.goto(site.link())
    join(page, site, number)
    for _ in range(3):
        page.go_back()
        expect(page.locator("h1")).to_be_visible()
        assert page.locator(".moment.trouble, .reference").count() == 0
    assert len(_named(site, number)) == 1


def test_the_first_wrong_field_has_the_focus(tab: Callable[..., Tab], site: Stage) -> None:
    """After a refused form the first wrong field has the focus, is described by its error, and
    what was typed is still there, but for the password."""
    page = tab("phone", "en").page
    page.goto(site.link())
    prove(page, site, fresh_number())
    fill_details(page)
    page.fill("#given_name", "")
    page.fill("[name=birth_month]", "13")
    submit(page)
    wrong = page.locator("[aria-invalid=true]")
    expect(wrong.first).to_be_focused()
    expect(wrong.first).to_have_attribute("aria-describedby", "given_name-error")
    expect(page.locator("#given_name-error")).to_have_text("Please fill in: Given name.")
    expect(page.locator(".summary li")).to_have_count(2)
    expect(page.locator("#email")).to_have_value("li.wei@example.com")
    expect(page.locator("#password")).to_have_value("")
    assert page.title().startswith("Error: ")


def test_comforts_of_javascript(tab: Callable[..., Tab], site: Stage) -> None:
    """The password can be shown, and another code can't be asked for before its time."""
    page = tab("phone", "en").page
    page.goto(site.url + "/sign-in")
    page.fill("#password", "secret")
    page.click(".reveal")
    expect(page.locator("#password")).to_have_attribute("type", "text")
    expect(page.locator(".reveal")).to_have_attribute("aria-pressed", "true")
    page.goto(site.url + "/register")
    page.fill("#mobile", fresh_number())
    submit(page)
    again = page.locator("[data-wait]")
    expect(again).to_be_disabled()
    expect(again).to_contain_text("Send a new code in 5")


def test_the_language_is_the_clients_then_the_persons(tab: Callable[..., Tab], site: Stage) -> None:
    """`ui_locales` of the waiting client beats the browser's language; the switch beats both, and
    lasts."""
    page = tab("phone", "zh-CN").page
    html = page.locator("html")
    page.goto(site.url + "/sign-in")
    expect(html).to_have_attribute("lang", "zh-CN")
    page.goto(site.url + AUTHORIZE)
    expect(html).to_have_attribute("lang", "en")
    page.click(".languages a")
    expect(html).to_have_attribute("lang", "zh-CN")
    page.click(".turn a[href*='/register']")
    expect(page).to_have_url(f"{site.url}/register?{page.url.partition('?')[2]}")
    expect(html).to_have_attribute("lang", "zh-CN")


def test_nothing_personal_is_in_urls_or_hidden_fields(tab: Callable[..., Tab], site: Stage) -> None:
    """A whole registration asks for no URL, and hides no field, that holds what was typed."""
    made, number = tab("phone", user_agent=WECHAT), fresh_number()
    hidden: list[str] = []

    def look(page: Page) -> None:
        hidden.extend(page.locator("[type=hidden]").evaluate_all("all => all.map(e => e.name)"))

    made.page.on("domcontentloaded", look)
    made.page.goto(site.link())
    join(made.page, site, number)
    made.page.wait_for_load_state()
    for typed in (number, "li.wei", "example.com", "1990", "%E6%9D%8E"):
        assert not any(typed in url for url in made.urls), typed
    assert set(hidden) == {"csrf"}


def test_an_account_is_changed_and_erased_without_javascript(
    tab: Callable[..., Tab], site: Stage
) -> None:
    """Every form and the page that waits work; no URL and no hidden field holds a value."""
    made, number = tab("phone", "en", java_script_enabled=False), fresh_number()
    page = made.page
    page.goto(f"{site.url}/register")
    join(page, site, number)
    page.goto(f"{site.url}/account/profile")
    sign_in(page, number)
    site.worker.paused.set()
    page.fill("#given_name", "芳")
    submit(page)
    page.wait_for_url("**/account/pending*")
    site.worker.paused.clear()
    page.get_by_text("Your change is saved.").wait_for()
    assert page.get_by_text("芳").is_visible()
    page.get_by_role("link", name="Delete my membership").click()
    page.check("#sure")
    submit(page)
    page.get_by_text("Your membership is erased").wait_for()
    assert not [url for url in made.urls if number in url or "li.wei" in url]
