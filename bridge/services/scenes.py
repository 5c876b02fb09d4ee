"""What a QR code or a link says of where somebody comes from: store, campaign, channel, day.

Not for: anything about a person. Scenes and links are printed, photographed and forwarded.

Two signed, versioned texts, both safe in a URL:

    scene  1 purpose day(3, base 36) store[.campaign[.channel]] mac(10)
           at most 64 characters, WeChat's limit for a parametric QR code ("Generate QR code with
           parameters"), or 32 for a mini program code ("getUnlimitedQRCode")
    link   scene ~ trace(32 hex) ~ second(base 36) ~ mac(22)

A scene's MAC is cut to 60 bits: it keeps strangers from crediting a store; nothing else hangs on
it. Permanent codes are printed, so every key that the link file still holds is good for reading.
"""

import hmac
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from bridge.seal import Key, Pseudonyms
from bridge.services import traces

QR_LIMIT = 64
MINI_PROGRAM_LIMIT = 32
TRACE_SECONDS = 86_400
"""How long a link goes on naming the trace of the scan that it came from."""

_VERSION = "1"
_PURPOSES = {"join": "j"}
_MAC = 10
_EPOCH = date(2020, 1, 1)
_CODE = r"[0-9A-Za-z_-]"
_SCENE = re.compile(rf"{_VERSION}([a-z])([0-9a-z]{{3}})({_CODE}+(?:\.{_CODE}*){{0,2}})")
_LINK = re.compile(r"([^~]{16,64})~([0-9a-f]{32})~([0-9a-z]{1,9})~([0-9A-Za-z_-]{22})")
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class BadScene(Exception):
    """Not ours, changed on the way, or of a purpose we don't know."""


class SceneTooLong(Exception):
    """The codes together don't fit where the scene is to go."""


@dataclass(frozen=True)
class Scene:
    """Codes of `[0-9A-Za-z_-]`; "" for none. `issued`: the day when the code was made (UTC)."""

    store: str
    campaign: str = ""
    channel: str = ""
    purpose: str = "join"
    issued: date = _EPOCH

    def __post_init__(self) -> None:
        """Raises ValueError for a code that couldn't be read back."""
        codes = (self.store, self.campaign, self.channel)
        if not self.store or not all(re.fullmatch(f"{_CODE}*", code) for code in codes):
            raise ValueError("a scene's codes are letters, digits, - and _")

    @property
    def codes(self) -> str:
        """`store.campaign.channel` without empty ends: readable, unsigned, at most 49 characters
        in a QR code. It is what a CRM keeps of a scene."""
        return f"{self.store}.{self.campaign}.{self.channel}".rstrip(".")


class Scenes:
    """Writes and reads scenes and links. `keys`: the link keys, the current one first."""

    def __init__(self, keys: Sequence[Key], clock: Callable[[], float]) -> None:
        self._macs = [Pseudonyms(key) for _, key in keys]
        self._clock = clock

    def today(self) -> date:
        """The day to put on a new scene."""
        return datetime.fromtimestamp(self._clock(), UTC).date()

    def write(self, scene: Scene, limit: int = QR_LIMIT) -> str:
        """The signed text. Raises SceneTooLong over `limit` characters."""
        day = _base36((scene.issued - _EPOCH).days).rjust(3, "0")
        body = f"{_VERSION}{_PURPOSES[scene.purpose]}{day}{scene.codes}"
        if len(body) + _MAC > limit:
            raise SceneTooLong
        return body + self._macs[0].of("scene", body)[:_MAC]

    def read(self, text: str) -> Scene:
        """The scene in a text of `write`. Raises BadScene."""
        body, mac = text[:-_MAC], text[-_MAC:]
        shape = _SCENE.fullmatch(body)
        if len(text) > QR_LIMIT or not shape or not self._signed("scene", body, mac):
            raise BadScene
        letter, day, codes = shape.groups()
        purpose = next((name for name, known in _PURPOSES.items() if known == letter), None)
        if purpose is None:
            raise BadScene
        parts = [*codes.split("."), "", ""]
        issued = _EPOCH + timedelta(days=int(day, 36))
        return Scene(parts[0], parts[1], parts[2], purpose, issued)

    def link_token(self, scene: Scene, traceparent: str) -> str:
        """What a registration link carries: the scene, and the trace of the scan."""
        second = _base36(int(self._clock()))
        body = f"{self.write(scene)}~{traces.trace_id(traceparent)}~{second}"
        return f"{body}~{self._macs[0].of('link', body)}"

    def open_link(self, token: str) -> tuple[Scene, str | None]:
        """(scene, traceparent with a new span, or None once the trace is old). A link itself is
        good for as long as its key. Raises BadScene."""
        shape = _LINK.fullmatch(token)
        if not shape or not self._signed("link", token.rpartition("~")[0], shape[4]):
            raise BadScene
        scene = self.read(shape[1])
        young = self._clock() - int(shape[3], 36) <= TRACE_SECONDS
        return scene, traces.fresh(shape[2]) if young else None

    def _signed(self, purpose: str, body: str, mac: str) -> bool:
        wanted = [key.of(purpose, body)[: len(mac)].encode() for key in self._macs]
        return any(hmac.compare_digest(each, mac.encode()) for each in wanted)


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
