"""The doctor's look at both Redis roles: version, settings, clock, and what this user may not do.

Not for: keys' contents, of which none is read. Where this role's own user may not ask for settings
or the time, the user `doctor` of the shipped ACL files does, if `DOCTOR_TOKENS_URL` and
`DOCTOR_QUEUE_URL` name it.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

import redis
from redis.exceptions import NoPermissionError

from bridge.cli.checks import Check, failed, ok, unsure
from bridge.keys import Role
from bridge.store import Redis
from bridge.writes.fit import KEY as FIT
from bridge.writes.fit import WANTED

Where = Literal["tokens", "queue"]
WHERES: tuple[Where, ...] = ("tokens", "queue")
_LOWEST = {"redis": (7, 0), "valkey": (7, 2)}
SLOW, WRONG = 2.0, 60.0
"""Seconds of difference between two clocks: from the first on it is told, from the second on it is
a failure."""
_PROBE = "doctor-probe"
_WEB_ON_QUEUE: tuple[tuple[str, ...], ...] = (
    ("LRANGE", f"mb:{_PROBE}", "0", "-1"),
    ("LPOP", f"mb:{_PROBE}"),
    ("DEL", f"mb:{_PROBE}"),
    ("RPUSH", f"rq:{_PROBE}", "x"),
    ("PUBLISH", f"op:{_PROBE}", "x"),
    ("SCAN", "0", "COUNT", "1"),
    ("CONFIG", "GET", "appendonly"),
)
_WEB_ON_TOKENS: tuple[tuple[str, ...], ...] = (
    ("GET", f"crm:worker:{_PROBE}"),
    ("CONFIG", "GET", "save"),
)
_WORKER_ON_TOKENS: tuple[tuple[str, ...], ...] = (
    ("GET", f"sess:{_PROBE}"),
    ("GET", f"at:{_PROBE}"),
    ("GET", f"crm:web:{_PROBE}"),
    ("SCAN", "0", "COUNT", "1"),
)
_APART: Mapping[tuple[Role, Where], tuple[tuple[str, ...], ...]] = {
    ("web", "queue"): _WEB_ON_QUEUE,
    ("web", "tokens"): _WEB_ON_TOKENS,
    ("worker", "tokens"): _WORKER_ON_TOKENS,
}
_LEAVES = ("RPUSH",)


class Look:
    """One server: as the process's own user, and as the doctor's where there is one."""

    def __init__(self, role: Role, where: Where, url: str, doctor_url: str = "") -> None:
        self._role, self._where, self._name = role, where, f"{where} Redis"
        self._own = Redis(url).client
        self._wide = Redis(doctor_url).client if doctor_url else self._own

    def checks(self) -> Iterator[Check]:
        """All of them; only the first where it can't be reached."""
        first = self._reachable()
        yield first
        if first.state == "failed":
            return
        yield from self._settings()
        yield self._clock()
        yield from self._apart()

    def close(self) -> None:
        """Let go of connections."""
        self._own.close()
        self._wide.close()

    def _reachable(self) -> Check:
        try:
            answer = self._do(self._own, "HELLO")
        except redis.AuthenticationError:
            do = "check user and password in redis." + f"{self._where}_url, and the ACL file"
            return failed(self._name, "reachable, but it refuses this user", do)
        except redis.ResponseError:
            return failed(self._name, "it refuses HELLO", "use the shipped ACL file (deploy/redis)")
        except redis.RedisError:
            do = f"start it; check host, port and TLS in redis.{self._where}_url"
            return failed(self._name, "can't be reached", do)
        said = answer if isinstance(answer, dict) else dict(zip(*[iter(answer)] * 2, strict=False))
        return _version(self._name, str(said.get("server", "")), str(said.get("version", "")))

    def _settings(self) -> Iterator[Check]:
        found = self._config(*(name for name, _ in _wanted(self._where)))
        if found is None:
            do = f"set DOCTOR_{self._where.upper()}_URL to the ACL's user `doctor`"
            if self._role == "web" and self._where == "queue":
                do += "; the worker looks every 5 s and says so (see `fit`)"
            yield unsure(f"{self._name}, settings", "this user may not ask for them, rightly", do)
            return
        for name, wanted in _wanted(self._where):
            place, is_set = f"{self._name}, {name}", found.get(name, "")
            if name == "notify-keyspace-events":
                yield _events(place, is_set)
            elif is_set == wanted:
                yield ok(place, wanted)
            else:
                do = f"set it in the server's own configuration (deploy/redis/{self._where}.conf)"
                yield failed(place, f"must be {wanted}", do)

    def _config(self, *names: str) -> dict[str, str] | None:
        found: dict[str, str] = {}
        try:
            for name in names:
                answer = self._do(self._wide, "CONFIG", "GET", name)
                pairs = answer.items() if isinstance(answer, dict) else zip(*[iter(answer)] * 2)  # noqa: B905
                found.update(pairs)
        except redis.RedisError:
            return None
        return found

    def _clock(self) -> Check:
        name = f"{self._name}, clock"
        began = time.time()
        try:
            seconds, micros = self._do(self._wide, "TIME")
        except redis.RedisError:
            return unsure(name, "this user may not ask for it, rightly")
        middle = (began + time.time()) / 2
        return clock(name, int(seconds) + int(micros) / 1e6 - middle)

    def _apart(self) -> Iterator[Check]:
        """What the shipped ACL refuses to this user, tried with keys that nobody uses."""
        commands = _APART.get((self._role, self._where), ())
        allowed = [command[0] for command in commands if self._may(command)]
        name = f"{self._name}, held apart"
        if allowed:
            do = f"load deploy/redis/{self._where}.acl and give this role the user of its name"
            yield failed(name, f"this user may {', '.join(allowed)}, and must not", do)
        elif commands:
            tried = ", ".join(dict.fromkeys(command[0] for command in commands))
            yield ok(name, f"{tried} are refused to role {self._role}")

    def _may(self, command: tuple[str, ...]) -> bool:
        try:
            self._do(self._own, *command)
        except NoPermissionError:
            return False
        except redis.RedisError:
            return True  # it got further than the access rules
        if command[0] in _LEAVES:
            with suppress(redis.RedisError):
                self._do(self._own, "DEL", command[1])
        return True

    @staticmethod
    def _do(client: redis.Redis, *command: str) -> Any:
        return client.execute_command(*command)  # type: ignore[no-untyped-call]


