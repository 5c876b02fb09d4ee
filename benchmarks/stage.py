"""Starts and ends what is measured: Redis, the upstream, the bridge, the plain build, a proxy.

Not for: measuring. Everything listens on 127.0.0.1 and ends with the stage.
"""

import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import redis
import requests

from benchmarks.upstream import STAMP
from bridge import keys
from bridge.cli.embedded import Embedded
from bridge.cli.line import THREADS, WORKERS, free_port, granian
from bridge.cli.processes import Announcing, Child, wait_until
from bridge.parts import WebParts, web_parts, worker_parts
from bridge.services.subjects import stamp_digest
from bridge.store.grants import Authorization, Code
from bridge.writes.drain import DrainParts

ROOT = Path(__file__).parents[1]
_OPEN = "user bench on nopass ~* &* +@all"
SCOPES = ("member:read", "member:write")


@dataclass(frozen=True)
class Member:
    """A signed-in member and the tokens of their session."""

    id: str
    access: str
    refresh: str


@dataclass(frozen=True)
class Server:
    """A web server that runs."""

    port: int
    child: Child

    @property
    def pids(self) -> list[int]:
        """Whose CPU counts."""
        return [self.child.pid]

    def stop(self) -> None:
        """End it."""
        self.child.stop()


class Stage:
    """Use as a context manager."""

    def __init__(self) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="bridge-bench-"))
        self._children: list[Child] = []
        self._redis: Embedded | None = None
        try:
            keys.make(self.directory / "keys")
            self._redis = Embedded(self.directory / "redis", {"tokens": [_OPEN], "queue": [_OPEN]})
            self.upstream, self.upstream_child = self._start_upstream()
        except BaseException:
            self.stop()
            raise

    def _start_upstream(self) -> tuple[int, Child]:
        command = [sys.executable, "-m", "benchmarks.upstream"]
        log = self.directory / "upstream.log"
        child = Announcing("upstream", command, self._plain_environ(), log)
        self._children.append(child)
        return int(child.ready()["port"]), child

    def delay(self, milliseconds: int) -> int:
        """Set the upstream's delay; gives how many calls it had since the last time."""
        with requests.Session() as session:
            session.trust_env = False
            url = f"http://127.0.0.1:{self.upstream}/delay/{milliseconds}"
            return int(session.put(url, timeout=5).text)

    def redis_url(self, role: str) -> str:
        """As a user without limits."""
        assert self._redis is not None
        return f"redis://bench@127.0.0.1:{self._redis.servers[role].port}/0"

    def redis(self, role: str) -> "redis.Redis":
        """As a user without limits."""
        return redis.Redis.from_url(self.redis_url(role))

    # -- the bridge ------------------------------------------------------------------------------

    def environ(self, role: str, **more: str) -> dict[str, str]:
        """A bridge process's variables."""
        assert self._redis is not None
        return {
            **self._plain_environ(),
            "BRIDGE_ENVIRONMENT": "sandbox",
            "BRIDGE_ISSUER": "http://127.0.0.1",
            "BRIDGE_REDIS__TOKENS_URL": self._redis.url("tokens", role),
            "BRIDGE_REDIS__QUEUE_URL": self._redis.url("queue", role),
            "BRIDGE_KEYS__DIRECTORY": str(self.directory / "keys" / role),
            "BRIDGE_CRM__ADAPTER": "benchmarks.crm:OverPlainHttp",
            "BRIDGE_CRM__OPTIONS__URL": f"http://127.0.0.1:{self.upstream}",
            "BRIDGE_CRM__OPTIONS__AUTHORITY": "https://127.0.0.1",
            "BRIDGE_CRM__OPTIONS__TENANT": "bench",
            "BRIDGE_CRM__CREDENTIAL__CLIENT_ID": "bench",
            "BRIDGE_CRM__CREDENTIAL__CLIENT_SECRET": "bench",
            "BRIDGE_OAUTH__ACCESS_TOKEN_SECONDS": "3600",
            "BRIDGE_WECHAT__ENABLED": "false",
            **more,
        }

    def bridge(self, workers: int = WORKERS, threads: int = THREADS, **more: str) -> Server:
        """The whole application, as it is deployed."""
        port = free_port()
        command = granian("wsgi:app", port, workers, threads)
        environ = self.environ("web", BRIDGE_HTTP__THREADS=str(threads), **more)
        return self._serve("bridge", port, command, environ, "/healthz")

    def worker(self, number: int) -> Child:
        """A bridge worker on the lane of members' writes."""
        command = [sys.executable, "-m", "bridge", "worker", "--lane", "now"]
        log = self.directory / f"worker-{number}.log"
        child = Child("worker", command, self.environ("worker"), log)
        self._children.append(child)
        return child

    def web_parts(self) -> WebParts:
        """In this process: for making sessions and filling mailboxes."""
        return web_parts(self.environ("web", BRIDGE_LOG_LEVEL="WARNING"))

    def worker_parts(self) -> DrainParts:
        """In this process: for saying that the queue is fit while no worker runs."""
        return worker_parts(self.environ("worker", BRIDGE_LOG_LEVEL="WARNING"))

    def members(self, count: int) -> list[Member]:
        """Members who have signed in to the bridge and to the plain build."""
        parts = self.web_parts()
        made = [_sign_in(parts) for _ in range(count)]
        plain = self.redis("tokens")
        for member in made:
            plain.set(f"plain:{sha256(member.access.encode()).hexdigest()}", member.id)
        return made

    # -- what it is compared with ----------------------------------------------------------------

    def _plain_environ(self) -> dict[str, str]:
        found = {"PATH": "/usr/bin:/bin:/usr/sbin", "PYTHONPATH": str(ROOT)}
        if self._redis is not None and hasattr(self, "upstream"):
            found["PLAIN_UPSTREAM"] = f"http://127.0.0.1:{self.upstream}"
            found["PLAIN_TOKENS"] = self.redis_url("tokens")
            found["PLAIN_QUEUE"] = self.redis_url("queue")
        return found

    def plain(self, workers: int = 2, threads: int = 64) -> Server:
        """The plain build behind the server that one takes first."""
        port = free_port()
        command = [sys.executable, "-m", "gunicorn", "--worker-class", "gthread"]
        command += ["--workers", str(workers), "--threads", str(threads), "--keep-alive", "60"]
        command += ["--bind", f"127.0.0.1:{port}", "--backlog", "1024", "--no-control-socket"]
        command += ["--log-level", "warning", "benchmarks.plain:create_app()"]
        return self._serve("plain", port, command, self._plain_environ(), "/bare")

    def plain_on_granian(self, workers: int = WORKERS, threads: int = THREADS) -> Server:
        """The plain build behind the bridge's own server, where that isn't to count."""
        port = free_port()
        command = granian("benchmarks.plain:create_app", port, workers, threads)
        command.append("--factory")
        return self._serve("plain-granian", port, command, self._plain_environ(), "/bare")

    def plain_worker(self, shard: int) -> Child:
        """One RQ SimpleWorker on one shard; begins when `plain:go` is set."""
        command = [sys.executable, "-m", "benchmarks.plain", str(shard)]
        log = self.directory / f"plain-worker-{shard}.log"
        child = Child("plain worker", command, self._plain_environ(), log)
        self._children.append(child)
        return child

    def nginx(self) -> Server | None:
        """A plain proxy, where nginx is installed."""
        found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
        if found is None:
            return None
        port, here = free_port(), self.directory / "nginx"
        here.mkdir()
        (here / "nginx.conf").write_text(_NGINX.format(here=here, port=port, to=self.upstream))
        command = [found, "-p", str(here), "-c", str(here / "nginx.conf"), "-e", "error.log"]
        path = f"/api/data/v9.2/contacts({uuid.UUID(int=0)})"
        return self._serve("nginx", port, command, self._plain_environ(), path)

    def _serve(
        self, name: str, port: int, command: Sequence[str], environ: Mapping[str, str], path: str
    ) -> Server:
        child = Child(name, command, environ, self.directory / f"{name}.log")
        self._children.append(child)
        wait_until(lambda: _answers(port, path), 30, name, child)
        return Server(port, child)

    # -- the end ---------------------------------------------------------------------------------

    def stop(self) -> None:
        """End every process and remove every file."""
        for child in reversed(self._children):
            child.stop(3.0)
        if self._redis:
            self._redis.stop()
        shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


