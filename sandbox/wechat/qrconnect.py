"""`/connect/qrconnect`: signing in on a website by scanning its code with WeChat.

A website app has ids of its own and no API token. Source: "Website application WeChat login". The
code is good for ten minutes. After a refusal older pages send the state back alone, newer ones
send nothing (not verified): the setting `refusal_returns` chooses.
"""

from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template_string, request
from flask.typing import ResponseReturnValue

from sandbox.wechat.account import WEB_APPID
from sandbox.wechat.consent import HEAD, back_to, error_page, may_return
from sandbox.wechat.oauth import WEBSITE_CODE_SECONDS, WEBSITE_SCOPE, scanned_in

if TYPE_CHECKING:
    from sandbox.wechat.world import World

MOST_STATE_BYTES = 128
PAGE = (
    HEAD
    + """<h1>WeChat sandbox 微信沙盒</h1>
<p>Who scans this website's code and agrees?<br>谁用微信扫码登录?</p>
<form method="post">
{% for user in users %}<button class="allow" name="allow" value="{{ user.openid }}">
扫码并允许 Scan as {{ user.name }}</button>{% endfor %}
<button name="refuse" value="1">取消 Cancel</button></form></html>"""
)
REFUSED = HEAD + "<h1>你已取消此次登录</h1><p>Cancelled; the website isn't told.</p></html>"


def qrconnect_blueprint(world: "World") -> Blueprint:
    """The page that a website sends its visitors to."""
    plane = Blueprint("wechat_qrconnect", __name__)

    @plane.get("/connect/qrconnect")
    def ask() -> ResponseReturnValue:
        with world.lock:
            users = world.users.everyone()
            return _refused(world) or Response(render_template_string(PAGE, users=users))

    @plane.post("/connect/qrconnect")
    def decide() -> ResponseReturnValue:
        with world.lock:
            return _refused(world) or _decided(world)

    return plane


def _decided(world: "World") -> Response:
    user = world.users.find(request.form.get("allow", ""))
    if user:
        return back_to(world.web.code(scanned_in(user), WEBSITE_CODE_SECONDS))
    if world.account.refusal_returns:
        return back_to(None)
    return Response(REFUSED)


def _refused(world: "World") -> Response | None:
    args = request.args
    if args.get("appid") != WEB_APPID:
        return error_page("AppID 参数错误", 10013)
    if not may_return(args.get("redirect_uri", ""), world.account.website_domain):
        return error_page("redirect_uri 参数错误", 10003)
    if args.get("response_type") != "code":
        return error_page("response_type 参数错误", 10016)
    if args.get("scope") != WEBSITE_SCOPE:
        return error_page("Scope 参数错误或没有 Scope 权限", 10005)
    if len(args.get("state", "").encode()) > MOST_STATE_BYTES:
        return error_page("state 参数错误", 10016)
    return None
