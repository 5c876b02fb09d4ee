"""One user's chat with the account as the page shows it: what they did, what they received.

What arrives was written by others: only its text and its http(s) links are taken over, so that
nothing in a message becomes markup of this page.
"""

import datetime
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.wechat.quotas import BEIJING
from sandbox.wechat.webview import origin_of

if TYPE_CHECKING:
    from sandbox.wechat.users import User
    from sandbox.wechat.world import World

_LINKS = re.compile(
    r'<a\s[^<>]*?href=["\']([^"\'<>]*)["\'][^<>]*>(.*?)</a>|(https?://[^\s<>"\']+)', re.DOTALL
)


class Link(NamedTuple):
    """Where a tap leads; `inside`: the browser inside WeChat shows it."""

    url: str
    inside: bool


class Run(NamedTuple):
    """A piece of text, and the link it is."""

    text: str
    link: Link | None


Line = dict[str, Any]


def chat_of(world: "World", user: "User") -> list[Line]:
    """Oldest first: {"side": "me" | "them" | "note", "at", …}."""
    acts, lines = world.diary.of(user.openid), []
    for entry in world.inbox.of(user.openid):
        while acts and acts[0].after < entry["n"]:
            lines.append(_act(acts.pop(0)._asdict()))
        lines.append(_received(world, entry))
    return lines + [_act(act._asdict()) for act in acts]


def at(moment: float, form: str = "%H:%M:%S") -> str:
    """A moment of the sandbox's clock, as a phone in Beijing shows it."""
    return datetime.datetime.fromtimestamp(moment, BEIJING).strftime(form)


def link_to(world: "World", url: Any) -> Link | None:
    """A page of the site's in the browser inside WeChat; another one as it is; nothing else."""
    origin = origin_of(str(url))
    if not origin:
        return None
    if origin != origin_of(world.account.callback_url):
        return Link(str(url), inside=False)
    return Link(world.browser_url + str(url).removeprefix(origin), inside=True)


def _act(act: dict[str, Any]) -> Line:
    if act["event"] == "text":
        return {"side": "me", "kind": "text", "at": at(act["at"]), "runs": [Run(act["text"], None)]}
    return {"side": "note", "event": act["event"], "at": at(act["at"])}


def _received(world: "World", entry: dict[str, Any]) -> Line:
    kind, content = entry["msgtype"], entry["content"]
    line: Line = {"side": "them", "via": entry["via"], "at": at(entry["at"]), "kind": kind}
    if kind == "text":
        text = str(content.get("content") or content.get("Content") or "")
        return line | {"runs": list(_runs(world, text))}
    if kind in ("news", "link"):
        return line | {"kind": "news", **_article(world, content)}
    if kind == "msgmenu":
        return line | {"head": content.get("head_content", ""), "items": content["list"]}
    title = content.get("title") or content.get("Title") or kind
    return line | {"kind": "card", "title": str(title), "rows": content.get("rows", [])}


def _article(world: "World", content: dict[str, Any]) -> Line:
    """The one article: in `articles` of a customer message, in `Articles` of a reply."""
    articles = content.get("articles") or content.get("Articles") or content
    if isinstance(articles, dict):
        articles = articles.get("item", articles)
    first = articles[0] if isinstance(articles, list) else articles
    told = {str(name).lower(): value for name, value in first.items()}
    link = link_to(world, told.get("url"))
    return {"title": told.get("title"), "about": told.get("description"), "link": link}


def _runs(world: "World", text: str) -> Iterator[Run]:
    done = 0
    for found in _LINKS.finditer(text):
        yield Run(text[done : found.start()], None)
        url = (found[1] or found[3]).replace("&amp;", "&")
        yield Run(found[2] or url, link_to(world, url))
        done = found.end()
    yield Run(text[done:], None)
