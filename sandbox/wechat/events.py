"""What WeChat pushes: the fields of each message and event, and what they do to our state.

Source: "Receive event pushes", "Receive ordinary messages", and "Changes of a user's
authorization". Not for signing or sending; that is delivery.py.
"""

import itertools
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.wechat.account import APPID, ORIGINAL_ID
from sandbox.wechat.users import User, follow

if TYPE_CHECKING:
    from sandbox.wechat.qrcodes import QrCode
    from sandbox.wechat.world import World

Fields = dict[str, Any]
SCENE_EVENTS = ("subscribe", "SCAN")
AUTHORIZATION_EVENTS = (
    "user_info_modified",
    "user_authorization_revoke",
    "user_authorization_cancellation",
)
EVENTS = (*SCENE_EVENTS, "unsubscribe", "CLICK", "VIEW", "LOCATION", *AUTHORIZATION_EVENTS)
PLATFORM = "platform_of_the_wechat_sandbox"  # who sends it is not verified; it isn't the user
TRIGGERS = {"subscribe": "follow", "SCAN": "scan", "CLICK": "menu"}
_numbers = itertools.count(secrets.randbelow(10**6) * 10**6)


class Push(NamedTuple):
    """What is pushed, and about whom."""

    user: User
    fields: Fields


def make_push(world: "World", document: dict[str, Any]) -> Push:
    """Of {"event", "user" or "openid", …}; more or other fields by {"fields": {…}}.

    "event" is one of EVENTS or "text" (with "text", and "menu_id" for a click in a msgmenu).
    ValueError when it can't be made.
    """
    user = world.users.get(document)
    event = document.get("event")
    if event == "text":
        said = _text(document)
    elif event in SCENE_EVENTS:
        said = _scene(world, event, document)
    elif event in EVENTS:
        said = {"MsgType": "event", "Event": event, **_details(event, user, document)}
    else:
        raise ValueError(f"events are text, {', '.join(EVENTS)}")
    sender = PLATFORM if event in AUTHORIZATION_EVENTS else user.openid
    head: Fields = {"ToUserName": ORIGINAL_ID, "FromUserName": sender}
    head["CreateTime"] = int(world.clock.now())
    return Push(user, head | said | document.get("fields", {}))


def take_effect(world: "World", push: Push) -> None:
    """What the user did: follow state, the window it opens, a line in the diary."""
    fields, user = push.fields, push.user
    world.diary.add(user.openid, fields, len(world.inbox))
    event = fields.get("Event")
    if event == "unsubscribe":
        user.follows = False
        world.windows.close(user.openid)
        world.tags.leave(user.openid)
        return
    if event == "subscribe":
        follow(user, world.clock.now(), _scene_of(world, fields))
    trigger = TRIGGERS.get(str(event))
    if fields["MsgType"] == "text":
        trigger = "menu" if "bizmsgmenuid" in fields else "message"
    if trigger:
        world.windows.open(user.openid, trigger)


def scan_document(world: "World", document: dict[str, Any]) -> dict[str, Any]:
    """The push that scanning a code causes: subscribe, or SCAN by one who follows.

    `ticket` may also be the text that stands in the code's image. LookupError when the code
    has ended, as then WeChat tells the user so and pushes nothing.
    """
    user = world.users.get(document)
    code = world.qrcodes.find(str(document.get("ticket") or ""))
    if code is None:
        raise ValueError("no such ticket")
    if not world.qrcodes.lives(code):
        raise LookupError("the code has ended")
    event = "SCAN" if user.follows else "subscribe"
    return document | {"event": event, "openid": user.openid, "ticket": code.ticket}


def _text(document: dict[str, Any]) -> Fields:
    said: Fields = {"MsgType": "text", "Content": str(document.get("text", "你好"))}
    said["MsgId"] = 24_000_000_000_000_000 + next(_numbers)
    if "menu_id" in document:
        said["bizmsgmenuid"] = document["menu_id"]
    return said


def _scene(world: "World", event: str, document: dict[str, Any]) -> Fields:
    """EventKey and Ticket; `subscribe` without a scene is somebody who searched the account."""
    said: Fields = {"MsgType": "event", "Event": event}
    code = _code(world, document)
    scene = code.scene if code else document.get("scene")
    if scene is None:
        if event == "SCAN":
            raise ValueError("a SCAN needs a scene or a ticket")
        return said | {"EventKey": ""}
    key = f"qrscene_{scene}" if event == "subscribe" else str(scene)
    ticket = code.ticket if code else f"gQ{secrets.token_hex(30)}=="
    return said | {"EventKey": key, "Ticket": ticket}


def _code(world: "World", document: dict[str, Any]) -> "QrCode | None":
    if "ticket" not in document:
        return None
    code = world.qrcodes.find(str(document["ticket"]))
    if code is None:
        raise ValueError("no such ticket")
    return code


def _scene_of(world: "World", fields: Fields) -> int | str | None:
    code = world.qrcodes.find(str(fields.get("Ticket") or ""))
    if code:
        return code.scene
    key = str(fields.get("EventKey") or "")
    return key.removeprefix("qrscene_") if key.startswith("qrscene_") else None


def _details(event: str, user: User, document: dict[str, Any]) -> Fields:
    if event == "LOCATION":
        return {"Latitude": "23.137466", "Longitude": "113.352425", "Precision": "119.385040"}
    if event in AUTHORIZATION_EVENTS:
        said: Fields = {"OpenID": user.openid, "AppID": APPID}
        if event == "user_authorization_revoke":
            said["RevokeInfo"] = str(document.get("revoke_info", "205"))
        return said
    return {"EventKey": str(document.get("key", ""))}
