"""Query strings as PHP reads them, and V8's filters. Not for: paging (`service.py`)."""

import operator
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl

from sandbox.suitecrm.errors import not_played, refused
from sandbox.suitecrm.schema import Module
from sandbox.suitecrm.store import Row
from sandbox.suitecrm.values import collated

_NAME = re.compile(r"(\w+)((?:\[[^\[\]]*\])*)\Z")
OPERATORS: dict[str, Callable[[Any, Any], bool]] = {
    "eq": operator.eq,
    "neq": operator.ne,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


def parse(text: str, known: tuple[str, ...]) -> dict[str, Any]:
    """`a[b][c]=d` -> {"a": {"b": {"c": "d"}}}."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        match = _NAME.match(name)
        if match is None or match[1] not in known:
            raise not_played("this query parameter")
        steps = [match[1], *re.findall(r"\[([^\]]*)\]", match[2])]
        inner = found
        for step in steps[:-1]:
            inner = inner.setdefault(step, {})
            if not isinstance(inner, dict):
                raise not_played("a parameter that is both a value and a list")
        inner[steps[-1]] = value
    return found


def fields(module: Module, asked: dict[str, Any]) -> tuple[str, ...]:
    """The attributes that `fields[Module]` names. Raises SuiteError."""
    given = asked.get("fields")
    if not isinstance(given, dict) or set(given) != {module.name}:
        raise not_played("a read without fields[<its module>]")
    names = tuple(given[module.name].split(","))
    for name in names:
        if name not in module.attributes and name != "id":
            raise refused(f"The following field in {module.bean} module is not found: {name}")
    return names


def selector(module: Module, given: Any) -> Callable[[Row], bool]:
    """Does a row meet the filter? Its parts hold together, or one of them by `operator=or`."""
    if not isinstance(given, dict):
        raise not_played("a filter that is no list")
    tests: list[Callable[[Row], bool]] = []
    join: Callable[[Any], bool] = all
    for column, wanted in given.items():
        if column == "operator":
            if wanted not in ("and", "or"):
                raise refused(f"Filter operator {wanted} is invalid")
            join = any if wanted == "or" else all
            continue
        if not isinstance(wanted, dict) or column == "deleted":
            raise not_played("this filter")
        tests += [_test(module, column, op, value) for op, value in wanted.items()]
    return (lambda row: join(test(row) for test in tests)) if tests else (lambda row: True)


def _test(module: Module, column: str, op: str, value: str) -> Callable[[Row], bool]:
    if op not in OPERATORS:
        raise refused(f"Filter operator {op} is invalid")
    if column not in module.attributes and column != "id":
        # Api/V8/JsonApi/Repository/Filter.php
        raise refused(f"Filter field {column} in {module.bean} module is not found")
    if value == "":
        raise not_played("a filter for nothing")

    def meets(row: Row) -> bool:
        held = row.id if column == "id" else row.values[column]
        if held == "":  # null: no comparison holds
            return False
        return OPERATORS[op](collated(str(held)), collated(value))

    return meets
