"""Clauses 5: when the CRM or the way to it is in trouble. Not for: refusals of the CRM."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from adapters.base import Adapter, Trace
from adapters.conformance.world import Clauses, World, member, new_id, read
from adapters.errors import (
    Conflict,
    CrmError,
    Malformed,
    NotFound,
    Throttled,
    TimedOut,
    Unreachable,
)

TRACE = Trace("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")
ALWAYS = 2  # a read may be repeated once where its connection had idled
CANARY = "Canary7Zq"
_JSON = {"Content-Type": "application/json"}
_FOREIGN: dict[str, dict[str, Any]] = {
    "json-and-text": {"body": '{"value": []}Database failure ' + CANARY, "headers": _JSON},
    "half": {"body": f'{{"value": [{{"x": "{CANARY}', "headers": _JSON},
    "password-in-500": {
        "status": 500,
        "body": f'{{"error": "unknown_error", "error_description": "is invalid: {CANARY}"}}',
        "headers": _JSON,
    },
    "redirect": {"status": 302, "headers": {"Location": f"https://example.com/{CANARY}"}},
    "redirect-to-itself": {"status": 307, "headers": {"Location": f"/?{CANARY}"}},
    "wrong-type": {"body": f'{{"value": "{CANARY}"}}', "headers": {"Content-Type": "text/plain"}},
    "no-type": {"body": f'{{"value": "{CANARY}"}}'},
    "no-object": {"body": f'"{CANARY}"', "headers": _JSON},
    "empty": {"headers": _JSON},
    "50-megabytes": {"body": CANARY, "size": 50_000_000, "headers": _JSON},
    "deep": {"body": "[" * 100_000, "headers": _JSON},
}


class Trouble(Clauses):
    """Faults of the sandbox's menu; skipped where there is no remote side."""

    def test_throttled(self, crm: Adapter, remote: World) -> None:
        """5.1 A 429 is Throttled with the CRM's own pause, of which the budget is told."""
        made = member(crm, given_name="Ann")
        remote.fault_in_write("throttle", retry_after=7)
        with pytest.raises(Throttled) as caught:
            crm.update("member", made.id, {"given_name": "Bob"}, made.version)
        assert caught.value.retry_after == 7
        assert remote.throttled_for == [7]
        assert read(crm, made, "given_name") == {"given_name": "Ann"}

    @pytest.mark.parametrize(
        ("fault", "error"),
        [
            ({"kind": "status", "status": 500}, Malformed),
            ({"kind": "status", "status": 503}, Malformed),
            ({"kind": "html", "status": 200}, Malformed),
            ({"kind": "html", "status": 404}, Malformed),
            ({"kind": "malformed"}, Malformed),
            ({"kind": "cut_before"}, Unreachable),
            ({"kind": "cut_after"}, Unreachable),
            ({"kind": "reset"}, Unreachable),
        ],
        ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else "",
    )
    def test_reads(
        self, crm: Adapter, remote: World, fault: dict[str, Any], error: type[CrmError]
    ) -> None:
        """5.2 A read without an answer is Unreachable; an answer that isn't one, Malformed."""
        made = member(crm, given_name="Ann")
        remote.fault(times=ALWAYS, **fault)
        with pytest.raises(error):
            crm.get("member", made.id, ("given_name",))

    @pytest.mark.parametrize(
        ("fault", "error", "done"),
        [
            ({"kind": "status", "status": 500}, Malformed, False),
            ({"kind": "html", "status": 200}, Malformed, False),
            ({"kind": "html", "status": 404}, Malformed, False),
            ({"kind": "malformed"}, Malformed, True),
            ({"kind": "cut_before"}, Unreachable, False),
            ({"kind": "cut_after"}, Unreachable, True),
            ({"kind": "reset"}, Unreachable, False),
        ],
        ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else "",
    )
    def test_writes(
        self,
        crm: Adapter,
        remote: World,
        fault: dict[str, Any],
        error: type[CrmError],
        done: bool,
    ) -> None:
        """5.3 A write is sent once, whatever becomes of it; repeated by the caller, it meets
        itself where it was done."""
        id = new_id()
        remote.fault_in_write(**fault)
        with pytest.raises(error):
            crm.create("member", id, {"given_name": "Ann"})
        if done:
            with pytest.raises(Conflict):
                crm.create("member", id, {"given_name": "Ann"})
        else:
            with pytest.raises(NotFound):
                crm.get("member", id, ())
            assert crm.create("member", id, {"given_name": "Ann"}).id == id

    @pytest.mark.parametrize("name", _FOREIGN)
    def test_foreign_answers(
        self, crm: Adapter, remote: World, name: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        """5.7 An answer that isn't the CRM's own is Malformed and shows nothing of itself; the
        request was sent once and goes nowhere else."""
        caplog.set_level(0)
        made, id = member(crm, given_name="Ann"), new_id()
        calls: dict[bool, Callable[[], object]] = {
            True: lambda: crm.get("member", made.id, ("given_name",)),
            False: lambda: crm.create("member", id, {"given_name": "Bob"}),
        }
        for reads, call in calls.items():
            remote.forget()
            fault = remote.fault if reads else remote.fault_in_write
            fault("foreign", **{"status": 200, **_FOREIGN[name]})
            with pytest.raises(Malformed) as caught:
                call()
            told = f"{caught.value!r}{vars(caught.value)}{caplog.text}"
            assert CANARY not in told
            assert caught.value.__suppress_context__ or caught.value.__context__ is None
            sent = [each for each in remote.seen() if reads or not remote.reads(each)]
            assert len(sent) == 1
        with pytest.raises(NotFound):
            crm.get("member", id, ())

    def test_slow(self, remote: World) -> None:
        """5.4 A call is TimedOut within its time, half a second more at most."""
        crm = remote.adapter(read_timeout=1.0)
        made = member(crm, given_name="Ann")
        calls: tuple[Callable[[], object], ...] = (
            lambda: crm.get("member", made.id, ("given_name",)),
            lambda: crm.update("member", made.id, {"given_name": "Bob"}, made.version),
        )
        remote.forget()
        for call in calls:
            remote.fault("slow", seconds=2)
            began = time.monotonic()
            with pytest.raises(TimedOut):
                call()
            assert time.monotonic() - began < 1.5
        crm.close()
        late = time.monotonic() + 5
        while len(remote.seen()) < len(calls) and time.monotonic() < late:
            time.sleep(0.05)  # so that what arrives late doesn't meet the next test

    def test_budget(self, crm: Adapter, remote: World) -> None:
        """5.5 The budget is asked before each call and told after it whether the CRM was well."""
        made = member(crm, given_name="Ann")
        remote.taken, remote.done[:] = 0, []
        crm.get("member", made.id, ())
        with pytest.raises(NotFound):
            crm.get("member", new_id(), ())
        remote.fault("status", status=503, times=ALWAYS)
        with pytest.raises(Malformed):
            crm.get("member", made.id, ())
        remote.fault("cut_before", times=ALWAYS)
        with pytest.raises(Unreachable):
            crm.get("member", made.id, ())
        remote.fault("html", status=200, times=ALWAYS)
        with pytest.raises(Malformed):
            crm.get("member", made.id, ())
        assert remote.taken == 5
        assert remote.done == [True, True, False, False, False]

    def test_trace(self, crm: Adapter, remote: World) -> None:
        """5.6 The trace of a call is in the request that the CRM saw, also in those by batch."""
        made = crm.create("member", new_id(), {"email": "a@example.com"}, trace=TRACE)
        crm.get("member", made.id, (), trace=TRACE)
        remote.forget()
        crm.get("member", made.id, (), trace=TRACE)
        crm.find("member", "email", "a@example.com", (), trace=TRACE)
        crm.update("member", made.id, {"given_name": "x"}, made.version, trace=TRACE)
        number = TRACE.traceparent.split("-")[1]
        seen = [request for request in remote.seen() if not request.in_batch]
        assert len(seen) >= 3
        assert all(number in request.headers["traceparent"] for request in seen)
