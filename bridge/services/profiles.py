"""What a member's profile has to have: strict for who registers, lenient for who was there before.

Not for: types and lengths (the schemas), or consents. A record that was imported with gaps can be
signed in to, read and edited; it only can't lose what a new one must have. What is still missing is
told, so that a frontend can ask for it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Protocol

from bridge.errors import FieldError, Problem

_EARLIEST = date(1900, 1, 1)


class Rules(Protocol):
    """`profile` of the settings. `required`, `wanted`: dotted canonical names. `minimum_age`: in
    whole years, 0 for none."""

    required: list[str]
    wanted: list[str]
    minimum_age: int


@dataclass(frozen=True)
class Completeness:
    """`missing`: of what is wanted, `required` first; `percent` of it that is there."""

    missing: tuple[str, ...]
    required: tuple[str, ...]
    percent: int


def check_new(rules: Rules, profile: Mapping[str, Any], proven: Iterable[str], now: float) -> None:
    """A registration. `proven`: fields that its proofs fill. Raises Problem("validation")."""
    filled = {*(name for name in rules.required if _value(profile, name)), *proven}
    missing = [name for name in rules.required if name not in filled]
    _refuse([*(_error(name, "required") for name in missing), *_implausible(rules, profile, now)])


def check_edit(rules: Rules, changes: Mapping[str, Any], now: float) -> None:
    """An edit: absent stays, None empties. Raises Problem("validation")."""
    emptied = [n for n in rules.required if _names(changes, n) and not _value(changes, n)]
    _refuse([*(_error(name, "required") for name in emptied), *_implausible(rules, changes, now)])


def completeness(rules: Rules, record: Mapping[str, Any]) -> Completeness:
    """Of a record as the CRM holds it."""
    wanted = tuple(dict.fromkeys([*rules.required, *rules.wanted]))
    missing = tuple(name for name in wanted if not _value(record, name))
    percent = 100 if not wanted else 100 * (len(wanted) - len(missing)) // len(wanted)
    return Completeness(missing, tuple(n for n in missing if n in rules.required), percent)


def age_on(day: date, born: date) -> int:
    """Whole years. Who was born on 29 February is a year older on 1 March."""
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def _implausible(rules: Rules, profile: Mapping[str, Any], now: float) -> Iterator[FieldError]:
    born = profile.get("birth_date")
    if born is None:
        return
    today = datetime.fromtimestamp(now, UTC).date()
    if not _EARLIEST <= born <= today:
        yield _error("birth_date", "out-of-range")
    elif age_on(today, born) < rules.minimum_age:
        yield _error("birth_date", "too-young")


def _value(record: Mapping[str, Any], name: str) -> bool:
    outer, _, inner = name.partition(".")
    value = record.get(outer)
    if inner:
        value = value.get(inner) if isinstance(value, Mapping) else None
    return value is not None and (not isinstance(value, str) or bool(value.strip()))


def _names(record: Mapping[str, Any], name: str) -> bool:
    outer, _, inner = name.partition(".")
    if not inner:
        return outer in record
    below = record.get(outer)
    return isinstance(below, Mapping) and inner in below


def _error(name: str, code: str) -> FieldError:
    return FieldError("/" + name.replace(".", "/"), code)


def _refuse(errors: list[FieldError]) -> None:
    if errors:
        raise Problem("validation", errors)
