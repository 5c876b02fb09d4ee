"""Lists of records: filter, order, pages and counts. Not for: a filter's operators."""

import json
from collections.abc import Iterable
from typing import Any

from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.filters import Filters
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.schema import Module
from sandbox.sugarcrm.store import Row
from sandbox.sugarcrm.values import collated
from sandbox.sugarcrm.wire import Call

_SIZE = 20
_KNOWN = ("filter", "max_num", "offset", "fields", "order_by")
_IGNORED = ("platform", "viewed", "erased_fields", "_ts")
_OWN = {"my_items": "$owner", "favorites": "$favorite"}
_EMPTY_ONLY = ("filter_id", "view", "q", "deleted")
"""Played where they say nothing: clients send them as null or 0."""
_NOTHING = (None, "", 0, "0", False, "false")


def listed(records: Records, call: Call, module: Module, rows: Iterable[Row]) -> dict[str, Any]:
    """One page of those rows that meet the filter; `next_offset` is -1 on the last."""
    found = ordered(module, meeting(records, call, module, rows), call.text("order_by"))
    size = min(_whole(call, "max_num", _SIZE), records.settings.max_num_cap)
    offset = _whole(call, "offset", 0)
    page = found[offset : offset + size]
    after = offset + len(page)
    names = records.wanted(module, call.args.get("fields"))
    return {
        "next_offset": after if page and after < len(found) else -1,
        "records": [records.show(call.caller.user, module, row, names) for row in page],
    }


def counted(records: Records, call: Call, module: Module, rows: Iterable[Row]) -> dict[str, Any]:
    """How many meet the filter."""
    return {"record_count": len(meeting(records, call, module, rows))}


def meeting(records: Records, call: Call, module: Module, rows: Iterable[Row]) -> list[Row]:
    """Those that meet the filter. Raises SugarError."""
    own = []
    for name, value in call.args.items():
        if name in (*_KNOWN, *_IGNORED) or (name in (*_OWN, *_EMPTY_ONLY) and value in _NOTHING):
            continue
        if name not in _OWN:
            raise not_played("this parameter of a list")
        own.append({_OWN[name]: ""})
    filters = Filters(records, call.caller.user, module)
    tests = (filters.test(_filter(call.args.get("filter"))), filters.test(own))
    return [row for row in rows if all(test(row) for test in tests)]


def ordered(module: Module, rows: list[Row], given: str | None) -> list[Row]:
    """`a:DESC,b`. Without it the newest come first; rows alike keep no order to rely on."""
    for part in reversed((given or "date_modified:DESC").split(",")):
        name, _, way = part.strip().partition(":")
        if name not in module.fields or module.fields[name].get("source") == "non-db":
            raise SugarError("invalid_parameter")
        if way.upper() not in ("", "ASC", "DESC"):
            raise not_played("this order")
        rows = sorted(rows, key=lambda row, n=name: _key(row, n), reverse=way.upper() == "DESC")
    return rows


def _key(row: Row, name: str) -> tuple[bool, Any]:
    """Nothing comes first, as MySQL has it."""
    held = row.values.get(name)
    if held is None:
        return (False, 0)
    if isinstance(held, list):
        held = ",".join(held)
    return (True, collated(held) if isinstance(held, str) else held)


def _filter(given: Any) -> Any:
    """In an address it may be one JSON text."""
    if not isinstance(given, str) or not given:
        return given
    try:
        return json.loads(given)
    except ValueError:
        raise SugarError("invalid_parameter") from None


def _whole(call: Call, name: str, default: int) -> int:
    given = call.text(name)
    if given is None:
        return default
    if not given.isdigit():
        raise not_played("a page that is no number from 0 on")
    return int(given)
