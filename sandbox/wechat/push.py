"""The control plane's way to let WeChat's users do something: push, scan, verify-url, messages.

All under /_sandbox/, JSON in and out; a document that makes no sense is answered 400.
"""

import secrets
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from flask import Blueprint, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.wechat import crypto
from sandbox.wechat.delivery import Options, call, deliver, options_of
from sandbox.wechat.events import Push, make_push, scan_document, take_effect
from sandbox.wechat.messages import BROKEN
from sandbox.wechat.oauth import logged_in

if TYPE_CHECKING:
    from sandbox.wechat.world import World


def push_blueprint(world: "World") -> Blueprint:
    """The routes by which users act and the callback is tried."""
    plane = Blueprint("wechat_push", __name__, url_prefix="/_sandbox")
    plane.register_error_handler(ValueError, lambda error: (jsonify(error=str(error)), 400))
    plane.register_error_handler(TypeError, lambda error: (jsonify(error=str(error)), 400))
    plane.register_error_handler(LookupError, lambda error: (jsonify(error=str(error)), 410))

    @plane.post("/push")
    def push() -> ResponseReturnValue:
        document = _document()
        if "events" not in document:
            return jsonify(pushed(world, [document])[0])
        backwards = bool(document.get("out_of_order"))
        return jsonify(
            pushes=pushed(world, [_object(each) for each in document["events"]], backwards)
        )

    @plane.post("/scan")
    def scan() -> ResponseReturnValue:
        with world.lock:
            document = scan_document(world, _document())
        return jsonify(pushed(world, [document])[0])

    @plane.post("/verify-url")
    def verify_url() -> ResponseReturnValue:
        return jsonify(_verified(world, _document()))

    @plane.get("/messages")
    def messages() -> ResponseReturnValue:
        with world.lock:
            asked = request.args
            openid = world.users.get(asked).openid if asked else None
            return jsonify(messages=world.inbox.of(openid))

    _add_settings(plane, world)
    return plane


def _add_settings(plane: Blueprint, world: "World") -> None:
    @plane.get("/callback")
    def callback() -> ResponseReturnValue:
        return jsonify(url=world.account.callback_url)

    @plane.post("/callback")
    def set_callback() -> ResponseReturnValue:
        with world.lock:
            world.account.change({"callback_url": _document().get("url")})
        return jsonify(url=world.account.callback_url)

    @plane.post("/wechat/settings")
    def settings() -> ResponseReturnValue:
        with world.lock:
            world.account.change(_document())
            return jsonify(vars(world.account))

    @plane.post("/wechat/tokens")
    def tokens() -> ResponseReturnValue:
        acts = {"expire": world.tokens.expire, "revoke": world.tokens.revoke}
        act = acts.get(str(_document().get("act")))
        if act is None:
            raise ValueError("act is expire (42001 from now on) or revoke (40001)")
        with world.lock:
            act()
        return jsonify(ok=True)

    @plane.post("/wechat/window")
    def window() -> ResponseReturnValue:
        document = _document()
        with world.lock:
            user = world.users.get(document)
            world.windows.open(user.openid, str(document.get("trigger")))
        return jsonify(ok=True)

    @plane.post("/wechat/jscode")
    def jscode() -> ResponseReturnValue:
        with world.lock:
            user = world.users.get(_document())
            return jsonify(code=world.web.code(logged_in(user)), openid=user.mini_openid)

    @plane.post("/wechat/phonecode")
    def phonecode() -> ResponseReturnValue:
        with world.lock:
            user = world.users.get(_document())
            return jsonify(code=world.mini.phone_code(user), phone=user.phone)

    @plane.post("/wechat/prompt")
    def prompt() -> ResponseReturnValue:
        document = _document()
        with world.lock:
            user = world.users.get(document)
            app, template = document.get("app", "account"), str(document.get("template_id"))
            if app not in ("account", "mini") or template not in world.account.templates:
                raise ValueError("app is account or mini; template_id one of the templates")
            openid = user.openid if app == "account" else user.mini_openid
            world.credits.prompted(openid, template, str(document.get("answer")))
        return jsonify(ok=True)


def _document() -> dict[str, Any]:
    return _object(request.get_json(force=True, silent=True))


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise TypeError("a JSON object is needed")
    return document


def pushed(
    world: "World", documents: list[dict[str, Any]], backwards: bool = False
) -> list[dict[str, Any]]:
    """Push each; what happened to them, in the order of sending; effects are in the order given."""
    if not world.account.callback_url:
        raise ValueError("no callback URL is set; POST /_sandbox/callback")
    made: list[tuple[Push, Options]] = []
    with world.lock:
        for document in documents:
            options = options_of(world.account, document)
            push = make_push(world, document)
            if not options.forged:
                take_effect(world, push)
            made.append((push, options))
    return [_sent(world, *each) for each in (reversed(made) if backwards else made)]


def _sent(world: "World", push: Push, options: Options) -> dict[str, Any]:
    """All copies of one push. The lock isn't held, since the callback may call us back."""
    told: dict[str, Any] = {"openid": push.user.openid, "fields": push.fields}
    if world.paused():
        return told | {"attempts": [], "delivered": False, "shown": None, "paused": True}

    def one(copy: int) -> list[dict[str, Any]]:
        return deliver(world.account, push, options, copy)

    copies = range(1, options.copies + 1)
    with ThreadPoolExecutor(options.copies if options.concurrent else 1) as pool:
        attempts = [attempt for tries in pool.map(one, copies) for attempt in tries]
    told["attempts"] = attempts
    told["delivered"] = any(attempt["status"] == 200 for attempt in attempts)
    if not options.forged:
        world.heard(told["delivered"])
    told["shown"] = None if options.forged else _shown(world, push, attempts)
    return told


def _shown(world: "World", push: Push, attempts: list[dict[str, Any]]) -> dict[str, Any] | None:
    """What the follower sees of it: the first reply, or WeChat's words about a broken service.

    Those appear for a reply that can't be read, and for a message (not an event) that was
    never answered.
    """
    replies = [attempt["reply"] for attempt in attempts if attempt["status"] == 200]
    heard = next((reply for reply in replies if reply["kind"] != "nothing"), None)
    broken = heard["kind"] == "broken" if heard else False
    unanswered = not replies and push.fields["MsgType"] != "event"
    with world.lock:
        if broken or unanswered:
            world.inbox.add(push.user.openid, "notice", "text", {"content": BROKEN})
        elif heard and push.fields.get("Event") != "unsubscribe":
            fields = heard["fields"]
            world.inbox.add(push.user.openid, "passive", fields["MsgType"], fields)
            return dict(fields)
    return {"notice": BROKEN} if broken or unanswered else None


def _verified(world: "World", document: dict[str, Any]) -> dict[str, Any]:
    """The console's check of the callback URL: the echostr must come back as the whole body.

    {"tamper": "wrong_signature"} tells whether a forged check is refused.
    """
    account = world.account
    if not account.callback_url:
        raise ValueError("no callback URL is set; POST /_sandbox/callback")
    timestamp, nonce = str(int(time.time())), str(secrets.randbelow(10**10))
    echostr = str(secrets.randbelow(9 * 10**18) + 10**18)
    signature = crypto.sign(account.token, timestamp, nonce)
    if document.get("tamper") == "wrong_signature":
        signature = secrets.token_hex(20)
    query = {"signature": signature, "timestamp": timestamp, "nonce": nonce, "echostr": echostr}
    result = call(account, "GET", query)
    echoed = result.pop("body") == echostr.encode()
    return result | {"ok": result["status"] == 200 and echoed, "echoed": echoed}
