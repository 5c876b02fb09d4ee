"""A Chromium, pages in it that tell when something isn't right, and the site that they look at.

Without a Chromium the tests that need one are skipped, and the summary says so; with
BRIDGE_REQUIRE_BROWSER=1 they fail.
"""

import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.browser.stage import Stage, running

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WECHAT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148 MicroMessenger/8.0.56(0x18003830) NetType/WIFI Language/zh_CN"
)
DEVICES: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 375, "height": 667}, "user_agent": WECHAT, "has_touch": True},
    "small": {"viewport": {"width": 320, "height": 568}, "user_agent": WECHAT, "has_touch": True},
    "desktop": {"viewport": {"width": 1280, "height": 800}},
}
_skipped: list[str] = []


def chromium() -> str | None:
    """Where it is, or None."""
    names = ("chromium", "chromium-browser", "google-chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Loud, since a skipped browser test says nothing about the pages."""
    if _skipped:
        text = f"NO CHROMIUM FOUND: {len(_skipped)} browser tests were SKIPPED"
        terminalreporter.write_sep("!", text, red=True, bold=True)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Before any fixture, so that nothing is started in vain."""
    if item.get_closest_marker("browser") and not chromium():
        if os.environ.get("BRIDGE_REQUIRE_BROWSER") == "1":
            pytest.fail("no Chromium on this machine")
        _skipped.append(item.nodeid)
        pytest.skip("no Chromium on this machine")


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    with sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=chromium(), args=FLAGS)
        yield found
        found.close()


@pytest.fixture(scope="session")
def site() -> Iterator[Stage]:
    """One site for all tests; each test uses a number of its own."""
    with running() as stage:
        yield stage


@pytest.fixture(autouse=True)
def _restored(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "site" in request.fixturenames:
        stage: Stage = request.getfixturevalue("site")
        stage.worker.paused.clear()
        stage.line.cut = False
        stage.parts.limits = stage.limits()
        stage.parts.settings.wechat.enabled = False


@dataclass
class Tab:
    """A page, and what it did: URLs asked for, and complaints (console errors, policy violations,
    requests to another host)."""

    page: Page
    context: BrowserContext
    urls: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)


@pytest.fixture
def tab(browser: Browser, site: Stage) -> Iterator[Callable[..., Tab]]:
    """`tab("phone", …)` opens one; at the end it must have had nothing to complain of."""
    opened: list[Tab] = []

    def make(device: str, locale: str = "zh-CN", **options: Any) -> Tab:
        context = browser.new_context(locale=locale, **{**DEVICES[device], **options})
        made = Tab(context.new_page(), context)
        _watch(made, site.url)
        opened.append(made)
        return made

    yield make
    for each in opened:
        each.context.close()
    assert [complaint for each in opened for complaint in each.complaints] == []


def _watch(tab: Tab, home: str) -> None:
    def asked(request: Any) -> None:
        tab.urls.append(request.url)
        if not request.url.startswith((home, "data:")):
            tab.complaints.append("another host was asked")

    def said(message: Any) -> None:
        refused = "the server responded with a status of" in message.text  # a 4xx page's own line
        if message.type == "error" and not refused:
            tab.complaints.append(message.text)

    tab.page.on("request", asked)
    tab.page.on("console", said)
    tab.page.on("pageerror", lambda error: tab.complaints.append(str(error)))
