"""Which endpoint a call means. Not for: HTTP, tokens and bulks (`part.py`)."""

import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.sugarcrm import lists, metadata
from sandbox.sugarcrm.access import need
from sandbox.sugarcrm.errors import not_played
from sandbox.sugarcrm.integrate import Integrate, Made
from sandbox.sugarcrm.links import Links
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.schema import Module
from sandbox.sugarcrm.wire import Call


class Service:
    """Answers one authorised call, alone in the store."""

    def __init__(self, records: Records) -> None:
        self._records = records
        self._links = Links(records)
        self._integrate = Integrate(records, self._links)

    def answer(self, call: Call) -> Made:
        """Status and document. Raises SugarError."""
        if call.caller.user.portal and call.steps != ("me",):
            raise not_played("the portal's own pages")
        with self._records.store.lock:
            found = self._general(call)
            return found if isinstance(found, Made) else Made(found, 200)

    def _general(self, call: Call) -> Any:
        schema = self._records.schema
        match call.method, call.steps:
            case "GET", ("ping",):
                return "pong"
            case "GET", ("ping", "whattimeisit"):
                zone = ZoneInfo(call.caller.user.zone)
                now = int(self._records.clock.now())
                return datetime.datetime.fromtimestamp(now, zone).isoformat()
            case "GET", ("me",):
                return metadata.me(schema, call.caller.user)
            case "GET", ("metadata",):
                return metadata.metadata(schema, call)
            case _, ("integrate", *steps) if steps:
                return self._integrate.answer(call, tuple(steps))
            case "PATCH" | "PUT", (name, "sync_key", key):
                return self._integrate.answer(call, (name, "sync_key", key))
            case "POST" | "DELETE", (name, key, "link_by_sync_keys", link, other):
                way = (name, "sync_key", key, "link", link, "sync_key", other)
                return self._integrate.answer(call, way)
            case _, (name, *rest):
                return self._module(call, self._records.module(name), tuple(rest))
        raise not_played("this endpoint")

    def _module(self, call: Call, module: Module, rest: tuple[str, ...]) -> Any:
        need(call.caller.user, "access", module)
        match call.method, rest:
            case "POST", ():
                return self._create(call, module)
            case ("GET", ()) | ("GET" | "POST", ("filter",)):
                return self._list(call, module, lists.listed)
            case ("GET", ("count",)) | ("GET" | "POST", ("filter", "count")):
                return self._list(call, module, lists.counted)
            case "POST", ("duplicateCheck",):
                return self._duplicates(call, module)
            case "GET", ("enum", field):
                return metadata.enum(self._records.schema, module, field)
            case _, (id,):
                return self._one(call, module, id)
            case _, (id, "link", *way):
                return self._links.answer(call, module, id, tuple(way))
            case ("PUT" | "DELETE", (id, "favorite")) | ("POST", (id, "subscribe")):
                return self._mark(call, module, id, rest[1])
            case "DELETE", (id, "unsubscribe"):
                return self._mark(call, module, id, rest[1])
        raise not_played("this endpoint")

    def _list(self, call: Call, module: Module, shape: Any) -> Any:
        need(call.caller.user, "list", module)
        return shape(self._records, call, module, self._records.store.rows(module.name))

    def _create(self, call: Call, module: Module) -> Any:
        user = call.caller.user
        need(user, "create", module)
        self._links.check(user, module, call.args)
        row = self._records.create(user, module, call.args)
        self._links.change(user, module, row, call.args)
        return self._records.show(user, module, row, self._records.wanted(module, _fields(call)))

    def _one(self, call: Call, module: Module, id: str) -> Any:
        action = {"GET": "view", "PUT": "edit", "DELETE": "delete"}.get(call.method)
        if action is None:
            raise not_played("this method on a record")
        user, row = call.caller.user, self._records.row(module, id)
        need(user, action, module)
        names = self._records.wanted(module, _fields(call))
        if call.method == "DELETE":
            row.deleted = True
            return {"id": row.id}
        if call.method == "PUT":
            self._records.guard(row, call.timestamp, user)
            self._links.check(user, module, call.args)
            self._records.update(user, module, row, call.args)
            self._links.change(user, module, row, call.args)
        return self._records.show(user, module, row, names)

    def _duplicates(self, call: Call, module: Module) -> dict[str, Any]:
        """Those whose names begin as the sent ones."""
        sent = {name: call.text(name) for name in module.duplicate_check}
        given = [{name: {"$starts": text}} for name, text in sent.items() if text]
        if not given:
            return {"next_offset": -1, "records": []}
        return self._list(call._replace(args={"filter": given}), module, lists.listed)

    def _mark(self, call: Call, module: Module, id: str, way: str) -> Any:
        user, row = call.caller.user, self._records.row(module, id)
        mark = "favorite" if way == "favorite" else "following"
        key = (mark, user.id, module.name, row.id)
        marks = self._records.store.marks
        (marks.discard if call.method == "DELETE" else marks.add)(key)
        return self._records.show(user, module, row, None)


def _fields(call: Call) -> Any:
    return call.args.get("fields")
