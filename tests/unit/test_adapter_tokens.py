"""Tokens: what MSAL is asked for and what becomes of its answers, over a wire that isn't one."""

import contextlib
import json
import threading
import time
from urllib.parse import parse_qsl, urlsplit

import pytest

from adapters.dynamics.options import read
from adapters.dynamics.tokens import EARLY, Tokens
from adapters.errors import BadCredentials, Malformed, Throttled, TimedOut, Unreachable
from adapters.http import Answer

OPTIONS = read(
    {
        "url": "https://x.crm.dynamics.cn",
        "authority": "https://login.partner.microsoftonline.cn",
        "tenant": "t-1",
    },
    {"client_id": "me", "client_secret": "canary"},
)
BASE = "https://login.partner.microsoftonline.cn/t-1"
DISCOVERY = {
    "issuer": f"{BASE}/v2.0",
    "authorization_endpoint": f"{BASE}/oauth2/v2.0/authorize",
    "token_endpoint": f"{BASE}/oauth2/v2.0/token",
}


class FakeWire:
    """Answers discovery, and token requests with the next of `answers`."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.seen = []

    def exchange(self, method, url, headers, body, end):
        """As Wire.exchange."""
        self.seen.append((method, url, dict(parse_qsl((body or b"").decode()))))
        answer = (200, DISCOVERY) if method == "GET" else self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        status, document = answer
        return Answer(
            status, {}, document if isinstance(document, bytes) else json.dumps(document).encode()
        )

    @property
    def posts(self):
        """Token requests."""
        return [form for method, _, form in self.seen if method == "POST"]


class Kept:
    """A TokenCache in a dict."""

    def __init__(self):
        self.tokens = {}
        self.lock = threading.Lock()

    def get(self, name):
        """See TokenCache."""
        return self.tokens.get(name)

    def put(self, name, token, seconds):
        """See TokenCache."""
        self.tokens[name] = (token, seconds)

    @contextlib.contextmanager
    def single_flight(self, name, seconds):
        """See TokenCache."""
        with self.lock:
            yield True


def good(token="t", seconds=3600):  # noqa: S107
    return 200, {"access_token": token, "expires_in": seconds, "token_type": "Bearer"}


def soon():
    return time.monotonic() + 2


def test_what_is_asked():
    """Client credentials for the environment's scope, at the configured authority only."""
    wire = FakeWire(good())
    assert Tokens(OPTIONS, Kept(), wire).get(soon()) == "t"
    (form,) = wire.posts
    assert form["grant_type"] == "client_credentials"
    assert "https://x.crm.dynamics.cn/.default" in form["scope"].split()
    assert {urlsplit(url).hostname for _, url, _ in wire.seen} == {
        "login.partner.microsoftonline.cn"
    }


def test_kept_until_shortly_before_its_end():
    """A token is used until a minute before its end, then another is fetched."""
    wire = FakeWire(good("a", EARLY + 0.2), good("b"))
    tokens = Tokens(OPTIONS, Kept(), wire)
    assert tokens.get(soon()) == tokens.get(soon()) == "a"
    time.sleep(0.25)
    tokens._kept._cache.tokens.clear()
    assert tokens.get(soon()) == "b"


def test_mended_credential():
    """A refusal isn't remembered: once it is mended at the authority, all is well at once."""
    wire = FakeWire((400, {"error": "invalid_client"}), good())
    tokens = Tokens(OPTIONS, Kept(), wire)
    with pytest.raises(BadCredentials):
        tokens.get(soon())
    assert tokens.get(soon()) == "t"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((401, {"error": "invalid_client", "error_description": "canary"}), BadCredentials),
        ((400, {"error": "unauthorized_client"}), BadCredentials),
        ((400, {"error": "temporarily_unavailable"}), Malformed),
        ((429, {"error": "x"}), Throttled),
        ((503, {"error": "x"}), Malformed),
        ((302, {}), Malformed),
        ((200, b"<html>canary</html>"), Malformed),
        ((200, {}), Malformed),
        ((200, []), Malformed),
        ((200, {"access_token": 5, "expires_in": 3600}), Malformed),
        ((200, {"access_token": "a\r\nX: 1", "expires_in": 3600}), Malformed),
        ((200, {"access_token": "t", "expires_in": "soon"}), Malformed),
        (Unreachable(), Unreachable),
        (TimedOut(), TimedOut),
    ],
)
def test_what_is_no_token(answer, error):
    """Each other answer is its error, without a word of the authority's or a secret of ours."""
    with pytest.raises(error) as caught:
        Tokens(OPTIONS, Kept(), FakeWire(answer)).get(soon())
    assert "canary" not in f"{caught.value!r}{vars(caught.value)}"


def test_refused_token_in_the_cache():
    """A refused token that others still see in the cache isn't taken again; a newer one is."""
    cache = Kept()
    wire = FakeWire(good("new"))
    tokens = Tokens(OPTIONS, cache, wire)
    cache.put(tokens._kept._name, "old", 3600)
    assert tokens.get(soon()) == "old"
    assert tokens.replace("old", Answer(401, {}, b""), soon()) == "new"
    assert tokens.replace("old", Answer(401, {}, b""), soon()) == "new"
    assert len(wire.posts) == 1


def test_threads_share_one_call():
    """Threads without a token make one token call between them."""
    wire = FakeWire(*(good() for _ in range(8)))
    tokens = Tokens(OPTIONS, Kept(), wire)
    threads = [threading.Thread(target=tokens.get, args=(soon(),)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(wire.posts) == 1


def test_nobody_waits_forever():
    """Who waits for another's token call waits no longer than its own time."""
    tokens = Tokens(OPTIONS, Kept(), FakeWire(good()))
    tokens._kept._lock.acquire()
    began = time.monotonic()
    with pytest.raises(TimedOut):
        tokens.get(began + 0.2)
    assert time.monotonic() - began < 0.5
