"""What WeChat pushes and what we answer, as text: XML or JSON, whichever the account is set to.

Not for: signatures (`crypto.py`), or what to answer (`welcome.py`). Sources: "Receive ordinary
messages", "Receive event pushes", "Passive user reply message".
"""

import json
import re
import xml.parsers.expat
from dataclasses import dataclass, field
from typing import Any

Fields = dict[str, str]


class Unreadable(Exception):
    """Not a message in a form that WeChat sends."""


@dataclass(frozen=True)
class Push:
    """A message or an event. `fields` are flat text; what is nested in it isn't kept."""

    fields: Fields = field(repr=False)

    @property
    def sender(self) -> str:
        """The follower's openid. Events about an authorization come from the platform and name
        the user in OpenID."""
        return self.fields.get("OpenID") or self.fields.get("FromUserName", "")

    @property
    def account(self) -> str:
        """The account's gh_… id."""
        return self.fields.get("ToUserName", "")

    @property
    def event(self) -> str:
        """The event's name, or "" for a message."""
        return self.fields.get("Event", "") if self.fields.get("MsgType") == "event" else ""

    @property
    def identity(self) -> tuple[str, ...]:
        """What tells this push from every other one, and is the same in each of its three tries.

        MsgId alone was seen with different users; CreateTime alone is shared by the several events
        of one second (WxJava issues #66, #76, #333), so all that WeChat repeats is taken.
        """
        names = ("FromUserName", "OpenID", "MsgId", "CreateTime", "Event", "EventKey")
        return tuple(self.fields.get(name, "") for name in names)


def fields_of(text: str | bytes) -> Fields:
    """The top level of an XML or JSON message, names stripped (WeChat's own sample has a stray
    space in one), all values as text. Raises Unreadable."""
    if isinstance(text, bytes):
        try:
            text = text.decode()
        except UnicodeDecodeError:
            raise Unreadable from None
    found = _from_json(text) if is_json(text) else _from_xml(text)
    try:
        "".join(found.values()).encode()  # JSON can spell half of a surrogate pair
    except UnicodeEncodeError:
        raise Unreadable from None
    return {name.strip(): value for name, value in found.items()}


def is_json(text: str) -> bool:
    """Whether a message is in JSON; the header isn't asked, since proxies change it."""
    return text.lstrip().startswith("{")


def _from_json(text: str) -> Fields:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        raise Unreadable from None
    return {name: str(value) for name, value in found.items() if isinstance(value, str | int)}


def _from_xml(text: str) -> Fields:
    reader = _Reader()
    parser = xml.parsers.expat.ParserCreate("utf-8")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.data
    parser.StartDoctypeDeclHandler = reader.refuse
    try:
        parser.Parse(text, True)
    except xml.parsers.expat.ExpatError:
        raise Unreadable from None
    return reader.fields


class _Reader:
    """Keeps the text of the elements right under `<xml>`. Without a document type there are no
    entities to blow up or to fetch."""

    def __init__(self) -> None:
        self.fields: Fields = {}
        self._path: list[str] = []

    def start(self, name: str, attributes: Any) -> None:
        self._path.append(name)
        if len(self._path) == 1 and name != "xml":
            raise Unreadable
        if len(self._path) == 2:
            if name in self.fields:
                raise Unreadable
            self.fields[name] = ""

    def end(self, name: str) -> None:
        self._path.pop()

    def data(self, text: str) -> None:
        if len(self._path) == 2:
            self.fields[self._path[1]] += text

    def refuse(self, *declared: Any) -> None:
        raise Unreadable


def text_reply(push: Push, content: str, *, as_json: bool) -> str:
    """A passive reply of text to `push`. CreateTime is the push's own, so that the reply to a
    repeated push is the same."""
    return _written(
        {
            "ToUserName": push.fields.get("FromUserName", ""),
            "FromUserName": push.account,
            "CreateTime": _number(push.fields.get("CreateTime", "")),
            "MsgType": "text",
            "Content": content,
        },
        as_json,
    )


def sealed_reply(
    encrypted: str, signature: str, timestamp: str, nonce: str, *, as_json: bool
) -> str:
    """The outer form of an encrypted reply."""
    return _written(
        {
            "Encrypt": encrypted,
            "MsgSignature": signature,
            "TimeStamp": _number(timestamp),
            "Nonce": nonce,
        },
        as_json,
    )


def _number(text: str) -> int:
    return int(text) if re.fullmatch(r"[0-9]{1,12}", text) else 0


def _written(fields: dict[str, str | int], as_json: bool) -> str:
    if as_json:
        return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
    inner = "".join(f"<{name}>{_value(value)}</{name}>" for name, value in fields.items())
    return f"<xml>{inner}</xml>"


def _value(value: str | int) -> str:
    """A number, or text in CDATA in which its own end mark is split."""
    if isinstance(value, int):
        return str(value)
    return f"<![CDATA[{value.replace(']]>', ']]]]><![CDATA[>')}]]>"
