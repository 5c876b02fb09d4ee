"""The calls we make to the Official Account's API. The only module that imports wechatpy.

Not for: what comes from WeChat (`callbacks.py`), or deciding when to call.

wechatpy 2.0.0a26 builds the requests and reads the answers of API calls. Three things are done
beside it, for reasons that its issues tell: the access token (it fetches `cgi-bin/token` once per
process), the retry on a stale token (its own is unbounded recursion: pull request #152, issue
#629), and the OAuth exchange (WeChatOAuth ignores time limits and keeps openids on itself).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

from wechatpy.client import WeChatClient
from wechatpy.exceptions import WeChatException

from adapters.base import TokenCache
from bridge.wechat import transport
from bridge.wechat.errors import STALE_TOKEN, WechatError
from bridge.wechat.tokens import AccessToken


@dataclass(frozen=True)
class QrCode:
    """A parametric QR code. `url` is what its image says; `seconds` None where it stays."""

    ticket: str
    url: str
    seconds: int | None


@dataclass(frozen=True)
class WebUser:
    """Who web OAuth says holds the browser. A `snapshot` user's openid belongs to nobody."""

    openid: str = field(repr=False)
    snapshot: bool


class Gateway:
    """One Official Account. `account` is the `wechat` section of the settings.

    Safe to share by threads: each call has a wechatpy client of its own around one token.
    """

    def __init__(
        self,
        account: Any,
        cache: TokenCache,
        timeout: tuple[float, float] = transport.TIMEOUT,
    ) -> None:
        """`timeout`: seconds to connect and to read."""
        self._account = account
        self._session = transport.session(account.api_base, timeout)
        self._token = AccessToken(account.appid, account.secret, cache, self._session)

    def __repr__(self) -> str:
        return "Gateway()"

    def create_qr(self, scene: str, seconds: int | None) -> QrCode:
        """A code for a scene of 1 to 64 characters; `seconds` (at most 30 days) for a temporary
        one. Raises WechatError, StoreDown."""
        kind = "QR_LIMIT_STR_SCENE" if seconds is None else "QR_STR_SCENE"
        wanted: dict[str, Any] = {
            "action_name": kind,
            "action_info": {"scene": {"scene_str": scene}},
        }
        if seconds is not None:
            wanted["expire_seconds"] = seconds  # the default is 60 s in newer pages, 30 s in older
        made = self._call(lambda client: client.qrcode.create(wanted))
        return QrCode(_text(made, "ticket"), _text(made, "url"), seconds)

    def qr_image(self, ticket: str) -> str:
        """Where the image is; needs no token. A ticket holds `+`, `/` and `=`."""
        return f"{self._account.mp_base}/cgi-bin/showqrcode?ticket={quote(ticket, safe='')}"

    def follower(self, openid: str) -> Mapping[str, Any]:
        """`user/info`: subscribe, subscribe_time, unionid, qr_scene_str …; never name or
        language, which WeChat stopped giving in 2021. Raises WechatError, StoreDown."""
        return self._call(lambda client: client.user.get(openid))

    def say(self, openid: str, text: str) -> None:
        """A customer message; WeChat's windows apply (45015, 45047). Raises WechatError,
        StoreDown."""
        self._call(lambda client: client.message.send_text(openid, text))

    def authorize_url(self, return_url: str, state: str, scope: str = "snsapi_base") -> str:
        """Where a browser inside WeChat is sent. `state`: letters and digits only. The order of
        the parameters matters to old WeChat clients."""
        query = urlencode(
            {
                "appid": self._account.appid,
                "redirect_uri": return_url,
                "response_type": "code",
                "scope": scope,
                "state": state,
            }
        )
        return f"{self._account.open_base}/connect/oauth2/authorize?{query}#wechat_redirect"

    def exchange(self, code: str) -> WebUser:
        """Who a web OAuth code stands for; a code is good once. The tokens that come with it are
        dropped. Raises WechatError (40029 unknown or ended, 40163 used before)."""
        account = self._account
        query = {"appid": account.appid, "secret": account.secret, "code": code}
        query["grant_type"] = "authorization_code"
        url = f"{transport.API_HOST}/sns/oauth2/access_token"
        found = transport.document(self._session.get(url, params=query))
        return WebUser(_text(found, "openid"), bool(found.get("is_snapshotuser")))

    def mini_user(self, code: str) -> str:
        """The openid that a mini program's `wx.login` code stands for; a code is good once and for
        five minutes. The session_key that comes with it is dropped: nothing here needs it.

        Not by wechatpy, which sends an access token along that this call doesn't take. An answer
        without an openid is a refusal, whatever its errcode. Raises WechatError (40029 unknown or
        ended, 40163 used before, 45011 too often, 40226 blocked)."""
        account = self._account
        query = {"appid": account.mini_appid, "secret": account.mini_secret, "js_code": code}
        query["grant_type"] = "authorization_code"
        url = f"{transport.API_HOST}/sns/jscode2session"
        return _text(transport.document(self._session.get(url, params=query)), "openid")

    def _call(self, ask: Callable[[WeChatClient], Any]) -> Mapping[str, Any]:
        """Ask, and once more with another token where WeChat says that this one is stale."""
        token = self._token.current()
        try:
            return self._asked(ask, token)
        except WechatError as error:
            if error.errcode not in STALE_TOKEN:
                raise
        return self._asked(ask, self._token.instead_of(token))

    def _asked(self, ask: Callable[[WeChatClient], Any], token: str) -> Mapping[str, Any]:
        client = WeChatClient(self._account.appid, "", access_token=token, auto_retry=False)
        client._http = self._session
        try:
            return transport.checked(ask(client))
        except WeChatException as error:
            raise WechatError(error.errcode) from None
        except (ValueError, LookupError, TypeError, AttributeError):
            raise WechatError(None) from None


def _text(found: Mapping[str, Any], name: str) -> str:
    value = found.get(name)
    if not isinstance(value, str) or not value:
        raise WechatError(None)
    return value
