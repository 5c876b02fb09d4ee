"""The whole line on this machine: two Redis roles, the sandbox, a worker, the web server.

For the demo, the tests and the benchmark. Not for production: there each part is a service of its
own (`README.md`, "For real"). Every process gets its own role's keys and credentials and no others.
"""

import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import requests

from adapters import registry
from bridge import keys
from bridge.cli.embedded import Embedded
from bridge.cli.processes import Announcing, Child, wait_until
from bridge.cli.provision import write_check_row
from bridge.keys import Role

ROOT = Path(__file__).parents[2]
CLIENTS = ROOT / "config" / "clients.sandbox.yaml"
SITE = "http://127.0.0.1:8001"
"""Where that file has the member page."""
WORKERS, THREADS = 2, 64
"""Of the web server on two cores (docs/decisions/0004-servers-and-transport.md)."""
CRM = "dynamics"
"""Played where no other is asked for."""
KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "SSL_CERT_DIR")


class NotSandbox(Exception):
    """The line was asked for in production, where its secrets are everybody's."""


class Line:
    """Starts everything and ends everything. Use as a context manager, or call `stop`.

    `sandbox` is the JSON object that the sandbox printed, `crm` its part of the CRM that is played,
    `adapter` that one's name; `url` the web server's base URL, `site_url` that of the member page.
    `overrides` are further `BRIDGE_…` settings for web and worker.
    """

    def __init__(
        self,
        port: int = 0,
        *,
        crm: str = CRM,
        workers: int = 1,
        overrides: Mapping[str, str] | None = None,
        prepare: "Callable[[Line], None] | None" = None,
        say: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Starts all parts in order. `crm`: one of `crms()`. `workers`: processes of the web
        server. `prepare`: makes the CRM ready before worker and web are started; by default it has
        all tables, and gets the check row. `say`: progress. Raises RuntimeError where one doesn't
        start."""
        if os.environ.get("BRIDGE_ENVIRONMENT") == "production":
            raise NotSandbox
        self.adapter = crm
        self.port = free_port(port)
        self.directory = Path(tempfile.mkdtemp(prefix="crm-bridge-"))
        self.url = f"http://127.0.0.1:{self.port}"
        self.site_port = _beside(port)
        self.site_url = f"http://127.0.0.1:{self.site_port}"
        self.children: dict[str, Child] = {}
        self._overrides, self._workers, self._say = dict(overrides or {}), workers, say
        self._prepare = prepare or _mark
        self.redis: Embedded | None = None
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        keys.make(self.directory / "keys")
        text = CLIENTS.read_text(encoding="utf-8")
        self.clients_file.write_text(text.replace(SITE, self.site_url), encoding="utf-8")
        self._say("two Redis servers, tokens and queue, under the shipped access rules")
        self.redis = Embedded(self.directory / "redis")
        self._say(f"the sandbox: {self.adapter}, WeChat, SMS and mail gateways")
        self.sandbox = self._start_sandbox()
        self._prepare(self)
        self._say("one worker")
        self.start_worker()
        self._say(f"the web server on {self.url}")
        self.start_web()

    def _start_sandbox(self) -> dict[str, Any]:
        command = [sys.executable, "-m", "sandbox", self.adapter, "wechat", "outbox"]
        command += ["--state-dir", str(self.directory / "sandbox")]
        child = Announcing("sandbox", command, _environment(), self._log("sandbox"))
        self.children["sandbox"] = child
        ready = child.ready()
        callback = {"url": f"{self.url}/wechat/callback"}
        with _plain_session() as session:
            session.post(f"{ready['wechat']['url']}/_sandbox/callback", json=callback, timeout=5)
        return ready

    @property
    def crm(self) -> dict[str, Any]:
        """What the sandbox printed of the CRM: `url` and `ca_file` for its control plane; `options`
        and each role's user, as `crm.options` and `crm.credential` take them."""
        return dict(self.sandbox[self.adapter])

    def start_worker(self) -> None:
        """The worker, with the worker's keys and the writing CRM user."""
        command = [sys.executable, "-m", "bridge", "worker"]
        self.children["worker"] = Child(
            "worker", command, self.environ("worker"), self._log("worker")
        )

    def start_web(self) -> None:
        """The web server, with the web tier's keys and the reading CRM user."""
        command = granian("wsgi:app", self.port, self._workers)
        child = Child("web", command, self.environ("web"), self._log("web"))
        self.children["web"] = child
        wait_until(self._ready, 30, "the web server", *self.children.values())

    def start_site(self) -> None:
        """The React example, whose tokens the BFF holds."""
        command = [sys.executable, str(ROOT / "examples" / "react" / "serve.py")]
        command += ["--port", str(self.site_port), "--bridge", self.url]
        child = Child("site", command, _environment(), self._log("site"))
        self.children["site"] = child
        wait_until(lambda: _answers(self.site_url), 10, "the member page", child)

    @property
    def clients_file(self) -> Path:
        """The sandbox's clients, with the member page where it is this time."""
        return self.directory / "clients.yaml"

    def _ready(self) -> bool:
        return _answers(f"{self.url}/readyz")

    def environ(self, role: Role) -> dict[str, str]:
        """The variables of a process of `role`: what a deployment would set."""
        assert self.redis is not None  # noqa: S101 - started before
        user = self.crm["reader" if role == "web" else "writer"]
        given = {
            "BRIDGE_ENVIRONMENT": "sandbox",
            "BRIDGE_ISSUER": self.url,
            "BRIDGE_HTTP__THREADS": str(THREADS),
            "BRIDGE_REDIS__TOKENS_URL": self.redis.url("tokens", role),
            "BRIDGE_REDIS__QUEUE_URL": self.redis.url("queue", role),
            "BRIDGE_KEYS__DIRECTORY": str(self.directory / "keys" / role),
            "BRIDGE_CRM__ADAPTER": self.adapter,
            "BRIDGE_CRM__MAPPING": f"mappings/{self.adapter}.yaml",
            **{f"BRIDGE_CRM__CREDENTIAL__{name.upper()}": str(user[name]) for name in user},
            **{
                f"BRIDGE_CRM__OPTIONS__{name.upper()}": str(value)
                for name, value in self.crm["options"].items()
            },
        }
        given |= self._web_only() if role == "web" else self._worker_only()
        return {**_environment(), **given, **self._overrides}

    def _web_only(self) -> dict[str, str]:
        wechat = self.sandbox["wechat"]
        named = ("appid", "secret", "token", "aes_key", "original_id", "mini_appid", "mini_secret")
        bases = {f"BRIDGE_WECHAT__{n}_BASE": wechat["url"] for n in ("API", "OPEN", "MP")}
        account = {f"BRIDGE_WECHAT__{name.upper()}": wechat[name] for name in named}
        return bases | account | {"BRIDGE_OAUTH__CLIENTS_FILE": str(self.clients_file)}

    def _worker_only(self) -> dict[str, str]:
        outbox = self.sandbox["outbox"]
        return {
            f"BRIDGE_NOTIFY__{channel}__{name}": value
            for channel in ("SMS", "MAIL")
            for name, value in (
                ("KIND", "http"),
                ("URL", outbox["url"]),
                ("TOKEN", outbox["token"]),
            )
        }

    def _log(self, name: str) -> Path:
        return self.directory / f"{name}.log"

    def logs(self) -> list[Path]:
        """What the processes have printed."""
        return sorted(self.directory.glob("*.log"))

    def logs_by_name(self) -> dict[str, Path]:
        """The same, by the process's name."""
        return {path.stem: path for path in self.logs()}

    def pids(self) -> list[int]:
        """Of the bridge's own processes."""
        return [self.children[name].pid for name in ("web", "worker")]

    def stop(self) -> None:
        """End every process and remove every file."""
        for child in reversed(self.children.values()):
            child.stop()
        if self.redis:
            self.redis.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Line":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def _answers(url: str) -> bool:
    with _plain_session() as session:
        try:
            return session.get(url, timeout=2).status_code == 200
        except requests.RequestException:
            return False


def _beside(port: int) -> int:
    """The next port where that one is asked for and the next is free; else any."""
    try:
        return free_port(port + 1 if port else 0)
    except RuntimeError:
        return free_port()


def _mark(line: Line) -> None:
    write_check_row(line.environ("worker"), say=lambda _: None)


def crms() -> tuple[str, ...]:
    """The CRMs that can be played: there is an adapter and a part of the sandbox of this name."""
    return tuple(name for name in registry.KNOWN if (ROOT / "sandbox" / name).is_dir())


def _environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


def _plain_session() -> requests.Session:
    """Without the proxies and CA files that the environment names: all of it is on this machine."""
    session = requests.Session()
    session.trust_env = False
    return session


def granian(app: str, port: int, workers: int = WORKERS, threads: int = THREADS) -> list[str]:
    """The command that serves `app` (module:name) on 127.0.0.1."""
    command = [sys.executable, "-m", "granian", "--interface", "wsgi", app]
    command += ["--host", "127.0.0.1", "--port", str(port), "--no-ws"]
    command += ["--workers", str(workers), "--blocking-threads", str(threads)]
    return [*command, "--backlog", "1024", "--backpressure", "1024", "--log-level", "warning"]


def free_port(wanted: int = 0) -> int:
    """A port that was free a moment ago: this one, or any. Raises RuntimeError where it isn't."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as error:
            reason = error.strerror.lower() if error.strerror else "it can't be opened"
            raise RuntimeError(f"port {wanted}: {reason}; choose another with PORT=…") from None
        return int(probe.getsockname()[1])
