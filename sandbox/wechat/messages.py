"""`message/custom/send`, and what each follower has received by any way."""

from typing import TYPE_CHECKING, Any

from sandbox.kit.clock import Clock
from sandbox.wechat.account import THUMB_MEDIA_ID
from sandbox.wechat.errors import fail

if TYPE_CHECKING:
    from sandbox.wechat.world import World

MOST_TEXT_BYTES = 2048
BROKEN = "该公众号提供的服务出现故障,请稍后再试"


class Inbox:
    """All that followers have on their phones, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._received: list[dict[str, Any]] = []

    def add(self, openid: str, via: str, msgtype: str, content: dict[str, Any]) -> None:
        """`via` is passive, custom or notice (WeChat's own words about a broken service)."""
        number = len(self._received) + 1
        entry = {"n": number, "openid": openid, "via": via, "msgtype": msgtype}
        self._received.append(entry | {"content": content, "at": self._clock.now()})

    def __len__(self) -> int:
        return len(self._received)

    def of(self, openid: str | None) -> list[dict[str, Any]]:
        """What one follower, or everybody, has received."""
        return [entry for entry in self._received if openid in (None, entry["openid"])]


def _text(content: dict[str, Any]) -> None:
    text = content.get("content")
    if not isinstance(text, str) or not text:
        fail(44004)
    if len(text.encode()) > MOST_TEXT_BYTES:
        fail(45002)


def _news(content: dict[str, Any]) -> None:
    articles = content.get("articles")
    if not isinstance(articles, list) or not articles:
        fail(44004)
    if len(articles) > 1:
        fail(45008)  # one article since October 2018
    _need(articles[0], "title", "url")


def _miniprogrampage(content: dict[str, Any]) -> None:
    _need(content, "title", "appid", "pagepath")
    _media(content, "thumb_media_id")


def _msgmenu(content: dict[str, Any]) -> None:
    items = content.get("list")
    if not isinstance(items, list) or not items:
        fail(44004)
    for item in items:
        _need(item, "id", "content")


def _link(content: dict[str, Any]) -> None:
    _need(content, "title", "url")


def _one_media(content: dict[str, Any]) -> None:
    _media(content, "media_id")


def _music(content: dict[str, Any]) -> None:
    _need(content, "musicurl", "hqmusicurl")
    _media(content, "thumb_media_id")


def _media(content: dict[str, Any], name: str) -> None:
    """There is no upload in the sandbox: the one medium it has is a published id."""
    if content.get(name) != THUMB_MEDIA_ID:
        fail(40007)


def _need(content: Any, *names: str) -> None:
    if not isinstance(content, dict) or not all(content.get(name) for name in names):
        fail(44004)


CHECKS = {
    "text": _text,
    "news": _news,
    "miniprogrampage": _miniprogrampage,
    "msgmenu": _msgmenu,
    "link": _link,
    "image": _one_media,
    "voice": _one_media,
    "video": _one_media,
    "music": _music,
    "mpnews": _one_media,
}


def send(world: "World") -> dict[str, Any]:
    """`message/custom/send`: to whoever has a window open; unfollowing closes them all."""
    world.admit()
    given = world.body()
    user = world.users.of_account(given.get("touser"))
    msgtype = given.get("msgtype")
    if msgtype not in CHECKS:
        fail(40008)
    content = given.get(msgtype)
    if not isinstance(content, dict):
        fail(44004)
    CHECKS[msgtype](content)
    world.windows.spend(user.openid)
    world.inbox.add(user.openid, "custom", msgtype, content)
    return {"errcode": 0, "errmsg": "ok"}


ROUTES = (("POST", "/cgi-bin/message/custom/send", send),)
