"""URLs of the V8 API. Not for: sending them.

V8 filters in the URL only, so a personal value that is searched for stands there: the capability
`hides_values` isn't declared. Only what the server compares as we do is left to it; the rest is
compared on what came (`meets`).
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from adapters.asked import uuid_of
from adapters.errors import Invalid, NotFound
from adapters.suitecrm import rows
from mappings.binding import FieldBinding, KindBinding

Condition = tuple[str, FieldBinding, Any]
_SERVER = {"eq": "eq", "gt": "gt", "ge": "gte", "lt": "lt", "le": "lte"}


def record(binding: KindBinding, id: str) -> str:
    """`module/Contacts/<id>`. Raises NotFound on what can't be an id."""
    try:
        return f"module/{binding.entity_set}/{uuid_of(id)}"
    except Invalid:
        raise NotFound from None


def fields(binding: KindBinding, columns: Iterable[str]) -> str:
    """`fields[Contacts]=…`: without it V8 gives every column."""
    names = ",".join(dict.fromkeys(columns))
    return f"{quote(f'fields[{binding.entity_set}]', safe='')}={quote(names, safe=',')}"


def listing(conditions: Iterable[Condition], after: str | None, size: int) -> str:
    """Filter, order and size of a page. Pages go by id, since V8's own page numbers shift while
    rows are added, and repeat rows where the order isn't unique (SuiteCRM issue 10015)."""
    parts = [
        (f"filter[{field.column}][{_SERVER[op]}]", rows.wire(field, dumped))
        for op, field, dumped in conditions
        if op in _SERVER and dumped is not None
    ]
    if after is not None:
        parts.append(("filter[id][gt]", after))
    parts += [("page[size]", str(size)), ("page[number]", "1"), ("sort", "id")]
    return "&".join(f"{quote(name, safe='')}={quote(text, safe='')}" for name, text in parts)


def meets(row: rows.Row, op: str, field: FieldBinding, dumped: Any) -> bool:
    """Does a row that came meet the condition? `gt` and its like were the server's to compare."""
    held = rows.value(field, row)
    if op == "in":
        return any(rows.same(field, held, each) for each in dumped)
    if op in ("eq", "ne"):
        return rows.same(field, held, dumped) is (op == "eq")
    return held is not None
