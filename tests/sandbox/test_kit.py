"""The kit that every sandbox part stands on, driven over real connections."""

import concurrent.futures
import json
import os
import signal
import subprocess
import sys
import threading
import time

import pytest
import requests
from flask import Flask, jsonify, request

from sandbox.kit import Kit, Part
from sandbox.kit.ca import make_ca
from sandbox.kit.clock import Clock
from sandbox.kit.server import serve


class Counter:
    """A part that counts the effects it has had."""

    def __init__(self, directory) -> None:
        self.kit = Kit(Clock(), make_ca(directory), directory)
        self.effects = 0
        app = Flask("counter")
        app.add_url_rule("/effect", view_func=self.effect, methods=["POST"])
        app.add_url_rule("/broken", view_func=self.broken)
        app.add_url_rule("/wait", view_func=self.wait)
        self.barrier = threading.Barrier(80)
        self.part = Part("counter", self.kit, app, lambda url: {"url": url}, reset=self.reset)

    def effect(self):
        self.effects += 1
        return jsonify(effects=self.effects, said=request.get_json(silent=True))

    def broken(self):
        raise KeyError("secret-value")

    def wait(self):
        self.barrier.wait(10)
        return "ok"

    def reset(self) -> None:
        self.effects = 0


@pytest.fixture
def counter(tmp_path):
    """A counting part, not yet served."""
    return Counter(tmp_path)


@pytest.fixture(params=["http", "https"])
def url(request, counter, http):
    """The counting part served, in clear and over TLS."""
    tls = counter.kit.ca.issue("127.0.0.1", "localhost") if request.param == "https" else None
    server = serve(counter.part.app, 0, tls)
    http.verify = counter.kit.ca.ca_file
    yield server.url
    server.close()


def fault(http, url, **rule):
    """Set one fault through the control plane."""
    answer = http.post(f"{url}/_sandbox/faults", json=rule)
    assert answer.status_code == 200, answer.text


def test_connections_are_kept_alive(http, url):
    """A second request goes out on the first one's connection."""
    for _ in range(3):
        assert http.post(f"{url}/effect", json={"a": 1}).json()["said"] == {"a": 1}
    pool = http.get_adapter(url).poolmanager.connection_from_url(
        url, pool_kwargs={"ca_certs": http.verify, "cert_reqs": "CERT_REQUIRED"}
    )
    assert pool.num_connections <= 1


def test_eighty_requests_are_served_at_once(counter, http, url):
    """More than 64 callers can be in the middle of a request at the same time."""
    with concurrent.futures.ThreadPoolExecutor(80) as pool:
        calls = [
            pool.submit(requests.get, f"{url}/wait", verify=http.verify, timeout=20)
            for _ in range(80)
        ]
        assert {call.result().status_code for call in calls} == {200}


@pytest.mark.parametrize(("kind", "effects"), [("cut_before", 0), ("reset", 0), ("cut_after", 1)])
def test_a_cut_connection_gives_no_answer(counter, http, url, kind, effects):
    """A cut leaves the caller without an answer; only cut_after has had its effect."""
    fault(http, url, kind=kind, match={"path_prefix": "/effect"})
    with pytest.raises(requests.ConnectionError):
        http.post(f"{url}/effect")
    assert counter.effects == effects
    assert http.post(f"{url}/effect").json()["effects"] == effects + 1


def test_a_late_request_has_its_effect_after_the_caller_gave_up(counter, http, url):
    """`late` cuts first and executes when the clock has moved on by `seconds`."""
    fault(http, url, kind="late", seconds=60, match={"method": "POST"})
    with pytest.raises(requests.ConnectionError):
        http.post(f"{url}/effect")
    assert counter.effects == 0
    http.post(f"{url}/_sandbox/clock", json={"advance": 61})
    deadline = time.monotonic() + 5
    while counter.effects == 0 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert counter.effects == 1


def test_reset_drops_what_was_to_arrive_late(counter, http, url):
    """A late request of the test before never reaches the next test."""
    fault(http, url, kind="late", seconds=60)
    with pytest.raises(requests.ConnectionError):
        http.post(f"{url}/effect")
    http.post(f"{url}/_sandbox/reset")
    http.post(f"{url}/_sandbox/clock", json={"advance": 61})
    time.sleep(0.1)
    assert counter.effects == 0


def test_slow_answers_truly_after_its_time(http, url):
    """`slow` holds the request and then serves it."""
    fault(http, url, kind="slow", seconds=0.2)
    began = time.monotonic()
    assert http.post(f"{url}/effect").json()["effects"] == 1
    assert time.monotonic() - began >= 0.2


def test_throttle_and_status_have_no_effect(counter, http, url):
    """429 and 5xx are answered without the request reaching the part, with Retry-After."""
    fault(http, url, kind="throttle", retry_after=7, times=2)
    fault(http, url, kind="status", status=502)
    answers = [http.post(f"{url}/effect") for _ in range(4)]
    assert [a.status_code for a in answers] == [429, 429, 502, 200]
    assert answers[0].headers["Retry-After"] == "7"
    assert counter.effects == 1


