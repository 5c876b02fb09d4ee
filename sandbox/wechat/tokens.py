"""The account's access tokens: `token`, `stable_token`, and the ticket of the JS-SDK.

Source: "getStableAccessToken" and the access token guide. A new `token` lets the one before
live for five minutes; `stable_token` keeps giving the same one, and the two don't touch.
"""

import math
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import request

from sandbox.kit.clock import Clock
from sandbox.wechat.account import APPID, MINI_APPID, SECRETS, WEB_APPID
from sandbox.wechat.errors import fail
from sandbox.wechat.quotas import Quotas

if TYPE_CHECKING:
    from sandbox.wechat.world import World

LIFETIME = 7200
OVERLAP = 300
FORCED_A_DAY = 20
FORCED_APART = 30


class Issued(NamedTuple):
    """A token and the epoch second of its end."""

    value: str
    until: float


class Tokens:
    """All tokens of all apps. Superseded and ended ones are remembered, to say which it was."""

    def __init__(self, clock: Clock, quotas: Quotas) -> None:
        self._clock = clock
        self._quotas = quotas
        self._appids: dict[str, str] = {}
        self._until: dict[str, float] = {}
        self._dead: set[str] = set()
        self._superseded: set[str] = set()
        self._current: dict[tuple[str, str], Issued] = {}
        self._forced_at: dict[str, float] = {}
        self._tickets: dict[str, Issued] = {}

    def renew(self, appid: str) -> Issued:
        """A new plain token; the one before it dies in five minutes."""
        before = self._current.get(("plain", appid))
        if before:
            end = self._clock.now() + OVERLAP
            if end < before.until:
                self._until[before.value] = end
                self._superseded.add(before.value)
        return self._issue("plain", appid)

    def stable(self, appid: str) -> Issued:
        """The stable token; renewed five minutes ahead, while the old one lives to its end."""
        current = self._current.get(("stable", appid))
        if current and current.until - self._clock.now() > OVERLAP:
            return current
        return self._issue("stable", appid)

    def force(self, appid: str) -> Issued:
        """A new stable token; the one before it is void at once.

        45011 within 30 s, 45009 after 20 in a day; which code WeChat gives is not verified.
        """
        now = self._clock.now()
        if now - self._forced_at.get(appid, float("-inf")) < FORCED_APART:
            fail(45011)
        self._quotas.charge(f"forced {appid}", FORCED_A_DAY)
        self._forced_at[appid] = now
        before = self._current.get(("stable", appid))
        if before:
            self._dead.add(before.value)
        return self._issue("stable", appid)

    def check(self, value: str) -> str:
        """The appid of a token in force; 41001, 40014, 40001 or 42001 otherwise."""
        if not value:
            fail(41001)
        if len(value) < 100:
            fail(40014)
        if value not in self._appids or value in self._dead:
            fail(40001)
        if self._until[value] <= self._clock.now():
            fail(40001 if value in self._superseded else 42001)
        return self._appids[value]

    def expire(self) -> None:
        """End every token now, as if its time had come: the next call meets 42001."""
        for value in self._until:
            self._until[value] = self._clock.now()
        self._current = {k: Issued(i.value, 0.0) for k, i in self._current.items()}

    def revoke(self) -> None:
        """Void every token now: the next call meets 40001."""
        self._dead.update(self._appids)
        self._current.clear()

    def ticket(self, kind: str) -> Issued:
        """The ticket of the JS-SDK (jsapi) or of cards (wx_card)."""
        now = self._clock.now()
        ticket = self._tickets.get(kind)
        if ticket is None or ticket.until - now <= OVERLAP:
            ticket = self._tickets[kind] = Issued(secrets.token_urlsafe(64), now + LIFETIME)
        return ticket

    def _issue(self, kind: str, appid: str) -> Issued:
        issued = Issued(f"90_{secrets.token_urlsafe(120)}", self._clock.now() + LIFETIME)
        self._appids[issued.value], self._until[issued.value] = appid, issued.until
        self._current[kind, appid] = issued
        return issued


def _identify(world: "World", given: dict[str, Any]) -> str:
    """The appid whose credentials these are. The mini program has no IP whitelist."""
    if given.get("grant_type") != "client_credential":
        fail(40002)
    appid = check_secret(given)
    if appid == WEB_APPID:
        fail(40013)  # a website app has no API token; the code is not verified
    account = world.account
    if appid == APPID and account.secret_frozen:
        fail(40243)
    if appid == APPID and request.remote_addr not in account.ip_whitelist:
        caller = request.remote_addr
        fail(40164, f"invalid ip {caller} ipv6 ::ffff:{caller}, not in whitelist")
    return appid


def check_secret(given: dict[str, Any]) -> str:
    """The appid, once its secret was right: 41002, 41004, 40013, 40125."""
    appid, secret = given.get("appid"), given.get("secret")
    if not appid:
        fail(41002)
    if not secret:
        fail(41004)
    if appid not in SECRETS:
        fail(40013)
    if secret != SECRETS[appid]:
        fail(40125)
    return str(appid)


def _told(world: "World", issued: Issued) -> dict[str, Any]:
    left = math.ceil(issued.until - world.clock.now())
    return {"access_token": issued.value, "expires_in": min(left, LIFETIME)}


def token(world: "World") -> dict[str, Any]:
    """`token`: a new one at every call."""
    appid = _identify(world, request.args)
    world.charge(2000, key=appid)
    return _told(world, world.tokens.renew(appid))


def stable_token(world: "World") -> dict[str, Any]:
    """`stable_token`: normal and forced."""
    given = world.body()
    appid = _identify(world, given)
    world.charge(500_000, a_minute=10_000, key=appid)
    if given.get("force_refresh") is True:
        return _told(world, world.tokens.force(appid))
    return _told(world, world.tokens.stable(appid))


def ticket(world: "World") -> dict[str, Any]:
    """`ticket/getticket`."""
    world.admit(also=(MINI_APPID,))
    kind = request.args.get("type", "")
    if kind not in ("jsapi", "wx_card"):
        fail(40035)
    issued = world.tokens.ticket(kind)
    left = math.ceil(issued.until - world.clock.now())
    return {"errcode": 0, "errmsg": "ok", "ticket": issued.value, "expires_in": left}


def callback_ips(world: "World") -> dict[str, Any]:
    """`getcallbackip`: the sandbox pushes from this machine."""
    world.admit()
    return {"ip_list": ["127.0.0.1"]}


def clear_quota(world: "World") -> dict[str, Any]:
    """`clear_quota`: of the app whose token it is."""
    if world.admit(also=(MINI_APPID,)) != world.body().get("appid"):
        fail(40013)
    world.quotas.reset()
    return {"errcode": 0, "errmsg": "ok"}


ROUTES = (
    ("GET", "/cgi-bin/token", token),
    ("POST", "/cgi-bin/stable_token", stable_token),
    ("GET", "/cgi-bin/ticket/getticket", ticket),
    ("GET", "/cgi-bin/getcallbackip", callback_ips),
    ("POST", "/cgi-bin/clear_quota", clear_quota),
)
