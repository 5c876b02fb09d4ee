"""The pages under a brand's own colours, logo and texts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from bridge.pages import brand
from bridge.pages.frame import LOOK
from config.schema import ColoursPart
from tests.browser.conftest import Tab
from tests.browser.look import trouble
from tests.browser.stage import Stage

pytestmark = pytest.mark.browser

LOGO = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 120 40"><path fill="#fff"
d="M4 36L24 4l20 32zM60 4h56v8H60zm0 20h40v8H60z"/></svg>"""
COLOURS = {
    "light": {"accent": "#7a1f3d", "accent_deep": "#5c1730", "band": "#2b0f18"},
    "dark": {"accent": "#f0a6bd", "accent_deep": "#f6c6d5", "on_accent": "#2b0f18"},
}
TEXTS = "en: {sign_in: {lead: 'Good to see you, again.'}}"


@pytest.fixture
def branded(site: Stage, tmp_path: Path) -> Iterator[Stage]:
    """The site in another dress, for one test."""
    (tmp_path / "logo.svg").write_text(LOGO)
    (tmp_path / "texts.yaml").write_text(TEXTS)
    colours = SimpleNamespace(**ColoursPart().load(COLOURS))
    files = {"logo": "logo.svg", "picture": "", "texts": "texts.yaml"}
    ours = site.app.extensions[LOOK]
    site.app.extensions[LOOK] = brand.load(SimpleNamespace(colours=colours, **files), tmp_path)
    yield site
    site.app.extensions[LOOK] = ours


@pytest.mark.parametrize(
    ("device", "scheme", "button"),
    [("phone", "light", "rgb(122, 31, 61)"), ("desktop", "dark", "rgb(240, 166, 189)")],
)
def test_a_branded_page_is_right(
    tab: Callable[..., Tab], branded: Stage, device: str, scheme: str, button: str
) -> None:
    """Its colours, logo and words, no other host, and nothing that axe finds."""
    page = tab(device, "en", color_scheme=scheme).page
    page.goto(f"{branded.url}/sign-in")
    assert trouble(page) == {}
    primary = page.locator("button.primary")
    assert primary.evaluate("e => getComputedStyle(e).backgroundColor") == button
    assert page.locator(".brand img").get_attribute("alt") == "Shanlan Watches"
    assert page.locator(".brand img").evaluate("e => e.naturalWidth") > 0
    assert page.get_by_text("Good to see you, again.").is_visible()


def test_a_brands_file_runs_nothing_by_itself(branded: Stage) -> None:
    """An SVG that is opened as a page has no script, and it may be kept as long as it stays."""
    page = branded.app.test_client().get("/sign-in").text
    url = page.split('<img src="')[1].split('"')[0]
    answer = branded.app.test_client().get(url)
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert "immutable" in answer.headers["Cache-Control"]
    assert branded.app.test_client().get("/pages/brand/logo.svg").status_code == 404
