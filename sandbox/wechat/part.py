"""Puts the sandbox's WeChat together: routes, errors, control plane, what is printed at start."""

import os
from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import HTTPException

from sandbox.kit import Beside, Kit, Part
from sandbox.wechat import (
    account,
    messages,
    mini,
    notices,
    oauth,
    qrcodes,
    tags,
    tokens,
    users,
)
from sandbox.wechat.consent import consent_blueprint
from sandbox.wechat.errors import WeChatError, answer, error_body, error_document
from sandbox.wechat.phone.page import phone_blueprint
from sandbox.wechat.push import push_blueprint
from sandbox.wechat.qrconnect import qrconnect_blueprint
from sandbox.wechat.users import follow
from sandbox.wechat.webview import webview
from sandbox.wechat.world import World

CALLBACK = "SANDBOX_WECHAT_CALLBACK"  # environment: the callback URL from the start on
View = Callable[[World], dict[str, Any] | Response]
ROUTES: tuple[tuple[str, str, View], ...] = (
    *tokens.ROUTES,
    *users.ROUTES,
    *tags.ROUTES,
    *qrcodes.ROUTES,
    *messages.ROUTES,
    *notices.ROUTES,
    *oauth.ROUTES,
    *mini.ROUTES,
)


def make(kit: Kit) -> Part:
    """The part "wechat": one Official Account and one mini program, over plain HTTP."""
    world = World(kit.clock, os.environ.get(CALLBACK) or None)
    app = Flask(__name__)
    for method, path, view in ROUTES:
        _add(app, world, method, path, view)

    @app.get("/cgi-bin/showqrcode")
    def showqrcode() -> ResponseReturnValue:
        with world.lock:
            return qrcodes.show(world)

    app.register_error_handler(WeChatError, _refused)
    app.register_error_handler(HTTPException, _unknown)
    app.register_blueprint(consent_blueprint(world))
    app.register_blueprint(qrconnect_blueprint(world))
    app.register_blueprint(push_blueprint(world))
    app.register_blueprint(phone_blueprint(world))
    return Part(
        name="wechat",
        kit=kit,
        app=app,
        ready=lambda url: _ready(world, url),
        reset=lambda: _reset(world),
        seed=lambda document: _seed(world, document),
        state=lambda: _state(world),
        error_body=error_body,
        beside=(Beside(webview(world), lambda url: setattr(world, "browser_url", url)),),
    )


def _add(app: Flask, world: World, method: str, path: str, view: View) -> None:
    def run() -> Response:
        with world.lock:
            told = view(world)
        return told if isinstance(told, Response) else answer(told, path)

    app.add_url_rule(path, path.replace("/", "_"), run, methods=[method])


def _refused(error: WeChatError) -> Response:
    return answer(error_document(error.errcode, error.errmsg), request.path)


def _unknown(error: HTTPException) -> Response:
    """What isn't played here fails loudly, by its status too; a wrong method as WeChat says it."""
    if error.code == 405:
        wants_post = request.method == "GET"
        return answer(error_document(43002 if wants_post else 43001), request.path)
    return answer(
        error_document(40066), request.path, 501 if error.code == 404 else error.code or 500
    )


def _ready(world: World, url: str) -> dict[str, Any]:
    world.url = url
    names = ("name", "openid", "unionid", "mini_openid", "web_openid", "phone")
    told = [{name: getattr(user, name) for name in names} for user in world.users.everyone()]
    return {
        "url": url,
        "phone_url": f"{url}/_sandbox/",
        "browser_url": world.browser_url,
        "appid": account.APPID,
        "secret": account.SECRET,
        "token": world.account.token,
        "aes_key": world.account.aes_key,
        "original_id": account.ORIGINAL_ID,
        "mini_appid": account.MINI_APPID,
        "mini_secret": account.MINI_SECRET,
        "web_appid": account.WEB_APPID,
        "web_secret": account.WEB_SECRET,
        "templates": sorted(world.account.templates),
        "thumb_media_id": account.THUMB_MEDIA_ID,
        "users": told,
        "callback_url": world.account.callback_url,
    }


def _reset(world: World) -> None:
    with world.lock:
        world.reset()


def _seed(world: World, document: Any) -> list[dict[str, Any]]:
    """{"users": [{"name", "openid"?, "unionid"?, "phone"?, "follows"?}]} -> those users."""
    given = document.get("users") if isinstance(document, dict) else None
    if not isinstance(given, list):
        raise TypeError('a seed is {"users": [{"name", "openid"?, "unionid"?, "follows"?}]}')
    made = []
    with world.lock:
        for each in given:
            fields = dict(each)
            follows = fields.pop("follows", False)
            user = world.users.add(**fields)
            if follows:
                follow(user, world.clock.now(), None)
            made.append(user.brief())
    return made


def _state(world: World) -> dict[str, Any]:
    with world.lock:
        return {
            "account": vars(world.account),
            "users": [user.brief() for user in world.users.everyone()],
            "windows": world.windows.state(),
            "qrcodes": world.qrcodes.all(),
            "minicodes": [vars(code) for code in world.mini.codes],
            "tags": world.tags.all(),
            "credits": world.credits.state(),
            "quotas": world.quotas.used(),
            "messages": world.inbox.of(None),
        }
