"""What a follower is told after following or scanning: a welcome of the store, and where to join.

Not for: reading the event, or sending. What is decided is kept as a short code that names nobody;
the words are made from it each time. WeChat doesn't tell a follower's language since 2021, so the
brand's languages all stand in one message.
"""

from collections.abc import Mapping
from typing import Any

from bridge.services.scenes import BadScene, Scene, Scenes

NOTHING = "-"
GENERIC = "generic"
_JOINED_BY_CODE = "qrscene_"
_WORDS = {
    "zh-CN": ("欢迎来到{place}！", "点此加入会员"),
    "en": ("Welcome to {place}!", "Join us here"),
}


def decide(event: str, key: str, scenes: Scenes, stores: Mapping[str, Any], trace: str) -> str:
    """NOTHING, GENERIC, or the link token of the scene that was scanned.

    `key`: the event's EventKey; after a payment or a plain search it isn't a scene.
    """
    if event not in ("subscribe", "SCAN"):
        return NOTHING
    scene = _scene(key.removeprefix(_JOINED_BY_CODE), scenes)
    if scene is None or scene.store not in stores:
        return GENERIC
    return scenes.link_token(scene, trace)


def _scene(text: str, scenes: Scenes) -> Scene | None:
    try:
        return scenes.read(text)
    except BadScene:
        return None


def message(decision: str, scenes: Scenes, brand: Any, issuer: str) -> str | None:
    """The words for a decision; None for NOTHING. Raises BadScene for a decision of a key that
    is gone since."""
    if decision == NOTHING:
        return None
    store, link = "", f"{issuer}/register"
    if decision != GENERIC:
        store = scenes.open_link(decision)[0].store
        link += f"?s={decision}"
    return "\n\n".join(_lines(language, store, brand, link) for language in _languages(brand))


def _languages(brand: Any) -> list[str]:
    return [language for language in _WORDS if language in brand.name] or ["zh-CN"]


def _lines(language: str, store: str, brand: Any, link: str) -> str:
    greeting, call = _WORDS[language]
    names = (brand.name.get(language, ""), (brand.stores.get(store) or {}).get(language, ""))
    place = " ".join(name for name in names if name)
    return f'{greeting.format(place=place)}\n<a href="{link}">{call}</a>'
