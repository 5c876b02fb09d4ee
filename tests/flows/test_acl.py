"""What the shipped ACL files let each user do, on the shipped configuration, inside Lua too."""

from collections.abc import Iterator

import pytest
import redis

from bridge.cli.embedded import Embedded
from bridge.writes import scripts

BOX = "w" + "x" * 22


@pytest.fixture(scope="module")
def servers() -> Iterator[Embedded]:
    with Embedded() as embedded:
        yield embedded


def client(servers: Embedded, role: str, user: str) -> redis.Redis:
    url = servers.url(role, user)  # type: ignore[arg-type]
    return redis.Redis.from_url(url, decode_responses=True)


REFUSED_ON_THE_QUEUE = [
    ("LRANGE", f"mb:{BOX}", "0", "-1"),
    ("LINDEX", f"mb:{BOX}", "0"),
    ("LPOP", f"mb:{BOX}"),
    ("LPUSH", f"mb:{BOX}", "x"),
    ("LTRIM", f"mb:{BOX}", "1", "0"),
    ("LREM", f"mb:{BOX}", "0", "x"),
    ("LSET", f"mb:{BOX}", "0", "x"),
    ("DEL", f"mb:{BOX}"),
    ("UNLINK", f"mb:{BOX}"),
    ("EXPIRE", f"mb:{BOX}", "1"),
    ("RENAME", f"mb:{BOX}", "mb:other"),
    ("SET", f"mb:{BOX}", "x"),
    ("GET", f"mb:{BOX}"),
    ("SET", "op:fit", "x"),
    ("SET", "op:" + "x" * 22, "x"),
    ("DEL", "op:fit"),
    ("DEL", "idem:x"),
    ("SPOP", "dirty"),
    ("SMEMBERS", "dirty"),
    ("DEL", "dirty"),
    ("GET", "turns"),
    ("SET", f"turn:{BOX}", "1"),
    ("ZADD", "due:now", "0", BOX),
    ("SET", "pause:now", "1"),
    ("GET", f"sent:{BOX}"),
    ("LRANGE", f"dl:{BOX}", "0", "-1"),
    ("RPUSH", "rq:queue:now", "x"),
    ("HSET", "rq:job:x", "data", "x"),
    ("SADD", "rq:queues", "x"),
    ("GET", "rq:workers"),
    ("PUBLISH", "op:done", "x"),
    ("PUBLISH", "rq:pubsub:x", "x"),
    ("SCAN", "0"),
    ("KEYS", "*"),
    ("RANDOMKEY",),
    ("CONFIG", "GET", "appendonly"),
    ("CONFIG", "SET", "appendonly", "no"),
    ("INFO",),
    ("FLUSHALL",),
    ("SCRIPT", "LOAD", "return 1"),
    ("MONITOR",),
    ("ACL", "LIST"),
    ("CLIENT", "LIST"),
    ("SHUTDOWN",),
]


@pytest.mark.parametrize("command", REFUSED_ON_THE_QUEUE, ids=" ".join)
def test_the_web_user_may_only_append_and_read_outcomes(
    servers: Embedded, command: tuple[str, ...]
) -> None:
    """A stolen web host can't read, take, change or remove what waits, nor wake a worker."""
    web = client(servers, "queue", "web")
    with pytest.raises(redis.exceptions.NoPermissionError):
        web.execute_command(*command)


@pytest.mark.parametrize("command", REFUSED_ON_THE_QUEUE[:33], ids=" ".join)
def test_lua_gives_the_web_user_no_more(servers: Embedded, command: tuple[str, ...]) -> None:
    """Inside a script the same is refused, whether or not the key is declared."""
    web = client(servers, "queue", "web")
    quoted = ",".join(f"'{word}'" for word in command)
    for keys in ([], list(command[1:2])):
        with pytest.raises(redis.exceptions.ResponseError, match=r"(?i)permission|ACL"):
            web.eval(f"return redis.call({quoted})", len(keys), *keys)


