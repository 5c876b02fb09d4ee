"""The pages' words in each language. Not for: a brand's own names, or consents (settings)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

LANGUAGES = ("zh-CN", "en")
"""The first one is spoken where nothing else is known."""


class Texts:
    """One language: `texts("otp.lead", address=…)`. A key that isn't there raises KeyError."""

    def __init__(self, language: str, entries: Mapping[str, str]) -> None:
        self.language = language
        self._entries = entries

    def __call__(self, key: str, **values: Any) -> str:
        """The text with its places filled. It isn't HTML; Jinja2 escapes it."""
        text = self._entries[key]
        return text.format(**values) if values else text

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def but(self, entries: Mapping[str, str]) -> "Texts":
        """These texts, with other ones for some keys."""
        return Texts(self.language, {**self._entries, **entries})

    def known(self) -> set[str]:
        """All keys, dotted."""
        return set(self._entries)


def flat(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """(dotted key, text) of a file's tree."""
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", str(value)


def _load(language: str) -> Texts:
    text = Path(__file__).with_name(f"{language}.yaml").read_text(encoding="utf-8")
    return Texts(language, dict(flat(yaml.safe_load(text))))


TEXTS: Mapping[str, Texts] = {language: _load(language) for language in LANGUAGES}


def spoken(wanted: str) -> str | None:
    """Ours for a language tag of any kind (`zh`, `zh_CN`, `zh-Hant-TW`, `en-GB`), or None."""
    primary = wanted.replace("_", "-").split("-")[0].lower()
    return next((ours for ours in LANGUAGES if ours.split("-")[0] == primary), None)


def choose(*wishes: str | None) -> str:
    """The first wish that we speak; a wish may hold several tags, best first (`ui_locales`)."""
    tags = (tag for wish in wishes if wish for tag in wish.split())
    return next((ours for ours in map(spoken, tags) if ours), LANGUAGES[0])
