"""The WeChat channel alone, for real: its routes on a server, a Valkey under the shipped access
rules, and the sandbox's WeChat as a process. Not for: what comes after the link (the main flow)."""

import io
import json
import logging
import os
import secrets
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import requests
from flask import Flask
from werkzeug.serving import WSGIRequestHandler, make_server

from bridge import edge, log
from bridge.cli.embedded import Server
from bridge.cli.processes import Announcing
from bridge.seal import Keyring, Mac, Pseudonyms
from bridge.services.scenes import Scene, Scenes
from bridge.store import Redis
from bridge.store.events import SeenEvents
from bridge.store.grants import Grants
from bridge.store.remote_tokens import RemoteTokens
from bridge.store.sessions import Session, Sessions
from bridge.wechat import routes, web_oauth
from bridge.wechat.channel import Channel
from bridge.wechat.gateway import Gateway

ROOT = Path(__file__).parents[2]
BRAND = SimpleNamespace(
    name={"zh-CN": "山岚时计", "en": "Shanlan"},
    stores={"SH001": {"zh-CN": "上海店", "en": "Shanghai"}},
)


class _Quiet(WSGIRequestHandler):
    """Its access line would hold the query, in which WeChat puts the openid."""

    def log(self, type: str, message: str, *args: Any) -> None:
        return


@dataclass
class Line:
    """What a test holds in its hands."""

    url: str
    ready: dict[str, Any]
    http: requests.Session
    redis: Redis
    log: io.StringIO
    account: SimpleNamespace
    channel: Channel = field(init=False)
    grants: Grants = field(init=False)

    def control(self, path: str, document: Any) -> Any:
        """A POST to the sandbox's control plane; its JSON."""
        answer = self.http.post(f"{self.ready['url']}/_sandbox/{path}", json=document)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def push(self, event: str = "subscribe", user: str = "Lin Muyu", **more: Any) -> Any:
        """What happened to a push of the sandbox."""
        return self.control("push", {"event": event, "user": user, **more})

    def scene(self, *codes: str) -> str:
        """The signed scene of a store's code."""
        return self.channel.scenes.write(Scene(*(codes or ("SH001",))))

    def asked(self, prefix: str) -> int:
        """How many requests the sandbox saw whose path begins so."""
        seen = self.http.get(f"{self.ready['url']}/_sandbox/requests").json()["requests"]
        return sum(each["path"].startswith(prefix) for each in seen)

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The log's lines of an event."""
        found = [json.loads(line) for line in self.log.getvalue().splitlines()]
        return [line for line in found if line["event"] == event]

    def rests(self) -> str:
        """Everything in Redis, keys and values, and the whole log, as one text."""
        keys = self.redis.do("KEYS", "*")
        ways = {"string": "GET", "hash": "HGETALL"}
        values = [str(self.redis.do(ways[self.redis.do("TYPE", key)], key)) for key in keys]
        return "\n".join([*keys, *values, self.log.getvalue()])

    def keys(self, prefix: str) -> list[str]:
        """The keys of a prefix."""
        return sorted(self.redis.do("KEYS", prefix + "*"))

    def browser(self, back: str | None = "/register") -> tuple[requests.Session, Session]:
        """A browser with a session of the hosted pages, which wants to come back to `back`."""
        session = self.channel.sessions.new()
        if back is not None:
            session.data[web_oauth.BACK] = back
        self.channel.sessions.start(session)
        made = requests.Session()
        made.trust_env = False
        made.cookies.set(self.channel.sessions.cookie_name, session.id, domain="127.0.0.1")
        return made, session

    def data(self, session: Session) -> dict[str, Any]:
        """What the session holds now."""
        found = self.channel.sessions.load(session.id)
        assert found is not None
        return found.data


@contextmanager
def running(directory: Path) -> Iterator[Line]:
    """All of it; ends with the block."""
    with ExitStack() as stack:
        server = Server("tokens", directory / "tokens", ["user test on nopass ~* +@all"])
        stack.callback(server.stop)
        sandbox = _sandbox(directory)
        stack.callback(sandbox.stop)
        ready = sandbox.ready()["wechat"]
        stream = stack.enter_context(_logging())
        http = stack.enter_context(requests.Session())
        http.trust_env = False
        port = _free_port()
        url = f"http://127.0.0.1:{port}"
        test = Redis(f"redis://test:any@127.0.0.1:{server.port}/0")
        line = Line(url, ready, http, test, stream, _account(ready))
        app = _app(line, Redis(server.url("web")))
        stack.callback(_serving(app, port))
        line.control("callback", {"url": f"{url}/wechat/callback"})
        yield line


def _sandbox(directory: Path) -> Announcing:
    command = [sys.executable, "-m", "sandbox", "wechat"]
    env = {"PATH": os.environ.get("PATH", ""), "PYTHONPATH": str(ROOT)}
    return Announcing("sandbox", command, env, directory / "sandbox.log")


def _account(ready: dict[str, Any]) -> SimpleNamespace:
    names = ("appid", "secret", "token", "aes_key", "original_id")
    bases = dict.fromkeys(("api_base", "open_base", "mp_base"), ready["url"])
    told = {name: ready[name] for name in names}
    return SimpleNamespace(**told, previous_aes_key="", **bases)


def _app(line: Line, web: Redis) -> Flask:
    keyring, names = Keyring([("k", secrets.token_bytes(32))]), Pseudonyms(secrets.token_bytes(32))
    line.channel = Channel(
        account=line.account,
        issuer=line.url,
        brand=BRAND,
        gateway=Gateway(line.account, RemoteTokens(web, keyring, names, "wx:")),
        scenes=Scenes([("k", secrets.token_bytes(32))], time.time),
        seen=SeenEvents(web, names),
        sessions=Sessions(web, keyring, secure=False),
        clock=time.time,
    )
    line.grants = Grants(web, keyring, names, Mac([("k", secrets.token_bytes(32))]))
    app = Flask("wechat-line")
    edge.install(app, 1_048_576, {})
    app.register_blueprint(routes.pushes(line.channel))
    app.register_blueprint(routes.browser(line.channel))
    app.register_blueprint(routes.qr_codes(line.channel, line.grants))
    app.add_url_rule("/register", view_func=lambda: "the page")
    return app


@contextmanager
def _logging() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    stream = io.StringIO()
    log.setup("DEBUG", stream)
    try:
        yield stream
    finally:
        root.handlers[:], root.level = before, level


def _serving(app: Flask, port: int) -> Callable[[], None]:
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        thread.join(10)
        server.server_close()

    return stop


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
