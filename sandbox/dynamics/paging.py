"""Order, pages, and the cookie-shaped $skiptoken that leads to the next one.

The shape is Microsoft's (an XML cookie holding the page number and, doubly encoded, the last
row's sort values); clients must follow it verbatim. It resumes after the last row even when that
row is gone.
"""

import functools
import json
import re
import urllib.parse
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.filters import comparable
from sandbox.dynamics.query import Order
from sandbox.dynamics.store import Row

MOST_ROWS = 5000
COOKIE = re.compile(
    r'<cookie pagenumber="(\d+)" pagingcookie="([^"]*)" istracking="False" />', re.DOTALL
)
LAST = re.compile(r"<(\w+) last=\"([^\"]*)\"")


@functools.total_ordering
class _Term:
    """One sort value: nulls first going up, last going down, as in SQL Server."""

    def __init__(self, value: Any, descending: bool) -> None:
        self.value = value
        self.descending = descending

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Term) and self.value == other.value

    def __lt__(self, other: "_Term") -> bool:
        low, high = (other.value, self.value) if self.descending else (self.value, other.value)
        if low is None or high is None:
            return low is None and high is not None
        return bool(low < high)


SortKey = tuple[Any, ...]


def sort_values(order: Sequence[Order], row: Row) -> list[Any]:
    """What the row is sorted by, its id last."""
    return [*(comparable(term.column, row) for term in order), row.id]


def sort_key(order: Sequence[Order], values: Sequence[Any]) -> SortKey:
    """Comparable form of `sort_values`."""
    directions = [*(term.descending for term in order), False]
    pairs = zip(values, directions, strict=True)
    return tuple(_Term(value, descending) for value, descending in pairs)


def ordered(order: Sequence[Order], rows: Sequence[Row]) -> list[Row]:
    """The rows in the order asked for."""
    if not order:
        return sorted(rows, key=lambda row: row.id)
    return sorted(rows, key=lambda row: sort_key(order, sort_values(order, row)))


def token(order: Sequence[Order], page: int, last: Row) -> str:
    """The $skiptoken for page number `page`, which begins after the row `last`."""
    names = [*(term.column.wire for term in order), last.table.key]
    values = (
        str(value) if isinstance(value, Decimal) else value for value in sort_values(order, last)
    )
    inner = "".join(
        f'<{name} last="{urllib.parse.quote(json.dumps(value))}" />'
        for name, value in zip(names, values, strict=True)
    )
    inner = f'<cookie page="{page - 1}">{inner}</cookie>'
    quoted = urllib.parse.quote(urllib.parse.quote(inner, safe=""), safe="")
    cookie = f'<cookie pagenumber="{page}" pagingcookie="{quoted}" istracking="False" />'
    return urllib.parse.quote(cookie, safe="")


def resume(order: Sequence[Order], text: str) -> tuple[int, SortKey]:
    """Page number and sort key of the last row before it, out of a decoded $skiptoken."""
    match = COOKIE.fullmatch(text)
    if match is None:
        raise errors.bad_query("Malformed XML in the paging cookie.")
    inner = urllib.parse.unquote(urllib.parse.unquote(match[2]))
    return int(match[1]), after(order, inner)


def after(order: Sequence[Order], inner: str) -> SortKey:
    """The sort key of the last row that an inner cookie names."""
    try:
        values = [json.loads(urllib.parse.unquote(value)) for _, value in LAST.findall(inner)]
        for index, term in enumerate(order):
            if term.column.type in ("money", "decimal", "double") and values[index] is not None:
                values[index] = Decimal(values[index])
        return sort_key(order, values)
    except (ValueError, ArithmeticError, IndexError):
        raise errors.bad_query("Malformed XML in the paging cookie.") from None
