"""Ids of operations and records, and what rests of an outcome."""

import uuid

from bridge.seal import Pseudonyms
from bridge.writes.write import (
    DAY,
    Outcome,
    operation_id,
    operations_of,
    operations_text,
    record_id,
    short,
)

KEY = Pseudonyms(b"k" * 32)


def test_an_operation_id_comes_from_everything_that_makes_a_request_one() -> None:
    """The same client, principal, route and key give the same id; any other gives another."""
    parts = ["client", "principal", "route", "key"]
    ids = {operation_id(KEY, *parts)}  # type: ignore[arg-type]
    for n in range(4):
        ids.add(operation_id(KEY, *[p + "x" * (i == n) for i, p in enumerate(parts)]))  # type: ignore[arg-type]
    ids.add(operation_id(KEY, "clientp", "rincipal", "route", "key"))
    assert len(ids) == 6
    assert {len(op) for op in ids} == {22}
    assert operation_id(KEY, *parts) in ids  # type: ignore[arg-type]


def test_a_retry_across_a_rotation_is_the_same_operation() -> None:
    """An id under the key before counts where it was accepted; else the current key's is given."""
    old, new = Pseudonyms(b"o" * 32), Pseudonyms(b"n" * 32, b"o" * 32)
    parts = ("client", "principal", "route", "key")
    before = operation_id(old, *parts)

    assert operation_id(new, *parts, known=lambda op: op == before) == before
    assert operation_id(new, *parts) == operation_id(Pseudonyms(b"n" * 32), *parts) != before


def test_a_record_id_is_a_uuid_that_comes_from_its_operation() -> None:
    """Version 8 and the RFC's variant; another operation, kind or number gives another."""
    ids = [record_id(KEY, op, kind, n) for op in "ab" for kind in "cd" for n in (0, 1)]
    assert len(set(ids)) == 8
    assert {(uuid.UUID(id).version, uuid.UUID(id).variant) for id in ids} == {(8, uuid.RFC_4122)}
    assert record_id(KEY, "a", "c") == ids[0]


def test_a_record_carries_the_last_sixteen_each_once() -> None:
    """The newest stands last, a repetition counts once, and the text fits 255 characters."""
    every = [short(f"{n:022d}"[::-1]) for n in range(20)]
    text = operations_text([*every, every[-1]])
    assert operations_of(text) == tuple(every[-16:])
    assert len(text) <= 255
    assert operations_of(None) == operations_of("") == ()


def test_an_outcome_rests_as_references_and_codes() -> None:
    """What is stored comes back, is kept 48 h where applied and 30 days else."""
    outcome = Outcome("o" * 22, "applied", "", 'W/"1"', ("a", "b"), 1.5, "owner")
    assert Outcome.load("o" * 22, outcome.dump()) == outcome
    assert outcome.kept == 2 * DAY
    assert Outcome("o", "stale").kept == Outcome("o", "cancelled").kept == 30 * DAY
