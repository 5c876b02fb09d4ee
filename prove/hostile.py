"""No bytes in a header, a query, a path or a body make the server fail: never a 500, and never a
line in the log that says that something unforeseen happened.

Not for: whether a refusal is the right one. Every rule of the URL map gets random bytes over a
socket of ours, since a well-behaved client would mend them; half the requests bring a good token,
cookie or client, so that the bytes get past the door.
"""

import random
import secrets
import socket
import time
from base64 import b64encode
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from urllib.parse import quote

from bridge.app import create_app
from bridge.cli.journey import Journey
from bridge.cli.line import Line
from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from bridge.parts import WebParts, web_parts
from bridge.services.clients import CLIENT_ONLY, SCOPES
from bridge.store.bff_sessions import BffSession
from bridge.store.grants import Authorization, Caller, Code
from bridge.store.sessions import SignedIn
from prove.line import line, member
from prove.result import Result

LONG, SHORT = 40, 3
CALLERS = 6
HEADERS = (
    b"Authorization",
    b"Cookie",
    b"Origin",
    b"Accept",
    b"Accept-Language",
    b"If-Match",
    b"If-None-Match",
    b"Idempotency-Key",
    b"Prefer",
    b"X-CSRF",
    b"X-Request-Id",
    b"traceparent",
    b"User-Agent",
    b"X-Forwarded-For",
    b"Range",
    b"Access-Control-Request-Method",
)
NAMES = (
    "client_id", "client_secret", "grant_type", "code", "code_verifier", "refresh_token", "scope",
    "redirect_uri", "state", "nonce", "prompt", "max_age", "response_type", "continue", "token",
    "client_assertion", "client_assertion_type", "device_code", "auth_session", "username",
    "password", "otp", "otp_address", "wechat_code", "registration", "id_token_hint", "fields",
    "after", "proof", "kind", "value", "email", "mobile", "identifier", "csrf", "answer", "iss",
    "return_to", "s", "lang", "ui_locales", "birth_year", "consents", "given_name", "ext",
    "signature", "timestamp", "echostr", "msg_signature", "openid", "code_challenge",
    "code_challenge_method", "post_logout_redirect_uri", "request", "request_uri",
)  # fmt: skip
WORDS = (
    "", "0", "-1", "9" * 400, "\0", "\ud800", "%", "%00", "%zz", "../..", "?a=b", "#", "a\r\nb: c",
    "null", "[]", "{}", "[" * 900, '{"a":' * 400, '"\\ud800"', "1e999", "NaN", "²", "٣", "\u202e",
    "authorization_code", "refresh_token", "client_credentials", "openid", "code", "S256", "login",
    "urn:ietf:params:oauth:grant-type:device_code", "portal", "app", "mini", "desk", "react",
    "http://127.0.0.1:8765/callback", "email", "mobile", "+8613812345678", "x@example.cn", "v1.a.0",
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer", "eyJhbGciOiJub25lIn0.e30.", "a.b.c",
    "v1.a.0.b", "k.AAAA", "Basic =", "Bearer ", "Basic /w==", "=;", "a" * 5000, "wait=5", '"op-x"',
    'W/"x"', "*", "respond-async, wait=x", "00-" + "0" * 32, "bytes=0-", "c" * 43,
)  # fmt: skip
_TYPES = (
    "application/x-www-form-urlencoded",
    "application/json",
    "application/merge-patch+json",
    "multipart/form-data; boundary=x",
    "text/xml",
    "a/b; charset=\xff",
    "",
)

_DOORS = (
    ("/bff", ("site",)),
    ("/v1", ("member", "client")),
    ("/oauth/authorize", ("page",)),
    ("/oauth/userinfo", ("member",)),
    ("/oauth", ("secret", "page")),
)
"""Whom a path lets in; any other is a page."""