_NGINX = """
daemon off; worker_processes 2; pid {here}/pid; error_log {here}/error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; client_body_temp_path {here}; proxy_temp_path {here};
  fastcgi_temp_path {here}; uwsgi_temp_path {here}; scgi_temp_path {here};
  keepalive_requests 1000000;
  upstream crm {{ server 127.0.0.1:{to}; keepalive 512; keepalive_requests 1000000; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location / {{
      proxy_pass http://crm; proxy_http_version 1.1; proxy_set_header Connection "";
    }}
  }}
}}
"""


def _sign_in(parts: WebParts) -> Member:
    """A session as the authorization endpoint would make it."""
    member_id = str(uuid.uuid4())
    authorization = Authorization(
        client_id="site",
        scope=frozenset(SCOPES),
        audience=(parts.settings.issuer,),
        member_id=member_id,
        subject="bench",
        auth_time=int(time.time()),
        stamp=stamp_digest(parts.names, STAMP),
    )
    code = Code(authorization, "http://127.0.0.1/", "unused")
    issued = parts.grants.redeem(parts.grants.new_code(code), code, refreshable=True)
    assert issued is not None
    assert issued.refresh_token is not None
    return Member(member_id, issued.access_token, issued.refresh_token)


def _answers(port: int, path: str) -> bool:
    try:
        with requests.Session() as session:
            session.trust_env = False
            return session.get(f"http://127.0.0.1:{port}{path}", timeout=2).ok
    except requests.RequestException:
        return False
