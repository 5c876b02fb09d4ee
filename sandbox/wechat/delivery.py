"""Signing a push, sending it to the callback URL, trying again, and spoiling it on request.

WeChat cuts after 5 seconds and tries three times in all, with the same MsgId and CreateTime.
Whether a second try carries the same timestamp and nonce is not verified: here each try has
new ones unless `same_query` is set. The timestamp is the machine's, not the sandbox clock's,
because the receiver has a clock of its own.
"""

import base64
import dataclasses
import json
import secrets
import time
from typing import Any, NamedTuple

import requests

from sandbox.wechat import crypto
from sandbox.wechat.account import APPID, FORMATS, MINI_APPID, MODES, Account
from sandbox.wechat.events import Fields, Push
from sandbox.wechat.replies import read_reply

TRIES = 3
MOST_REPLY_BYTES = 65536
TAMPERS = ("none", "bitflip", "wrong_signature", "wrong_appid", "stale", "replay")


@dataclasses.dataclass(frozen=True)
class Options:
    """How a push is to be sent; `age` is how many seconds a stale one's timestamp lies back."""

    mode: str
    format: str
    tamper: str = "none"
    age: int = 3600
    same_query: bool = False
    copies: int = 1
    concurrent: bool = False
    traceparent: str | None = None

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.format not in FORMATS or self.tamper not in TAMPERS:
            raise ValueError(f"mode {MODES}, format {FORMATS}, tamper {TAMPERS}")
        if self.mode == "plain" and self.tamper in ("bitflip", "wrong_appid"):
            raise ValueError("a plain push has nothing encrypted to spoil")
        if not 1 <= self.copies <= 100:
            raise ValueError("copies are 1 to 100")

    @property
    def forged(self) -> bool:
        """Whether it isn't WeChat who sends this: no effect, no second try, nothing shown."""
        return self.tamper in ("bitflip", "wrong_signature", "wrong_appid", "stale")


class Sealed(NamedTuple):
    """A push as it goes over the wire."""

    query: dict[str, str]
    body: bytes
    content_type: str


def options_of(account: Account, document: dict[str, Any]) -> Options:
    """From a control plane document; what it leaves out is as the console says."""
    names = {field.name for field in dataclasses.fields(Options)}
    given = {name: document[name] for name in names if name in document}
    return Options(**{"mode": account.push_mode, "format": account.push_format, **given})


def seal(account: Account, push: Push, options: Options) -> Sealed:
    """Signed, and encrypted unless the mode is plain."""
    back = options.age if options.tamper == "stale" else 0
    timestamp, nonce = str(int(time.time()) - back), str(secrets.randbelow(10**10))
    signature = crypto.sign(account.token, timestamp, nonce)
    if options.mode == "plain" and options.tamper == "wrong_signature":
        signature = secrets.token_hex(20)
    query = {"signature": signature, "timestamp": timestamp, "nonce": nonce}
    query["openid"] = push.user.openid
    fields = push.fields
    if options.mode != "plain":
        appid = MINI_APPID if options.tamper == "wrong_appid" else APPID
        encrypted = crypto.encrypt(account.aes_key, appid, written(fields, options.format))
        right = crypto.sign(account.token, timestamp, nonce, encrypted)
        spoilt = options.tamper == "wrong_signature"
        query["encrypt_type"] = "aes"
        query["msg_signature"] = secrets.token_hex(20) if spoilt else right
        encrypted = _flipped(encrypted) if options.tamper == "bitflip" else encrypted
        clear = fields if options.mode == "compat" else {"ToUserName": fields["ToUserName"]}
        fields = clear | {"Encrypt": encrypted}
    content_type = "application/json" if options.format == "json" else "text/xml"
    return Sealed(query, written(fields, options.format).encode(), content_type)


def written(fields: Fields, form: str) -> str:
    """Fields as XML (text in CDATA, numbers bare) or as JSON."""
    if form == "json":
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    inner = "".join(f"<{name}>{_xml_value(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>"


def deliver(account: Account, push: Push, options: Options, copy: int) -> list[dict[str, Any]]:
    """Send one copy; each try as data, the last one being the one that counted."""
    attempts: list[dict[str, Any]] = []
    sealed = seal(account, push, options)
    for number in range(1, (1 if options.forged else TRIES) + 1):
        if number > 1 and not options.same_query:
            sealed = seal(account, push, options)
        attempt = _attempt(account, push, options, sealed)
        attempts.append({"copy": copy, "try": number, **attempt})
        if attempt["status"] == 200:
            break
    if options.tamper == "replay":
        again = _attempt(account, push, options, sealed)
        attempts.append({"copy": copy, "try": len(attempts) + 1, "replay": True, **again})
    return attempts


def _attempt(account: Account, push: Push, options: Options, sealed: Sealed) -> dict[str, Any]:
    headers = {"Content-Type": sealed.content_type, "User-Agent": "Mozilla/4.0", "Accept": "*/*"}
    if options.traceparent:  # the real WeChat sends none; it lets a test follow one trace
        headers["traceparent"] = options.traceparent
    result = call(account, "POST", sealed.query, sealed.body, headers)
    body = result.pop("body")
    if result["status"] == 200:
        result["reply"] = read_reply(account, body, push.user.openid, options.mode)
    return result


def call(
    account: Account,
    method: str,
    query: dict[str, str],
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> dict[str, Any]:
    """One request to the callback: status (None when cut or unreachable), ms, error, body."""
    began, status, error, answer = time.monotonic(), None, None, b""
    limit = account.callback_timeout
    with requests.Session() as session:
        session.trust_env = False
        try:
            with session.request(
                method,
                account.callback_url or "",
                params=query,
                data=body,
                headers=headers,
                timeout=limit,
                allow_redirects=False,
                stream=True,
            ) as response:
                answer = response.raw.read(MOST_REPLY_BYTES, decode_content=True)
                status = response.status_code
        except (requests.Timeout, requests.ConnectionError, OSError) as problem:
            error = "timeout" if isinstance(problem, requests.Timeout) else "no connection"
    seconds = time.monotonic() - began
    if status is not None and seconds > limit:
        status, error = None, "timeout"
    return {"status": status, "ms": round(seconds * 1000), "error": error, "body": answer}


def _xml_value(value: Any) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, dict):
        return "".join(f"<{name}>{_xml_value(inner)}</{name}>" for name, inner in value.items())
    return f"<![CDATA[{str(value).replace(']]>', ']]]]><![CDATA[>')}]]>"


def _flipped(encrypted: str) -> str:
    data = bytearray(base64.b64decode(encrypted))
    data[len(data) // 2] ^= 1
    return base64.b64encode(bytes(data)).decode()
