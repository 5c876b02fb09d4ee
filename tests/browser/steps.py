"""What a person does on the pages, step by step. Not for: asserting."""

import itertools

from playwright.sync_api import Page

from tests.browser.stage import Stage

PASSWORD = "slow hands, 3 of them"
_numbers = itertools.count(13_800_138_000)


def fresh_number() -> str:
    """A mobile number that no other test uses."""
    return str(next(_numbers))


def submit(page: Page) -> None:
    """Press the page's main button."""
    page.locator("button.primary").click()


def prove(page: Page, site: Stage, number: str) -> None:
    """The first two steps: the number and the code that came."""
    page.fill("#mobile", number)
    submit(page)
    page.fill("#code", site.code(f"+86{number}"))
    submit(page)


def fill_details(page: Page) -> None:
    """The third step, but for its button."""
    page.fill("#family_name", "李")
    page.fill("#given_name", "薇")
    page.fill("#email", "li.wei@example.com")
    page.fill("[name=birth_year]", "1990")
    page.fill("[name=birth_month]", "2")
    page.fill("[name=birth_day]", "3")
    page.fill("#password", PASSWORD)
    page.check("#consent_membership")


def join(page: Page, site: Stage, number: str) -> None:
    """All three steps, from an open first one to the welcome."""
    prove(page, site, number)
    fill_details(page)
    submit(page)
    page.wait_for_url("**/register/welcome*")


def sign_in(page: Page, number: str) -> None:
    """By the password, on the page that asks for it."""
    page.fill("#identifier", number)
    page.fill("#password", PASSWORD)
    submit(page)
