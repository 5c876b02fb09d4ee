"""The operators of FetchXML's conditions, as tests of a row. Not for `$filter`."""

import operator
from collections.abc import Callable
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.filters import Sees, Test, comparable, converted, like
from sandbox.dynamics.schema import Column
from sandbox.dynamics.store import Row

ORDERED = {"lt": operator.lt, "le": operator.le, "gt": operator.gt, "ge": operator.ge}
PATTERNS = {"like": "like", "begins-with": "startswith", "ends-with": "endswith"}
NEGATED = {
    "ne": "eq",
    "neq": "eq",
    "not-like": "like",
    "not-begin-with": "begins-with",
    "not-end-with": "ends-with",
    "not-in": "in",
    "not-between": "between",
    "not-null": "null",
}
COUNTS = {"null": 0, "between": 2}


def condition(column: Column, name: str, sent: list[str], sees: Sees) -> Test:
    """A test by one column. What is negated holds for null too, but for the patterns, `in` and
    `between`, where SQL's answer on null is neither yes nor no."""
    plain = NEGATED.get(name, name)
    if plain not in ("eq", "in", *ORDERED, *PATTERNS, *COUNTS):
        raise errors.not_played(f"the operator {name}")
    if plain != "in" and len(sent) != COUNTS.get(plain, 1):
        raise errors.bad_fetch(f"The operator {name} has another number of values.")
    visible = sees(column)

    def value(row: Row) -> Any:
        return comparable(column, row) if visible else None

    test = _test(column, plain, sent)
    if plain == "null":
        return lambda row: (value(row) is None) == (name == "null")
    if name == plain:
        return lambda row: (held := value(row)) is not None and test(held)
    if plain == "eq":
        return lambda row: (held := value(row)) is None or not test(held)
    return lambda row: (held := value(row)) is not None and not test(held)


def _test(column: Column, name: str, sent: list[str]) -> Callable[[Any], bool]:
    if name == "null":
        return lambda held: held is None
    if name in PATTERNS:
        if column.type not in ("string", "memo"):
            raise errors.bad_fetch(f"The operator {name} is for text.")
        pattern = like(PATTERNS[name], sent[0])
        return lambda held: pattern.fullmatch(held) is not None
    wanted = [_converted(column, text) for text in sent]
    if name in ORDERED:
        return lambda held: bool(ORDERED[name](held, wanted[0]))
    if name == "between":
        return lambda held: bool(wanted[0] <= held <= wanted[1])
    return lambda held: held in wanted


def _converted(column: Column, text: str) -> Any:
    try:
        return converted(column, text)
    except errors.DataverseError:
        raise errors.bad_fetch(f"A value does not fit the column '{column.name}'.") from None
