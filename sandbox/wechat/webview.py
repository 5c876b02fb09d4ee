"""The browser inside WeChat, for a person at a desktop: what no page can do to another one.

A server of its own that passes everything on to the host of the callback URL, under WeChat's
user agent, and lets the page be framed. `/connect/` goes to WeChat itself. Only these two hosts
are reached. Not a security boundary, and not for tests that can set a user agent themselves.
"""

import urllib.parse
from typing import TYPE_CHECKING

import requests
from flask import Flask, Response, request

if TYPE_CHECKING:
    from sandbox.wechat.world import World

USER_AGENT = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like "
    "Gecko) Mobile/15E148 MicroMessenger/8.0.56(0x18003830) NetType/WIFI Language/zh_CN"
)
METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
WECHATS_OWN = "/connect/"
SECONDS = 30
# Content-Encoding: asked for plain. X-Frame-Options: WeChat's browser is no frame.
DROPPED = (
    "connection",
    "keep-alive",
    "transfer-encoding",
    "content-length",
    "content-encoding",
    "x-frame-options",
    "date",
    "server",
)


def origin_of(url: str | None) -> str:
    """Scheme and host of a URL; nothing of one that isn't http(s)."""
    parts = urllib.parse.urlsplit(url or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.scheme in ("http", "https") else ""


def webview(world: "World") -> Flask:
    """The app of that browser."""
    app = Flask("sandbox.wechat.webview", static_folder=None)

    @app.route("/", defaults={"path": ""}, methods=METHODS)
    @app.route("/<path:path>", methods=METHODS)
    def forward(path: str) -> Response:
        site, here = origin_of(world.account.callback_url), request.host_url.rstrip("/")
        host = world.url if request.path.startswith(WECHATS_OWN) else site
        if not host:
            return Response("no callback URL is set", 502)
        try:
            return _passed_back(_asked(host, here), {site: here, world.url: here})
        except requests.RequestException:
            return Response("the site doesn't answer 网站没有应答", 502)

    return app


def _asked(host: str, here: str) -> requests.Response:
    headers = {name: value for name, value in request.headers if name not in ("Host", "Connection")}
    for name in ("Origin", "Referer"):
        if name in headers:
            headers[name] = headers[name].replace(here, host, 1)
    headers |= {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}
    with requests.Session() as session:
        session.trust_env = False
        return session.request(
            request.method,
            host + request.environ["RAW_URI"],
            headers=headers,
            data=request.get_data(),
            timeout=SECONDS,
            allow_redirects=False,
        )


def _passed_back(answer: requests.Response, places: dict[str, str]) -> Response:
    """The answer as it came, but its links stay in this browser and it may be framed."""
    body = answer.content
    if answer.headers.get("Content-Type", "").startswith("text/html"):
        for there, here in places.items():
            body = body.replace(there.encode(), here.encode())
    response = Response(body, answer.status_code)
    del response.headers["Content-Type"]
    for name, value in answer.raw.headers.items():
        if name.lower() == "content-security-policy":
            value = _may_be_framed(value, places)
        elif name.lower() == "location":
            value = _moved(value, places)
        if name.lower() not in DROPPED:
            response.headers.add(name, value)
    return response


def _moved(value: str, places: dict[str, str]) -> str:
    """A redirect to the site stays here, and one to WeChat's own pages too."""
    for there, here in places.items():
        if origin_of(value) == there:
            return here + value.removeprefix(there)
    return value


def _may_be_framed(policy: str, places: dict[str, str]) -> str:
    kept = [rule for rule in policy.split(";") if not rule.strip().startswith("frame-ancestors")]
    policy = ";".join(kept)
    for there, here in places.items():
        policy = policy.replace(there, here)
    return policy
