"""Publishers and solutions: prefixes of names, and which component belongs to which solution.

Rules: learn.microsoft.com/power-apps/developer/data-platform/introduction-solutions, and
/reference/entities/publisher. Not for exporting, importing or layering.
"""

import re
import uuid
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.message import Request
from sandbox.dynamics.schema import Schema
from sandbox.dynamics.store import Row, Store

HEADER = "mscrm.solutionuniquename"
COMPONENTS = {"entity": 1, "attribute": 2, "relationship": 10, "key": 14}
ROW_COMPONENTS = {"role": 20, "fieldsecurityprofile": 70}
OPTION_VALUES = 10_000  # so many follow each publisher's option prefix
PREFIX = re.compile(r"(?!mscrm)[A-Za-z][A-Za-z0-9]{1,7}")
UNIQUE_NAME = re.compile(r"[A-Za-z_]\w*")
NAME = re.compile(r"([A-Za-z][A-Za-z0-9]*)_\w+")


class Solutions:
    """Reads publishers and solutions out of the store's rows."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store

    def named_in(self, request: Request) -> Row | None:
        """The solution that a request's header names; 404 for one that isn't there."""
        name = request.headers.get(HEADER)
        return self.find(name) if name else None

    def find(self, unique_name: str) -> Row:
        """A solution by its unique name."""
        table = self._schema.tables["solution"]
        for row in self._store.rows(table):
            if str(row.values["uniquename"]).lower() == unique_name.lower():
                return row
        raise errors.not_found(table, unique_name)

    def add(self, solution: Row | None, kind: int, object_id: str) -> Row | None:
        """Put a component into a solution, once; inside a transaction."""
        if solution is None:
            return None
        table = self._schema.tables["solutioncomponent"]
        belongs = ("solution", solution.id)
        for row in self._store.rows(table):
            if (row.values["objectid"], row.values["solutionid"]) == (object_id, belongs):
                return row
        row_id = str(uuid.uuid4())
        values = {"componenttype": kind, "objectid": object_id, "solutionid": belongs}
        return self._store.put(table, row_id, values | {"solutioncomponentid": row_id})

    def check_name(self, schema_name: Any) -> str:
        """A schema name with the prefix of one of the publishers; gives it back."""
        match = NAME.fullmatch(schema_name) if isinstance(schema_name, str) else None
        if match is None or match[1].lower() not in self._prefixes():
            raise errors.bad_metadata("A schema name begins with a publisher's prefix and '_'.")
        return str(schema_name)

    def check_relationship(self, schema_name: Any) -> str:
        """A relationship's name: Microsoft's own client makes such without a prefix."""
        if not isinstance(schema_name, str) or not NAME.fullmatch(schema_name):
            raise errors.bad_metadata("A relationship's name has letters, digits and '_'.")
        return schema_name

    def first_option(self, schema_name: str) -> int:
        """Where a publisher's option values begin, by a name's prefix."""
        prefix = schema_name.partition("_")[0].lower()
        return self._prefixes().get(prefix, 10_000) * OPTION_VALUES

    def _prefixes(self) -> dict[str, int]:
        rows = self._store.rows(self._schema.tables["publisher"])
        return {
            str(row.values["customizationprefix"]).lower(): row.values[
                "customizationoptionvalueprefix"
            ]
            for row in rows
            if row.values["customizationprefix"]
        }


def check_publisher(values: dict[str, Any]) -> None:
    """What a publisher must have."""
    _check_named(values)
    if not PREFIX.fullmatch(values.get("customizationprefix") or ""):
        raise errors.bad_metadata(
            "A customization prefix has 2 to 8 letters and digits, begins with a letter and "
            "not with 'mscrm'."
        )
    if not 10_000 <= (values.get("customizationoptionvalueprefix") or 0) <= 99_999:
        raise errors.bad_metadata("An option value prefix is between 10000 and 99999.")


def check_solution(values: dict[str, Any]) -> None:
    """What a solution must have."""
    _check_named(values)
    if values.get("publisherid") is None:
        raise errors.bad_metadata("A solution needs a publisher.")
    if not re.fullmatch(r"\d+(\.\d+){1,3}", values.get("version") or ""):
        raise errors.bad_metadata("A solution needs a version such as 1.0.0.0.")


def _check_named(values: dict[str, Any]) -> None:
    if not UNIQUE_NAME.fullmatch(values.get("uniquename") or "") or not values.get("friendlyname"):
        raise errors.bad_metadata(
            "A unique name of letters, digits and '_', and a friendly name, are needed."
        )
