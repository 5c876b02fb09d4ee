"""The named ranges of days of `$dateRange`. Not for: comparing (`filters.py`)."""

import datetime
from typing import Any

from sandbox.sugarcrm.errors import not_played

_DAY = datetime.timedelta(days=1)


def days(wanted: Any, today: datetime.date) -> tuple[str, str]:
    """First and last day of a named range, or of a pair of days. Raises SugarError."""
    if isinstance(wanted, tuple):
        return wanted[0], wanted[1]
    found = _near(today).get(wanted) or _calendar(today).get(wanted)
    if found is None:
        raise not_played("this range of days")
    return found[0].isoformat(), found[1].isoformat()


def _near(today: datetime.date) -> dict[str, tuple[datetime.date, datetime.date]]:
    return {
        "today": (today, today),
        "yesterday": (today - _DAY, today - _DAY),
        "tomorrow": (today + _DAY, today + _DAY),
        "last_7_days": (today - 6 * _DAY, today),
        "next_7_days": (today, today + 6 * _DAY),
        "last_30_days": (today - 29 * _DAY, today),
        "next_30_days": (today, today + 29 * _DAY),
    }


def _calendar(today: datetime.date) -> dict[str, tuple[datetime.date, datetime.date]]:
    this = today.replace(day=1)
    last = (this - _DAY).replace(day=1)
    following = (this + 31 * _DAY).replace(day=1)
    after = (following + 31 * _DAY).replace(day=1)
    year = today.year
    return {
        "this_month": (this, following - _DAY),
        "last_month": (last, this - _DAY),
        "next_month": (following, after - _DAY),
        "this_year": (datetime.date(year, 1, 1), datetime.date(year, 12, 31)),
        "last_year": (datetime.date(year - 1, 1, 1), datetime.date(year - 1, 12, 31)),
        "next_year": (datetime.date(year + 1, 1, 1), datetime.date(year + 1, 12, 31)),
    }
