"""The colours of the pages that a brand may set, and whether they can be read (WCAG 2.2: 1.4.3 for
text, 1.4.11 for marks). Not for: where they stand on a page (`bridge/pages/static/pages.css`, whose
values a test holds to those here).
"""

import re
from collections.abc import Iterator, Mapping

Scheme = Mapping[str, str]

HEX = re.compile(r"#[0-9a-fA-F]{6}")
BRAND = {
    "accent": "buttons, links, what is chosen",
    "accent_deep": "the same under the pointer",
    "on_accent": "text on a button",
    "band": "behind the brand's name",
    "on_band": "text there",
    "highlight": "the frame around what has the focus; marks",
}
DEFAULTS: Mapping[str, Scheme] = {
    "light": {
        "accent": "#0e4f50",
        "accent_deep": "#0a3b3e",
        "on_accent": "#ffffff",
        "band": "#0b2226",
        "on_band": "#f2f6f5",
        "highlight": "#a9834a",
        "sheet": "#ffffff",
        "wash": "#eaf1f0",
        "wrong": "#a3242b",
    },
    "dark": {
        "accent": "#8fcfc6",
        "accent_deep": "#b3e2db",
        "on_accent": "#06201f",
        "band": "#0b2226",
        "on_band": "#f2f6f5",
        "highlight": "#c9a66b",
        "sheet": "#11191d",
        "wash": "#16262a",
        "wrong": "#ffa49d",
    },
}
_TEXT, _MARK = 4.5, 3.0
PAIRS = (
    ("accent", "sheet", _TEXT),
    ("accent", "wash", _TEXT),
    ("accent_deep", "sheet", _TEXT),
    ("accent_deep", "wash", _TEXT),
    ("on_accent", "accent", _TEXT),
    ("on_accent", "accent_deep", _TEXT),
    ("on_accent", "wrong", _TEXT),
    ("on_band", "band", _TEXT),
    ("highlight", "sheet", _MARK),
    ("highlight", "band", _MARK),
)
"""What stands on what, and the least contrast."""


_BOTH = ("band", "on_band")
"""The band is the same in both schemes, unless the dark one says otherwise."""


def in_dark(given: Mapping[str, Scheme]) -> dict[str, str]:
    """What holds in the dark scheme of a brand's colours."""
    light = given["light"]
    return {**{name: light[name] for name in _BOTH if name in light}, **given["dark"]}


def ratio(front: str, back: str) -> float:
    """Contrast of two colours `#rrggbb`, 1 to 21 (WCAG 2.2, "contrast ratio").

    >>> ratio("#000000", "#ffffff")
    21.0
    """
    light, dark = sorted((_luminance(front), _luminance(back)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def unreadable(scheme: str, colours: Scheme) -> Iterator[str]:
    """A sentence for each pair that too few people could read; `colours` over the defaults."""
    held = {**DEFAULTS[scheme], **colours}
    for front, back, least in PAIRS:
        found = ratio(held[front], held[back])
        if found < least:
            yield f"{front} on {back} has a contrast of {found:.1f}, and needs {least}"


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[n : n + 2], 16) / 255) for n in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(share: float) -> float:
    low: float = share / 12.92
    high: float = ((share + 0.055) / 1.055) ** 2.4
    return low if share <= 0.04045 else high
