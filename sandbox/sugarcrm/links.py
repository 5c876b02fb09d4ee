"""Related records: by the link's name, never the module's. Not for: relating by keys."""

from collections.abc import Mapping
from typing import Any

from sandbox.sugarcrm import lists
from sandbox.sugarcrm.access import need
from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.schema import Link, Module
from sandbox.sugarcrm.store import Row
from sandbox.sugarcrm.users import User
from sandbox.sugarcrm.wire import Call


class Links:
    """Below `/<module>/<id>/link`, and the changes of links inside a POST or PUT."""

    def __init__(self, records: Records) -> None:
        self._records = records

    def answer(self, call: Call, module: Module, id: str, rest: tuple[str, ...]) -> Any:
        """`rest` is what follows `link`. Raises SugarError."""
        row = self._records.row(module, id)
        need(call.caller.user, "view" if call.method == "GET" else "edit", module)
        match call.method, rest:
            case "POST", ():
                return self._relate_many(call, module, row)
            case "GET", (name,):
                return self._list(call, module, row, name, lists.listed)
            case "GET", (name, "filter"):
                return self._list(call, module, row, name, lists.listed)
            case "GET", (name, "count"):
                return self._list(call, module, row, name, lists.counted)
            case "POST", (name,):
                return self._create(call, module, row, name)
            case "POST" | "DELETE" | "GET" | "PUT", (name, other):
                return self._one(call, module, row, name, other)
        raise not_played("this way to use a link")

    def link(self, module: Module, name: str) -> tuple[Link, Module]:
        """The link and the module at its other end. Raises SugarError (404)."""
        if name not in module.links:
            raise SugarError("not_found")
        link = module.links[name]
        return link, self._records.module(link.module)

    def change(self, user: User, module: Module, row: Row, sent: Mapping[str, Any]) -> None:
        """`"meetings": {"add": [id or {id}], "delete": [id], "create": [{…}]}` in a write."""
        for name in module.links:
            if name not in sent or not isinstance(sent[name], dict):
                continue
            if not set(sent[name]) <= {"add", "delete", "create"}:
                continue  # what a record shows under a link, echoed
            link, other = self.link(module, name)
            for each in sent[name].get("add", ()):
                self._records.store.relate(row, link, self._records.row(other, _id(each)))
            for each in sent[name].get("delete", ()):
                self._records.store.part(row, link, self._records.row(other, _id(each)))
            for each in sent[name].get("create", ()):
                made = self._records.create(user, other, each)
                self._records.store.relate(row, link, made)

    def check(self, user: User, module: Module, sent: Mapping[str, Any]) -> None:
        """Would `change` find all it names, and may the user make what it makes? Raises SugarError
        before anything is written."""
        for name in module.links:
            wanted = sent.get(name)
            if isinstance(wanted, dict):
                other = self.link(module, name)[1]
                if wanted.get("create"):
                    need(user, "create", other)
                for each in (*wanted.get("add", ()), *wanted.get("delete", ())):
                    self._records.row(other, _id(each))

    def _relate_many(self, call: Call, module: Module, row: Row) -> dict[str, Any]:
        name, ids = call.text("link_name"), call.args.get("ids")
        if not name or not isinstance(ids, list):
            raise SugarError("missing_parameter")
        link, other = self.link(module, name)
        found = [self._records.row(other, _id(each)) for each in ids]
        for each in found:
            self._records.store.relate(row, link, each)
        user = call.caller.user
        return {
            "record": self._records.show(user, module, row, None),
            "related_records": [self._records.show(user, other, each, None) for each in found],
        }

    def _create(self, call: Call, module: Module, row: Row, name: str) -> dict[str, Any]:
        link, other = self.link(module, name)
        need(call.caller.user, "create", other)
        made = self._records.create(call.caller.user, other, call.args)
        self._records.store.relate(row, link, made)
        return self._both(call, module, row, other, made)

    def _one(self, call: Call, module: Module, row: Row, name: str, id: str) -> dict[str, Any]:
        link, other = self.link(module, name)
        related = self._records.row(other, id)
        store, user = self._records.store, call.caller.user
        if call.method in ("GET", "PUT", "DELETE") and related not in store.linked(
            module, row, link
        ):
            raise SugarError("not_found")
        if call.method == "GET":
            return self._records.show(user, other, related, None)
        if call.method == "POST":
            store.relate(row, link, related)
        elif call.method == "DELETE":
            store.part(row, link, related)
        else:
            need(user, "edit", other)
            self._records.update(user, other, related, call.args)
        return self._both(call, module, row, other, related)

    def _both(
        self, call: Call, module: Module, row: Row, other: Module, related: Row
    ) -> dict[str, Any]:
        user = call.caller.user
        return {
            "record": self._records.show(user, module, row, None),
            "related_record": self._records.show(user, other, related, None),
        }

    def _list(self, call: Call, module: Module, row: Row, name: str, shape: Any) -> Any:
        link, other = self.link(module, name)
        need(call.caller.user, "list", other)
        return shape(self._records, call, other, self._records.store.linked(module, row, link))


def _id(given: Any) -> str:
    """An id, or an object with one and the relation's own columns, which aren't kept."""
    return str(given.get("id") if isinstance(given, dict) else given)
