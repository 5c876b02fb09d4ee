"""The environment as it is at the start: schema, rows, roles; and seeding it.

Two tenants: `bridge` has what the bridge's mapping needs, `stock` lacks it, so that provisioning
can be tried. What is in them stands in `tenant_*.json`.
"""

import json
from decimal import Decimal
from typing import Any

from sandbox.dynamics import errors, payload, solutions, url
from sandbox.dynamics.bulkdelete import Jobs
from sandbox.dynamics.catalog import Catalog
from sandbox.dynamics.keys import Keys
from sandbox.dynamics.records import Check, Records
from sandbox.dynamics.schema import Schema, Table
from sandbox.dynamics.security import Security
from sandbox.dynamics.store import Reference, Row, Store
from sandbox.kit.clock import Clock

DEFAULT = "bridge"


class Tenant:
    """The parts that hold what the environment is, and how they begin."""

    def __init__(self, kind: str, clock: Clock) -> None:
        self.clock = clock
        self.schema = Schema(kind)
        self.store = Store(self.schema)
        self.catalog = Catalog(self.schema, self.store)
        self.security = Security(self.schema, self.store)
        self.solutions = solutions.Solutions(self.schema, self.store)
        self.keys = Keys(self.schema, self.store, clock)
        checks: dict[str, Check] = {
            "publisher": solutions.check_publisher,
            "solution": solutions.check_solution,
            "fieldpermission": self.security.check_permission,
        }
        self.records = Records(self.store, clock, checks)
        self.jobs = Jobs(self.schema, self.store, self.records, clock)
        self.restore(kind)

    def restore(self, kind: str) -> None:
        """As at the start, as a tenant of that kind."""
        with self.store.transaction():
            self.schema.restore(kind)
            self.store.clear()
            self.keys.reset()
            self.jobs.reset()
            self.catalog.begin()
            for table in self.schema.tables.values():
                self.catalog.add(table)
            for part in self.schema.parts:
                self.seed(part.get("rows", {}))
                self._link(part.get("links", {}))
                for role, privileges in part.get("grants", {}).items():
                    self.security.grant(role, privileges)

    def _link(self, links: dict[str, list[list[str]]]) -> None:
        for name, pairs in links.items():
            for one, other in pairs:
                self.store.link(self.schema.associations[name], one, other)

    def profiles_at_start(self, user_id: str) -> list[str]:
        """The column security profiles that a user has in a fresh tenant."""
        links = [part.get("links", {}) for part in self.schema.parts]
        pairs = [pair for each in links for pair in each.get("systemuserprofiles_association", [])]
        return [profile for user, profile in pairs if user == user_id]

    def seed(self, document: dict[str, list[dict[str, Any]]]) -> dict[str, list[str]]:
        """Payloads as a POST has them, by set; gives the ids. Inside a transaction."""
        made: dict[str, list[str]] = {}
        for name, sent in document.items():
            if name not in self.schema.sets:
                raise errors.no_segment(name)
            table = self.schema.sets[name]
            made[name] = [self._seed_row(table, entry).id for entry in sent]
        return made

    def _seed_row(self, table: Table, sent: dict[str, Any]) -> Row:
        exact = json.loads(json.dumps(sent), parse_float=Decimal)
        changes = payload.changes(self.schema, table, exact, self._reference, seeding=True)
        row = self.records.create(table, changes, None)
        kept = {key: changes[key] for key in ("createdon", "modifiedon") if key in changes}
        return self.store.put(table, row.id, dict(row.values) | kept) if kept else row

    def _reference(self, uri: Any) -> Reference:
        found = url.bound_reference(self.schema, "/", uri)
        row = self.find(found.table, found.key) if found.key else None
        if row is None:
            raise errors.not_found(found.table, "(seed)")
        return found.table.name, row.id

    def find(self, table: Table, key: url.Key) -> Row | None:
        """The row that a key names."""
        if key.id is not None:
            return self.store.get(table, key.id)
        return self.store.by_key(table, key.name or "", key.values)
