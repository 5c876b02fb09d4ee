"""A request body as changes to columns: values, lookups by `@odata.bind`, nulls.

Not for what else a change brings about; that is `records.py`.
"""

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from sandbox.dynamics import errors, values
from sandbox.dynamics.schema import Column, Schema, Table
from sandbox.dynamics.store import Reference

BIND = "@odata.bind"
IGNORED = ("@odata.type", "@odata.etag", "@odata.context", "@odata.id")
Resolve = Callable[[Any], Reference]  # what a bound URI refers to


def document(body: bytes) -> dict[str, Any]:
    """The body as a JSON object, numbers exact."""
    try:
        parsed = json.loads(body.decode("utf-8"), parse_float=Decimal)
    except ValueError:
        raise errors.bad_payload("The payload is not JSON.") from None
    if not isinstance(parsed, dict):
        raise errors.bad_payload("The payload is not an object.")
    return parsed


def changes(
    schema: Schema, table: Table, sent: dict[str, Any], resolve: Resolve, *, seeding: bool = False
) -> dict[str, Any]:
    """Stored values by column name. Seeding may set what a caller may only read."""
    found: dict[str, Any] = {}
    for name, value in sent.items():
        if name in IGNORED:
            continue
        bare = name.removesuffix(BIND)
        if bare != name:
            column = _navigation(table, bare)
            found[column.name] = None if value is None else _bound(column, bare, resolve(value))
        elif name in table.navigations and value is None:
            column = table.navigations[name]
            found[column.name] = None
        else:
            column = _plain(table, name)
            found[column.name] = values.stored(column, table, value)
        _check_writable(column, seeding)
    return found


def _plain(table: Table, name: str) -> Column:
    column = table.columns.get(name)
    if column is not None and column.type != "lookup":
        return column
    if name in table.wire or name in table.columns:
        raise errors.bad_payload(
            "CRM do not support direct update of Entity Reference properties, "
            "Use Navigation properties instead."
        )
    if name in table.collections or name in table.navigations:
        raise errors.not_played("deep insert")
    raise errors.undeclared_property(name, table)


def _navigation(table: Table, name: str) -> Column:
    if name in table.collections:
        raise errors.not_played("binding a collection")
    if name not in table.navigations:
        raise errors.undeclared_property(name, table)
    return table.navigations[name]


def _bound(column: Column, navigation: str, reference: Reference) -> Reference:
    if reference[0] != column.navigations[navigation]:
        raise errors.bad_payload(f"'{navigation}' does not lead to '{reference[0]}'.")
    return reference


def _check_writable(column: Column, seeding: bool) -> None:
    if column.computed or (column.readonly and not seeding):
        raise errors.not_played(f"writing the read-only column '{column.name}'")
