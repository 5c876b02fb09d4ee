"""Rights of the bridge's two application users: their roles, and who sees the secured column.

Nothing is taken away: privileges that a user has from elsewhere stay. Not for: making users.
Sources: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference/addprivilegesrole,
/webapi/reference/retrieveroleprivilegesrole, /field-security-entities.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import quote
from uuid import UUID

from adapters.dynamics.guide import GUIDE
from adapters.needs import Need, privileges
from adapters.provisioning import Step
from mappings.loader import Mapping as CrmMapping

if TYPE_CHECKING:
    from adapters.dynamics.provision import DataverseApi

_ALLOWED = 4  # the option "Allowed" of field_security_permission_type
_MAY = {"reader": ("canread",), "writer": ("canread", "cancreate", "canupdate")}
Row = dict[str, Any]


class Access:
    """`users`: "reader" and "writer" -> the client id of its app registration."""

    def __init__(self, api: "DataverseApi", mapping: CrmMapping, users: Mapping[str, str]) -> None:
        self._api = api
        self._mapping = mapping
        self._clients = {name: client for name, client in users.items() if _is_uuid(client)}
        self.notes: list[str] = []

    def steps(self, listed: Sequence[Need]) -> Iterator[Step]:
        """What each of the known users lacks. A table that isn't there yet has no privileges to
        look up, so those are always granted."""
        secured = [(n.table, n.name) for n in listed if n.secret and self._is_secured(n)]
        unknown = [name for name in _MAY if name not in self._clients]
        self.notes = [f"the {name}'s client id isn't known, so it gets no role" for name in unknown]
        for name, client in self._clients.items():
            user = self._user(client)
            if user is None:
                self.notes.append(
                    f"the {name} has no application user: make it, then run this again"
                )
                continue
            if self._lacks_privileges(name, user):
                make = partial(self._grant, name, user)
                yield Step("privileges", _title(name), make)
            for table, column in secured:
                if not self._sees(name, user, table, column):
                    make = partial(self._secure, name, user, table, column)
                    yield Step("column security", f"{column} for {_title(name)}", make)

    def _is_secured(self, need: Need) -> bool:
        """A column that we make is; one that is there is left as its owner made it."""
        if need.trouble == "missing":
            return need.name.startswith(f"{self._mapping.prefix}_")
        place = f"EntityDefinitions(LogicalName='{need.table}')/Attributes"
        told = self._api.get(f"{place}(LogicalName='{need.name}')?$select=IsSecured")
        return bool(told.get("IsSecured"))

    def _user(self, client: str) -> Row | None:
        select = "$select=systemuserid,_businessunitid_value"
        found = self._api.rows(f"systemusers?{select}&{_filter(f'applicationid eq {client}')}")
        return found[0] if found else None

    # -- privileges -----------------------------------------------------------------------

    def _wanted(self, name: str) -> dict[str, set[str]]:
        """Table -> kinds of privilege, as `PrivilegeType` calls them."""
        wanted: dict[str, set[str]] = {}
        for user, table, words in privileges(self._mapping, GUIDE):
            if user.startswith(name):
                wanted[table] = {word.replace(" ", "") for word in words.split(", ")}
        return wanted

    def _ids(self, name: str) -> dict[str, str]:
        """Privilege id -> its name, of all that the user needs on tables that are there."""
        found: dict[str, str] = {}
        for table, kinds in self._wanted(name).items():
            place = f"EntityDefinitions(LogicalName='{quote(table, safe='')}')"
            if self._api.is_there(f"{place}?$select=LogicalName"):
                for each in self._api.get(f"{place}?$select=Privileges").get("Privileges") or []:
                    if each.get("PrivilegeType") in kinds:
                        found[str(each["PrivilegeId"]).lower()] = str(each.get("Name"))
        return found

    def _lacks_privileges(self, name: str, user: Row) -> bool:
        ids = self._ids(name)
        tables = len(self._wanted(name))
        if len({_table_of(each) for each in ids.values()}) < tables:
            return True  # a table is still to be made
        return bool(ids.keys() - self._held(user))

    def _held(self, user: Row) -> set[str]:
        roles = f"systemusers({user['systemuserid']})/systemuserroles_association?$select=roleid"
        held: set[str] = set()
        for role in self._api.rows(roles):
            place = f"roles({role['roleid']})"
            answer = self._api.get(f"{place}/Microsoft.Dynamics.CRM.RetrieveRolePrivilegesRole()")
            held |= {str(p.get("PrivilegeId")).lower() for p in answer.get("RolePrivileges") or []}
        return held

    def _grant(self, name: str, user: Row) -> None:
        """A role of our own with what is lacking, and the user in it."""
        unit = user["_businessunitid_value"]
        role = self._named("roles", "roleid", name, {
            "businessunitid@odata.bind": f"/businessunits({unit})"
        })  # fmt: skip
        lacking = sorted(self._ids(name).keys() - self._held(user))
        sent = [{"PrivilegeId": each, "Depth": "Global", "BusinessUnitId": unit}
                for each in lacking]  # fmt: skip
        action = f"roles({role})/Microsoft.Dynamics.CRM.AddPrivilegesRole"
        self._api.post(action, {"Privileges": sent})
        self._tie(user, "systemuserroles_association", "roles", "roleid", role)

    # -- column security ------------------------------------------------------------------

    def _sees(self, name: str, user: Row, table: str, column: str) -> bool:
        """Does a profile of the user's allow all of it?"""
        place = f"systemusers({user['systemuserid']})/systemuserprofiles_association"
        own = {
            row["fieldsecurityprofileid"]
            for row in self._api.rows(f"{place}?$select=fieldsecurityprofileid")
        }
        return any(
            row.get("_fieldsecurityprofileid_value") in own
            and all(row.get(verb) == _ALLOWED for verb in _MAY[name])
            for row in self._permissions(table, column)
        )

    def _permissions(self, table: str, column: str) -> list[Row]:
        select = "$select=_fieldsecurityprofileid_value,canread,cancreate,canupdate"
        where = _filter(f"entityname eq '{table}' and attributelogicalname eq '{column}'")
        return self._api.rows(f"fieldpermissions?{select}&{where}")

    def _secure(self, name: str, user: Row, table: str, column: str) -> None:
        profile = self._named("fieldsecurityprofiles", "fieldsecurityprofileid", name, {})
        held = self._permissions(table, column)
        if not any(row.get("_fieldsecurityprofileid_value") == profile for row in held):
            bound = {"fieldsecurityprofileid@odata.bind": f"/fieldsecurityprofiles({profile})"}
            column_of = {"entityname": table, "attributelogicalname": column}
            verbs = dict.fromkeys(_MAY[name], _ALLOWED)
            self._api.post("fieldpermissions", {**column_of, **verbs, **bound})
        way, key = "systemuserprofiles_association", "fieldsecurityprofileid"
        self._tie(user, way, "fieldsecurityprofiles", key, profile)

    # -- rows -----------------------------------------------------------------------------

    def _named(self, set_name: str, key: str, name: str, more: Row) -> str:
        """The id of our own row of that name; made where there is none."""
        asked = f"{set_name}?$select={key}&{_filter(f'name eq {_quoted(_title(name))}')}"
        found = self._api.rows(asked)
        if not found:
            self._api.post(set_name, {"name": _title(name), **more})
            found = self._api.rows(asked)
        return str(found[0][key])

    def _tie(self, user: Row, way: str, set_name: str, key: str, id: str) -> None:
        place = f"systemusers({user['systemuserid']})/{way}"
        if any(row[key] == id for row in self._api.rows(f"{place}?$select={key}")):
            return
        self._api.post(f"{place}/$ref", {"@odata.id": self._api.url(f"{set_name}({id})")})


def _title(name: str) -> str:
    return f"CRM bridge {name}"


def _quoted(text: str) -> str:
    return f"'{text}'"


def _filter(text: str) -> str:
    return f"$filter={quote(text, safe='')}"


def _table_of(privilege: str) -> str:
    """`prvAppendTocb_identity` -> what follows the verb: the table's schema name."""
    verbs = ("AppendTo", "Append", "Create", "Delete", "Read", "Write")
    bare = privilege.removeprefix("prv")
    return next((bare.removeprefix(verb) for verb in verbs if bare.startswith(verb)), bare)


def _is_uuid(text: str) -> bool:
    try:
        return bool(UUID(text))
    except ValueError:
        return False
