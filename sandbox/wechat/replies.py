"""Reading what the callback answered, as strictly as WeChat does before it shows a reply."""

import json
import xml.etree.ElementTree as ET
from typing import Any

from sandbox.wechat import crypto
from sandbox.wechat.account import APPID, ORIGINAL_ID, Account

NOTHING = (b"", b"success")
KINDS = {  # a reply's type, and what it can't do without
    "text": ("Content",),
    "news": ("ArticleCount", "Articles"),
    "image": ("Image",),
    "voice": ("Voice",),
    "video": ("Video",),
    "music": ("Music",),
    "transfer_customer_service": (),
}


class Broken(Exception):
    """A reply that WeChat would not show."""


def read_reply(account: Account, body: bytes, openid: str, mode: str) -> dict[str, Any]:
    """{"kind": "nothing" | "message" | "broken", "encrypted", "fields" | "error"}."""
    if body in NOTHING:
        return {"kind": "nothing", "encrypted": False, "text": body.decode()}
    told: dict[str, Any] = {"kind": "broken", "encrypted": False}
    try:
        outer = parsed(body.decode())
        told["encrypted"] = "Encrypt" in outer
        if mode == "safe" and not told["encrypted"]:
            raise Broken("a safe-mode account got a reply in clear")
        fields = _opened(account, outer) if told["encrypted"] else outer
        _check(fields, openid)
    except UnicodeDecodeError:
        return told | {"error": "not UTF-8"}
    except Broken as error:
        return told | {"error": str(error)}
    return told | {"kind": "message", "fields": fields}


def parsed(text: str) -> dict[str, Any]:
    """The fields of an XML or JSON message; Broken otherwise."""
    if text.lstrip().startswith("{"):
        try:
            return dict(json.loads(text))
        except ValueError:
            raise Broken("not JSON") from None
    if "<!DOCTYPE" in text:
        raise Broken("a document type has no place in a reply")
    try:
        root = ET.fromstring(text)  # noqa: S314 - without a document type there are no entities
    except ET.ParseError:
        raise Broken("not XML") from None
    fields = _tree(root)
    if root.tag != "xml" or not isinstance(fields, dict):
        raise Broken("not <xml> with fields in it")
    return fields


def _tree(node: ET.Element) -> Any:
    if not len(node):
        return node.text or ""
    if all(child.tag == "item" for child in node):
        return [_tree(child) for child in node]
    return {child.tag: _tree(child) for child in node}


def _opened(account: Account, outer: dict[str, Any]) -> dict[str, Any]:
    names = ("MsgSignature", "TimeStamp", "Nonce", "Encrypt")
    if not all(name in outer for name in names):
        raise Broken("Encrypt without MsgSignature, TimeStamp and Nonce")
    signature, timestamp, nonce, encrypted = (str(outer[name]) for name in names)
    if not crypto.signed_by(signature, account.token, timestamp, nonce, encrypted):
        raise Broken("MsgSignature doesn't match")
    try:
        return parsed(crypto.decrypt(account.aes_key, APPID, encrypted))
    except crypto.Undecipherable as error:
        raise Broken(str(error)) from None


def _check(fields: dict[str, Any], openid: str) -> None:
    if fields.get("ToUserName") != openid or fields.get("FromUserName") != ORIGINAL_ID:
        raise Broken("ToUserName is not the follower or FromUserName not the account")
    if not str(fields.get("CreateTime", "")).isdigit():
        raise Broken("CreateTime isn't a number")
    kind = fields.get("MsgType")
    if kind not in KINDS:
        raise Broken("unknown MsgType")
    if not all(fields.get(name) for name in KINDS[kind]):
        raise Broken(f"a {kind} reply lacks something")
