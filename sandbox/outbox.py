"""The SMS gateway and the mail gateway in a box: takes messages, shows them, sends nothing.

Not for a particular vendor's API: it is the plain JSON gateway that the bridge's HTTP notifier
speaks. Trouble (slow, 5xx, a refusal by status and code) comes from the control plane's faults.
"""

import collections
import html
import re
import secrets
import threading
import time
from typing import Any

from flask import Blueprint, Flask, Response, jsonify, request
from flask.typing import ResponseReturnValue

from sandbox.kit import Kit, Part
from sandbox.kit.clock import Clock

TOKEN = "published-sandbox-token-of-the-outbox"
LONGEST_WAIT = 10.0
KEPT = 10_000
ADDRESS = {
    "sms": re.compile(r"\+[1-9][0-9]{6,14}"),
    "mail": re.compile(r"[^@\s]+@[^@\s]+"),
}
NEEDED = {"sms": ("to", "text"), "mail": ("to", "subject", "text")}
OPTIONAL = ("params", "id")

Message = dict[str, Any]


class Outbox:
    """The messages, newest first; in memory only."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._arrived = threading.Condition()
        self._messages: collections.deque[Message] = collections.deque(maxlen=KEPT)

    def add(self, channel: str, document: Message) -> Message:
        """Keep one message and wake who waits for it. One that comes again under the id that the
        sender gave it is kept once: gateways call that an idempotency key."""
        message = {"id": secrets.token_hex(8), "channel": channel, **document}
        message["received_at"] = self._clock.now()
        with self._arrived:
            for known in self._messages:
                if known["id"] == message["id"]:
                    return known
            self._messages.appendleft(message)
            self._arrived.notify_all()
        return message

    def find(
        self, to: str | None, channel: str | None, after: str | None = None, wait: float = 0.0
    ) -> list[Message]:
        """Those to an address, newer than the message `after`; waits until there is one."""
        until = time.monotonic() + min(wait, LONGEST_WAIT)
        with self._arrived:
            while True:
                found = self._matching(to, channel, after)
                left = until - time.monotonic()
                if found or left <= 0:
                    return found
                self._arrived.wait(left)

    def clear(self) -> None:
        """Forget them all."""
        with self._arrived:
            self._messages.clear()

    def _matching(self, to: str | None, channel: str | None, after: str | None) -> list[Message]:
        found = []
        for message in self._messages:
            if message["id"] == after:
                break
            if to in (None, message["to"]) and channel in (None, message["channel"]):
                found.append(message)
        return found


def make(kit: Kit) -> Part:
    """The part "outbox"."""
    outbox = Outbox(kit.clock)
    app = Flask(__name__)
    app.register_blueprint(_gateway(outbox))
    app.register_blueprint(_window(outbox))
    return Part(
        name="outbox",
        kit=kit,
        app=app,
        ready=lambda url: {"url": url, "token": TOKEN},
        reset=outbox.clear,
        state=lambda: {"messages": outbox.find(None, None)},
    )


def _gateway(outbox: Outbox) -> Blueprint:
    plane = Blueprint("outbox_gateway", __name__)

    @plane.post("/sms")
    def sms() -> ResponseReturnValue:
        return _take(outbox, "sms")

    @plane.post("/mail")
    def mail() -> ResponseReturnValue:
        return _take(outbox, "mail")

    return plane


def _take(outbox: Outbox, channel: str) -> ResponseReturnValue:
    given = request.headers.get("Authorization", "")
    if not secrets.compare_digest(given.encode(), f"Bearer {TOKEN}".encode()):
        return jsonify(error="unauthorized"), 401, {"WWW-Authenticate": "Bearer"}
    document: Any = request.get_json(silent=True)
    problem = _problem(channel, document)
    if problem:
        return jsonify(error=problem), 400
    return jsonify(id=outbox.add(channel, document)["id"]), 202


def _problem(channel: str, document: Any) -> str | None:
    """Why the gateway refuses it, without the value."""
    needed = NEEDED[channel]
    if not isinstance(document, dict):
        return "a JSON object is needed"
    if not set(document) <= {*needed, *OPTIONAL}:
        return f"the fields are {', '.join((*needed, *OPTIONAL))}"
    if not all(isinstance(document.get(n), str) and document[n] for n in needed):
        return f"needed: {', '.join(needed)}"
    if not (isinstance(document.get("id", "x"), str) and document.get("id", "x")):
        return "id is text"
    if not isinstance(document.get("params", {}), dict):
        return "params is an object"
    if "\n" in document.get("subject", ""):
        return "a subject has one line"
    return None if ADDRESS[channel].fullmatch(document["to"]) else "not an address"


def _window(outbox: Outbox) -> Blueprint:
    plane = Blueprint("outbox_window", __name__, url_prefix="/_sandbox")

    @plane.get("/outbox")
    def read() -> ResponseReturnValue:
        args = request.args
        wait = args.get("wait", 0.0, type=float)
        to = args.get("to", "").replace(" ", "+") or None  # a "+" that nobody quoted
        found = outbox.find(to, args.get("channel"), args.get("after"), wait)
        return jsonify(messages=found)

    @plane.delete("/outbox")
    def clear() -> ResponseReturnValue:
        outbox.clear()
        return jsonify(ok=True)

    @plane.get("/outbox.html")
    def page() -> ResponseReturnValue:
        return Response(
            _page(outbox.find(None, None)[:100]), content_type="text/html; charset=utf-8"
        )

    return plane


def _page(messages: list[Message]) -> str:
    items = "".join(_item(message) for message in messages) or "<p>Nothing yet 暂无消息</p>"
    return f"""<!DOCTYPE html><html lang="en"><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="3"><title>Outbox of the sandbox</title>
<style>body{{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}}
article{{border:1px solid #888;border-radius:6px;padding:.5rem 1rem;margin:1rem 0}}
pre{{white-space:pre-wrap;overflow-wrap:anywhere;font:inherit}}</style>
<h1>Outbox 发件箱</h1><p>Codes and mails that would have been sent, newest first.</p>
{items}</html>"""


def _item(message: Message) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(message["received_at"]))
    subject = message.get("subject")
    title = f"<h2>{html.escape(subject)}</h2>" if subject else ""
    head = html.escape(f"{at} · {message['channel']} · {message['to']}")
    return f"<article><p>{head}</p>{title}<pre>{html.escape(message['text'])}</pre></article>"
