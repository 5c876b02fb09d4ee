"""URLs of the V8 API. Not for: sending them.

V8 filters in the URL only, so a personal value that is searched for stands there: the capability
`hides_values` isn't declared. Only what the server compares as we do is left to it; the rest is
compared on what came (`Stepwise.meets`).
"""

from collections.abc import Iterable
from urllib.parse import quote

from adapters.asked import uuid_of
from adapters.errors import Invalid, NotFound
from adapters.stepwise import Condition
from adapters.suitecrm import rows
from mappings.binding import KindBinding

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
