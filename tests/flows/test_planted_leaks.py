"""The scanner catches a leak in every place where this stack is known to leak.

Each test plants one, with the real library, the way an innocent mistake would. A scanner that found
nothing anywhere would pass every flow test; here it would fail.
"""

import base64
import hashlib
import json
import logging
import subprocess
import sys
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import flask
import limits
import marshmallow
import msal
import pytest
import redis
import requests
import rq
from limits.storage import RedisStorage
from limits.strategies import FixedWindowRateLimiter
from rq.serializers import JSONSerializer
from wechatpy.session.redisstorage import RedisStorage as WechatStorage
from werkzeug.debug.tbtools import DebugTraceback

from bridge.privacy import Canary, Scan, places
from tests.support.valkey import bare

MAIL = "canary.leak7@example.cn"
PHONE = "+8613900001234"
OPENID = "o_canaryOpenid_2846"
TOKEN = "canary-bearer-token-5521"
ALL = [
    Canary("email", MAIL),
    Canary("mobile", PHONE),
    Canary("openid", OPENID),
    Canary("crm token", TOKEN),
]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[redis.Redis]:
    with bare(tmp_path, "--appendonly", "yes", "--slowlog-log-slower-than", "-1") as client:
        yield client


@pytest.fixture
def log(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "app.log"
    handler = logging.FileHandler(path)
    handler.setFormatter(logging.Formatter("%(name)s %(message)s"))
    root, level = logging.getLogger(), logging.getLogger().level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield path
    root.removeHandler(handler)
    root.setLevel(level)
    handler.close()


def caught(pieces: Iterator[places.Piece]) -> set[str]:
    scan = Scan(ALL)
    scan.look(pieces)
    return {finding.field for finding in scan.findings}


def fail_with(value: str) -> None:
    raise RuntimeError(f"no such member {value}")


def _write(path: Path, text: str) -> Iterator[places.Piece]:
    path.write_text(text)
    return places.files([path])


def test_row_1_rq_arguments(server: redis.Redis) -> None:
    """RQ's `data` and `description` hold the arguments of a plain enqueue."""
    rq.Queue("q", connection=server).enqueue(fail_with, MAIL)

    assert "email" in caught(places.redis_contents("queue", server))


def test_row_1_rq_arguments_inside_zlib(server: redis.Redis) -> None:
    """With a clean description the arguments still rest in `data`, compressed."""
    rq.Queue("q", connection=server).enqueue(fail_with, MAIL, description="x")

    assert "email" in caught(places.redis_contents("queue", server))


def test_row_1_rq_exception_text(server: redis.Redis) -> None:
    """RQ keeps a failed job's traceback, compressed in base64, in a stream."""
    queue = rq.Queue("q", connection=server, serializer=JSONSerializer)
    queue.enqueue("tests.flows.test_planted_leaks.fail_by_number", 7, description="x")
    rq.SimpleWorker([queue], connection=server, serializer=JSONSerializer).work(burst=True)

    assert "mobile" in caught(places.redis_contents("queue", server))


def fail_by_number(_: int) -> None:
    fail_with(PHONE)


def test_row_2_rq_worker_log(server: redis.Redis, log: Path) -> None:
    """RQ's worker logs descriptions and whole tracebacks."""
    queue = rq.Queue("q", connection=server)
    queue.enqueue(fail_with, MAIL)
    rq.SimpleWorker([queue], connection=server).work(burst=True)

    assert "email" in caught(places.files([log]))


def test_row_5_limiter_keys(server: redis.Redis, tmp_path: Path) -> None:
    """A limiter writes what it is told to count as a key's name."""
    storage = RedisStorage(f"redis+unix://{tmp_path}/s")
    FixedWindowRateLimiter(storage).hit(limits.parse("5/minute"), PHONE)

    assert "mobile" in caught(places.redis_contents("tokens", server))


def test_row_6_deleted_values_in_the_append_only_file(server: redis.Redis, tmp_path: Path) -> None:
    """What was deleted rests in the append-only file until it is rewritten."""
    server.set("mb:x", MAIL)
    server.delete("mb:x")

    assert "email" not in caught(places.redis_contents("queue", server))
    assert "email" in caught(places.files([tmp_path / "appendonlydir"]))


def test_row_7_slowlog(server: redis.Redis) -> None:
    """SLOWLOG keeps the arguments of a slow command."""
    server.config_set("slowlog-log-slower-than", 0)
    server.execute_command("ECHO", MAIL)

    assert "email" in caught(places.redis_contents("queue", server))


def test_row_8_redis_py_errors(server: redis.Redis, log: Path) -> None:
    """redis-py quotes the command in a pipeline's error."""
    server.set("text", "x")
    pipe = server.pipeline()
    pipe.hset("text", "field", MAIL)
    try:
        pipe.execute()
    except redis.ResponseError as error:
        logging.getLogger("app").error("redis: %s", error)

    assert "email" in caught(places.files([log]))


def test_row_9_requests_errors(log: Path) -> None:
    """requests puts the whole URL into its errors."""
    try:
        requests.get(f"http://127.0.0.1:9/contacts?$filter=emailaddress1 eq '{MAIL}'", timeout=2)
    except requests.RequestException as error:
        logging.getLogger("app").error("crm: %s", error)

    assert "email" in caught(places.files([log]))


def test_row_10_addresses_that_we_call() -> None:
    """A value in a CRM URL ends up in the CRM's and its proxies' logs."""
    url = requests.Request("GET", "http://crm/contacts", params={"$filter": f"e eq '{MAIL}'"})

    assert "email" in caught(places.addresses([str(url.prepare().url)]))


def test_row_11_a_crm_error_passed_on() -> None:
    """A CRM's error text names the value that it refuses."""
    answer = requests.Response()
    answer.url = "http://127.0.0.1/v1/me"
    answer._content = json.dumps({"detail": f"duplicate key value {MAIL}"}).encode()

    assert "email" in caught(places.answers([answer]))


def test_row_12_validation_errors(log: Path) -> None:
    """marshmallow's error holds the whole input."""
    schema = marshmallow.Schema.from_dict({"mail": marshmallow.fields.Integer()})()
    try:
        schema.load({"mail": MAIL})
    except marshmallow.ValidationError as error:
        logging.getLogger("app").error("invalid: %s", error.data)

    assert "email" in caught(places.files([log]))


def _error_with_locals() -> traceback.TracebackException:
    try:
        fail_with(MAIL)
    except RuntimeError as error:
        return traceback.TracebackException.from_exception(error, capture_locals=True)
    raise AssertionError


def test_row_13_error_trackers(tmp_path: Path) -> None:
    """An error tracker sends local variables."""
    event = {"stacktrace": list(_error_with_locals().format())}

    assert "email" in caught(_write(tmp_path / "event.json", json.dumps(event)))


def test_row_14_access_logs(tmp_path: Path) -> None:
    """An access log in the usual format has the query."""
    line = f'127.0.0.1 - - "GET /v1/members?email={MAIL.replace("@", "%40")} HTTP/1.1" 200 12'

    assert "email" in caught(_write(tmp_path / "access.log", line))


def test_row_15_debugger_pages() -> None:
    """The debugger's page shows the error's text."""
    answer = requests.Response()
    answer.url = "http://127.0.0.1/"
    try:
        fail_with(MAIL)
    except RuntimeError as error:
        page = DebugTraceback(error).render_debugger_html(True, "secret", True)
        answer._content = page.encode()

    assert "email" in caught(places.answers([answer]))


def test_row_16_flask_logs_exceptions(log: Path) -> None:
    """Flask logs an unhandled exception with its text."""
    app = flask.Flask("leaky")
    app.add_url_rule("/", view_func=lambda: fail_with(MAIL))

    app.test_client().get("/")

    assert "email" in caught(places.files([log]))


def test_row_18_redirects() -> None:
    """An address in a redirect ends up in histories and Referer headers."""
    answer = requests.Response()
    answer.url, answer._content = "http://127.0.0.1/", b""
    answer.headers["Location"] = f"/sign-in?login_hint={MAIL}"

    assert "email" in caught(places.answers([answer]))


def test_row_19_signed_cookies() -> None:
    """Flask's own session cookie is signed, not sealed."""
    app = flask.Flask("leaky")
    app.secret_key = "sandbox"
    app.add_url_rule("/", view_func=lambda: flask.session.update(phone=PHONE, more="x" * 200) or "")
    answer = requests.Response()
    answer.url, answer._content = "http://127.0.0.1/", b""
    answer.headers["Set-Cookie"] = app.test_client().get("/").headers["Set-Cookie"]

    assert "mobile" in caught(places.answers([answer]))


def test_row_19_token_claims() -> None:
    """A JWT's claims are readable by anyone."""
    claims = base64.urlsafe_b64encode(json.dumps({"sub": "x", "email": MAIL}).encode()).rstrip(b"=")
    answer = requests.Response()
    answer.url = "http://127.0.0.1/oauth/token"
    answer._content = b'{"id_token": "eyJhbGciOiJFUzI1NiJ9.' + claims + b'.sig"}'

    assert "email" in caught(places.answers([answer]))


def test_row_20_idempotency_records(server: redis.Redis) -> None:
    """An idempotency store that keeps bodies is a store of member data."""
    server.set("idem:1", json.dumps({"status": 201, "body": {"email": MAIL}}))

    assert "email" in caught(places.redis_contents("queue", server))


def test_row_23_token_cache_files(tmp_path: Path) -> None:
    """MSAL's serialised cache holds the bearer token in clear."""
    cache = msal.SerializableTokenCache()
    cache.add(
        {
            "client_id": "c",
            "scope": ["s"],
            "token_endpoint": "https://login/t/token",
            "response": {"access_token": TOKEN, "expires_in": 60},
        }
    )

    assert "crm token" in caught(_write(tmp_path / "cache.json", cache.serialize()))


def test_row_23_wechat_session_storage(server: redis.Redis) -> None:
    """wechatpy's Redis storage holds WeChat's token in clear."""
    WechatStorage(server).set("appid_access_token", TOKEN, 60)

    assert "crm token" in caught(places.redis_contents("tokens", server))


def test_row_24_metric_labels(tmp_path: Path) -> None:
    """A label made of a path or a query holds what stands in them."""
    text = f'http_requests_total{{path="/members/{PHONE.replace("+", "%2B")}"}} 1\n'

    assert "mobile" in caught(_write(tmp_path / "metrics", text))


@pytest.mark.parametrize("where", ["argument", "environment"])
def test_row_26_processes(where: str) -> None:
    """Anyone on the host reads a process's command line, and its user its environment."""
    arguments = [MAIL] if where == "argument" else []
    environ = {"MEMBER": MAIL} if where == "environment" else {}
    code = "import sys; print(flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        env=environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        process.stdout.readline()
        assert "email" in caught(places.processes([process.pid]))
    finally:
        process.communicate(timeout=10)


def test_row_27_openid_in_a_callback_url(tmp_path: Path) -> None:
    """WeChat puts the openid into the callback's query, and an access log keeps it."""
    line = f"POST /wechat/callback?signature=x&timestamp=1&openid={OPENID}&encrypt_type=aes 200"

    assert "openid" in caught(_write(tmp_path / "access.log", line))


@pytest.mark.parametrize("digest", [hashlib.md5, hashlib.sha1, hashlib.sha256])
def test_row_28_unkeyed_hashes(tmp_path: Path, digest: Callable[..., "hashlib._Hash"]) -> None:
    """An unkeyed hash of a phone number is the number: all of them can be tried."""
    line = f"sign-in by {digest(PHONE.encode()).hexdigest()}"

    assert "mobile" in caught(_write(tmp_path / "app.log", line))


def test_nothing_is_found_where_nothing_leaks(server: redis.Redis, tmp_path: Path) -> None:
    """The same places, without a leak, give no finding: what is found above was the leak."""
    server.set("mb:x", "v1.sealed")
    (tmp_path / "app.log").write_text("bridge started\n")

    pieces = [*places.redis_contents("queue", server), *places.files([tmp_path])]

    assert caught(iter(pieces)) == set()