@dataclass
class Target:
    """Where to shoot, what opens its doors, and what came back."""

    port: int
    site: str
    rules: Sequence[tuple[str, str]]
    parts: WebParts
    member: Caller
    seen: Counter[int] = field(default_factory=Counter)
    failed: list[str] = field(default_factory=list)

    def door(self, dice: random.Random, method: str, path: str) -> tuple[list[str], str]:
        """(headers of somebody who may come in, the CSRF token of their page). Made for one
        request, since a shot may end them; who would erase signed in too long ago for that."""
        ago = 86_400 if method == "DELETE" else 0
        fit = next((who for start, who in _DOORS if path.startswith(start)), ("page",))
        who = dice.choice(fit)
        if who == "secret":
            pair = f"store-backend:{SANDBOX_CLIENT_SECRETS['store-backend']}"
            return ["Authorization: Basic " + b64encode(pair.encode()).decode()], ""
        if who == "client":
            issued = self.parts.grants.issue_client_token("store-backend", CLIENT_ONLY, ())
            return [f"Authorization: Bearer {issued.access_token}"], ""
        if who == "page":
            return self._page(ago)
        token, refresh = self._tokens("react" if who == "site" else "portal", ago)
        if who == "member":
            return [f"Authorization: Bearer {token}"], ""
        held = BffSession("react", token, refresh, time.time() + 600, {})
        cookie = f"Cookie: bff-react={self.parts.bff_sessions.start(held)}"
        return [cookie, f"Origin: {self.site}", "X-CSRF: 1"], ""

    def _tokens(self, client: str, ago: int) -> tuple[str, str]:
        who, grants = self.member, self.parts.grants
        scopes, here = frozenset(SCOPES) - CLIENT_ONLY, (self.parts.settings.issuer,)
        while True:
            code = Code(
                Authorization(
                    client_id=client,
                    scope=scopes,
                    audience=here,
                    member_id=who.member_id,
                    subject=who.subject,
                    auth_time=int(time.time()) - ago,
                    amr=("pwd",),
                    acr="aal1",
                    stamp=who.stamp,
                    epoch=grants.epoch(str(who.member_id)),
                ),
                "",
                "c" * 43,
            )
            issued = grants.redeem(grants.new_code(code), code, refreshable=True)
            if issued is not None:  # else a shot has just signed them out everywhere
                return issued.access_token, issued.refresh_token or ""

    def _page(self, ago: int) -> tuple[list[str], str]:
        sessions, who, id = self.parts.sessions, self.member, str(self.member.member_id)
        session, at, epoch = sessions.new(), int(time.time()) - ago, self.parts.grants.epoch(id)
        sessions.sign_in(session, SignedIn(id, "s", at, ("pwd",), "aal1", who.stamp, epoch))
        return [f"Cookie: {sessions.cookie_name}={session.id}"], session.csrf


def run(long: bool) -> Result:
    """On a line of its own."""
    with line() as running:
        return prove(member(running), LONG if long else SHORT, secrets.randbits(32))


def prove(known: Journey, each: int, seed: int) -> Result:
    """`each`: requests for every rule and method."""
    target = target_of(known)
    shots = [(rule, seed + n) for n, rule in enumerate([*target.rules] * each)]
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(lambda shot: shoot(target, *shot), shots))
    unforeseen = sum(
        path.read_text(errors="replace").count('"unhandled"')
        for name, path in known.line.logs_by_name().items()
        if name == "web"
    )
    good = not target.failed and not unforeseen
    rules = ", ".join(sorted(set(target.failed))) or "none failed"
    answered = sum(target.seen.values())
    seen = f"{answered} requests to {len(target.rules)} routes and methods, {rules}"
    return Result("No bytes anywhere make a 500", seen, good, seed)


def target_of(known: Journey) -> Target:
    """Every rule that the application has, and a member who may come in."""
    running: Line = known.line
    parts = web_parts(running.environ("web"))
    rules = sorted(
        (method, rule.rule)
        for rule in create_app(parts).url_map.iter_rules()
        for method in rule.methods or ()
        if rule.rule != "/readyz"  # 503 is its meaning
    )
    member_ = parts.grants.check(known.tokens["access_token"])
    assert member_ is not None
    return Target(running.port, running.site_url, rules, parts, member_)


