"""The mini program's own API: a phone number for a code, and codes that open a page.

Source: "getPhoneNumber" and "getUnlimitedQRCode". Its sign-in is in oauth.py. Not verified: the
errcode for a code of another user (40003 here) and for an impossible scene (40169, from memory).
"""

import dataclasses
import io
import re
import secrets
from typing import TYPE_CHECKING, Any

import segno
from flask import Response

from sandbox.kit.clock import Clock
from sandbox.wechat.account import MINI_APPID
from sandbox.wechat.errors import fail
from sandbox.wechat.users import User

if TYPE_CHECKING:
    from sandbox.wechat.world import World

CODE_SECONDS = 300
COUNTRY = "86"
SCENE = re.compile(r"[0-9A-Za-z!#$&'()*+,/:;=?@\-._~]{1,32}")
CODES_A_MINUTE = 5_000
CODES_PATH = "/wxa/getwxacodeunlimit"


@dataclasses.dataclass(frozen=True)
class MiniCode:
    """A code that opens a page of the mini program."""

    scene: str
    page: str


class Mini:
    """What the mini program has given out: codes for phone numbers, and printed codes."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._phone: dict[str, tuple[User, float]] = {}
        self.codes: list[MiniCode] = []

    def phone_code(self, user: User) -> str:
        """What the button gives when the user taps it; it ends five minutes after the tap."""
        code = secrets.token_hex(32)
        self._phone[code] = (user, self._clock.now() + CODE_SECONDS)
        return code

    def owner(self, code: Any) -> User:
        """Whose code it is; 40029 when unknown or ended. It isn't used up yet."""
        user, until = self._phone.get(str(code), (None, 0.0))
        if user is None or until <= self._clock.now():
            fail(40029)
        return user

    def spend(self, code: Any) -> None:
        """It was good once."""
        del self._phone[str(code)]


def admit_mini(world: "World") -> None:
    """Only with a token of the mini program's."""
    if world.admit(also=(MINI_APPID,)) != MINI_APPID:
        fail(48001)


def phone_number(world: "World") -> dict[str, Any]:
    """`getuserphonenumber`: once; with `openid` only for that user, and a miss spends nothing."""
    admit_mini(world)
    given = world.body()
    user = world.mini.owner(given.get("code"))
    if given.get("openid") not in (None, user.mini_openid):
        fail(40003)
    world.mini.spend(given["code"])
    told: dict[str, Any] = {
        "phoneNumber": user.phone,
        "purePhoneNumber": user.phone,
        "countryCode": COUNTRY,
    }
    told["watermark"] = {"timestamp": int(world.clock.now()), "appid": MINI_APPID}
    return {"errcode": 0, "errmsg": "ok", "phone_info": told}


def unlimited_code(world: "World") -> Response:
    """`getwxacodeunlimit`: an image, or JSON that says why not.

    WeChat draws a round code that only it can read; this is a QR code with the page in it.
    """
    admit_mini(world)
    given = world.body()
    world.charge(None, a_minute=CODES_A_MINUTE)
    scene, page = given.get("scene"), given.get("page", "pages/index/index")
    if not isinstance(scene, str) or not SCENE.fullmatch(scene):
        fail(40169)
    if given.get("check_path", True) is not False and page not in world.account.mini_pages:
        fail(41030)
    world.mini.codes.append(MiniCode(scene, str(page)))
    image = io.BytesIO()
    text = f"sandbox-mini-program:{page}?scene={scene}"
    segno.make(text, error="m", micro=False).save(image, kind="png", scale=8, border=4)
    return Response(image.getvalue(), 200, {"Content-Type": "image/png"})


ROUTES = (
    ("POST", "/wxa/business/getuserphonenumber", phone_number),
    ("POST", CODES_PATH, unlimited_code),
)
