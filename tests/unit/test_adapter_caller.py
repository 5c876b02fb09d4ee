"""One call: budget, token and once more after a 401, over transports that aren't any."""

import time
from dataclasses import dataclass, field
from typing import Any

import pytest

from adapters.answers import decoded, document, is_json, pause, said
from adapters.base import Remote
from adapters.caller import Caller, Request, Ways, bearer
from adapters.errors import BadCredentials, Malformed, Throttled, Unreachable
from adapters.http import Answer

JSON = {"content-type": "application/json"}
GOOD, REFUSED = Answer(200, JSON, b"{}"), Answer(401, JSON, b"{}")


@dataclass
class Way:
    """Answers with the next of `answers`, or raises it."""

    answers: list[Any]
    sent: list[tuple[str, dict[str, str]]] = field(default_factory=list)

    def send(self, method, target, headers, body, end):
        """See Transport."""
        self.sent.append((method, dict(headers)))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self):
        """See Transport."""


class Tokens:
    """Counts."""

    number = 0

    def get(self, end):
        """See Tokens."""
        return f"t{self.number}"

    def replace(self, refused, answer, end):
        """See Tokens."""
        assert (refused, answer.status) == (f"t{self.number}", 401)
        self.number += 1
        return self.get(end)


class Budget:
    """Notes."""

    def __init__(self):
        self.taken, self.ended, self.pauses = 0, [], []

    def take(self, lane):
        """See Budget."""
        self.taken += 1

    def done(self, ok, seconds):
        """See Budget."""
        self.ended.append(ok)

    def throttled(self, retry_after):
        """See Budget."""
        self.pauses.append(retry_after)


def _caller(*answers, tokens=None):
    way, budget = Way(list(answers)), Budget()
    remote = Remote({}, {}, None, budget, "now")
    return Caller(remote, Ways(way, way), tokens or Tokens(), bearer, is_json), way, budget


def _send(caller):
    return caller.send(Request("GET", "/x", {"A": "b"}), time.monotonic() + 1)


def test_a_call_carries_its_token_and_is_counted():
    """Asked before, told after it."""
    caller, way, budget = _caller(GOOD)
    assert _send(caller) == GOOD
    assert way.sent == [("GET", {"Authorization": "Bearer t0", "A": "b"})]
    assert (budget.taken, budget.ended) == (1, [True])


def test_a_refused_token_is_replaced_once():
    """A second refusal is the answer, whatever it was about."""
    caller, way, budget = _caller(REFUSED, REFUSED, GOOD)
    assert _send(caller) == REFUSED
    sent = [headers["Authorization"] for _, headers in way.sent]
    assert sent == ["Bearer t0", "Bearer t1"]
    assert (budget.taken, budget.ended) == (2, [True, True])


@pytest.mark.parametrize(
    "answer",
    [Answer(500, JSON, b"{}"), Answer(200, {"content-type": "text/html"}, b""), Unreachable()],
)
def test_an_unwell_crm_is_told(answer):
    """A 5xx, somebody else's page, and no answer at all."""
    caller, _, budget = _caller(answer)
    if isinstance(answer, Exception):
        with pytest.raises(Unreachable):
            _send(caller)
    else:
        assert _send(caller) == answer
    assert budget.ended == [False]


def test_a_refused_credential_is_an_answer():
    """It doesn't pass by itself, so the breaker isn't told of it."""

    class Refusing(Tokens):
        def get(self, end):
            raise BadCredentials

    caller, way, budget = _caller(tokens=Refusing())
    with pytest.raises(BadCredentials):
        _send(caller)
    assert (way.sent, budget.ended) == ([], [True])


@pytest.mark.parametrize(
    ("status", "headers", "error", "pauses"),
    [
        (429, {}, Throttled("429", 7.0), [7.0]),
        (503, {"retry-after": "9"}, Malformed("503"), [9.0]),
        (503, {}, Malformed("503"), []),
        (500, {"retry-after": "9"}, Malformed("500"), []),
    ],
)
def test_pauses_are_for_everybody(status, headers, error, pauses):
    """A 503 with Retry-After pauses too, but doesn't say that nothing was done."""
    caller, _, budget = _caller()
    assert caller.told(error, Answer(status, headers, b"")) is error
    assert budget.pauses == pauses


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7), ("0", 1), ("-3", 5), ("nan", 5), ("inf", 3600), ("soon", 5), ("1e9", 3600)],
)
def test_what_a_pause_may_be(text, seconds):
    """Between a second and an hour; what is no number is the usual one."""
    assert pause({"retry-after": text}) == seconds


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b'{"a": 1}Database failure', b'{"a": ', b"\xff", b"[" * 100_000],
    ids=["empty", "html", "and-text", "half", "bytes", "deep"],
)
def test_what_is_no_json(body):
    """Malformed, with nothing as its context; in a refusal it says nothing."""
    with pytest.raises(Malformed) as caught:
        decoded(Answer(200, JSON, body))
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert said(Answer(400, {}, body)) == {}


def test_only_an_object_is_a_document():
    """And only what calls itself JSON."""
    assert document(Answer(200, {"content-type": "application/JSON; charset=x"}, b"{}")) == {}
    for answer in (Answer(200, JSON, b"[]"), Answer(200, {"content-type": "text/html"}, b"{}")):
        with pytest.raises(Malformed):
            document(answer)
