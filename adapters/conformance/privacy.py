"""Clauses 6: no value where it doesn't belong. Not for: what rests in Redis (`bridge/privacy`)."""

import contextlib
import logging
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any

import pytest

from adapters.base import Adapter, Criterion, Operation
from adapters.conformance.world import Clauses, World, new_id
from adapters.errors import CrmError

CANARY = "Canary7Zq"
RECORD = {
    "given_name": f"{CANARY}given",
    "family_name": f"{CANARY}fam",
    "email": f"{CANARY}@example.com",
    "birth_date": date(1990, 1, 1),
    "credential": f"{CANARY}secret",
}


class Privacy(Clauses):
    """Errors, reprs and log records."""

    def test_errors_and_logs(
        self, crm: Adapter, world: World, caplog: pytest.LogCaptureFixture
    ) -> None:
        """6.1 No value is in an error, its traceback or a log record, even at DEBUG."""
        caplog.set_level(logging.DEBUG)
        texts: list[str] = []
        id = new_id()
        calls = _calls(crm, id, _record(world))
        for call in calls:
            texts += _said(call)
        if world.disturbs:
            for fault in ("status", "html", "malformed", "cut_before", "throttle"):
                for call in calls:
                    world.fault(fault, times=2)
                    texts += _said(call)
        texts += [record.getMessage() for record in caplog.records]
        texts += [str(record.__dict__) for record in caplog.records]
        assert texts
        assert not [text for text in texts if CANARY.lower() in text.lower()]

    def test_reprs(self, crm: Adapter, world: World) -> None:
        """6.2 The repr of what goes in and comes out shows no value."""
        id, record = new_id(), _record(world)
        made = crm.create("member", id, record)
        page = crm.query("member", [Criterion("email", "eq", record["email"])], tuple(record))
        shown = (
            made,
            crm.get("member", id, tuple(record)),
            page,
            Criterion("email", "eq", record["email"]),
            Operation("create", "member", id, record),
            crm,
        )
        assert CANARY not in repr(shown)
        assert page.rows[0].record == record


def _record(world: World) -> dict[str, Any]:
    """As much of it as this server has a place for."""
    return {name: value for name, value in RECORD.items() if f"member.{name}" not in world.lacks}


def _calls(crm: Adapter, id: str, record: dict[str, Any]) -> list[Callable[[], Any]]:
    """Some that go well and some that don't."""
    email = str(record["email"])
    return [
        lambda: crm.create("member", id, record),
        lambda: crm.create("member", id, record),
        lambda: crm.find("member", "email", email, tuple(record)),
        lambda: crm.find("member", "family_name", f"{CANARY}?", ("given_name",)),
        lambda: crm.find("member", "mobile", CANARY, ("given_name",)),
        lambda: crm.query("member", [Criterion("given_name", "eq", CANARY)], ()),
        lambda: crm.update("member", id, {"given_name": CANARY}, 'W/"1"'),
        lambda: crm.update("member", id, {"birth_date": CANARY}, 'W/"1"'),
        lambda: crm.update("member", id, {CANARY: 1}, 'W/"1"'),
        lambda: crm.update("member", id, {"given_name": CANARY * 40}, _version(crm, id)),
        lambda: crm.get("member", id, (CANARY,)),
        lambda: crm.get("member", f"{CANARY}'", ("given_name",)),
        lambda: crm.query("member", (), (), cursor=CANARY),
        lambda: crm.apply([Operation("create", "member", id, record)]),
    ]


def _version(crm: Adapter, id: str) -> str:
    return crm.get("member", id, ()).version


def _said(call: Callable[[], Any]) -> list[str]:
    """What its error says, in every way a program might print it."""
    try:
        with contextlib.suppress(StopIteration):
            call()
    except CrmError as error:
        return [
            text for each in _printed(error) for text in (str(each), repr(each), str(vars(each)))
        ]
    return []


def _printed(error: BaseException | None) -> Iterator[BaseException]:
    """The error and those that its traceback would show before it, as `traceback` chooses them. The
    source lines of this file are in a traceback too; what they evaluate to must not be."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
