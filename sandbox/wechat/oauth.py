"""Web OAuth inside WeChat and the mini program's login: codes, web tokens, `/sns/*`.

Source: "Web page authorization" and "code2Session". A web token is not an API token. The page
on which the user consents is in consent.py.
"""

import base64
import dataclasses
import secrets
from typing import TYPE_CHECKING, Any

from flask import request

from sandbox.kit.clock import Clock
from sandbox.wechat.account import APPID, MINI_APPID, WEB_APPID
from sandbox.wechat.errors import fail
from sandbox.wechat.tokens import check_secret
from sandbox.wechat.users import User, derived_id

if TYPE_CHECKING:
    from sandbox.wechat.world import World

CODE_SECONDS = 300
WEBSITE_CODE_SECONDS = 600
WEBSITE_SCOPE = "snsapi_login"
WHOLE = ("snsapi_userinfo", WEBSITE_SCOPE)  # scopes that give the unionid and the profile
TOKEN_SECONDS = 7200
REFRESH_SECONDS = 30 * 24 * 3600


@dataclasses.dataclass(frozen=True)
class Grant:
    """Who agreed to what. Of a snapshot user both ids are false ones, made for this visit."""

    appid: str
    openid: str
    unionid: str
    nickname: str
    scope: str
    snapshot: bool = False


@dataclasses.dataclass
class Pass:
    """A code or a token: whose, until when, and whether it was used."""

    grant: Grant
    until: float
    used: bool = False


class Web:
    """Codes, web access tokens and refresh tokens."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._codes: dict[str, Pass] = {}
        self._tokens: dict[str, Pass] = {}
        self._refresh: dict[str, Pass] = {}

    def code(self, grant: Grant, seconds: float = CODE_SECONDS) -> str:
        """A code that is good once."""
        value = f"0{secrets.token_hex(15)}"
        self._codes[value] = Pass(grant, self._clock.now() + seconds)
        return value

    def redeem(self, code: str, appid: str) -> Grant:
        """What a code stands for: 40163 when used, 40029 when ended, unknown or of another app."""
        found = self._codes.get(code)
        if found is None or found.grant.appid != appid:
            fail(40029)
        if found.used:
            fail(40163)
        if found.until <= self._clock.now():
            fail(40029)
        found.used = True
        return found.grant

    def tokens(self, grant: Grant) -> dict[str, Any]:
        """A web access token and its refresh token, as the answer tells them."""
        now = self._clock.now()
        access, refresh = (f"90_{secrets.token_urlsafe(80)}" for _ in range(2))
        self._tokens[access] = Pass(grant, now + TOKEN_SECONDS)
        self._refresh[refresh] = Pass(grant, now + REFRESH_SECONDS)
        return {
            "access_token": access,
            "expires_in": TOKEN_SECONDS,
            "refresh_token": refresh,
            "openid": grant.openid,
            "scope": grant.scope,
        }

    def refreshed(self, token: str) -> Grant:
        """What a refresh token stands for, or 40030."""
        found = self._refresh.get(token)
        if found is None or found.until <= self._clock.now():
            fail(40030)
        return found.grant

    def check(self, token: str, openid: str) -> Grant:
        """What a web token stands for: 41001, 40001, 42001, 40003."""
        if not token:
            fail(41001)
        found = self._tokens.get(token)
        if found is None:
            fail(40001)
        if found.until <= self._clock.now():
            fail(42001)
        if found.grant.openid != openid:
            fail(40003)
        return found.grant


def consented(user: User, scope: str) -> Grant:
    """The user's own ids, as the Official Account knows them."""
    return Grant(APPID, user.openid, user.unionid, user.name, scope)


def snapshot(scope: str) -> Grant:
    """A visitor in snapshot mode: ids that belong to nobody and come once."""
    visit = secrets.token_hex(8)
    openid, unionid = derived_id(APPID, visit), derived_id("union", visit)
    return Grant(APPID, openid, unionid, "微信用户", scope, snapshot=True)


def scanned_in(user: User) -> Grant:
    """What a website learns of who scanned its code."""
    return Grant(WEB_APPID, user.web_openid, user.unionid, user.name, WEBSITE_SCOPE)


def logged_in(user: User) -> Grant:
    """What wx.login gives the mini program."""
    return Grant(MINI_APPID, user.mini_openid, user.unionid, user.name, "login")


def _redeem(world: "World", parameter: str, *appids: str) -> Grant:
    if request.args.get("grant_type") != "authorization_code":
        fail(40002)
    appid = check_secret(request.args)
    if appid not in appids:
        fail(40013)
    code = request.args.get(parameter)
    if not code:
        fail(41008)
    return world.web.redeem(code, appid)


def access_token(world: "World") -> dict[str, Any]:
    """`oauth2/access_token`: no quota, no IP whitelist; no unionid for snsapi_base."""
    grant = _redeem(world, "code", APPID, WEB_APPID)
    told = world.web.tokens(grant)
    if grant.snapshot:
        told["is_snapshotuser"] = 1
    if grant.scope in WHOLE:
        told["unionid"] = grant.unionid
    return told


def refresh_token(world: "World") -> dict[str, Any]:
    """`oauth2/refresh_token`."""
    if request.args.get("grant_type") != "refresh_token":
        fail(40002)
    appid = request.args.get("appid")
    if appid not in (APPID, WEB_APPID):
        fail(40013)
    grant = world.web.refreshed(request.args.get("refresh_token", ""))
    if grant.appid != appid:
        fail(40030)
    return world.web.tokens(grant)


def userinfo(world: "World") -> dict[str, Any]:
    """`/sns/userinfo`: not for snsapi_base, 48001 then."""
    args = request.args
    grant = world.web.check(args.get("access_token", ""), args.get("openid", ""))
    if grant.scope not in WHOLE:
        fail(48001)
    told: dict[str, Any] = {"openid": grant.openid, "nickname": grant.nickname, "sex": 0}
    told |= {"language": "", "city": "", "province": "", "country": "", "headimgurl": ""}
    told |= {"privilege": [], "unionid": grant.unionid}
    if grant.snapshot:
        told["is_snapshotuser"] = 1
    return told


def jscode2session(world: "World") -> dict[str, Any]:
    """`/sns/jscode2session`: 100 a minute for each user, 45011 over it."""
    grant = _redeem(world, "js_code", MINI_APPID)
    world.charge(None, a_minute=100, key=grant.openid)
    session_key = base64.b64encode(secrets.token_bytes(16)).decode()
    return {"session_key": session_key, "openid": grant.openid, "unionid": grant.unionid}


ROUTES = (
    ("GET", "/sns/oauth2/access_token", access_token),
    ("GET", "/sns/oauth2/refresh_token", refresh_token),
    ("GET", "/sns/userinfo", userinfo),
    ("GET", "/sns/jscode2session", jscode2session),
)
