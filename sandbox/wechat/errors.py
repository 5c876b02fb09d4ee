"""WeChat's way of refusing: HTTP 200 with errcode and errmsg, which ends in a `rid`.

Codes and texts as quoted in WeChat's global return code list and in threads of its developer
community. Not for the errors of the sandbox's own control plane, which are plain HTTP.
"""

import json
import secrets
import time
from typing import Any, NoReturn

from flask import Response

_MORE = "could get access_token by getStableAccessToken, more details at https://mmbizurl.cn/s/JtxxFh33r"
TEXTS = {
    -1: "system error",
    40001: f"invalid credential, access_token is invalid or not latest, {_MORE}",
    40002: "invalid grant_type",
    40003: "invalid openid",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid appid",
    40014: "invalid access_token",
    40029: "invalid code",
    40030: "invalid refresh_token",
    40032: "invalid openid list size",
    40035: "invalid parameter",
    40037: "invalid template_id",
    40052: "invalid action name",
    40053: "invalid action info",
    40066: "invalid url",
    40125: "invalid appsecret, view more at http://t.cn/RAEkdVq",
    40163: "code been used",
    40164: "invalid ip, not in whitelist",
    40169: "invalid length for scene, or the data is not json string",
    40243: "appsecret is frozen",
    41001: "access_token missing",
    41002: "appid missing",
    41004: "appsecret missing",
    41008: "missing code",
    41009: "missing openid",
    41030: "invalid page",
    42001: "access_token expired",
    43001: "require GET method",
    43002: "require POST method",
    43004: "require subscribe",
    43101: "user refuse to accept the msg",
    44002: "empty post data",
    44004: "empty content",
    45002: "content size out of limit",
    45008: "article size out of limit",
    45009: f"reach max api daily quota limit, {_MORE}",
    45011: "api minute-quota reach limit, must slower, retry next minute",
    45015: "response out of time limit or subscription is canceled",
    45056: "tag count out of limit",
    45058: "can't modify sys tag",
    45059: "can not add this tag to user, tag count of this user out of limit",
    45157: "invalid tag name",
    45158: "tag name too long",
    45159: "invalid tag id",
    48006: "forbid to clear quota because of reaching the limit",
    49003: "not match openid with appid",
    45029: "qrcode count out of limit",
    45047: "response out of count limit",
    47001: "data format error",
    47003: "argument invalid!",
    48001: "api unauthorized",
}


class WeChatError(Exception):
    """A call that WeChat refuses; `errcode` is one of TEXTS."""

    def __init__(self, errcode: int, errmsg: str | None = None) -> None:
        super().__init__(errcode)
        self.errcode = errcode
        self.errmsg = errmsg or TEXTS.get(errcode, "error")


def fail(errcode: int, errmsg: str | None = None) -> NoReturn:
    """Refuse the call."""
    raise WeChatError(errcode, errmsg)


def make_rid() -> str:
    """Three parts of eight hex digits; the first is the time."""
    return f"{int(time.time()):08x}-{secrets.token_hex(4)}-{secrets.token_hex(4)}"


def error_document(errcode: int, errmsg: str | None = None) -> dict[str, Any]:
    """The body of a refusal."""
    text = errmsg or TEXTS.get(errcode, "error")
    return {"errcode": errcode, "errmsg": f"{text} rid: {make_rid()}"}


def error_body(status: int, code: str | None, message: str) -> tuple[str, bytes]:
    """Body of a fault set through the control plane; `code` is an errcode as text."""
    errcode = int(code) if code and code.lstrip("-").isdecimal() else -1
    document = error_document(errcode, TEXTS.get(errcode, message))
    return "application/json; encoding=utf-8", json.dumps(document).encode()


def answer(document: dict[str, Any], path: str, status: int = 200) -> Response:
    """JSON in raw UTF-8. /sns/ says text/plain, so a client that trusts the header garbles it.

    The content types are from memory of the live service, not from a document.
    """
    plain = path.startswith("/sns/")
    content_type = "text/plain" if plain else "application/json; encoding=utf-8"
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(body, status, {"Content-Type": content_type})
