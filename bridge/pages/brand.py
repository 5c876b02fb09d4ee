"""What a brand puts on the pages by configuration: logo, picture, colours, and texts of its own.

Not for: whether colours can be read (`config/colours.py`), names of brand and stores (settings).
Files are read once, when the process starts; a file that can't be used stops it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from string import Formatter
from typing import Any

import yaml

from bridge.pages.texts import TEXTS, Texts, flat

_KINDS = {
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webp": "image/webp",
}
_LOGO, _PICTURE = (".svg", ".png"), tuple(_KINDS)
_LOGO_MOST, _PICTURE_MOST = 100_000, 300_000


class BrandTrouble(Exception):
    """`problems`: one sentence each, which begins with the setting's name."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


@dataclass(frozen=True)
class File:
    """What is served of a brand's. `version`: changes with it."""

    body: bytes = field(repr=False)
    mimetype: str

    @property
    def version(self) -> str:
        return hashlib.sha256(self.body).hexdigest()[:10]


@dataclass(frozen=True)
class Look:
    """`files`: `logo`, `picture`, `brand.css`, those that there are. `band`: its colour, in light
    and in dark; "" for ours."""

    texts: Mapping[str, Texts]
    files: Mapping[str, File]
    band: tuple[str, str]


def load(brand: Any, root: Path) -> Look:
    """The look that the `brand` section asks for; paths from `root`. Raises BrandTrouble."""
    problems: list[str] = []
    pictures = {
        name: found
        for name, path, kinds, most in (
            ("logo", brand.logo, _LOGO, _LOGO_MOST),
            ("picture", brand.picture, _PICTURE, _PICTURE_MOST),
        )
        if path and (found := _picture(problems, f"brand.{name}", root / path, kinds, most))
    }
    texts = dict(TEXTS)
    if brand.texts:
        texts |= _own_texts(problems, root / brand.texts)
    if problems:
        raise BrandTrouble(problems)
    css = "\n".join(_css(brand.colours, pictures.get("picture")))
    files = pictures | ({"brand.css": File(css.encode(), "text/css")} if css else {})
    light, dark = brand.colours.light, brand.colours.dark
    return Look(texts, files, (light.get("band", ""), dark.get("band", "")))


def _picture(
    problems: list[str], name: str, path: Path, kinds: tuple[str, ...], most: int
) -> File | None:
    try:
        body = path.read_bytes()
    except OSError:
        problems.append(f"{name}: the file can't be read")
        return None
    if path.suffix not in kinds:
        problems.append(f"{name}: must be one of {', '.join(kinds)}")
    if len(body) > most:
        problems.append(f"{name}: {len(body)} bytes, at most {most}")
    return File(body, _KINDS.get(path.suffix, ""))


def _css(colours: Any, picture: File | None) -> Iterator[str]:
    """What isn't set in a scheme stays ours there."""
    for scheme, given in (("light", colours.light), ("dark", colours.dark)):
        if given:
            rules = " ".join(f"--{name.replace('_', '-')}: {hue};" for name, hue in given.items())
            yield f"@media (prefers-color-scheme: {scheme}) {{ :root {{ {rules} }} }}"
    if picture:
        url = f"picture?v={picture.version}"
        yield f'.dial {{ background: var(--band) url("{url}") no-repeat center / cover; }}'
    elif "band" in colours.light or "band" in colours.dark:
        yield ".dial { background: var(--band); }"


def _own_texts(problems: list[str], path: Path) -> dict[str, Texts]:
    try:
        tree = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (OSError, UnicodeDecodeError):
        problems.append("brand.texts: the file can't be read")
        return {}
    except yaml.YAMLError:
        problems.append("brand.texts: not YAML")
        return {}
    if not isinstance(tree, Mapping) or not all(
        isinstance(each, Mapping) for each in tree.values()
    ):
        problems.append("brand.texts: must be {language: {section: {key: text}}}")
        return {}
    return dict(_changed(problems, tree))


def _changed(problems: list[str], tree: Mapping[Any, Any]) -> Iterator[tuple[str, Texts]]:
    for language, sections in tree.items():
        ours = TEXTS.get(language)
        if ours is None:
            problems.append(f"brand.texts: {language}: no language of the pages")
            continue
        own = dict(flat(sections))
        mistakes = [
            f"{key}: {told}" for key, text in own.items() if (told := _wrong(ours, key, text))
        ]
        problems += [f"brand.texts: {language}.{each}" for each in mistakes]
        yield language, ours.but(own)


def _wrong(ours: Texts, key: str, text: str) -> str:
    """What a text can't be: of a key that no page says, or with a place that isn't filled."""
    if key not in ours:
        return "no such text"
    try:
        return "" if _places(text) <= _places(ours(key)) else "a place that isn't filled"
    except ValueError:
        return "a brace without its other half"


def _places(text: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}
