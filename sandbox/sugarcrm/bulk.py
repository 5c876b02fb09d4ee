"""`POST /bulk`: several calls in one request, in order, each with its own outcome.

Not a transaction, and it was built to save round trips, not to load data. The
version in an item's address is its own, with or without a slash before it.
"""

import json
from typing import TYPE_CHECKING, Any

from sandbox.sugarcrm import wire
from sandbox.sugarcrm.errors import SugarError, not_played

if TYPE_CHECKING:
    from sandbox.sugarcrm.part import SugarCrm


def bulk(crm: "SugarCrm", outer: wire.Call) -> list[dict[str, Any]]:
    """A failed item doesn't stop those behind it. Raises SugarError."""
    items = outer.args.get("requests")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise SugarError("missing_parameter")
    return [_item(crm, outer, item) for item in items]


def _item(crm: "SugarCrm", outer: wire.Call, item: dict[str, Any]) -> dict[str, Any]:
    try:
        made = crm.service.answer(_call(crm, outer, item))
        status, contents = made.status, made.document
    except SugarError as error:
        status, contents = error.status, error.document
    crm.part.seen.add(
        part="sugarcrm",
        time=crm.kit.clock.now(),
        method=str(item.get("method")),
        path=str(item.get("url")),
        headers={},
        body=item.get("data"),
        status=status,
        user=outer.caller.user.name,
        in_batch=True,
    )
    return {"contents": contents, "headers": {}, "status": status}


def _call(crm: "SugarCrm", outer: wire.Call, item: dict[str, Any]) -> wire.Call:
    path, _, search = str(item.get("url")).partition("?")
    steps = wire.steps(path)
    crm.check_version(steps[0] if steps else "")
    if steps[1:2] == ("bulk",) or steps[1:2] == ("oauth2",):
        raise not_played("this endpoint in a bulk")
    data = item.get("data") or {}
    if isinstance(data, str):
        data = _loaded(data)
    if not isinstance(data, dict):
        raise not_played("an item's data that is no object")
    method = str(item.get("method", "GET")).upper()
    args = wire.query(search) | data
    return wire.Call(outer.caller, steps[0], method, steps[1:], args, _stamp(item.get("headers")))


def _loaded(text: str) -> Any:
    try:
        return json.loads(text) or {}
    except ValueError:
        raise not_played("an item's data that isn't JSON") from None


def _stamp(headers: Any) -> str | None:
    """X-Timestamp out of an item's headers, a list of lines or an object."""
    lines = headers.items() if isinstance(headers, dict) else []
    if isinstance(headers, list):
        lines = [line.partition(":")[::2] for line in headers if isinstance(line, str)]
    found = {str(name).strip().lower(): str(value).strip() for name, value in lines}
    return found.get("x-timestamp")
