"""The account's tags and who has them: `tags/*` and `user/tag/get`.

Source: "User tag management". From memory: 45059, and that a fan's tags go when they unfollow.
"""

from typing import TYPE_CHECKING, Any

from flask import request

from sandbox.wechat.errors import fail

if TYPE_CHECKING:
    from sandbox.wechat.world import World

MOST_TAGS, MOST_NAME_BYTES, MOST_OF_A_USER, MOST_OPENIDS = 100, 30, 20, 50
RESERVED = (0, 1, 2)
FIRST = 100


class Tags:
    """Names by id, and openids by id."""

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._fans: dict[int, list[str]] = {}
        self._next = FIRST

    def create(self, name: str) -> int:
        """A new tag: 45056 over the number, 45157 for a name that is there."""
        if len(self._names) >= MOST_TAGS:
            fail(45056)
        self._check_name(name)
        number, self._next = self._next, self._next + 1
        self._names[number], self._fans[number] = name, []
        return number

    def rename(self, number: Any, name: str) -> None:
        """Another name for it."""
        number = self.known(number)
        self._check_name(name)
        self._names[number] = name

    def delete(self, number: Any) -> None:
        """Gone, and from every fan."""
        number = self.known(number)
        del self._names[number], self._fans[number]

    def known(self, number: Any) -> int:
        """The id of a tag: 45058 for one of WeChat's own, 45159 for none."""
        if number in RESERVED:
            fail(45058)
        if number not in self._names:
            fail(45159)
        return int(number)

    def put(self, number: int, openids: list[str]) -> None:
        """On all of them, or with 45059 on none."""
        fresh = [openid for openid in openids if openid not in self._fans[number]]
        if any(len(self.of(openid)) >= MOST_OF_A_USER for openid in fresh):
            fail(45059)
        self._fans[number] += dict.fromkeys(fresh)

    def take(self, number: int, openids: list[str]) -> None:
        """Off them."""
        self._fans[number] = [each for each in self._fans[number] if each not in openids]

    def of(self, openid: str) -> list[int]:
        """The tags of one user."""
        return [number for number, fans in self._fans.items() if openid in fans]

    def leave(self, openid: str) -> None:
        """They unfollowed."""
        for number in self.of(openid):
            self.take(number, [openid])

    def fans(self, number: int) -> list[str]:
        """Who has it, in the order they got it."""
        return list(self._fans[number])

    def all(self) -> list[dict[str, Any]]:
        """As `tags/get` tells them."""
        return [
            {"id": number, "name": name, "count": len(self._fans[number])}
            for number, name in self._names.items()
        ]

    def _check_name(self, name: str) -> None:
        if not name or name in self._names.values():
            fail(45157)
        if len(name.encode()) > MOST_NAME_BYTES:
            fail(45158)


def _tag(world: "World") -> dict[str, Any]:
    world.admit()
    tag = world.body().get("tag")
    return tag if isinstance(tag, dict) else fail(47001)


def create(world: "World") -> dict[str, Any]:
    """`tags/create`."""
    name = str(_tag(world).get("name", ""))
    return {"tag": {"id": world.tags.create(name), "name": name}}


def get(world: "World") -> dict[str, Any]:
    """`tags/get`."""
    world.admit()
    return {"tags": world.tags.all()}


def update(world: "World") -> dict[str, Any]:
    """`tags/update`."""
    tag = _tag(world)
    world.tags.rename(tag.get("id"), str(tag.get("name", "")))
    return {"errcode": 0, "errmsg": "ok"}


def delete(world: "World") -> dict[str, Any]:
    """`tags/delete`."""
    world.tags.delete(_tag(world).get("id"))
    return {"errcode": 0, "errmsg": "ok"}


def batch(world: "World") -> dict[str, Any]:
    """`tags/members/batchtagging` and `batchuntagging`: followers only, 40032 over 50 at once."""
    world.admit()
    given = world.body()
    openids, number = given.get("openid_list"), world.tags.known(given.get("tagid"))
    if not isinstance(openids, list) or not 1 <= len(openids) <= MOST_OPENIDS:
        fail(40032)
    if not all(world.users.of_account(openid).follows for openid in openids):
        fail(49003)
    act = world.tags.take if request.path.endswith("untagging") else world.tags.put
    act(number, openids)
    return {"errcode": 0, "errmsg": "ok"}


def of_user(world: "World") -> dict[str, Any]:
    """`tags/getidlist`."""
    world.admit()
    user = world.users.of_account(world.body().get("openid"))
    return {"tagid_list": world.tags.of(user.openid)}


def fans(world: "World") -> dict[str, Any]:
    """`user/tag/get`, all on one page; with `next_openid` those after it."""
    world.admit()
    given = world.body()
    found = world.tags.fans(world.tags.known(given.get("tagid")))
    if (after := given.get("next_openid")) in found:
        found = found[found.index(after) + 1 :]
    last = found[-1] if found else ""
    return {"count": len(found), "data": {"openid": found}, "next_openid": last}


ROUTES = (
    ("POST", "/cgi-bin/tags/create", create),
    ("GET", "/cgi-bin/tags/get", get),
    ("POST", "/cgi-bin/tags/update", update),
    ("POST", "/cgi-bin/tags/delete", delete),
    ("POST", "/cgi-bin/tags/members/batchtagging", batch),
    ("POST", "/cgi-bin/tags/members/batchuntagging", batch),
    ("POST", "/cgi-bin/tags/getidlist", of_user),
    ("POST", "/cgi-bin/user/tag/get", fans),
)
"""Method, path, view."""
