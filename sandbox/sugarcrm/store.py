"""The records, in memory. Not for: what a request means (`records.py`).

A deleted record keeps its id, as Sugar's soft delete does.
"""

import threading
from typing import Any

from sandbox.sugarcrm.schema import Link, Module


class Row:
    """One record; `values` by field as the database holds them, `emails` as their own table."""

    def __init__(self, module: str, id: str) -> None:
        self.module = module
        self.id = id
        self.values: dict[str, Any] = {"id": id}
        self.emails: list[dict[str, Any]] = []
        self.deleted = False


class Store:
    """Rows by module and id, who is related to whom, and what users marked."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._rows: dict[str, dict[str, Row]] = {}
        self._related: set[tuple[str, str, str]] = set()
        self.marks: set[tuple[str, str, str, str]] = set()
        """(mark, user, module, record): favorites and followings."""

    def clear(self) -> None:
        """Nothing is left, not even ids."""
        with self.lock:
            self._rows.clear()
            self._related.clear()
            self.marks.clear()

    def rows(self, module: str) -> list[Row]:
        """Those that aren't deleted, in the order they were made."""
        with self.lock:
            return [row for row in self._rows.get(module, {}).values() if not row.deleted]

    def get(self, module: str, id: str | None) -> Row | None:
        """None where there is none, or it was deleted."""
        row = self._rows.get(module, {}).get(id or "")
        return None if row is None or row.deleted else row

    def taken(self, module: str, id: str) -> bool:
        """Is the id in use, or was it?"""
        return id in self._rows.get(module, {})

    def add(self, row: Row) -> None:
        """A row that is complete."""
        self._rows.setdefault(row.module, {})[row.id] = row

    def linked(self, module: Module, row: Row, link: Link) -> list[Row]:
        """The records at the other end."""
        if link.key:
            other = self.get(link.module, row.values.get(link.key))
            return [other] if other else []
        others = self.rows(link.module)
        if link.by:
            return [other for other in others if other.values.get(link.by) == row.id]
        return [other for other in others if self._pair(link, row, other) in self._related]

    def relate(self, row: Row, link: Link, other: Row) -> None:
        """Idempotent; a way by a column sets it."""
        if link.key:
            row.values[link.key] = other.id
        elif link.by:
            other.values[link.by] = row.id
        else:
            self._related.add(self._pair(link, row, other))

    def part(self, row: Row, link: Link, other: Row) -> None:
        """The contrary of `relate`."""
        if link.key and row.values.get(link.key) == other.id:
            row.values[link.key] = ""
        elif link.by and other.values.get(link.by) == row.id:
            other.values[link.by] = ""
        elif link.relationship:
            self._related.discard(self._pair(link, row, other))

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """For the control plane."""
        return {
            name: [
                {**row.values, **({"email": row.emails} if row.emails else {})}
                for row in held.values()
                if not row.deleted
            ]
            for name, held in self._rows.items()
        }

    @staticmethod
    def _pair(link: Link, one: Row, other: Row) -> tuple[str, str, str]:
        """The same from both ends."""
        first, second = sorted(((one.module, one.id), (other.module, other.id)))
        return (str(link.relationship), "/".join(first), "/".join(second))
