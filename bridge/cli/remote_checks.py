"""The doctor's look at gateways and WeChat, without sending anything to anybody.

Not for: the CRM (`crm_checks.py`), the way to any of them (`network_checks.py`).
"""

import secrets
import smtplib
import ssl
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import requests

from bridge.cli.checks import Check, failed, ok, unsure
from bridge.cli.crm_checks import OwnTokens
from bridge.wechat import crypto
from bridge.wechat.errors import WechatError
from bridge.wechat.tokens import AccessToken
from bridge.wechat.transport import session
from config.settings import Settings

_SECONDS = 5.0
_ECHO_PATH = "/wechat/callback"
_ALLOW = (
    "put the address that this host calls from on the account's IP allow list (Settings and "
    "development > Basic configuration)"
)
_WECHAT_ADVICE = {
    40013: "wechat.appid isn't one of WeChat's",
    40125: "wechat.secret is wrong or was reset",
    40001: "wechat.secret is wrong or was reset",
    40164: _ALLOW,
    61004: _ALLOW,  # the same, as newer pages number it
    60020: _ALLOW,  # the same, of WeCom
    89503: "the account's administrator must allow this call: a message waits in WeChat",
    40243: "the AppSecret is frozen: unfreeze it in the account's console",
    45009: "the day's quota of this call is used up",
    48001: "the account isn't verified, or of a kind that may not call this",
}


def gateways(settings: Settings) -> Iterator[Check]:
    """One line for each channel."""
    for channel in ("sms", "mail"):
        gateway, name = getattr(settings.notify, channel), f"gateway, {channel}"
        if gateway.kind == "none":
            yield unsure(name, "not set up: codes and mails of this channel can't be sent")
        elif gateway.kind == "http":
            yield _http(name, gateway.url)
        else:
            yield _smtp(name, gateway)


def _http(name: str, url: str) -> Check:
    """A connection with TLS, and a HEAD without the token: any answer will do."""
    host = urlsplit(url).netloc.rpartition("@")[2]
    try:
        with _plain() as made:
            made.head(url, timeout=_SECONDS, allow_redirects=False)
    except requests.exceptions.SSLError:
        return failed(name, f"{host}: its certificate isn't trusted", "check the URL's host")
    except requests.RequestException:
        do = f"check notify.{name.rpartition(' ')[2]}.url and the firewall"
        return failed(name, f"{host} can't be reached", do)
    return ok(name, f"{host} answers (nothing was sent; its token isn't tried)")


def _smtp(name: str, gateway: Any) -> Check:
    place = f"{gateway.host}:{gateway.port}"
    try:
        with smtplib.SMTP(gateway.host, gateway.port, timeout=_SECONDS) as smtp:
            smtp.ehlo()
            if gateway.starttls:
                smtp.starttls(context=ssl.create_default_context())
            if gateway.user:
                smtp.login(gateway.user, gateway.password)
    except smtplib.SMTPAuthenticationError:
        return failed(name, f"{place} refuses user or password", "check notify.mail.user")
    except (smtplib.SMTPNotSupportedError, ssl.SSLError):
        return failed(name, f"{place}: no STARTTLS, or its certificate isn't trusted",
                      "use the submission port, 587")  # fmt: skip
    except (smtplib.SMTPException, OSError):
        return failed(name, f"{place} can't be reached", "check notify host, port, firewall")
    return ok(name, f"{place} answers (nothing was sent)")


def wechat(settings: Settings) -> Iterator[Check]:
    """The account's token, and our own callback as WeChat's console tries it."""
    if not settings.wechat.enabled:
        yield unsure("WeChat", "not enabled")
        return
    yield _token(settings.wechat)
    yield _callback(settings)


def _token(account: Any) -> Check:
    name = "WeChat, token"
    made = session(account.api_base)
    try:
        AccessToken(account.appid, account.secret, OwnTokens(), made).current()
    except WechatError as error:
        code = error.errcode
        do = _WECHAT_ADVICE.get(code or 0, "look the code up in WeChat's list of return codes")
        if code is None:
            return failed(name, "no answer from WeChat", "check wechat.api_base and the firewall")
        return failed(name, f"errcode {code}", do)
    finally:
        made.close()
    return ok(name, "stable_token gives one; appid and secret are right")


def _callback(settings: Settings) -> Check:
    name, echo, nonce = "WeChat, callback", secrets.token_hex(8), secrets.token_hex(8)
    moment = str(int(time.time()))
    query = {
        "signature": crypto.sign(settings.wechat.token, moment, nonce),
        "timestamp": moment,
        "nonce": nonce,
        "echostr": echo,
    }
    try:
        with _plain() as made:
            url = f"{settings.issuer}{_ECHO_PATH}"
            answer = made.get(url, params=query, timeout=_SECONDS, allow_redirects=False)
    except requests.RequestException:
        return unsure(name, "the web server can't be reached from here by its own issuer URL")
    if answer.status_code == 200 and answer.text == echo:
        return ok(name, "answers WeChat's check of the URL, with our token")
    do = "see that this deployment answers at the issuer's URL, with the same wechat.token"
    return failed(name, f"answers {answer.status_code}, not the echostr", do)


def _plain() -> requests.Session:
    made = requests.Session()
    made.trust_env = False
    return made
