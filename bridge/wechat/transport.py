"""HTTP to WeChat's hosts: where they are, how long we wait, what an error may say.

Not for: which call to make (`gateway.py`).
"""

import http.cookiejar
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import requests
from requests.adapters import HTTPAdapter

from bridge.wechat.errors import WechatError

TIMEOUT = (1.5, 3.0)
"""Seconds to connect and to read: together under the 5 s that WeChat waits for a callback."""
API_HOST = "https://api.weixin.qq.com"


class Rebased(HTTPAdapter):
    """Sends what is addressed to a fixed host to `base`, always with a time limit.

    SDKs have WeChat's hosts as literals, so this is the one place where another data centre
    (sh., sz., hk.api.weixin.qq.com) or the sandbox can be put in.
    """

    def __init__(self, base: str, timeout: tuple[float, float] = TIMEOUT) -> None:
        """`base`: scheme, host and perhaps a path prefix, without a slash at the end."""
        super().__init__(pool_maxsize=32)
        self._base = urlsplit(base)
        self._timeout = timeout

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """With our address and our time limit, whatever the caller said."""
        asked = urlsplit(str(request.url))
        path = self._base.path + asked.path
        request.url = urlunsplit((self._base.scheme, self._base.netloc, path, asked.query, ""))
        return super().send(request, *args, **kwargs | {"timeout": self._timeout})


class _Session(requests.Session):
    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Raises WechatError(None), without URL or text, where there is no whole answer."""
        try:
            return super().request(*args, **kwargs)
        except (requests.RequestException, OSError):
            raise WechatError(None) from None


def session(base: str, timeout: tuple[float, float] = TIMEOUT) -> requests.Session:
    """A session for the API host alone: no cookies, no proxies or credentials of the
    environment, no redirects (they would carry the token on)."""
    made = _Session()
    made.trust_env = False
    made.max_redirects = 0
    made.cookies.set_policy(http.cookiejar.DefaultCookiePolicy(allowed_domains=[]))
    made.adapters.clear()
    made.mount(API_HOST, Rebased(base, timeout))
    return made


def document(response: Any) -> Mapping[str, Any]:
    """The JSON object in an answer. Raises WechatError, also for errcode other than 0.

    Errors come as HTTP 200; `/sns/` says text/plain, so the header isn't asked.
    """
    try:
        found = response.json() if response.status_code == 200 else None
    except ValueError:
        found = None
    return checked(found)


def checked(found: Any) -> Mapping[str, Any]:
    """`found`, if it is an object that reports no error. Raises WechatError."""
    if not isinstance(found, dict):
        raise WechatError(None)
    errcode = found.get("errcode", 0)
    if errcode != 0:
        raise WechatError(errcode if isinstance(errcode, int) else None)
    return found
