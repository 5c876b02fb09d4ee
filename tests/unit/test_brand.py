"""A brand's look by configuration: colours that can be read, files that can be used, own texts."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from marshmallow import ValidationError

from bridge.pages import brand
from bridge.pages.brand import BrandTrouble
from config import colours
from config.schema import ColoursPart

CSS = Path("bridge/pages/static/pages.css").read_text(encoding="utf-8")
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"/>'


def section(**given: Any) -> SimpleNamespace:
    """The `brand` section as settings make it."""
    nothing = SimpleNamespace(light={}, dark={})
    return SimpleNamespace(**{"logo": "", "picture": "", "texts": "", "colours": nothing, **given})


def told(root: Path, **given: Any) -> list[str]:
    """What `load` finds wrong."""
    with pytest.raises(BrandTrouble) as trouble:
        brand.load(section(**given), root)
    return trouble.value.problems


def write(path: Path, content: str | bytes) -> str:
    """The file's name, once it is there."""
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path.name


def test_the_stylesheet_has_the_colours_that_are_checked() -> None:
    """Else a contrast is worked out for a page that nobody sees."""
    light, dark = CSS.split("prefers-color-scheme: dark")[:2]
    for scheme, text in (("light", light), ("dark", dark.partition("*, *::before")[0])):
        found = dict(re.findall(r"--([a-z-]+): (#[0-9a-f]+);", text))
        for name, hue in colours.DEFAULTS[scheme].items():
            short = re.sub(r"^#(.)\1(.)\2(.)\3$", r"#\1\2\3", hue)
            assert found[name.replace("_", "-")] in (hue, short), (scheme, name)


def test_our_own_colours_can_be_read() -> None:
    """In both schemes."""
    assert [each for scheme in ("light", "dark") for each in colours.unreadable(scheme, {})] == []


@pytest.mark.parametrize(
    ("front", "back", "contrast"),
    [("#000000", "#ffffff", 21.0), ("#777777", "#ffffff", 4.48), ("#ff0000", "#ffffff", 4.0)],
)
def test_the_contrast_is_that_of_wcag(front: str, back: str, contrast: float) -> None:
    """Whichever of the two is in front."""
    assert colours.ratio(front, back) == pytest.approx(contrast, abs=0.01)
    assert colours.ratio(back, front) == colours.ratio(front, back)


@pytest.mark.parametrize("pair", colours.PAIRS, ids=lambda pair: "-on-".join(pair[:2]))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_pair_that_cannot_be_read_is_refused(
    scheme: str, pair: tuple[str, str, float]
) -> None:
    """Front in the colour of its back: the start ends there, with the pair's names."""
    front, back, _ = pair
    held = colours.DEFAULTS[scheme]
    given = {front: held[back]} if front in colours.BRAND else {back: held[front]}
    with pytest.raises(ValidationError) as refused:
        ColoursPart().load({scheme: given})
    assert f"{front} on {back} has a contrast of 1.0" in str(refused.value.messages[scheme])


def test_a_readable_set_is_taken_and_served(tmp_path: Path) -> None:
    """Each scheme for itself, but for the band; our picture doesn't stand on another band."""
    given = {"light": {"accent": "#7a1f3d", "accent_deep": "#5c1730", "band": "#2b0f18"}}
    read = ColoursPart().load(given)
    look = brand.load(section(colours=SimpleNamespace(**read)), tmp_path)
    css = look.files["brand.css"].body.decode()
    assert "(prefers-color-scheme: light) { :root { --accent: #7a1f3d; --accent-deep:" in css
    assert "(prefers-color-scheme: dark) { :root { --band: #2b0f18; } }" in css
    assert ".dial { background: var(--band); }" in css


@pytest.mark.parametrize("wrong", ["red", "#fff", "#0e4f5", "#0e4f50; } a {", "#0e4f5g"])
def test_a_colour_is_six_digits(wrong: str) -> None:
    """Anything else could be a rule of its own."""
    with pytest.raises(ValidationError):
        ColoursPart().load({"light": {"accent": wrong}})
    with pytest.raises(ValidationError):
        ColoursPart().load({"light": {"sheet": "#ffffff"}})


def test_a_logo_and_a_picture_are_served_as_they_are(tmp_path: Path) -> None:
    """Under a name of ours, with a version that changes with the file."""
    names = {"logo": write(tmp_path / "own.svg", SVG), "picture": write(tmp_path / "p.png", b"1")}
    look = brand.load(section(**names), tmp_path)
    assert look.files["logo"].body == SVG
    assert look.files["logo"].mimetype == "image/svg+xml"
    version = look.files["picture"].version
    assert f'url("picture?v={version}")' in look.files["brand.css"].body.decode()
    write(tmp_path / "p.png", b"2")
    assert brand.load(section(**names), tmp_path).files["picture"].version != version


def test_each_file_that_cannot_be_used_is_told_at_once(tmp_path: Path) -> None:
    """By the setting's name."""
    write(tmp_path / "logo.jpg", b"x" * 100_001)
    found = told(tmp_path, logo="logo.jpg", picture="none.png", texts="none.yaml")
    assert [each.partition(":")[0] for each in found] == [
        *["brand.logo"] * 2,
        "brand.picture",
        "brand.texts",
    ]


def test_own_texts_stand_in_for_ours(tmp_path: Path) -> None:
    """Those that are named; the rest stays."""
    name = write(tmp_path / "t.yaml", "en: {sign_in: {title: Hello again}}")
    texts = brand.load(section(texts=name), tmp_path).texts
    assert texts["en"]("sign_in.title") == "Hello again"
    assert texts["en"]("sign_in.submit") == "Sign in"
    assert texts["zh-CN"]("sign_in.title") == "会员登录"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("en: {sign_in: {titel: x}}", "brand.texts: en.sign_in.titel: no such text"),
        ("en: {otp: {lead: '{who}'}}", "brand.texts: en.otp.lead: a place that isn't filled"),
        ("en: {otp: {lead: '{x'}}", "brand.texts: en.otp.lead: a brace without its other half"),
        ("fr: {sign_in: {title: x}}", "brand.texts: fr: no language of the pages"),
        ("en: hello", "brand.texts: must be {language: {section: {key: text}}}"),
        ("en: {", "brand.texts: not YAML"),
    ],
)
def test_a_text_that_no_page_could_say_is_refused(
    tmp_path: Path, content: str, sentence: str
) -> None:
    """At the start, not when somebody opens the page."""
    assert told(tmp_path, texts=write(tmp_path / "t.yaml", content)) == [sentence]


def test_the_band_of_light_pages_must_do_for_dark_ones() -> None:
    """It holds there too, so it is checked with what stands on it there."""
    light = {"band": "#ffffff", "on_band": "#111111"}
    with pytest.raises(ValidationError) as refused:
        ColoursPart().load({"light": light})
    assert refused.value.messages == {
        "dark": ["highlight on band has a contrast of 2.3, and needs 3.0"]
    }
    own = {"dark": {"band": "#0b2226", "on_band": "#f2f6f5"}}
    assert ColoursPart().load({"light": light, **own})["dark"] == own["dark"]
