"""What must hold of every page in a browser, as one question. Not for: what a page says."""

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_SMALL = """() => [...document.querySelectorAll(
    'a, button, input:not([type=hidden]), select, [tabindex="0"]')]
  .filter(e => e.checkVisibility() && !e.matches('.skip'))
  .map(e => e.matches('[type=radio], [type=checkbox]') ? e.closest('label') : e)
  .filter(e => { const r = e.getBoundingClientRect(); return r.width < 44 || r.height < 44; })
  .map(e => e.outerHTML.slice(0, 80))"""
_WIDE = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
_INLINE = """() => [...document.querySelectorAll('*')]
  .filter(e => e.hasAttribute('style') || e.matches('style, script:not([src])')
    || [...e.attributes].some(a => a.name.startsWith('on')))
  .map(e => e.outerHTML.slice(0, 80))"""


def trouble(page: Page) -> dict[str, object]:
    """Everything that isn't right with a page; empty for a good one."""
    violations = Axe().run(page).response["violations"]
    found: dict[str, object] = {
        "axe": [(each["id"], [node["html"][:90] for node in each["nodes"]]) for each in violations],
        "targets under 44 px": page.evaluate(_SMALL),
        "scrolls sideways by": page.evaluate(_WIDE),
        "inline": page.evaluate(_INLINE),
        "headings": page.locator("h1").count() - 1,
    }
    return {name: value for name, value in found.items() if value}
