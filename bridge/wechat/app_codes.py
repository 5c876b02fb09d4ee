"""Whose code is it that WeChat gave to an app: the official account's web OAuth, or a mini
program's own sign-in. Not for: browsers (`web_oauth.py`), or signing anybody in.

A code is good once, and only together with the account's secret, so what it stands for was proven
by WeChat to whoever brings it.
"""

from collections.abc import Callable, Mapping
from typing import TypeVar

from bridge.errors import Problem
from bridge.wechat.channel import Channel
from bridge.wechat.errors import WechatError
from bridge.wechat.web_oauth import PROOF

T = TypeVar("T")
MINI = "wechat_mini"
Whose = tuple[str, str] | None
"""Kind and value of an identity; None for a code that isn't good, or a snapshot's."""


def codes_of(channel: Channel) -> Mapping[str, Callable[[str], Whose]]:
    """Parameter -> who it is. Each raises Problem where WeChat can't be asked."""
    found: dict[str, Callable[[str], Whose]] = {"wechat_code": lambda c: _official(channel, c)}
    if channel.account.mini_appid:
        found["wechat_mini_code"] = lambda c: _mini(channel, c)
    return found


def _official(channel: Channel, code: str) -> Whose:
    user = _asked(channel.gateway.exchange, code)
    if user is None or user.snapshot:
        return None
    return PROOF, f"{channel.account.appid}:{user.openid}"


def _mini(channel: Channel, code: str) -> Whose:
    user = _asked(channel.gateway.mini_user, code)
    return None if user is None else (MINI, f"{channel.account.mini_appid}:{user}")


def _asked(ask: Callable[[str], T], code: str) -> T | None:
    try:
        return ask(code)
    except WechatError as error:
        if error.may_pass:
            raise Problem("wechat-unavailable") from None
        return None
