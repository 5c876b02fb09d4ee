"""Rows as the JSON that Dataverse answers: ETag, columns, annotations, expanded rows."""

import dataclasses
from typing import Any

from sandbox.dynamics import values
from sandbox.dynamics.filters import Sees
from sandbox.dynamics.message import Preferences
from sandbox.dynamics.paging import MOST_ROWS, ordered
from sandbox.dynamics.query import Expand, Options
from sandbox.dynamics.schema import Column, Table
from sandbox.dynamics.store import Row, Store

FORMATTED = "OData.Community.Display.V1.FormattedValue"
LOOKUP_TABLE = "Microsoft.Dynamics.CRM.lookuplogicalname"
LOOKUP_NAVIGATION = "Microsoft.Dynamics.CRM.associatednavigationproperty"


@dataclasses.dataclass(frozen=True)
class Renderer:
    """Renders for one caller: what they may see and which annotations they asked for."""

    store: Store
    base: str
    prefer: Preferences
    sees: Sees

    def context(self, table: Table, options: Options, *, single: bool) -> str:
        """The @odata.context URL."""
        names = list(options.selected)
        for expand in options.expands:
            names.append(f"{expand.navigation}({','.join(expand.options.selected)})")
        listed = f"({','.join(names)})" if names else ""
        return f"{self.base}$metadata#{table.set}{listed}{'/$entity' if single else ''}"

    def row(self, row: Row, options: Options) -> dict[str, Any]:
        """One row with the columns asked for, or all; the primary key always comes along."""
        shown: dict[str, Any] = {"@odata.etag": row.etag}
        for column in columns(row.table, options):
            self._add(shown, row, column)
        for expand in options.expands:
            shown[expand.navigation] = self._expanded(row, expand)
        return shown

    def _add(self, shown: dict[str, Any], row: Row, column: Column) -> None:
        value = row.values.get(column.name)
        if not self.sees(column):
            value = None
        if column.type == "lookup" and value is not None:
            self._annotate_lookup(shown, column, value)
        text = values.formatted(column, value)
        if text is not None and self.prefer.wants(FORMATTED):
            shown[f"{column.wire}@{FORMATTED}"] = text
        shown[column.wire] = values.shown(column, value)

    def _annotate_lookup(
        self, shown: dict[str, Any], column: Column, value: tuple[str, str]
    ) -> None:
        table_name, row_id = value
        target = self.store.get(self.store.schema.tables[table_name], row_id)
        navigation = next(n for n, name in column.navigations.items() if name == table_name)
        named = (
            (FORMATTED, target.name if target else None),
            (LOOKUP_TABLE, table_name),
            (LOOKUP_NAVIGATION, navigation),
        )
        for annotation, text in named:
            if text is not None and self.prefer.wants(annotation):
                shown[f"{column.wire}@{annotation}"] = text

    def _expanded(self, row: Row, expand: Expand) -> Any:
        if not expand.collection:
            reference = row.values.get(expand.column)
            if reference is None or reference[0] != expand.table.name:
                return None
            target = self.store.get(expand.table, reference[1])
            return None if target is None else self.row(target, expand.options)
        rows = self.store.related(row, expand.navigation)[1]
        if expand.options.test is not None:
            rows = [found for found in rows if expand.options.test(found)]
        top = MOST_ROWS if expand.options.top is None else expand.options.top
        rows = ordered(expand.options.order, rows)[:top]
        return [self.row(found, expand.options) for found in rows]


def columns(table: Table, options: Options) -> list[Column]:
    """The columns of an answer: those selected and what comes along with them."""
    if options.select is None:
        return list(table.columns.values())
    wanted = {column.name: column for column in options.select}
    if any(column.type == "money" for column in options.select):
        currency = table.columns["transactioncurrencyid"]
        wanted.setdefault(currency.name, currency)
    wanted.setdefault(table.key, table.columns[table.key])
    return list(wanted.values())
