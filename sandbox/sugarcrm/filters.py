"""Filters: which records meet one. Not for: paging and order (`lists.py`).

Texts compare as MySQL does it: without case, accents and spaces at the end. A field that was never
set meets no comparison, unless the setting says so for the negative ones.
"""

import datetime
import re
from collections.abc import Callable
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sandbox.sugarcrm import values
from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.ranges import days
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.schema import Module
from sandbox.sugarcrm.store import Row
from sandbox.sugarcrm.users import User

Test = Callable[[Row], bool]
_ADDRESSES = ("email", "email1", "email_addresses.email_address")
_NOT_PLAYED = ("$tracker", "$in_radius_from_zip", "$in_radius_from_coords")


class Field(NamedTuple):
    """A column as a filter compares it: `of` gives what a row has in it, of every related row."""

    kind: str
    of: Callable[[Row], list[Any]]


class Filters:
    """Makes a test of a filter, for one user and module."""

    def __init__(self, records: Records, user: User, module: Module) -> None:
        self._records = records
        self._user = user
        self._module = module
        self._now = records.clock.now()
        self._zone = ZoneInfo(user.zone)

    def test(self, given: Any) -> Test:
        """All parts of the list must hold. Raises SugarError."""
        if given in (None, "", [], {}):
            return lambda _row: True
        if not isinstance(given, list):
            raise not_played("a filter that is no list")
        return _all([self._part(each) for each in given])

    def _part(self, given: Any) -> Test:
        if not isinstance(given, dict):
            raise not_played("a part of a filter that is no object")
        return _all([self._one(name, wanted) for name, wanted in given.items()])

    def _one(self, name: str, wanted: Any) -> Test:
        if name in ("$and", "$or"):
            if not isinstance(wanted, list):
                raise not_played("$and or $or without a list")
            tests = [self._part(each) for each in wanted]
            return _all(tests) if name == "$and" else _any(tests)
        if name in ("$owner", "$creator"):
            column = "assigned_user_id" if name == "$owner" else "created_by"
            return lambda row: row.values.get(column) == self._user.id
        if name in ("$favorite", "$following"):
            marks = self._records.store.marks
            key = (name[1:], self._user.id, self._module.name)
            return lambda row: (*key, row.id) in marks
        if name in _NOT_PLAYED or name.startswith("$"):
            raise not_played("this filter")
        field = self._field(name)
        if wanted is None:
            raise not_played("a field that is to equal null")
        if not isinstance(wanted, dict):
            wanted = {"$in" if isinstance(wanted, list) else "$equals": wanted}
        return _all([self._operator(field, op, value) for op, value in wanted.items()])

    # -- fields ---------------------------------------------------------------------------

    def _field(self, name: str) -> Field:
        if self._module.addressed and name in _ADDRESSES:
            return Field("varchar", _addresses)
        way, _, column = name.partition(".")
        if not column:
            return self._own(self._module, name)
        link = self._module.links.get(way)
        if link is None:
            raise SugarError("invalid_parameter")
        other = self._records.module(link.module)
        inner = self._own(other, column)
        store, here = self._records.store, self._module

        def related(row: Row) -> list[Any]:
            found = [inner.of(each) for each in store.linked(here, row, link)]
            return [value for each in found for value in each]

        return Field(inner.kind, related)

    def _own(self, module: Module, name: str) -> Field:
        if name not in module.fields:
            raise SugarError("invalid_parameter")
        if module.fields[name]["type"] == "relate":
            field = module.fields[name]
            name_of = self._records.name_of
            return Field(
                "varchar",
                lambda row: [name_of(field["module"], row.values.get(field["id_name"])) or None],
            )
        return Field(module.type_of(name), lambda row: [row.values.get(name)])

    # -- operators ------------------------------------------------------------------------

    def _operator(self, field: Field, op: str, wanted: Any) -> Test:
        match op:
            case "$equals":
                equal = self._want(field, wanted)
                return self._some(field, lambda held: held == equal)
            case "$in":
                among = self._wants(field, wanted)
                return self._some(field, lambda held: held in among)
            case "$not_equals":
                return self._none(field, [self._want(field, wanted)])
            case "$not_in":
                return self._none(field, self._wants(field, wanted))
            case "$lt" | "$lte" | "$gt" | "$gte":
                return self._order(field, op, wanted)
            case "$between":
                low, high = self._pair(field, wanted)
                return self._some(field, lambda held: low <= held <= high)
            case "$starts" | "$ends" | "$contains" | "$not_contains":
                return self._like(field, op, wanted)
            case "$is_null" | "$not_null" | "$empty" | "$not_empty":
                return _filled(field, op)
            case "$dateRange" | "$dateBetween":
                return self._days(field, op, wanted)
        raise not_played("this operator")

    def _want(self, field: Field, wanted: Any) -> Any:
        """The wanted value as the database compares it."""
        if field.kind == "datetime" and _is_day(wanted):
            raise not_played("a day compared with a moment")
        if wanted is None or isinstance(wanted, list | dict):
            raise not_played("a comparison with nothing or with a list")
        if field.kind == "multienum":
            raise not_played("this comparison of a choice of several")
        return _comparable(values.kept(field.kind, wanted))

    def _wants(self, field: Field, wanted: Any) -> list[Any]:
        """A list, or one text with commas as some clients write it."""
        if isinstance(wanted, str):
            wanted = wanted.split(",")
        if not isinstance(wanted, list):
            raise not_played("$in without a list")
        return [self._want(field, each) for each in wanted]

    def _pair(self, field: Field, wanted: Any) -> tuple[Any, Any]:
        wants = self._wants(field, wanted)
        if len(wants) != 2:
            raise not_played("a range without two ends")
        return wants[0], wants[1]

    def _some(self, field: Field, meets: Callable[[Any], bool]) -> Test:
        return lambda row: any(meets(held) for held in _held(field, row))

    def _none(self, field: Field, wants: list[Any]) -> Test:
        empty = self._records.settings.not_equals_meets_empty

        def meets(row: Row) -> bool:
            held = _held(field, row)
            return not any(each in wants for each in held) if held else empty

        return meets

    def _order(self, field: Field, op: str, wanted: Any) -> Test:
        want = self._want(field, wanted)
        tests: dict[str, Callable[[Any], bool]] = {
            "$lt": lambda held: held < want,
            "$lte": lambda held: held <= want,
            "$gt": lambda held: held > want,
            "$gte": lambda held: held >= want,
        }
        return self._some(field, tests[op])

    def _like(self, field: Field, op: str, wanted: Any) -> Test:
        """Several texts in a list mean one of them."""
        texts = wanted if isinstance(wanted, list) else [wanted]
        if field.kind == "multienum" and op == "$contains":
            return self._some(field, lambda held: held in texts)
        if field.kind not in values.TEXTS or not all(isinstance(each, str) for each in texts):
            raise not_played("a pattern for what is no text")
        needles = [_needle(each) for each in texts]

        def meets(held: str) -> bool:
            if op == "$starts":
                return any(held.startswith(each) for each in needles)
            if op == "$ends":
                return any(held.endswith(each) for each in needles)
            return any(each in held for each in needles)

        if op != "$not_contains":
            return self._some(field, meets)
        empty = self._records.settings.not_equals_meets_empty
        return lambda row: not any(map(meets, held)) if (held := _held(field, row)) else empty

    def _days(self, field: Field, op: str, wanted: Any) -> Test:
        if field.kind not in ("date", "datetime"):
            raise not_played("a range of days of what has none")
        today = datetime.datetime.fromtimestamp(self._now, self._zone).date()
        first, last = days(wanted if op == "$dateRange" else tuple(_days_of(wanted)), today)

        def day(held: Any) -> str:
            if field.kind == "date":
                return str(held)
            return datetime.datetime.fromtimestamp(held, self._zone).date().isoformat()

        return self._some(field, lambda held: first <= day(held) <= last)