def _wanted(where: Where) -> Iterator[tuple[str, str]]:
    if where == "tokens":
        yield "maxmemory-policy", "noeviction"
    else:
        yield from WANTED.items()
        yield "notify-keyspace-events", "Ks"


def _events(place: str, is_set: str) -> Check:
    if "K" in is_set and ("s" in is_set or "A" in is_set):
        return ok(place, "the worker is woken at once")
    return unsure(place, "the worker looks every 250 ms instead", "set notify-keyspace-events Ks")


def _version(name: str, server: str, version: str) -> Check:
    try:
        numbers = tuple(int(part) for part in version.split(".")[:2])
    except ValueError:
        return unsure(name, "reachable; its version can't be told")
    lowest = _LOWEST.get(server)
    if lowest is None:
        return unsure(name, f"reachable; {server} {version} wasn't tried")
    if numbers < lowest:
        wanted = ".".join(map(str, lowest))
        return failed(name, f"{server} {version} has no ACL selectors", f"at least {wanted}")
    return ok(name, f"reachable, {server} {version}")


def clock(name: str, ahead: float) -> Check:
    """`ahead`: seconds by which the other clock is ahead of ours."""
    said = f"{abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} ours"
    do = "let both hosts follow the same NTP servers"
    if abs(ahead) > WRONG:
        return failed(name, said, do)
    return unsure(name, said, do) if abs(ahead) > SLOW else ok(name, said)


def fit(role: Role, queue: Redis, fresh: bool) -> Check:
    """What the worker says of the queue. `fresh`: this process believes it."""
    if fresh:
        return ok("fit", "a worker vouches for the queue, with the keys that we share")
    if queue.do("GET", FIT) is None:
        do = "start a worker; while it runs, its log says `queue.unfit` or `queue.unreachable`"
        made = failed if role == "web" else unsure
        return made("fit", "no worker vouches for the queue, so no write is accepted", do)
    do = "make the keys once, `python -m bridge keys make`, and give each role its directory"
    return failed("fit", "it was signed with other keys: envelope, index or identity differ", do)
