"""Parametric QR codes: `qrcode/create`, their tickets, and `showqrcode`.

Source: "Generate QR code with parameters". Who scans them is in push.py.
"""

import base64
import dataclasses
import io
import secrets
from typing import TYPE_CHECKING, Any

import segno
from flask import Response, request

from sandbox.kit.clock import Clock
from sandbox.wechat.errors import fail

if TYPE_CHECKING:
    from sandbox.wechat.world import World

TEMPORARY = ("QR_SCENE", "QR_STR_SCENE")
PERMANENT = ("QR_LIMIT_SCENE", "QR_LIMIT_STR_SCENE")
DEFAULT_SECONDS = 60
MOST_SECONDS = 2_592_000
MOST_PERMANENT = 100_000


@dataclasses.dataclass(frozen=True)
class QrCode:
    """A code; `until` is None for a permanent one."""

    ticket: str
    url: str
    scene: int | str
    until: float | None


class QrCodes:
    """All codes by ticket."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._by_ticket: dict[str, QrCode] = {}
        self._by_url: dict[str, QrCode] = {}
        self._permanent = 0

    def create(self, scene: int | str, seconds: int | None) -> QrCode:
        """A code that ends in `seconds`, or never; 45029 over the number of permanent ones."""
        if seconds is None:
            if self._permanent >= MOST_PERMANENT:
                fail(45029)
            self._permanent += 1
        url = f"http://weixin.qq.com/q/02{secrets.token_hex(10)}"
        until = None if seconds is None else self._clock.now() + seconds
        code = QrCode(_ticket(url), url, scene, until)
        self._by_ticket[code.ticket] = self._by_url[code.url] = code
        return code

    def find(self, ticket_or_url: str) -> QrCode | None:
        """A code by its ticket or by what its image says, ended or not."""
        return self._by_ticket.get(ticket_or_url) or self._by_url.get(ticket_or_url)

    def lives(self, code: QrCode) -> bool:
        """Whether its time hasn't come."""
        return code.until is None or self._clock.now() < code.until

    def newest(self, most: int) -> list[QrCode]:
        """The last ones made, oldest first."""
        return list(self._by_ticket.values())[-most:]

    def all(self) -> list[dict[str, Any]]:
        """For the control plane."""
        return [dataclasses.asdict(code) for code in self._by_ticket.values()]


def _ticket(url: str) -> str:
    """Base64 of a few bytes around the URL, as real tickets are.

    These always hold `+`, `/` and `=`, so that a ticket put into a URL unquoted never works.
    """
    head = b"\x81\x01\xf0" + b"\xfb\xef\xff" + b"\0" * 5
    body = head + bytes([len(url)]) + url.encode()
    return base64.b64encode(body + b"\0" * (1 + (-len(body)) % 3)).decode()


def _scene(action: str, scene: Any) -> int | str:
    """The scene value, within the limits of its kind; 40053 otherwise."""
    if not isinstance(scene, dict):
        fail(40053)
    if action.endswith("_STR_SCENE"):
        text = scene.get("scene_str")
        if not isinstance(text, str) or not 1 <= len(text) <= 64:
            fail(40053)
        return text
    number = scene.get("scene_id")
    most = MOST_PERMANENT if action == "QR_LIMIT_SCENE" else 2**32 - 1
    if not isinstance(number, int) or isinstance(number, bool) or not 1 <= number <= most:
        fail(40053)
    return number


def create(world: "World") -> dict[str, Any]:
    """`qrcode/create`."""
    world.admit()
    given = world.body()
    action, info = given.get("action_name"), given.get("action_info")
    if action not in TEMPORARY + PERMANENT:
        fail(40052)
    scene = _scene(action, info.get("scene") if isinstance(info, dict) else None)
    if action in PERMANENT:
        code = world.qrcodes.create(scene, None)
        return {"ticket": code.ticket, "url": code.url}
    seconds = given.get("expire_seconds", DEFAULT_SECONDS)
    if not isinstance(seconds, int) or not 1 <= seconds <= MOST_SECONDS:
        fail(40035)  # which code WeChat gives here is not verified
    code = world.qrcodes.create(scene, seconds)
    return {"ticket": code.ticket, "expire_seconds": seconds, "url": code.url}


def show(world: "World") -> Response:
    """`showqrcode`: needs no token; 404 on a ticket that isn't one or has ended.

    WeChat sends a JPEG of 430 pixels; this is a PNG, and says so.
    """
    code = world.qrcodes.find(request.args.get("ticket", ""))
    if code is None or not world.qrcodes.lives(code):
        return Response("", 404)
    image = io.BytesIO()
    segno.make(code.url, error="m", micro=False).save(image, kind="png", scale=12, border=4)
    return Response(image.getvalue(), 200, {"Content-Type": "image/png"})


ROUTES = (("POST", "/cgi-bin/qrcode/create", create),)
