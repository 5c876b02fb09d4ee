"""The adapter for SuiteCRM 7.14 (V8 JSON:API): each step of a verb as a request.

Not for: the steps' order (`adapters/stepwise.py`), notation (`query`, `rows`), the call itself
(`client`), tokens (`tokens`). V8 answers 201 to changes that it drops, so every write is read back.
"""

from collections.abc import Iterable
from collections.abc import Mapping as Dict
from typing import Any

from adapters import asked as shared
from adapters.base import Remote, Table
from adapters.capabilities import Capabilities
from adapters.errors import BadMapping, Malformed
from adapters.stepwise import (
    Changes,
    Condition,
    Row,
    Stepwise,
    columns_of,
    new_stamp,
)
from adapters.suitecrm import options as option_rules
from adapters.suitecrm import query, rows
from adapters.suitecrm.client import Client
from adapters.suitecrm.guide import GUIDE
from adapters.turns import Turn
from mappings.binding import FieldBinding, KindBinding
from mappings.loader import Mapping


class SuiteCrm(Stepwise):
    """One server, as one CRM user."""

    capabilities = Capabilities(
        versioned_update="best_effort",
        create_with_our_id=True,
        expands=True,
        clears_with_null=True,
        pages_with_cursor=True,
    )
    guide = GUIDE

    def __init__(self, mapping: Mapping, remote: Remote) -> None:
        if self.check_options(remote.options, remote.credential):
            raise BadMapping
        options = option_rules.read(remote.options, remote.credential)
        super().__init__(mapping, Client(options, remote), options.version_column)

    @classmethod
    def check_options(
        cls, options: Dict[str, Any], credential: Dict[str, str] | None = None
    ) -> list[str]:
        """See `adapters/suitecrm/options.py`."""
        return option_rules.problems(options, credential)

    def tables(self) -> tuple[Table, ...]:
        held = _attributes(self._client.turn().call("GET", "meta/modules"))
        return tuple(Table(name, name, "id") for name in held)

    def ping(self) -> None:
        self._client.turn().call("GET", "meta/modules")

    def native(self, field: FieldBinding, raw: Any) -> Any:
        """See `rows`."""
        return rows.native(field, raw)

    def same(self, field: FieldBinding, held: Any, dumped: Any) -> bool:
        """V8 shows a datetime column to the minute."""
        return super().same(field, held, dumped) or rows.same_minute(field, held, dumped)

    def _columns(self, table: str, turn: Turn) -> dict[str, Any] | None:
        if table not in _attributes(turn.call("GET", "meta/modules")):
            return None
        return _attributes(turn.call("GET", f"meta/fields/{table}"))

    def _read(self, binding: KindBinding, id: str, columns: Iterable[str], turn: Turn) -> Row:
        names = query.fields(binding, [*self._always(binding), *columns])
        row = rows.row_of(turn.call("GET", f"{query.record(binding, id)}?{names}"))
        if row["id"] != shared.uuid_of(id):
            raise Malformed
        return row

    def _page(
        self,
        asked: shared.Asked,
        conditions: Iterable[Condition],
        after: str | None,
        size: int,
        turn: Turn,
    ) -> tuple[list[Row], str | None]:
        always = self._always(asked.binding)
        columns = [*always, *columns_of(asked), *(f.column for _, f, _ in conditions)]
        parts = query.fields(asked.binding, columns), query.listing(conditions, after, size)
        data = turn.call("GET", f"module/{asked.binding.entity_set}?{'&'.join(parts)}")
        if not isinstance(data, list):
            raise Malformed
        found = [rows.row_of(each) for each in data]
        return found, found[-1]["id"] if len(found) == size else None

    def _insert(self, binding: KindBinding, id: str, changes: Changes, turn: Turn) -> None:
        self._send("POST", binding, id, changes, new_stamp(), turn)

    def _change(
        self,
        binding: KindBinding,
        before: Row,
        changes: Changes,
        stamp: str,
        columns: list[str],
        turn: Turn,
    ) -> None:
        self._send("PATCH", binding, before["id"], changes, stamp, turn)

    def _remove(self, binding: KindBinding, id: str, row: Row | None, turn: Turn) -> None:
        turn.call("DELETE", query.record(binding, id))

    def _send(
        self,
        method: str,
        binding: KindBinding,
        id: str,
        changes: Changes,
        stamp: str,
        turn: Turn,
    ) -> None:
        attributes = {field.column: rows.wire(field, dumped) for field, dumped in changes}
        if column := self._stamped(binding):
            attributes[column] = stamp
        sent = {"type": binding.entity_set, "id": id, "attributes": attributes}
        turn.call(method, "module", {"data": sent})


def _attributes(data: Any) -> dict[str, Any]:
    attributes = data.get("attributes") if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        raise Malformed
    return attributes
