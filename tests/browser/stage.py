"""The pages with real parts in this process: sessions, codes, limits and mailboxes in one Valkey, a
worker's drain in a thread, and the memory CRM. Not for: the whole line, which is other processes,
two roles and Dynamics (`tests/flows`).
"""

import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import flask
from flask import Flask
from werkzeug.serving import make_server

from adapters.base import FreeBudget, Remote
from adapters.errors import Unreachable
from adapters.memory import Memory, Store
from bridge import edge, keys, pages
from bridge.parts import EXTENSION
from bridge.seal import Keyring, Mac, Opener, Pseudonyms, Sealer, Siv
from bridge.services.clients import Client, Clients
from bridge.services.identities import IdentityKeys
from bridge.services.passwords import Passwords
from bridge.services.scenes import Scene, Scenes
from bridge.store import Redis
from bridge.store.challenges import Challenges
from bridge.store.devices import Devices
from bridge.store.grants import Grants
from bridge.store.limits import WINDOWS, Limits
from bridge.store.links import Links
from bridge.store.sessions import Sessions
from bridge.writes import scripts
from bridge.writes.drain import DrainParts, drain
from bridge.writes.fit import FitKeeper
from bridge.writes.mailbox import Mailboxes
from mappings import loader
from tests.support import valkey

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
BRAND = SimpleNamespace(
    name={"zh-CN": "山岚时计", "en": "Shanlan Watches"},
    stores={"SH001": {"zh-CN": "上海南京西路店", "en": "Shanghai Nanjing Road West"}},
    logo="",
    picture="",
    texts="",
    colours=SimpleNamespace(light={}, dark={}),
)
CONSENTS = [
    {
        "purpose": "membership",
        "version": "1",
        "required": True,
        "text": {
            "zh-CN": "我同意将我的资料用于会员服务。",
            "en": "I agree that my data are used to run my membership.",
        },
    },
    {
        "purpose": "marketing",
        "version": "1",
        "required": False,
        "text": {
            "zh-CN": "我愿意接收新品与活动信息。",
            "en": "I would like to hear about new products and events.",
        },
    },
]


class Post:
    """Where codes arrive: [(to, text)]."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str]] = []

    def send(self, channel: str, to: str, text: str, *, subject: str, key: str) -> None:
        """Take it."""
        self.sent.append((to, text))


class Line(FreeBudget):
    """The way to the CRM; `cut` it, and every call fails."""

    cut = False

    def take(self, lane: str) -> None:
        """Raises Unreachable."""
        if self.cut:
            raise Unreachable


class Worker(threading.Thread):
    """Claims and drains, until told to stop. `paused`: the CRM's lane rests, messages go out."""

    def __init__(self, parts: DrainParts, keeper: FitKeeper) -> None:
        super().__init__(daemon=True)
        self.parts = parts
        self.keeper: Any = keeper
        self.paused, self.ended = threading.Event(), threading.Event()
        self._claim = parts.queue.script(scripts.CLAIM)

    def run(self) -> None:
        """Every 20 ms."""
        while not self.ended.is_set():
            self.keeper.renew()
            for lane in ("notify",) if self.paused.is_set() else ("notify", "now"):
                for mailbox, turn in self._due(lane):
                    drain(self.parts, mailbox, turn)
            self.ended.wait(0.02)

    def _due(self, lane: str) -> Iterator[tuple[str, int]]:
        dues = ["due:now", "due:bulk", "due:notify"]
        found = self._claim(
            ["dirty", "turns", f"pause:{lane}", f"due:{lane}", "rq:queue:none", *dues], [4, 10]
        )[1:]
        yield from zip(found[::2], map(int, found[1::2]), strict=True)


