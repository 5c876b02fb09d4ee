"""Upserts, reads and relations by `sync_key`: v11_10 and later, administrators only.

A key that no record has is 422, not 404. Not for: `sync_key` as a plain field (`records.py`).
"""

from typing import Any, NamedTuple

from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.links import Links
from sandbox.sugarcrm.records import Records
from sandbox.sugarcrm.schema import Module
from sandbox.sugarcrm.store import Row
from sandbox.sugarcrm.wire import Call

_SINCE = 10
_OWN = ("fields", "sync_key_field_value", "sync_key_field_name", "sync_key")


class Made(NamedTuple):
    """A document with the status of an upsert that created."""

    document: Any
    status: int = 201


class Integrate:
    """Below `/integrate`; `/<module>/sync_key` and `/<module>/<key>/link_by_sync_keys` too."""

    def __init__(self, records: Records, links: Links) -> None:
        self._records = records
        self._links = links

    def answer(self, call: Call, steps: tuple[str, ...]) -> Any:
        """`steps` as below `/integrate`; the short forms are brought to it. Raises SugarError."""
        if int(call.version.partition("_")[2] or 0) < _SINCE:
            raise SugarError("no_method")
        if self._records.settings.sync_key_admin_only and not call.caller.user.admin:
            raise SugarError("not_authorized")
        module = self._records.module(steps[0])
        match call.method, steps[1:]:
            case "PATCH" | "PUT", ("sync_key", key):
                return self._upsert(call, module, key)
            case "GET" | "DELETE", ("sync_key", key):
                return self._by_key(call, module, key)
            case "GET" | "DELETE", () if call.text("sync_key_field_value"):
                return self._by_key(call, module, str(call.text("sync_key_field_value")))
            case "PUT", (id, "sync_key", key):
                return self._set(call, module, id, key)
            case "PUT", (id,) if call.text("sync_key_field_value"):
                return self._set(call, module, id, str(call.text("sync_key_field_value")))
            case "POST" | "DELETE", (field, value, "link", link, field2, value2):
                return self._relate(call, module, (field, value), link, (field2, value2))
        raise not_played("this way to integrate")

    def _upsert(self, call: Call, module: Module, key: str) -> Any:
        sent = {name: value for name, value in call.args.items() if name not in _OWN}
        user, row = call.caller.user, self._records.keyed(module, key)
        self._links.check(user, module, sent)
        created = row is None
        if row is None:
            row = self._records.create(user, module, sent, key=key)
        else:
            self._records.guard(row, call.timestamp, user)
            self._records.update(user, module, row, sent)
        self._links.change(user, module, row, sent)
        names = self._records.wanted(module, call.args.get("fields"))
        record = row.id if names is None else self._records.show(user, module, row, names)
        return Made({"record": record}, 201 if created else 200)

    def _by_key(self, call: Call, module: Module, key: str) -> Any:
        row = self._found(module, ("sync_key", key))
        if call.method == "DELETE":
            row.deleted = True
            return {"record": row.id}
        names = self._records.wanted(module, call.args.get("fields"))
        return self._records.show(call.caller.user, module, row, names)

    def _set(self, call: Call, module: Module, id: str, key: str) -> dict[str, bool]:
        row = self._found(module, ("id", id))
        row.values["sync_key"] = self._records.free_key(module, row, key)
        return {"success": True}

    def _relate(
        self,
        call: Call,
        module: Module,
        one: tuple[str, str],
        name: str,
        two: tuple[str, str],
    ) -> dict[str, Any]:
        link, other = self._links.link(module, name)
        row, related = self._found(module, one), self._found(other, two)
        store, user = self._records.store, call.caller.user
        (store.relate if call.method == "POST" else store.part)(row, link, related)
        return {
            "record": self._records.show(user, module, row, None),
            "related_record": self._records.show(user, other, related, None),
        }

    def _found(self, module: Module, by: tuple[str, str]) -> Row:
        """By `sync_key` or `id`. Raises SugarError (422) where there is none."""
        field, value = by
        if field not in ("sync_key", "id"):
            raise not_played("this field as a key")
        if field == "id":
            row = self._records.store.get(module.name, value)
        else:
            row = self._records.keyed(module, value)
        if row is None:
            raise SugarError("invalid_parameter")
        return row
