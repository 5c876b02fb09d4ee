"""What stands below a record in a URL: columns, navigation properties, `$ref`.

Sources: learn.microsoft.com/power-apps/developer/data-platform/webapi/
associate-disassociate-entities-using-web-api and retrieve-entity-using-web-api.
"""

import re
import urllib.parse
from collections.abc import Callable
from typing import Any

from sandbox.dynamics import errors, payload, url, values
from sandbox.dynamics.changes import Changes, References, check_version
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.schema import Column, Table
from sandbox.dynamics.store import Row
from sandbox.dynamics.tenant import Tenant

Listed = Callable[[Request, Table, list[Row]], Reply]
Shown = Callable[[Request, Row], Reply]
TARGETED = re.compile(r"(\w+)\(([0-9a-fA-F-]{36})\)")


class Below:
    """Answers for one record; `listed` and `shown` render rows as the service does."""

    def __init__(self, tenant: Tenant, changes: Changes, listed: Listed, shown: Shown) -> None:
        self._tenant = tenant
        self._changes = changes
        self._listed = listed
        self._shown = shown

    def answer(
        self, request: Request, row: Row, rest: tuple[str, ...], references: References
    ) -> Reply:
        """One request on something of this row."""
        table, name, more = row.table, rest[0], rest[1:]
        match = TARGETED.fullmatch(name)
        bare = match[1] if match else name
        if bare in table.collections or bare in table.associations:
            if more == ("$ref",):
                target = match[2].lower() if match else None
                return self._collection_reference(request, row, bare, target, references)
            if match or more:
                raise errors.not_played("a path through a collection")
            return self._collection(request, row, name)
        if name in table.navigations and more == ("$ref",):
            return self._reference(request, row, name, references)
        if name in table.navigations and not more:
            return self._single(request, row, name)
        column = table.wire.get(name)
        if column is None or more not in ((), ("$value",)):
            raise errors.no_segment(name if column is None else more[0])
        if request.method == "GET":
            return self._property(request, row, column, raw=bool(more))
        if request.method not in ("PUT", "DELETE") or more:
            raise errors.wrong_method(request.method)
        return self._set_property(request, row, name, references)

    # -- columns --------------------------------------------------------------------------

    def _set_property(self, request: Request, row: Row, name: str, references: References) -> Reply:
        request.user.need("Write", row.table)
        check_version(request, row)
        sent = payload.document(request.body) if request.method == "PUT" else {"value": None}
        if set(sent) != {"value"}:
            raise errors.bad_payload('A single column is sent as {"value": …}.')
        changed = self._changes.read(request, row.table, {name: sent["value"]}, references)
        self._tenant.records.update(row, changed)
        return Reply(204)

    def _property(self, request: Request, row: Row, column: Column, *, raw: bool) -> Reply:
        request.user.need("Read", row.table)
        value = row.values.get(column.name)
        if value is None or not request.user.sees(column):
            return Reply(204)
        if raw:
            text = str(value[1] if column.type == "lookup" else value)
            return Reply(200, {"Content-Type": "text/plain"}, text.encode())
        context = f"{request.base}$metadata#{row.table.set}({row.id})/{column.wire}"
        return json_reply(200, {"@odata.context": context, "value": values.shown(column, value)})

    # -- navigation -----------------------------------------------------------------------

    def _collection(self, request: Request, row: Row, name: str) -> Reply:
        if request.method != "GET":
            raise errors.wrong_method(request.method)
        table, rows = self._tenant.store.related(row, name)
        request.user.need("Read", table)
        return self._listed(request, table, rows)

    def _single(self, request: Request, row: Row, name: str) -> Reply:
        if request.method != "GET":
            raise errors.wrong_method(request.method)
        target = self._target(request, row, name)
        return Reply(204) if target is None else self._shown(request, target)

    def _target(self, request: Request, row: Row, name: str) -> Row | None:
        column = row.table.navigations[name]
        table = self._tenant.schema.target(column, name)
        request.user.need("Read", table)
        held = row.values.get(column.name)
        return self._tenant.store.get(table, held[1]) if held and held[0] == table.name else None

    # -- $ref -----------------------------------------------------------------------------

    def _reference(self, request: Request, row: Row, name: str, references: References) -> Reply:
        if request.method == "GET":
            target = self._target(request, row, name)
            context = f"{request.base}$metadata#$ref"
            if target is None:
                return Reply(204)
            return json_reply(200, {"@odata.context": context} | _id_of(request, target))
        if request.method not in ("PUT", "DELETE"):
            raise errors.wrong_method(request.method)
        request.user.need("Write", row.table)
        sent = payload.document(request.body).get("@odata.id") if request.method == "PUT" else None
        if request.method == "PUT" and sent is None:
            raise errors.bad_payload("@odata.id is missing.")
        bound = {f"{name}{payload.BIND}": sent}
        changed = self._changes.read(request, row.table, bound, references)
        self._tenant.records.update(row, changed)
        return Reply(204)

    def _collection_reference(
        self, request: Request, row: Row, name: str, target: str | None, references: References
    ) -> Reply:
        table, rows = self._tenant.store.related(row, name)
        if request.method == "GET" and target is None:
            request.user.need("Read", table)
            context = f"{request.base}$metadata#Collection($ref)"
            value = [_id_of(request, each) for each in rows]
            return json_reply(200, {"@odata.context": context, "value": value})
        if request.method == "POST" and target is None:
            sent = payload.document(request.body).get("@odata.id")
            other = self._changes.named(request, sent, references)
            self._tie(request, row, name, other, tied=True)
            return Reply(204)
        if request.method != "DELETE":
            raise errors.wrong_method(request.method)
        if target is not None:
            other = self._tenant.store.get(table, target) or _absent(table, target)
        else:
            sent = url.query_pairs(request.query).get("$id")
            other = self._changes.named(request, _decoded(sent), references)
        self._tie(request, row, name, other, tied=False)
        return Reply(204)

    def _tie(self, request: Request, row: Row, name: str, other: Row, *, tied: bool) -> None:
        table, rows = self._tenant.store.related(row, name)
        if other.table is not table:
            raise errors.bad_payload(f"'{name}' does not lead to '{other.table.name}'.")
        if not tied and all(each.id != other.id for each in rows):
            raise errors.not_found(table, other.id)
        if name in row.table.associations:
            request.user.need("Append", row.table)
            request.user.need("AppendTo", table)
            link = self._tenant.store.link if tied else self._tenant.store.unlink
            if not link(row.table.associations[name], row.id, other.id):
                raise errors.exists()
            return
        request.user.need("Append", table)
        request.user.need("AppendTo", row.table)
        value = (row.table.name, row.id) if tied else None
        self._tenant.records.update(other, {row.table.collections[name].column: value})


def _absent(table: Table, row_id: str) -> Row:
    raise errors.not_found(table, row_id)


def _id_of(request: Request, row: Row) -> dict[str, str]:
    return {"@odata.id": f"{request.base}{row.table.set}({row.id})"}


def _decoded(sent: str | None) -> Any:
    return urllib.parse.unquote(sent) if sent else None
