"""`/connect/oauth2/authorize`: the page on which WeChat asks its user, played in a browser.

Who "holds this WeChat" is a cookie, set by `/_sandbox/wechat/as?openid=…` or by choosing a
user on the page. Refusing sends back the state alone, as older copies of the guide say; newer
ones say nothing is sent back (not verified).
"""

import re
import urllib.parse
from typing import TYPE_CHECKING

from flask import Blueprint, Response, make_response, redirect, render_template_string, request
from flask.typing import ResponseReturnValue

from sandbox.wechat.account import APPID
from sandbox.wechat.oauth import Grant, consented, snapshot

if TYPE_CHECKING:
    from sandbox.wechat.users import User
    from sandbox.wechat.world import World

COOKIE = "wechat_sandbox_user"
SCOPES = ("snsapi_base", "snsapi_userinfo")
LOOPBACK = ("127.0.0.1", "localhost", "::1")
STATE = re.compile(r"[A-Za-z0-9]{0,128}")

HEAD = """<!DOCTYPE html><html lang="zh-CN"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1"><title>WeChat sandbox</title>
<style>body{font:16px/1.5 system-ui,sans-serif;max-width:26rem;margin:2rem auto;padding:0 1rem}
button{display:block;width:100%;min-height:44px;margin:.5rem 0;font:inherit;border-radius:6px;
border:1px solid #666;background:#fff;color:#111}button.allow{background:#06794a;color:#fff}
</style>"""
PAGE = (
    HEAD
    + """<h1>WeChat sandbox 微信沙盒</h1>
<p>The account <b>{{ appid }}</b> asks for <b>{{ scope }}</b>.<br>该公众号申请获取你的信息。</p>
<form method="post">
{% for user in users %}<button class="allow" name="allow" value="{{ user.openid }}">
允许 Allow as {{ user.name }}</button>{% endfor %}
<button name="refuse" value="1">拒绝 Refuse</button>
<button name="snapshot" value="1">快照页 As a snapshot user</button></form></html>"""
)
ERROR = HEAD + "<h1>{{ text }}</h1><p>错误码 Error {{ code }}</p></html>"


def consent_blueprint(world: "World") -> Blueprint:
    """The authorization page, and the control that says whose WeChat this browser is."""
    plane = Blueprint("wechat_consent", __name__)

    @plane.get("/connect/oauth2/authorize")
    def ask() -> ResponseReturnValue:
        with world.lock:
            refused = _refused(world)
            if refused:
                return refused
            holder = _holder(world)
            if holder and request.args["scope"] == "snsapi_base":
                return _back(world, consented(holder, "snsapi_base"))
            users = [holder] if holder else world.users.everyone()
            scope = request.args["scope"]
            return render_template_string(PAGE, appid=APPID, scope=scope, users=users)

    @plane.post("/connect/oauth2/authorize")
    def decide() -> ResponseReturnValue:
        with world.lock:
            return _refused(world) or _decided(world)

    @plane.get("/_sandbox/wechat/as")
    def become() -> ResponseReturnValue:
        with world.lock:
            user = world.users.get(request.args)
        response = make_response({"ok": True, "name": user.name, "openid": user.openid})
        return _remember(response, user)

    return plane


def _holder(world: "World") -> "User | None":
    key = request.cookies.get(COOKIE)
    return world.users.find(key) if key else None


def _remember(response: Response, user: "User") -> Response:
    response.set_cookie(COOKIE, user.openid, httponly=True, samesite="Lax")
    return response


def _decided(world: "World") -> ResponseReturnValue:
    scope = request.args["scope"]
    if "snapshot" in request.form:
        return _back(world, snapshot(scope))
    if "allow" not in request.form:
        return _back(world, None)
    user = world.users.find(request.form["allow"])
    if user is None:
        return error_page("系统错误", -1)
    return _remember(_back(world, consented(user, scope)), user)


def _refused(world: "World") -> Response | None:
    """The page WeChat shows when the link itself is wrong; it redirects nowhere.

    10003 and 10005 are the numbers such pages show; 10013 is from memory.
    """
    args = request.args
    if args.get("appid") != APPID:
        return error_page("AppID 参数错误", 10013)
    if not may_return(args.get("redirect_uri", ""), world.account.oauth_domain):
        return error_page("redirect_uri 域名与后台配置不一致", 10003)
    if args.get("response_type") != "code":
        return error_page("response_type 参数错误", 10016)
    if args.get("scope") not in SCOPES:
        return error_page("Scope 参数错误或没有 Scope 权限", 10005)
    if not STATE.fullmatch(args.get("state", "")):
        return error_page("state 参数错误", 10016)
    return None


def may_return(redirect_uri: str, domain: str | None) -> bool:
    """Whether its host is the configured domain in full (with the port, if that has one)."""
    try:
        parts = urllib.parse.urlsplit(redirect_uri)
        parts.port  # noqa: B018 - raises on a port that is none
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return False
    if domain is None:
        return parts.hostname in LOOPBACK
    return domain.lower() in (parts.hostname, parts.netloc.lower())


def error_page(text: str, code: int) -> Response:
    """What WeChat shows instead of going on."""
    return Response(render_template_string(ERROR, text=text, code=code), 200)


def _back(world: "World", grant: Grant | None) -> Response:
    return back_to(world.web.code(grant) if grant else None)


def back_to(code: str | None) -> Response:
    """Back to the site, with the code if there is one, and the state."""
    parts = urllib.parse.urlsplit(request.args["redirect_uri"])
    query = urllib.parse.parse_qsl(parts.query, keep_blank_values=True)
    if code:
        query.append(("code", code))
    query.append(("state", request.args.get("state", "")))
    target = parts._replace(query=urllib.parse.urlencode(query))
    response = redirect(urllib.parse.urlunsplit(target), 302)
    return make_response(response)
