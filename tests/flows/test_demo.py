"""The demo as somebody starts it who knows nothing: signals, ports, and what the shell brings.

Not for: whether the walk's steps hold (`on_the_line/test_main_job.py`).
"""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

ROOT = Path(__file__).parents[2]
DEAD = "http://127.0.0.1:9"
HOSTILE = {
    **dict.fromkeys(("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"), DEAD),
    **dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), "/nowhere"),
    **dict.fromkeys(("NO_PROXY", "no_proxy"), ""),
    "BRIDGE_ISSUER": "https://elsewhere.example",
}
"""What a shell of a company's machine, or of another deployment, may have exported."""


def demo(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    """`make demo`, without make."""
    return subprocess.Popen(
        [sys.executable, "-m", "bridge", "demo", *arguments],
        cwd=ROOT,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        **more,
    )


def _ignore_sigint() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _running(pid: int) -> bool:
    """Whether it runs; one that only waits to be reaped doesn't."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that somebody listens on."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield other.getsockname()[1]


def test_a_port_in_use_is_named_before_anything_starts(taken: int) -> None:
    """One sentence with the way out, not a server's traceback after all the rest was started."""
    process = demo("--port", str(taken), "--once")
    said, _ = process.communicate(timeout=30)
    assert process.returncode == 1
    assert said.count("\n") == 1
    assert f"port {taken}: address already in use" in said
    assert "PORT=" in said


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_ctrl_c_ends_everything_that_a_hostile_shell_let_start(tmp_path: Path) -> None:
    """It serves in spite of proxies, CA files and settings in the environment; SIGINT, twice and
    to a process that was started with it ignored (a shell's background job), leaves nothing."""
    state = tmp_path / "state.json"
    process = demo("--port", "0", "--state", str(state), env={**os.environ, **HOSTILE},
                   preexec_fn=_ignore_sigint)  # fmt: skip
    try:
        assert process.stdout is not None
        said = []
        for line in process.stdout:
            said.append(line)
            if "Serving on" in line:
                break
        assert "Serving on" in said[-1], "".join(said)
        found = json.loads(state.read_text())
        with requests.Session() as session:
            session.trust_env = False
            assert session.get(found["base_url"] + "/healthz", timeout=5).ok
        pids, directory = found["processes"].values(), Path(found["logs"]["web"]).parent
        assert directory.is_dir()
        assert all(map(_running, pids))
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert not any(map(_running, pids))
        assert not directory.exists()
    finally:
        process.kill()
        process.communicate()
