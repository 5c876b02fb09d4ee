"""The records, in memory. Not for: parsing requests (`service.py`).

A deleted record keeps its id for ever, as SuiteCRM's soft delete does.
"""

import threading
import uuid
from collections.abc import Iterable
from typing import Any

from sandbox.kit.clock import Clock
from sandbox.suitecrm.errors import exists, not_found, refused
from sandbox.suitecrm.schema import Module
from sandbox.suitecrm.values import kept, moment, shown

# Changes of these by PATCH are answered 201 and dropped: SuiteCRM issue 10513.
DROPPED = ("email1", "email_opt_out")
_IGNORED = ("date_modified", "date_entered")
_NUMBERED = {"Cases": "case_number"}


class Row:
    """One record; `values` by attribute, as the database holds them."""

    def __init__(self, id: str, values: dict[str, Any]) -> None:
        self.id = id
        self.values = values
        self.deleted = False


class Store:
    """Rows by module and id, and which of them are related."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.lock = threading.RLock()
        self._rows: dict[str, dict[str, Row]] = {}
        self._related: set[tuple[str, ...]] = set()

    def clear(self) -> None:
        """Nothing is left, not even ids."""
        with self.lock:
            self._rows.clear()
            self._related.clear()

    def fill(self, modules: Iterable[Module]) -> None:
        """Rows that lack a column have it now, empty."""
        for module in modules:
            for row in self._rows.get(module.name, {}).values():
                row.values = {**module.attributes, **row.values}

    def rows(self, module: Module) -> list[Row]:
        """Those that aren't deleted, by id."""
        held = self._rows.get(module.name, {})
        return [held[id] for id in sorted(held) if not held[id].deleted]

    def is_taken(self, module: Module, id: str | None) -> bool:
        """By a record, also a deleted one."""
        return id in self._rows.get(module.name, {})

    def get(self, module: Module, id: str) -> Row:
        """Raises SuiteError where there is none."""
        row = self._rows.get(module.name, {}).get(id)
        if row is None or row.deleted:
            raise not_found(module.name, id)
        return row

    def create(self, module: Module, id: str | None, sent: dict[str, Any]) -> Row:
        """Raises SuiteError where the id is taken, or was."""
        held = self._rows.setdefault(module.name, {})
        if id is not None and id in held:
            raise exists(module.name, id)
        row = Row(id or str(uuid.uuid4()), dict(module.attributes))
        if module.name in _NUMBERED:
            row.values[_NUMBERED[module.name]] = str(len(held) + 1)
        row.values["date_entered"] = moment(self._clock.now())
        self._take(module, row, sent)
        if module.name == "Contacts" and row.values["email1"]:
            row.values |= {"invalid_email": "0", "email_opt_out": "0"}
        held[row.id] = row
        return row

    def update(self, module: Module, id: str, sent: dict[str, Any]) -> Row:
        """Raises SuiteError where there is none. What V8 drops is dropped here too."""
        row = self.get(module, id)
        drops = DROPPED if module.name == "Contacts" else ()
        self._take(module, row, {n: v for n, v in sent.items() if n not in drops})
        if "portal_account_disabled" in row.values:
            row.values["portal_account_disabled"] = "0"
        return row

    def delete(self, module: Module, id: str) -> None:
        """Raises SuiteError where there is none."""
        self.get(module, id).deleted = True

    def relate(self, *way: str) -> None:
        """Idempotent, as the server is."""
        self._related.add(way)

    def part(self, *way: str) -> bool:
        """Were they related?"""
        known = way in self._related
        self._related.discard(way)
        return known

    def everything(self) -> dict[str, list[dict[str, Any]]]:
        """For the control plane."""
        return {
            name: [{"id": row.id, **row.values} for row in held.values() if not row.deleted]
            for name, held in self._rows.items()
        }

    def _take(self, module: Module, row: Row, sent: dict[str, Any]) -> None:
        """All of it or, where a name is unknown, nothing. Null is ignored."""
        changes = {}
        for name, value in sent.items():
            if name not in module.attributes:
                raise refused(f"Property {name} in {module.bean} module is invalid")
            if value is None or name in _IGNORED:
                continue
            changes[name] = kept(module.type_of(name), value, module.longest(name))
        row.values |= changes
        row.values["date_modified"] = moment(self._clock.now())
        if module.name == "Contacts":
            parts = (row.values["first_name"], row.values["last_name"])
            row.values["name"] = row.values["full_name"] = " ".join(filter(None, parts))


def resource(
    module: Module, row: Row, names: tuple[str, ...] | None, *, after_write: bool = False
) -> dict[str, Any]:
    """A row as JSON:API shows it; `type` is the bean's name. The links of an answer to a write lack
    the module, as the real server's do."""
    path = row.id if after_write else f"{module.name}/{row.id}"
    return {
        "type": module.bean,
        "id": row.id,
        "attributes": {
            name: shown(_type(module, name), row.values[name])
            for name in module.attributes
            if names is None or name in names
        },
        "relationships": {
            other: {"links": {"related": f"V8/module/{path}/relationships/{link}"}}
            for other, link in module.relationships.items()
        },
    }


def _type(module: Module, name: str) -> str:
    return "datetime" if name in _IGNORED else module.type_of(name)