def test_malformed_and_html_are_not_json(counter, http, url):
    """`malformed` has its effect and half a body; `html` is a proxy's page and has none."""
    fault(http, url, kind="malformed")
    fault(http, url, kind="html", status=200)
    for effects in (1, 1):
        answer = http.post(f"{url}/effect")
        assert answer.status_code == 200
        with pytest.raises(ValueError, match=r".+"):
            answer.json()
        assert counter.effects == effects


def test_a_rule_matches_by_method_path_and_pattern_and_can_skip(http, url):
    """A rule waits for its request, and `skip` lets the first ones through."""
    fault(
        http,
        url,
        kind="status",
        status=500,
        skip=1,
        match={"method": "POST", "path_regex": r"/eff\w+\?x=1$"},
    )
    wanted = [200, 200, 500, 200]
    paths = ["/effect", "/effect?x=1", "/effect?x=1", "/effect?x=1"]
    assert [http.post(url + path).status_code for path in paths] == wanted


def test_an_unknown_fault_is_refused(http, url):
    """A misspelt rule is an error of the test that sets it, not a fault that never comes."""
    for rule in ({"kind": "slwo"}, {"kind": "slow", "match": {"verb": "GET"}}, {"knd": "slow"}):
        assert http.post(f"{url}/_sandbox/faults", json=rule).status_code == 400


def test_requests_seen_are_listed_and_cleared(http, url):
    """The log has method, path with query, trace headers, parsed body, status and part."""
    http.post(f"{url}/effect?a=%20b", json={"x": 1}, headers={"traceparent": "00-a-b-01"})
    (entry,) = http.get(f"{url}/_sandbox/requests").json()["requests"]
    assert (entry["method"], entry["path"], entry["body"], entry["status"], entry["part"]) == (
        "POST",
        "/effect?a=%20b",
        {"x": 1},
        200,
        "counter",
    )
    assert entry["headers"]["traceparent"] == "00-a-b-01"
    assert not http.get(f"{url}/_sandbox/requests?since={entry['n']}").json()["requests"]
    http.delete(f"{url}/_sandbox/requests")
    assert not http.get(f"{url}/_sandbox/requests").json()["requests"]


def test_the_clock_moves_and_goes_back(http, url):
    """Tests can advance the clock, set it, and give it back to the machine."""

    def now(body):
        return http.post(f"{url}/_sandbox/clock", json=body).json()["now"]

    assert now({"advance": 3600}) - time.time() == pytest.approx(3600, abs=5)
    assert now({"set": 1_000_000}) == pytest.approx(1_000_000, abs=5)
    assert now({"set": None}) == pytest.approx(time.time(), abs=5)
    assert http.post(f"{url}/_sandbox/clock", json={"advnce": 1}).status_code == 400


def test_an_error_of_the_sandbox_prints_no_value(http, url, capfd):
    """A bug in a part is a 500, and stderr has the exception's class and place only."""
    assert http.get(f"{url}/broken").status_code == 500
    printed = capfd.readouterr()
    assert "KeyError at test_kit.py" in printed.err
    assert "secret-value" not in printed.err + printed.out


def test_the_certificate_is_checked_against_our_own_authority(counter, http):
    """Without the sandbox's CA file its certificate is refused."""
    server = serve(counter.part.app, 0, counter.kit.ca.issue("127.0.0.1", "localhost"))
    with pytest.raises(requests.exceptions.SSLError):
        http.get(server.url)
    http.verify = counter.kit.ca.ca_file
    assert http.get(f"https://localhost:{server.port}/_sandbox/clock").status_code == 200
    server.close()
    with pytest.raises(requests.ConnectionError):
        http.get(server.url)


def sandbox(*arguments, **environment):
    """`python -m sandbox` as a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "sandbox", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, **environment},
        text=True,
    )


def test_the_process_prints_one_line_and_ends_on_sigterm():
    """Ready is exactly one line of JSON on stdout; SIGTERM ends it with status 0."""
    process = sandbox("dynamics")
    ready = json.loads(process.stdout.readline())
    assert ready["dynamics"]["url"].startswith("https://127.0.0.1:")
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out, err) == (0, "", "")


def test_the_process_ends_with_its_parent_when_asked():
    """With --with-parent the sandbox ends when its stdin is closed."""
    process = sandbox("dynamics", "--with-parent")
    process.stdout.readline()
    process.communicate(timeout=10)
    assert process.returncode == 0


def test_it_refuses_to_start_in_production():
    """Where the environment says production there is no sandbox."""
    process = sandbox("dynamics", BRIDGE_ENVIRONMENT="production")
    out, err = process.communicate(timeout=10)
    assert (process.returncode, out) == (2, "")
    assert "production" in err
