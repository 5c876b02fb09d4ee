"""BulkDelete: a job that deletes, a while after it was asked for, what its queries find then.

Source: learn.microsoft.com/power-apps/developer/data-platform/delete-data-bulk. The job itself
can't be read (`asyncoperations` isn't played), nor recur, nor send mails.
"""

import contextlib
import uuid
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.conditions import condition
from sandbox.dynamics.filters import Test
from sandbox.dynamics.message import Request
from sandbox.dynamics.records import Records
from sandbox.dynamics.schema import Schema, Table
from sandbox.dynamics.security import User
from sandbox.dynamics.store import Store
from sandbox.kit.clock import Clock

SECONDS = 4.0
OPERATORS = {
    "Equal": "eq",
    "NotEqual": "ne",
    "In": "in",
    "NotIn": "not-in",
    "Null": "null",
    "NotNull": "not-null",
    "GreaterThan": "gt",
    "GreaterEqual": "ge",
    "LessThan": "lt",
    "LessEqual": "le",
    "Like": "like",
}
Query = tuple[Table, list[Test]]


class Jobs:
    """The jobs that are still to run, looked after at the start of each request."""

    def __init__(self, schema: Schema, store: Store, records: Records, clock: Clock) -> None:
        self._schema = schema
        self._store = store
        self._records = records
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """No job."""
        self._waiting: list[tuple[float, list[Query]]] = []

    def add(self, request: Request, document: dict[str, Any]) -> str:
        """Take a job; gives its id. The caller needs the right to delete what it is about."""
        request.user.need_right("prvBulkDelete")
        if document.get("RecurrencePattern") or document.get("SendEmailNotification"):
            raise errors.not_played("a bulk deletion that recurs or sends mails")
        sent = document.get("QuerySet")
        if not isinstance(sent, list) or not sent:
            raise errors.bad_payload("QuerySet is a list of queries.")
        queries = [self._query(request.user, each) for each in sent]
        self._waiting.append((self._clock.now() + SECONDS, queries))
        return str(uuid.uuid4())

    def settle(self) -> None:
        """Run what is due; inside a transaction. A row that can't go stays."""
        now = self._clock.now()
        due = [queries for at, queries in self._waiting if at <= now]
        self._waiting = [job for job in self._waiting if job[0] > now]
        for table, tests in (query for queries in due for query in queries):
            for row in self._store.rows(table):
                if all(test(row) for test in tests):
                    with contextlib.suppress(errors.DataverseError), self._store.transaction():
                        self._records.delete(row)

    def _query(self, user: User, sent: Any) -> Query:
        table = self._schema.tables.get(sent.get("EntityName")) if isinstance(sent, dict) else None
        if table is None:
            raise errors.bad_payload("A query names the table it is about.")
        user.need("Delete", table)
        criteria = sent.get("Criteria") or {}
        if criteria.get("FilterOperator", "And") != "And" or criteria.get("Filters"):
            raise errors.not_played("nested or alternative criteria in BulkDelete")
        if sent.get("LinkEntities"):
            raise errors.not_played("links in BulkDelete")
        return table, [_test(user, table, each) for each in criteria.get("Conditions") or []]


def _test(user: User, table: Table, sent: dict[str, Any]) -> Test:
    column = table.columns.get(str(sent.get("AttributeName")))
    if column is None:
        raise errors.no_fetch_attribute(str(sent.get("AttributeName")), table)
    operator = OPERATORS.get(str(sent.get("Operator")))
    if operator is None:
        raise errors.not_played(f"the operator {sent.get('Operator')} in BulkDelete")
    values = [str(each.get("Value")) for each in sent.get("Values") or []]
    return condition(column, operator, values, user.sees)
