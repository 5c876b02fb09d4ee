"""The adapter for SugarCRM (REST v11): each step of a verb as a request.

Not for: the steps' order (`adapters/stepwise.py`), notation (`query`, `rows`), the call itself
(`client`), tokens (`tokens`). A record's canonical id is its `sync_key` by default, so a read is a
search, and a write goes to Sugar's own id, which the read before it brought.
"""

from collections.abc import Iterable
from collections.abc import Mapping as Dict
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from adapters import asked as shared
from adapters.base import Record, Remote, Table, Trace
from adapters.capabilities import Capabilities
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Conflict,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Unsupported,
)
from adapters.stepwise import (
    MODIFIED,
    Changes,
    Condition,
    Row,
    Stepwise,
    columns_of,
    new_stamp,
)
from adapters.sugarcrm import options as option_rules
from adapters.sugarcrm import query, rows
from adapters.sugarcrm.client import Client
from adapters.sugarcrm.guide import GUIDE
from adapters.turns import Turn
from mappings.binding import FieldBinding, KindBinding
from mappings.loader import Mapping

_LONG_AGO = "1970-01-01T00:00:00+00:00"
_LOCK = "X-Timestamp"


class SugarCrm(Stepwise):
    """One instance, as one CRM user on one platform."""

    capabilities = Capabilities(
        versioned_update="best_effort",
        create_with_our_id=True,
        expands=True,
        clears_with_null=True,
        pages_with_cursor=True,
        hides_values=True,
    )
    guide = GUIDE

    def __init__(self, mapping: Mapping, remote: Remote) -> None:
        if self.check_options(remote.options, remote.credential):
            raise BadMapping
        options = option_rules.read(remote.options, remote.credential)
        client = Client(options, remote)
        super().__init__(mapping, client)
        if options.passwords:
            self.capabilities = replace(self.capabilities, checks_passwords=True)
        self._ids = options.ids
        self._upserts = options.ids == "sync_key"  # until Sugar says that we may not
        self._portal = client.portal

    @classmethod
    def check_options(
        cls, options: Dict[str, Any], credential: Dict[str, str] | None = None
    ) -> list[str]:
        """See `adapters/sugarcrm/options.py`."""
        return option_rules.problems(options, credential)

    def run(self, operation: str, record: Record, *, trace: Trace | None = None) -> Record:
        """`check_password` of {"name", "password"}: a portal user's; gives {"right": bool}."""
        if operation != "check_password" or not self.capabilities.checks_passwords:
            raise Unsupported
        name, password = record.get("name"), record.get("password")
        if not (isinstance(name, str) and name and isinstance(password, str) and password):
            raise Invalid
        return {"right": self._portal.takes(name, password)}

    def tables(self) -> tuple[Table, ...]:
        _, document = self._client.turn().call("GET", "metadata?type_filter=full_module_list")
        held = document.get("full_module_list") if isinstance(document, dict) else None
        if not isinstance(held, dict):
            raise Malformed
        return tuple(Table(name, name, rows.ID) for name in held if not name.startswith("_"))

    def ping(self) -> None:
        if self._client.turn().call("GET", "ping")[1] != "pong":
            raise Malformed

    def native(self, field: FieldBinding, raw: Any) -> Any:
        """See `rows`."""
        return rows.native(field, raw)

    def moment(self, row: Row) -> str:
        """Of the instant: another user of ours may see it in another zone."""
        try:
            found = datetime.fromisoformat(super().moment(row))
        except ValueError:
            raise Malformed from None
        if found.tzinfo is None:
            raise Malformed
        return found.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")

    def _columns(self, table: str, turn: Turn) -> dict[str, Any] | None:
        target = f"metadata?type_filter=modules&module_filter={table}"
        _, document = turn.call("GET", target)
        modules = document.get("modules") if isinstance(document, dict) else None
        if not isinstance(modules, dict):
            raise Malformed
        columns = (modules.get(table) or {}).get("fields")
        return columns if isinstance(columns, dict) else None

    def _read(self, binding: KindBinding, id: str, columns: Iterable[str], turn: Turn) -> Row:
        try:
            wanted = shared.uuid_of(id)
        except Invalid:
            raise NotFound from None
        names = self._names(binding, columns)
        found, _ = self._search(binding, query.known_as(wanted, self._ids), names, 2, turn)
        if not found:
            raise NotFound
        row = rows.row_of(found[0], self._ids, names)
        if len(found) > 1 or row["id"] != wanted:
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
        given = list(conditions)
        columns = [*columns_of(asked), *(f.column for _, f, _ in given)]
        names, clauses = self._names(asked.binding, columns), query.clauses(given, after)
        records, more = self._search(asked.binding, clauses, names, size, turn)
        found = [rows.row_of(each, self._ids, names) for each in records]
        return found, found[-1][rows.OWN] if found and more else None

    def _insert(self, binding: KindBinding, id: str, changes: Changes, turn: Turn) -> Row | None:
        sent = self._sent(binding, changes, new_stamp())
        if self._ids == "id":
            return self._post(binding, id, {**sent, rows.ID: id}, changes, turn)
        if self._held(binding, id, turn):
            raise Conflict
        if self._upserts:
            try:
                self._upsert(binding, id, sent, turn)
                return None
            except (BadCredentials, BadMapping) as error:
                # Administrators only, or a version without it.
                if error.remote_code not in ("not_authorized", "no_method"):
                    raise
                self._upserts = False
        return self._post(binding, id, {**sent, rows.SYNC_KEY: id}, changes, turn)

    def _change(
        self,
        binding: KindBinding,
        before: Row,
        changes: Changes,
        stamp: str,
        columns: list[str],
        turn: Turn,
    ) -> Row | None:
        target = query.record(binding, before[rows.OWN], self._names(binding, columns))
        sent = self._sent(binding, changes, stamp, before)
        _, record = turn.call("PUT", target, sent, headers={_LOCK: str(before[MODIFIED])})
        row = self._echo(binding, record, columns)
        if row and row[rows.OWN] != before[rows.OWN]:
            raise Malformed
        return row

    def _remove(self, binding: KindBinding, id: str, row: Row | None, turn: Turn) -> None:
        own = row[rows.OWN] if row else self._held(binding, id, turn)
        if not own:
            raise NotFound
        turn.call("DELETE", query.record(binding, own, [rows.ID]))

    def _search(
        self,
        binding: KindBinding,
        clauses: list[query.Clause],
        names: list[str],
        size: int,
        turn: Turn,
    ) -> tuple[list[Any], bool]:
        """Records, and whether there are more: only an offset of -1 says that there are none."""
        sent = query.search(clauses, names, size)
        try:
            _, document = turn.call("POST", query.found_by(binding), sent, reads=True)
        except NotFound:  # not a record: the module
            raise BadMapping("no-module") from None
        records = document.get("records") if isinstance(document, dict) else None
        offset = document.get("next_offset") if isinstance(document, dict) else None
        if not isinstance(records, list) or type(offset) is not int:
            raise Malformed
        return records, offset >= 0

    def _held(self, binding: KindBinding, id: str, turn: Turn) -> str:
        """Sugar's own id of the record; "" where there is none."""
        try:
            clauses = query.known_as(shared.uuid_of(id), self._ids)
        except Invalid:
            return ""
        found, _ = self._search(binding, clauses, [rows.ID], 2, turn)
        return str(rows.row_of(found[0], "id", [])[rows.OWN]) if found else ""

    def _upsert(self, binding: KindBinding, id: str, sent: dict[str, Any], turn: Turn) -> None:
        """Make it under our id, however often this is sent. The lock of a time long past turns the
        update of a record that somebody made just now into a refusal."""
        headers = {_LOCK: _LONG_AGO}
        try:
            status, made = turn.call("PATCH", query.upsert(binding, id), sent, headers=headers)
        except StaleVersion:
            raise Conflict from None
        if not isinstance(made, dict) or "record" not in made:
            raise Malformed
        if status != 201:
            raise Conflict

    def _post(
        self, binding: KindBinding, id: str, sent: dict[str, Any], changes: Changes, turn: Turn
    ) -> Row | None:
        columns = [field.column for field, _ in changes]
        target = f"{binding.entity_set}?fields={','.join(self._names(binding, columns))}"
        try:
            _, record = turn.call("POST", target, sent)
        except Invalid:  # an id that is taken is an invalid parameter as any other
            if self._held(binding, id, turn):
                raise Conflict from None
            raise
        row = self._echo(binding, record, columns)
        return row if row and row["id"] == id else None

    def _sent(
        self, binding: KindBinding, changes: Changes, stamp: str, before: Row | None = None
    ) -> dict[str, Any]:
        sent = {
            field.column: rows.wire(field, dumped, before and before.get(field.column))
            for field, dumped in changes
        }
        column = self._stamped(binding)
        return {**sent, column: stamp} if column else sent

    def _echo(self, binding: KindBinding, record: Any, columns: list[str]) -> Row | None:
        """The record that a write answers with; None where it isn't all there."""
        try:
            return rows.row_of(record, self._ids, self._names(binding, columns))
        except BadMapping:
            return None

    def _names(self, binding: KindBinding, columns: Iterable[str]) -> list[str]:
        """What is asked for: both ids and the version always."""
        ids = [rows.ID] if self._ids == "id" else [rows.ID, rows.SYNC_KEY]
        return [*ids, *self._always(binding), *columns]
