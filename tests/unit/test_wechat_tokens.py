"""The shared access token: fetched once, replaced only when it is the one that failed."""

import threading
from contextlib import contextmanager

import pytest

from bridge.wechat.errors import WechatError
from bridge.wechat.tokens import EARLY, AccessToken


class Cache:
    """A TokenCache for threads of this process."""

    def __init__(self) -> None:
        self.kept: dict[str, tuple[str, float]] = {}
        self._lock = threading.Lock()

    def get(self, name: str) -> tuple[str, float] | None:
        return self.kept.get(name)

    def put(self, name: str, token: str, seconds: float) -> None:
        self.kept[name] = (token, seconds)

    @contextmanager
    def single_flight(self, name: str, seconds: float):
        ours = not self._lock.locked()
        with self._lock:
            yield ours


class Answer:
    status_code = 200

    def __init__(self, body) -> None:
        self._body = body

    def json(self):
        return self._body


class Platform:
    """Answers `stable_token`; the next tokens are t1, t2, …"""

    def __init__(self, *bodies) -> None:
        self.calls: list[dict[str, str]] = []
        self.bodies = list(bodies)

    def post(self, url, json):
        self.calls.append(json)
        if self.bodies:
            return Answer(self.bodies.pop(0))
        return Answer({"access_token": f"t{len(self.calls)}", "expires_in": 7200})


def made(*bodies):
    cache, platform = Cache(), Platform(*bodies)
    return AccessToken("wxapp", "SECRET", cache, platform), cache, platform


def test_a_token_is_fetched_once_and_never_by_force() -> None:
    """The second use is the cache's; a forced refresh, which voids others' tokens, isn't asked."""
    token, _, platform = made()

    assert (token.current(), token.current()) == ("t1", "t1")
    assert len(platform.calls) == 1
    assert "force_refresh" not in platform.calls[0]


def test_a_token_near_its_end_is_renewed() -> None:
    """From EARLY seconds before the end on, the platform already has the next one."""
    token, cache, _ = made()
    cache.put("wxapp", "old", EARLY)

    assert token.current() == "t1"


def test_the_old_token_serves_while_the_platform_is_busy() -> None:
    """A failing renewal is no trouble as long as the old token has seconds left."""
    token, cache, _ = made({"errcode": -1}, {"errcode": -1})
    cache.put("wxapp", "old", 100.0)

    assert token.current() == "old"
    cache.put("wxapp", "old", 0.5)
    with pytest.raises(WechatError):
        token.current()


def test_only_the_token_that_failed_is_replaced() -> None:
    """Whoever comes with an older failed token gets the one that somebody fetched meanwhile."""
    token, cache, platform = made()
    cache.put("wxapp", "newer", 7000.0)

    assert token.instead_of("older") == "newer"
    assert platform.calls == []
    assert token.instead_of("newer") == "t1"


STRANGE = [
    {},
    [],
    None,
    {"access_token": "", "expires_in": 7200},
    {"access_token": 1, "expires_in": 7200},
    {"access_token": "t", "expires_in": "soon"},
    {"errcode": 40125, "errmsg": "secret SECRET"},
]


@pytest.mark.parametrize("body", STRANGE)
def test_a_strange_answer_is_an_error_without_text(body) -> None:
    """Whatever the platform says instead of a token, nothing is kept and nothing is quoted."""
    token, cache, _ = made(body)

    with pytest.raises(WechatError) as caught:
        token.current()

    assert "SECRET" not in repr(caught.value) + repr(token)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert cache.kept == {}