def _all(tests: list[Test]) -> Test:
    return lambda row: all(test(row) for test in tests)


def _any(tests: list[Test]) -> Test:
    return lambda row: any(test(row) for test in tests)


def _addresses(row: Row) -> list[Any]:
    return [each["email_address"] for each in row.emails]


def _comparable(value: Any) -> Any:
    return values.collated(value) if isinstance(value, str) else value


def _held(field: Field, row: Row) -> list[Any]:
    """What the row has, without what was never set; a choice of several counts as each of them."""
    found: list[Any] = []
    for value in field.of(row):
        if isinstance(value, list):
            found += value
        elif value is not None:
            found.append(_comparable(value))
    return found


def _filled(field: Field, op: str) -> Test:
    def null(row: Row) -> bool:
        return all(value is None for value in field.of(row))

    def empty(row: Row) -> bool:
        return all(value in (None, "", []) for value in field.of(row))

    tests: dict[str, Test] = {
        "$is_null": null,
        "$not_null": lambda row: not null(row),
        "$empty": empty,
        "$not_empty": lambda row: not empty(row),
    }
    return tests[op]


def _needle(text: str) -> str:
    """A pattern's text; unlike a whole value it keeps the spaces at its end."""
    spaces = len(text) - len(text.rstrip(" "))
    return values.collated(text) + " " * spaces


def _is_day(wanted: Any) -> bool:
    return isinstance(wanted, str) and re.fullmatch(r"\d{4}-\d{2}-\d{2}", wanted) is not None


def _days_of(wanted: Any) -> list[str]:
    if not isinstance(wanted, list) or len(wanted) != 2 or not all(map(_is_day, wanted)):
        raise not_played("$dateBetween without two days")
    return wanted
