"""The pages on which a phone approves a screen, in a browser: nothing against any of them."""

import time
from collections.abc import Callable

import pytest

from bridge.store.devices import Asked
from tests.browser.conftest import Tab
from tests.browser.look import trouble
from tests.browser.stage import Stage
from tests.browser.steps import PASSWORD, fill_details, fresh_number, prove, submit

pytestmark = pytest.mark.browser


@pytest.mark.parametrize(("device", "lang"), [("phone", "zh-CN"), ("small", "en")])
def test_each_page_of_an_approval_is_right(
    tab: Callable[..., Tab], site: Stage, device: str, lang: str
) -> None:
    """The typed code, a wrong one, the sign-in on the way, the question, yes, and no afterwards."""
    page, number = tab(device, lang).page, fresh_number()
    page.goto(f"{site.url}/register")
    prove(page, site, number)
    fill_details(page)
    submit(page)
    page.wait_for_url("**/register/welcome*")
    page.context.clear_cookies()
    asked = Asked("site", "openid", int(time.time()), "198.51.100.0/24", "Windows Chrome")
    _, code = site.parts.devices.start(asked)
    page.goto(f"{site.url}/device")
    assert trouble(page) == {}
    page.fill("#code", code.lower())
    submit(page)
    page.fill("#identifier", number)
    page.fill("#password", PASSWORD)
    submit(page)
    page.wait_for_url("**/device*")
    assert trouble(page) == {}
    told = page.inner_text("main")
    assert code in told and "198.51.100.0/24" in told and "Windows Chrome" in told
    submit(page)
    assert page.url.endswith("/device/answer")
    assert trouble(page) == {}
    page.goto(f"{site.url}/device?code={code}")
    assert page.locator("#code-error").is_visible()
    assert trouble(page) == {}