def test_append_runs_as_the_web_user(servers: Embedded) -> None:
    """What the web tier is for works under the rule: append, its own records, outcomes, waiting."""
    web = client(servers, "queue", "web")
    keys = [f"mb:{BOX}", "idem:a", f"op:closed:{BOX}", "dirty"]
    assert web.eval(scripts.APPEND, 4, *keys, "envelope", "{}", 60, 100, BOX, 0) == ["fresh", ""]
    assert web.eval(scripts.APPEND, 4, *keys, "envelope", "{}", 60, 100, BOX, 1) == ["known", "{}"]
    assert web.get("op:x") is None
    assert web.execute_command("WAIT", 0, 10) == 0
    pubsub = web.pubsub()
    pubsub.subscribe("op:done")
    with pytest.raises(redis.exceptions.NoPermissionError):
        other = web.pubsub()
        other.subscribe("rq:pubsub:x")
        other.get_message(timeout=1)


@pytest.mark.parametrize(
    "command",
    [
        ("FLUSHALL",),
        ("CONFIG", "SET", "appendonly", "no"),
        ("SHUTDOWN",),
        ("KEYS", "*"),
        ("BGREWRITEAOF",),
        ("ACL", "LIST"),
        ("GET", "at:x"),
        ("SET", "anything", "x"),
    ],
    ids=" ".join,
)
def test_the_worker_may_not_administer(servers: Embedded, command: tuple[str, ...]) -> None:
    """The worker looks at settings but changes none, and has only the queue's keys."""
    with pytest.raises(redis.exceptions.NoPermissionError):
        client(servers, "queue", "worker").execute_command(*command)


@pytest.mark.parametrize(
    ("user", "command"),
    [
        ("web", ("GET", "crm:worker:x")),
        ("web", ("CONFIG", "GET", "save")),
        ("web", ("FLUSHALL",)),
        ("web", ("KEYS", "*")),
        ("worker", ("GET", "at:x")),
        ("worker", ("GET", "crm:web:x")),
        ("worker", ("HGETALL", "gr:x")),
        ("worker", ("SCAN", "0")),
        ("doctor", ("SET", "at:x", "1")),
        ("doctor", ("DEL", "at:x")),
    ],
)
def test_the_tokens_roles_users_are_apart(
    servers: Embedded, user: str, command: tuple[str, ...]
) -> None:
    """Web and worker can't reach each other's CRM token; only the web tier has grants; the doctor
    only looks."""
    with pytest.raises(redis.exceptions.NoPermissionError):
        client(servers, "tokens", user).execute_command(*command)


@pytest.mark.parametrize("role", ["tokens", "queue"])
def test_nobody_comes_in_without_a_password(servers: Embedded, role: str) -> None:
    """The default user is off, and a wrong password is refused."""
    port = servers.servers[role].port
    for url in (f"redis://127.0.0.1:{port}/0", f"redis://web:wrong@127.0.0.1:{port}/0"):
        with pytest.raises(redis.exceptions.AuthenticationError):
            redis.Redis.from_url(url).ping()


def test_the_doctor_sees_the_settings(servers: Embedded) -> None:
    """The queue is durable, the tokens role keeps nothing on disk, neither evicts."""
    wanted = {
        "queue": {"appendonly": "yes", "appendfsync": "always", "notify-keyspace-events": "Ks"},
        "tokens": {"appendonly": "no", "save": ""},
    }
    for role, settings in wanted.items():
        doctor = client(servers, role, "doctor")
        assert doctor.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert doctor.config_get("slowlog-max-len")["slowlog-max-len"] == "0"
        for name, value in settings.items():
            assert sorted(doctor.config_get(name)[name]) == sorted(value)


def test_passwords_do_not_rest_and_nothing_is_left(servers: Embedded) -> None:
    """The ACL file on disk holds hashes; after `stop` there is no process and no file."""
    own = Embedded()
    passwords = [p for s in own.servers.values() for p in s.passwords.values()]
    files = [path for path in own.directory.rglob("*") if path.is_file()]
    assert files
    for path in files:
        assert not any(p.encode() in path.read_bytes() for p in passwords)
    processes = [server.child.process for server in own.servers.values()]
    own.stop()
    assert not own.directory.exists()
    assert all(process.poll() is not None for process in processes)
