"""Notices outside the windows: template messages, and subscription notices of both apps.

Source: "Send template message", "bizsend", "subscribeMessage.send". One accepted prompt is one
notice; then 43101. Not verified: the limits of each kind of field. Not played: the one-time
`template/subscribe`; the events about a notice are pushed only through the control plane.
"""

import collections
import itertools
import secrets
from typing import TYPE_CHECKING, Any

from sandbox.wechat.errors import fail
from sandbox.wechat.mini import admit_mini

if TYPE_CHECKING:
    from sandbox.wechat.users import User
    from sandbox.wechat.world import World

ANSWERS = ("accept", "reject")
_numbers = itertools.count(3_000_000_000 + secrets.randbelow(10**6))


class Credits:
    """How many notices of a template a user has accepted and not yet received, by openid."""

    def __init__(self) -> None:
        self._left: collections.Counter[tuple[str, str]] = collections.Counter()

    def prompted(self, openid: str, template: str, reply: str) -> None:
        """The user was asked; ValueError for an answer that isn't one of ANSWERS."""
        if reply not in ANSWERS:
            raise ValueError(f"answers are {', '.join(ANSWERS)}")
        if reply == "accept":
            self._left[openid, template] += 1

    def spend(self, openid: str, template: str) -> None:
        """One notice goes out; 43101 where nothing is left."""
        if self._left[openid, template] < 1:
            fail(43101)
        self._left[openid, template] -= 1

    def state(self) -> list[dict[str, Any]]:
        """For the control plane."""
        return [
            {"openid": openid, "template_id": template, "left": left}
            for (openid, template), left in self._left.items()
        ]


def template_send(world: "World") -> dict[str, Any]:
    """`message/template/send`: 40037 for a template that isn't ours, 43004 for no follower."""
    world.admit()
    given = world.body()
    user = world.users.of_account(given.get("touser"))
    template, rows = _read(world, given)
    if not user.follows:
        fail(43004)
    _arrive(world, user, "template", template, rows)
    return {"errcode": 0, "errmsg": "ok", "msgid": next(_numbers)}


def biz_send(world: "World") -> dict[str, Any]:
    """`message/subscribe/bizsend` of the Official Account; its answer has no msgid."""
    world.admit()
    given = world.body()
    user = world.users.of_account(given.get("touser"))
    template, rows = _read(world, given)
    world.credits.spend(user.openid, template)
    _arrive(world, user, "subscribe", template, rows)
    return {"errcode": 0, "errmsg": "ok"}


def mini_send(world: "World") -> dict[str, Any]:
    """`message/subscribe/send` of the mini program, to the openid that it knows."""
    admit_mini(world)
    given = world.body()
    user = world.users.find(str(given.get("touser")))
    if user is None or user.mini_openid != given.get("touser"):
        fail(40003)
    template, rows = _read(world, given)
    world.credits.spend(user.mini_openid, template)
    _arrive(world, user, "subscribe", template, rows)
    return {"errcode": 0, "errmsg": "ok"}


def _read(world: "World", given: dict[str, Any]) -> tuple[str, list[str]]:
    """The template and its values: 40037, 47003."""
    template, data = given.get("template_id"), given.get("data")
    if template not in world.account.templates:
        fail(40037)
    if not isinstance(data, dict) or not data:
        fail(47003)
    values = [field.get("value") if isinstance(field, dict) else None for field in data.values()]
    if not all(isinstance(value, str) and value for value in values):
        fail(47003)
    return str(template), [str(value) for value in values]


def _arrive(world: "World", user: "User", via: str, template: str, rows: list[str]) -> None:
    content = {"template_id": template, "title": world.account.templates[template], "rows": rows}
    world.inbox.add(user.openid, via, "template", content)


ROUTES = (
    ("POST", "/cgi-bin/message/template/send", template_send),
    ("POST", "/cgi-bin/message/subscribe/bizsend", biz_send),
    ("POST", "/cgi-bin/message/subscribe/send", mini_send),
)
