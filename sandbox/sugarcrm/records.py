"""One record: made, changed, deleted and shown. Not for: finding it (`lists.py`, `links.py`)."""

import uuid
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from sandbox.kit.clock import Clock
from sandbox.sugarcrm import emails, values
from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.schema import Module, Schema
from sandbox.sugarcrm.settings import Settings
from sandbox.sugarcrm.store import Row, Store
from sandbox.sugarcrm.users import User

_ALWAYS = ("id", "date_modified")
_AROUND = ("my_favorite", "following", "locked_fields", "team_name")
_ECHOED = (*("_acl", "_module", "_hash", "created_by_link", "modified_user_link"), *_AROUND)
_OWN_WAY = ("email", "email1", "portal_password", "portal_password1", "sync_key", "id")


class Records:
    """Reads and writes rows as a user; a refusal leaves nothing behind."""

    def __init__(
        self, schema: Schema, store: Store, settings: Settings, clock: Clock, users: dict[str, User]
    ) -> None:
        self.schema = schema
        self.store = store
        self.settings = settings
        self.clock = clock
        self._users = {user.id: user for user in users.values()}

    def module(self, name: str) -> Module:
        """Raises SugarError where the server has none, or the sandbox doesn't play it."""
        if name in self.schema.elsewhere:
            raise not_played("this module")
        if name not in self.schema.modules:
            raise SugarError("no_method")
        return self.schema.modules[name]

    def row(self, module: Module, id: str) -> Row:
        """Raises SugarError (404) where there is none, or it was deleted."""
        row = self.store.get(module.name, id)
        if row is None:
            raise SugarError("not_found")
        return row

    # -- writing --------------------------------------------------------------------------

    def create(
        self,
        user: User,
        module: Module,
        sent: Mapping[str, Any],
        *,
        id: str | None = None,
        key: str | None = None,
    ) -> Row:
        """A new record; `id` and `key` (its sync_key) hold whatever the settings say."""
        row = Row(module.name, id or self._id(module, sent))
        row.values |= {
            name: field["default"] for name, field in module.fields.items() if "default" in field
        }
        row.values |= {"date_entered": self._now(), "created_by": user.id, "deleted": False}
        self._require(module, sent)
        changes, addresses = self._changes(module, row, sent)
        if key is not None:
            changes["sync_key"] = self.free_key(module, row, key)
        self._store(user, row, changes, addresses)
        self.store.add(row)
        return row

    def update(self, user: User, module: Module, row: Row, sent: Mapping[str, Any]) -> Row:
        """A partial change; what a client only echoes is passed over."""
        changes, addresses = self._changes(module, row, sent)
        self._store(user, row, changes, addresses)
        return row

    def guard(self, row: Row, timestamp: str | None, user: User) -> None:
        """X-Timestamp: the `date_modified` that the caller read. Raises SugarError (409)."""
        if timestamp is None or values.instant(timestamp) == row.values["date_modified"]:
            return
        if self.settings.conflict_shows_record:
            module = self.module(row.module)
            raise SugarError("edit_conflict", record=self.show(user, module, row, None))
        raise SugarError("edit_conflict")

    def _id(self, module: Module, sent: Mapping[str, Any]) -> str:
        if not self.settings.id_on_create or not sent.get("id"):
            return str(uuid.uuid4())
        if self.store.get(module.name, str(sent["id"])):
            raise SugarError("invalid_parameter")
        if self.store.taken(module.name, str(sent["id"])):
            raise not_played("the id of a record that there was")
        return str(sent["id"])

    def _require(self, module: Module, sent: Mapping[str, Any]) -> None:
        if self.settings.required_fields == "ignore":
            return
        for name, field in module.fields.items():
            if field.get("required") and not field.get("readonly") and not sent.get(name):
                raise SugarError("missing_parameter")

    def _changes(
        self, module: Module, row: Row, sent: Mapping[str, Any]
    ) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Values and addresses as they will be held. Raises SugarError."""
        changes: dict[str, Any] = {}
        for name, value in sent.items():
            field = module.fields.get(name)
            if name in _ECHOED or name in module.links:
                continue
            if field is None:
                if self.settings.unknown_fields == "refuse":
                    raise SugarError("invalid_parameter")
                continue
            if value is None and not self.settings.null_clears:
                continue
            if name not in _OWN_WAY and not field.get("readonly"):
                changes[name] = self._kept(module, name, "" if value is None else value)
        changes |= self._own_ways(module, row, sent)
        return changes, self._addresses(module, row, sent)

    def _kept(self, module: Module, name: str, value: Any) -> Any:
        cut = self.settings.long_texts == "cut"
        return values.kept(module.type_of(name), value, longest=module.longest(name), cut=cut)

    def _own_ways(self, module: Module, row: Row, sent: Mapping[str, Any]) -> dict[str, Any]:
        """The password is kept as a hash, and a key belongs to one record."""
        changes: dict[str, Any] = {}
        if "portal_password" in module.fields and sent.get("portal_password"):
            given = str(sent["portal_password"])
            same = given == row.values.get("portal_password")  # an echoed hash
            changes["portal_password"] = given if same else values.hashed(given, _salt())
        if self.settings.sync_key_by_post and sent.get("sync_key"):
            changes["sync_key"] = self.free_key(module, row, str(sent["sync_key"]))
        return changes

    def free_key(self, module: Module, row: Row, key: str) -> str:
        """The key, where no other record has it. Raises SugarError."""
        other = self.keyed(module, key)
        if other is not None and other is not row:
            raise SugarError("invalid_parameter")
        return str(self._kept(module, "sync_key", key))

    def keyed(self, module: Module, key: str) -> Row | None:
        """The record with this sync_key."""
        for row in self.store.rows(module.name):
            if values.collated(row.values.get("sync_key") or "") == values.collated(key):
                return row
        return None

    def _addresses(self, module: Module, row: Row, sent: Mapping[str, Any]) -> list[dict[str, Any]]:
        if not module.addressed:
            return row.emails
        if sent.get("email") is not None or ("email" in sent and self.settings.null_clears):
            return emails.written(row.emails, sent["email"] or [], self.settings)
        if sent.get("email1") is not None and sent["email1"] != emails.primary(row.emails):
            return emails.written_first(row.emails, sent["email1"], self.settings)
        return row.emails

    def _store(
        self, user: User, row: Row, changes: dict[str, Any], addresses: list[dict[str, Any]]
    ) -> None:
        row.values |= changes
        row.values |= {"date_modified": self._now(), "modified_user_id": user.id}
        row.emails = addresses
        module = self.schema.modules[row.module]
        if module.person:
            parts = (row.values.get("first_name"), row.values.get("last_name"))
            row.values["name"] = row.values["full_name"] = " ".join(filter(None, parts))

    def _now(self) -> int:
        return int(self.clock.now())

    # -- showing --------------------------------------------------------------------------

    def wanted(self, module: Module, given: Any) -> tuple[str, ...] | None:
        """The names under `fields`, a list or a text with commas; None where there are none."""
        if not given:
            return None
        names = given.split(",") if isinstance(given, str) else given
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise not_played("fields that are no names")
        names = [name.strip() for name in names]
        known = (*module.fields, *_ECHOED)
        if self.settings.unknown_fields == "refuse" and not set(names) <= set(known):
            raise SugarError("invalid_parameter")
        return tuple(names)

    def show(
        self, user: User, module: Module, row: Row, names: Iterable[str] | None
    ) -> dict[str, Any]:
        """The record; without names everything, the hash of a portal password too."""
        chosen = tuple(module.fields) if names is None else (*_ALWAYS, *names)
        zone = ZoneInfo(user.zone)
        answer = {
            name: self._value(module, row, name, zone) for name in chosen if name in module.fields
        }
        answer |= self._around(user, module, row, None if names is None else set(chosen))
        denied = dict.fromkeys(user.refused(module.name), "no")
        return {**answer, "_acl": {"fields": {}, **denied}, "_module": module.name}

    def _value(self, module: Module, row: Row, name: str, zone: ZoneInfo) -> Any:
        field = module.fields[name]
        if name == "email":
            return emails.shown(row.emails, self.settings)
        if name == "email1":
            return emails.primary(row.emails)
        held = row.values.get(name)
        if field["type"] == "relate":
            held = self.name_of(field["module"], row.values.get(field["id_name"]))
        empty = "" if self.settings.empty_text == "text" else None
        return values.shown(module.type_of(name), held, zone, empty_text=empty)

    def name_of(self, module: str, id: str | None) -> str:
        """The name of the record that an id names, empty where there is none."""
        if module == "Users":
            return self._users[id].full_name if id in self._users else ""
        other = self.store.get(module, id)
        return str(other.values.get("name") or "") if other else ""

    def _around(
        self, user: User, module: Module, row: Row, names: set[str] | None
    ) -> dict[str, Any]:
        """What a record shows besides its columns."""
        marks = self.store.marks
        everything = {
            "my_favorite": ("favorite", user.id, module.name, row.id) in marks,
            "following": ("following", user.id, module.name, row.id) in marks,
            "locked_fields": [],
            "team_name": [{"id": "1", "name": "Global", "name_2": "", "primary": True}],
            "created_by_link": self._person(row.values.get("created_by")),
            "modified_user_link": self._person(row.values.get("modified_user_id")),
        }
        return {name: v for name, v in everything.items() if names is None or name in names}

    def _person(self, id: str | None) -> dict[str, Any]:
        name = self.name_of("Users", id)
        return {"full_name": name, "id": id, "_acl": {"fields": [], "_hash": ""}}


def _salt() -> str:
    return uuid.uuid4().hex[:22]
