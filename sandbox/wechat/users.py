"""The people of the sandbox's WeChat: one unionid each, one openid per app, who follows.

Names are fictional. Ids are derived from the names, so they are the same at every start.
"""

import base64
import dataclasses
import hashlib
from typing import TYPE_CHECKING, Any

from flask import request

from sandbox.wechat.account import APPID, MINI_APPID, WEB_APPID
from sandbox.wechat.errors import fail

if TYPE_CHECKING:
    from sandbox.wechat.world import World

MOST_AT_ONCE = 100
READY_MADE = ("Lin Muyu", "Zhao Beichen", "Su Wanqing", "He Tianlan")


def derived_id(app: str, name: str, prefix: str = "o") -> str:
    """28 characters as openids and unionids have."""
    digest = hashlib.sha256(f"{app}\n{name}".encode()).digest()
    return prefix + base64.urlsafe_b64encode(digest).decode()[:27]


@dataclasses.dataclass
class User:
    """One person; times are epoch seconds."""

    name: str
    openid: str
    mini_openid: str
    unionid: str
    web_openid: str
    phone: str
    follows: bool = False
    subscribe_time: int = 0
    subscribe_scene: str = ""
    scene: int | str | None = None

    def brief(self) -> dict[str, Any]:
        """What `ready` and `state` tell of them."""
        return dataclasses.asdict(self)


class Users:
    """Everybody, found by name or by either openid."""

    def __init__(self) -> None:
        self._all: list[User] = []
        for name in READY_MADE:
            self.add(name)

    def add(
        self,
        name: str,
        openid: str | None = None,
        unionid: str | None = None,
        phone: str | None = None,
    ) -> User:
        """One more person; ValueError if the name or the openid is taken."""
        user = User(
            name,
            openid or derived_id(APPID, name),
            derived_id(MINI_APPID, name),
            unionid or derived_id("union", name),
            derived_id(WEB_APPID, name),
            phone or f"1380013{8000 + len(self._all) % 1000}",
        )
        if not name or self.find(name) or self.find(user.openid):
            raise ValueError("a user needs a name and an openid of their own")
        self._all.append(user)
        return user

    def find(self, key: str) -> User | None:
        """By name or openid."""
        for user in self._all:
            if key in (user.name, user.openid, user.mini_openid):
                return user
        return None

    def get(self, document: dict[str, Any]) -> User:
        """The one a control plane document names by `user` or `openid`; ValueError if nobody."""
        user = self.find(str(document.get("openid") or document.get("user") or ""))
        if user is None:
            raise ValueError("no such user; name one by user or openid")
        return user

    def of_account(self, openid: Any) -> User:
        """By the openid that the Official Account knows; 40003 otherwise."""
        for user in self._all:
            if user.openid == openid:
                return user
        return fail(40003)

    def everyone(self) -> list[User]:
        """In the order they came."""
        return list(self._all)


def follow(user: User, now: float, scene: int | str | None) -> None:
    """They follow, by a parametric QR code if there is a scene."""
    user.follows, user.subscribe_time, user.scene = True, int(now), scene
    user.subscribe_scene = "ADD_SCENE_SEARCH" if scene is None else "ADD_SCENE_QR_CODE"


def info(world: "World") -> dict[str, Any]:
    """`user/info`: of a follower; of anybody else only that they aren't one.

    Nickname, head image and language are no longer in it (WeChat's notice of 27 Dec 2021).
    """
    world.admit()
    return _told(world, request.args.get("openid"))


def batch(world: "World") -> dict[str, Any]:
    """`user/info/batchget`: the same of up to a hundred."""
    world.admit()
    asked = world.body().get("user_list")
    if not isinstance(asked, list) or not 1 <= len(asked) <= MOST_AT_ONCE:
        fail(40032)
    openids = [each.get("openid") if isinstance(each, dict) else None for each in asked]
    return {"user_info_list": [_told(world, openid) for openid in openids]}


def _told(world: "World", openid: Any) -> dict[str, Any]:
    user = world.users.of_account(openid)
    if not user.follows:
        return {"subscribe": 0, "openid": user.openid}
    return {
        "subscribe": 1,
        "openid": user.openid,
        "language": "",
        "subscribe_time": user.subscribe_time,
        "unionid": user.unionid,
        "remark": "",
        "groupid": 0,
        "tagid_list": world.tags.of(user.openid),
        "subscribe_scene": user.subscribe_scene,
        "qr_scene": user.scene if isinstance(user.scene, int) else 0,
        "qr_scene_str": user.scene if isinstance(user.scene, str) else "",
    }


ROUTES = (
    ("GET", "/cgi-bin/user/info", info),
    ("POST", "/cgi-bin/user/info/batchget", batch),
)
