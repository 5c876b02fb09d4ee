"""Who may do what: application users, security roles, column security profiles.

All of it stands in rows and links that the Web API reads and writes, as in a real environment:
systemuser, role, privilege, fieldsecurityprofile, fieldpermission. Privileges are played at
organization level only. Sources: learn.microsoft.com/power-apps/developer/data-platform/
security-model, /webapi/reference/addprivilegesrole, /field-security-entities.
"""

import dataclasses
import functools
from typing import Any

from sandbox.dynamics import errors
from sandbox.dynamics.schema import Column, Schema, Table, metadata_id
from sandbox.dynamics.store import Row, Store

ADMINISTRATOR = "70a80101-0000-4000-8000-000000000000"
RIGHTS = {
    "Read": 1,
    "Write": 2,
    "Append": 4,
    "AppendTo": 16,
    "Create": 32,
    "Delete": 65536,
    "Share": 262144,
    "Assign": 524288,
}
GENERAL = (
    "prvCreateEntity",
    "prvWriteEntity",
    "prvDeleteEntity",
    "prvCreateAttribute",
    "prvWriteAttribute",
    "prvDeleteAttribute",
    "prvCreateRelationship",
    "prvDeleteRelationship",
    "prvPublishCustomization",
    "prvBulkDelete",
)
ALLOWED = 4


@dataclasses.dataclass(frozen=True)
class User:
    """An application user for the length of one request; `id` is None without one."""

    name: str
    id: str | None
    security: "Security"

    def need(self, verb: str, table: Table) -> None:
        """Raise the 403 that Dataverse gives when no role holds the privilege."""
        if not self.security.holds(self.id or "", privilege_name(verb, table)):
            raise errors.missing_privilege(self.id or "", verb, table)

    def need_right(self, privilege: str) -> None:
        """The same for a privilege that isn't about rows."""
        if not self.security.holds(self.id or "", privilege):
            raise errors.missing_right(self.id or "", privilege)

    def sees(self, column: Column) -> bool:
        """Whether a column's values are shown."""
        return not column.secured or self.security.allows(self.id or "", column, "canread")

    def may_set(self, column: Column, *, creating: bool) -> bool:
        """Whether a column may be given a value."""
        verb = "cancreate" if creating else "canupdate"
        return not column.secured or self.security.allows(self.id or "", column, verb)


def privilege_name(verb: str, table: Table) -> str:
    """`prvReadContact`: the verb and the schema name."""
    return f"prv{verb}{table.schema_name}"


@functools.lru_cache(maxsize=4096)
def privilege_id(name: str) -> str:
    """The id of a privilege's row; the same in every run."""
    return metadata_id("privilege", name)


class Security:
    """Answers questions about users out of the store's rows."""

    def __init__(self, schema: Schema, store: Store) -> None:
        self._schema = schema
        self._store = store

    def user(self, name: str, client_id: str) -> User:
        """The application user of a registration."""
        for row in self._store.rows(self._schema.tables["systemuser"]):
            if row.values.get("applicationid") == client_id and not row.values.get("isdisabled"):
                return User(name, row.id, self)
        return User(name, None, self)

    def roles(self, user_id: str) -> list[str]:
        """The ids of a user's roles."""
        return self._store.linked(self._association("systemuserroles_association"), user_id)

    def holds(self, user_id: str, privilege: str) -> bool:
        """Whether any of the user's roles has the privilege. The administrator's has all."""
        held = self._association("roleprivileges_association")
        wanted = privilege_id(privilege)
        return any(
            role == ADMINISTRATOR or self._store.tied(held, role, wanted)
            for role in self.roles(user_id)
        )

    def allows(self, user_id: str, column: Column, verb: str) -> bool:
        """Whether any of the user's profiles allows this of a secured column."""
        if ADMINISTRATOR in self.roles(user_id):
            return True
        tied = self._association("systemuserprofiles_association")
        profiles = {("fieldsecurityprofile", p) for p in self._store.linked(tied, user_id)}
        return any(
            row.values["fieldsecurityprofileid"] in profiles
            and row.values["entityname"] == column.table
            and row.values["attributelogicalname"] == column.name
            and row.values[verb] == ALLOWED
            for row in self._store.rows(self._schema.tables["fieldpermission"])
        )

    # -- changing -------------------------------------------------------------------------

    def grant(self, role: str, privileges: dict[str, list[str]]) -> None:
        """Give a role verbs by table; `*` is every other table that there is now."""
        held = self._association("roleprivileges_association")
        for name, verbs in privileges.items():
            if name != "*" and name not in self._schema.tables:
                raise ValueError(f"no table {name}")
            others = [t for t in self._schema.tables.values() if t.name not in privileges]
            for table in others if name == "*" else [self._schema.tables[name]]:
                for verb in verbs:
                    self._store.link(held, role, privilege_id(privilege_name(verb, table)))

    def replace_roles(self, user_id: str, privileges: dict[str, list[str]]) -> None:
        """Let a user's roles hold these privileges and nothing else."""
        held = self._association("roleprivileges_association")
        for role in self.roles(user_id):
            for privilege in self._store.linked(held, role):
                self._store.unlink(held, role, privilege)
        for role in self.roles(user_id)[:1]:
            self.grant(role, privileges)

    def secure(self, user_id: str, profiles: list[str]) -> None:
        """Let a user have these column security profiles and no others."""
        tied = self._association("systemuserprofiles_association")
        for profile in self._store.linked(tied, user_id):
            self._store.unlink(tied, user_id, profile)
        for profile in profiles:
            self._store.link(tied, user_id, profile)

    def check_permission(self, values: Any) -> None:
        """A field permission is about a secured column that is there."""
        table = self._schema.tables.get(values.get("entityname") or "")
        column = table.columns.get(values.get("attributelogicalname") or "") if table else None
        if column is None or not column.secured:
            raise errors.bad_metadata("A field permission is for a column that is secured.")

    def held_by(self, role: Row) -> list[Row]:
        """The privileges that a role has."""
        privileges = self._schema.tables["privilege"]
        if role.id == ADMINISTRATOR:
            return self._store.rows(privileges)
        linked = self._store.linked(self._association("roleprivileges_association"), role.id)
        return [row for row in (self._store.get(privileges, i) for i in linked) if row is not None]

    def _association(self, name: str) -> Any:
        return self._schema.associations[name]