def shoot(target: Target, rule: tuple[str, str], seed: int) -> None:
    """One request; notes a 500, or no answer at all."""
    dice = random.Random(seed)  # noqa: S311 - for repeating, not for secrets
    method, path = rule
    request = _request(dice, target, method, path)
    status = _status(target, request)
    target.seen[status] += 1
    if status == 500 or status == 0:
        target.failed.append(f"{method} {path} {status} (seed {seed})")


def _request(dice: random.Random, target: Target, method: str, path: str) -> bytes:
    while "<" in path:
        before, _, rest = path.partition("<")
        path = before + quote(_bytes(dice)[:200], safe="") + rest.partition(">")[2]
    query = _pairs(dice, "") if dice.random() < 0.5 else b""
    lines = [f"{method} {path}".encode() + (b"?" + query if query else b"") + b" HTTP/1.1"]
    lines += [b"Host: " + (_header(dice) if dice.random() < 0.05 else b"127.0.0.1")]
    headers, csrf = target.door(dice, method, path) if dice.random() < 0.8 else ([], "")
    lines += [header.encode() for header in headers] + [b"Connection: close"]
    number = dice.choice((0, 1, 2))
    lines += [dice.choice(HEADERS) + b": " + _header(dice) for _ in range(number)]
    body = b"" if method in ("GET", "HEAD", "OPTIONS") else _body(dice, lines, csrf)
    lines.append(b"Content-Length: " + str(len(body)).encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def _body(dice: random.Random, lines: list[bytes], csrf: str) -> bytes:
    kind = _TYPES[0] if csrf else dice.choice(_TYPES)
    lines.append(b"Content-Type: " + kind.encode("latin-1"))
    if dice.random() < 0.2:
        return _bytes(dice)
    if kind == _TYPES[0]:
        return _pairs(dice, csrf)
    return _json(dice) if kind in _TYPES[1:3] else _bytes(dice)


def _pairs(dice: random.Random, csrf: str) -> bytes:
    names = dice.sample(NAMES, dice.randrange(1, 7))
    escaped = dice.random() < 0.8
    values = [quote(_bytes(dice), safe="").encode() if escaped else _bytes(dice) for _ in names]
    pairs = [name.encode() + b"=" + value for name, value in zip(names, values, strict=True)]
    pairs += [f"csrf={csrf}".encode()] if csrf else []
    plain = b"&".join(pairs[-4:])
    return plain.replace(b" ", b"+").replace(b"\n", b"").replace(b"\r", b"")


def _json(dice: random.Random) -> bytes:
    """An object with our names and any values; now and then not even JSON."""
    literal = (
        b"null",
        b"1e400",
        b"[]",
        b"{}",
        b"true",
        b'"\\ud800"',
        b'"\\u0000"',
        b"-0",
        b"[[1]]",
    )
    values = [
        dice.choice(literal) if dice.random() < 0.5 else b'"' + _bytes(dice)[:300] + b'"'
        for _ in range(dice.randrange(6))
    ]
    pairs = [b'"' + dice.choice(NAMES).encode() + b'":' + value for value in values]
    return b"{" + b",".join(pairs) + b"}"


def _bytes(dice: random.Random) -> bytes:
    if dice.random() < 0.6:
        return dice.choice(WORDS).encode("utf-8", "surrogatepass")
    return dice.randbytes(dice.choice((1, 8, 60)))


def _header(dice: random.Random) -> bytes:
    """What a server still takes for one header: any bytes but the line's end."""
    return _bytes(dice).replace(b"\r", b"").replace(b"\n", b"")


def _status(target: Target, request: bytes) -> int:
    """0 for no answer."""
    try:
        with socket.create_connection(("127.0.0.1", target.port), 30) as connection:
            connection.sendall(request)
            answer = connection.recv(64)
    except OSError:
        return 0
    words = answer.split(b" ", 2)
    return int(words[1]) if len(words) > 1 and words[1].isdigit() else 0
