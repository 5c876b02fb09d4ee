"""The session that calls WeChat takes nothing from its surroundings and follows nobody."""

import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from bridge.wechat.errors import WechatError
from bridge.wechat.transport import API_HOST, document, session


@pytest.fixture
def server():
    """Answers with a cookie; /away redirects. Keeps (path, Cookie, Authorization) of requests."""
    seen: list[tuple[str, str | None, str | None]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append((self.path, self.headers["Cookie"], self.headers["Authorization"]))
            away = self.path.startswith("/pre/away")
            self.send_response(302 if away else 200)
            if away:
                self.send_header("Location", "https://api.weixin.qq.com/elsewhere")
            self.send_header("Set-Cookie", "a=b; Path=/")
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *given: object) -> None:
            return

    made = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=made.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{made.server_port}/pre", seen
    made.shutdown()
    made.server_close()


def test_the_host_is_replaced_and_path_and_query_stay(server) -> None:
    """What is addressed to WeChat's literal host goes to the configured one."""
    base, seen = server

    assert document(session(base).get(f"{API_HOST}/cgi-bin/x?a=%2B&b=1")) == {}

    assert seen[0][0] == "/pre/cgi-bin/x?a=%2B&b=1"


def test_a_redirect_is_not_followed(server) -> None:
    """Wherever it leads: the token stands in the URL."""
    base, seen = server

    with pytest.raises(WechatError):
        session(base).get(f"{API_HOST}/away")

    assert len(seen) == 1


def test_the_environment_is_not_used(server, monkeypatch, tmp_path) -> None:
    """Neither a proxy nor a .netrc of the host has a say."""
    base, seen = server
    netrc = tmp_path / "netrc"
    netrc.write_text("machine api.weixin.qq.com login x password y\n")
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")

    session(base).get(f"{API_HOST}/x")

    assert seen == [("/pre/x", None, None)]


def test_no_cookie_is_kept(server) -> None:
    """What one call was given isn't sent with the next."""
    base, seen = server
    ours = session(base)

    for _ in range(2):
        ours.get(f"{API_HOST}/x")

    assert [cookie for _, cookie, _ in seen] == [None, None]
    assert len(ours.cookies) == 0


def test_no_other_host_can_be_called(server) -> None:
    """The session knows WeChat's API host and nothing else."""
    base, seen = server

    with pytest.raises(WechatError):
        session(base).get(base)

    assert seen == []