class Stage:
    """A running site. `url`: its root; `post`: codes that were sent; `worker`: may be paused."""

    def __init__(self, directory: Path) -> None:
        keys.make(directory / "keys")
        web = keys.Keys(directory / "keys" / "web", "web")
        private = keys.Keys(directory / "keys" / "worker", "worker")
        self.redis = redis = Redis(f"unix://{directory / 's'}")
        mapping = loader.load(Path("mappings/memory.yaml"))
        self.names = names = Pseudonyms(web.one("index"))
        mac = Mac(web["envelope"])
        self.line = Line()
        remote = Remote({"store": Store()}, {}, cast(Any, None), self.line, "web")
        self.crm = Memory(mapping, remote)
        self.post = Post()
        self.clients = Clients({})
        mailboxes = Mailboxes(redis, Sealer(web["recipients"]), mac, names, mapping)
        keyring = Keyring(web["keyring"])
        self.parts = SimpleNamespace(
            settings=_settings(),
            mapping=mapping,
            crm=self.crm,
            keyring=keyring,
            names=names,
            etags=Siv(*(key for _, key in web["keyring"])),
            id_token_key=web.id_token_key(),
            identity_keys=IdentityKeys(web.one("identity")),
            operation_key=Pseudonyms(web.one("operation")),
            record_key=Pseudonyms(web.one("record")),
            mailboxes=mailboxes,
            grants=Grants(redis, keyring, names, Mac(web["refresh"])),
            challenges=Challenges(redis, keyring, names),
            links=Links(redis, keyring),
            devices=Devices(redis, keyring, names),
            sessions=Sessions(redis, keyring, secure=False),
            limits=self.limits(),
            clients=self.clients,
            passwords=Passwords(Keyring(web["credential"])),
            scenes=Scenes(web["link"], time.time),
            clock=time.time,
        )
        drains = DrainParts(
            redis, self.crm, mapping, Opener(private["private"]), mac, self.post, time.time
        )
        self.worker = Worker(drains, FitKeeper(redis, mac))
        self.app = self._app()
        self.server = make_server("127.0.0.1", 0, self.app, threaded=True)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.parts.settings.issuer = self.url
        self.clients = self.parts.clients = Clients({"site": _client(self.url)})

    def _app(self) -> Flask:
        app = Flask("stage", static_folder=None)
        app.extensions[EXTENSION] = self.parts
        edge.install(app, 65536, {})
        app.register_blueprint(pages.blueprint(cast(Any, self.parts)))
        app.add_url_rule("/oauth/authorize", "authorize", self._authorize)
        app.add_url_rule("/oauth/arrived", "arrived", lambda: "arrived")
        return app

    def _authorize(self) -> Any:
        """What the authorize endpoint does to the pages: park the request, then go on with it."""
        sessions, args = self.parts.sessions, flask.request.args
        session = sessions.load(flask.request.cookies.get(sessions.cookie_name))
        if "continue" in args:
            done = session is not None and session.signed_in is not None
            return flask.redirect(f"{self.url}/oauth/arrived?code={'yes' if done else 'no'}")
        session = sessions.new()
        handle = session.park({"client_id": "site", **args.to_dict()}, time.time())
        sessions.start(session)
        answer = flask.redirect(f"/sign-in?continue={handle}")
        answer.set_cookie(**sessions.cookie(session))
        return answer

    def limits(self, **amounts: int) -> Limits:
        """So many that none is met, but for `amounts`."""
        return Limits(self.redis, self.names, dict.fromkeys(WINDOWS, 100000) | amounts)

    def members(self) -> list[dict[str, Any]]:
        """What the CRM holds of members."""
        return [row.columns for row in self.crm.store.rows.get("member", {}).values()]

    def link(self, store: str = "SH001") -> str:
        """A store's registration link."""
        scenes: Scenes = self.parts.scenes
        scene = Scene(store, issued=scenes.today())
        trace = "00-" + "ab" * 16 + "-" + "cd" * 8 + "-01"
        return f"{self.url}/register?s={scenes.link_token(scene, trace)}"

    def mailed(self, email: str) -> str:
        """The path of the link in the newest mail to `email`."""
        for _ in range(250):
            texts = [text for to, text in self.post.sent if to == email and self.url in text]
            if texts:
                return texts[-1].split(self.url)[1].split()[0]
            time.sleep(0.02)
        raise AssertionError("no mail came")

    def code(self, mobile: str) -> str:
        """The digits of the newest code to `mobile`, as soon as there is one."""
        for _ in range(250):
            texts = [text for to, text in self.post.sent if to == mobile]
            if texts:
                digits = "".join(c if c.isdigit() else " " for c in texts[-1]).split()
                return next(each for each in digits if len(each) == 6)
            time.sleep(0.02)
        raise AssertionError("no code came")


def _settings() -> SimpleNamespace:
    return SimpleNamespace(
        brand=BRAND,
        consents=CONSENTS,
        region="CN",
        profile=SimpleNamespace(
            required=["family_name", "given_name"],
            wanted=["email", "mobile", "birth_date", "gender"],
            minimum_age=14,
        ),
        oauth=SimpleNamespace(step_up_seconds=600, step_up_acr="aal1"),
        issuer="",
        wechat=SimpleNamespace(enabled=False),
        claims=SimpleNamespace(enabled=False),
    )


def _client(url: str) -> Client:
    name: Mapping[str, str] = {"en": "Site"}
    return Client("site", name, public=True, redirect_uris=(f"{url}/oauth/arrived",))


@contextmanager
def running() -> Iterator[Stage]:
    """A stage that serves until the block ends."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        with valkey.bare(directory, *DURABLE):
            stage = Stage(directory)
            stage.worker.start()
            server = threading.Thread(target=stage.server.serve_forever, daemon=True)
            server.start()
            try:
                yield stage
            finally:
                stage.worker.ended.set()
                stage.worker.join(10)
                stage.server.shutdown()
