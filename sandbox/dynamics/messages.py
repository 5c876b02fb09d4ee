"""Functions and actions that aren't the plain verbs on records: by name, unbound or bound.

Sources: learn.microsoft.com/power-apps/developer/data-platform/webapi/reference, a page each.
"""

import re
from collections.abc import Callable
from typing import Any

from sandbox.dynamics import errors, payload, url
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.metadata import changes, csdl
from sandbox.dynamics.metadata.writing import Writing
from sandbox.dynamics.store import Row
from sandbox.dynamics.tenant import Tenant
from sandbox.dynamics.xml import tree

SPACE = "Microsoft.Dynamics.CRM."
Answer = Callable[[Request], Reply]
BoundAnswer = Callable[[Request, Row], Reply]


class Messages:
    """The ones that are played; whatever else is a segment that isn't there, or 501."""

    def __init__(self, tenant: Tenant, writing: Writing) -> None:
        self._schema = tenant.schema
        self._store = tenant.store
        self._security = tenant.security
        self._solutions = tenant.solutions
        self._keys = tenant.keys
        self._jobs = tenant.jobs
        self._writing = writing
        self._functions: dict[str, Answer] = {
            "WhoAmI": self._who_am_i,
            "RetrieveVersion": self._version,
            "RetrieveAvailableLanguages": self._languages,
            "RetrieveProvisionedLanguages": self._languages,
            "RetrieveMetadataChanges": self._metadata_changes,
            "$metadata": self._csdl,
        }
        self._actions: dict[str, Answer] = {
            "PublishXml": self._publish,
            "PublishAllXml": self._publish_all,
            "AddSolutionComponent": self._add_component,
            "InsertOptionValue": self._insert_option,
            "CreateEntities": self._create_tables,
            "ReactivateEntityKey": self._reactivate_key,
            "BulkDelete": self._bulk_delete,
        }
        self._bound: dict[tuple[str, str, str], BoundAnswer] = {
            ("POST", "role", "AddPrivilegesRole"): self._add_privileges,
            ("GET", "role", "RetrieveRolePrivilegesRole"): self._role_privileges,
        }

    def unbound(self, name: str) -> tuple[str, Answer] | None:
        """The verb and the function of `WhoAmI`, `WhoAmI()` or `PublishXml`."""
        bare = name.partition("(")[0]
        if bare in self._functions:
            return "GET", self._functions[bare]
        if bare in self._actions:
            return "POST", self._actions[bare]
        return None

    def bound(self, request: Request, row: Row, segment: str) -> Reply:
        """`roles(id)/Microsoft.Dynamics.CRM.AddPrivilegesRole` and the like."""
        name = segment.removeprefix(SPACE).partition("(")[0]
        answer = self._bound.get((request.method, row.table.name, name))
        if answer is None:
            raise errors.not_played(segment)
        return answer(request, row)

    # -- functions ------------------------------------------------------------------------

    def _who_am_i(self, request: Request) -> Reply:
        organization = self._schema.organization
        ids = {
            "BusinessUnitId": organization["business_unit"],
            "UserId": request.user.id,
            "OrganizationId": organization["id"],
        }
        return _response(request, "WhoAmI", ids)

    def _version(self, request: Request) -> Reply:
        version = {"Version": self._schema.organization["version"]}
        return _response(request, "RetrieveVersion", version)

    def _languages(self, request: Request) -> Reply:
        name = url.segments(request.path)[0].partition("(")[0]
        key = (
            "LocaleIds" if name == "RetrieveAvailableLanguages" else "RetrieveProvisionedLanguages"
        )
        return _response(request, name, {key: [1033]})

    def _metadata_changes(self, request: Request) -> Reply:
        found = changes.found(self._schema, _parameter(request, "Query"))
        stamp = f"{self._store.version}!{self._schema.tenant}"
        document = {"EntityMetadata": found, "ServerVersionStamp": stamp, "DeletedMetadata": None}
        return _response(request, "RetrieveMetadataChanges", document)

    def _csdl(self, request: Request) -> Reply:
        body = csdl.document(self._schema).encode()
        return Reply(200, {"Content-Type": "application/xml"}, body)

    def _role_privileges(self, request: Request, role: Row) -> Reply:
        request.user.need("Read", role.table)
        unit = self._schema.organization["business_unit"]
        held = [
            {
                "Depth": "Global",
                "PrivilegeId": row.id,
                "BusinessUnitId": unit,
                "PrivilegeName": row.name,
            }
            for row in self._security.held_by(role)
        ]
        return _response(request, "RetrieveRolePrivilegesRole", {"RolePrivileges": held})

    # -- actions --------------------------------------------------------------------------

    def _publish_all(self, request: Request) -> Reply:
        request.user.need_right("prvPublishCustomization")
        return Reply(204)

    def _publish(self, request: Request) -> Reply:
        request.user.need_right("prvPublishCustomization")
        text = payload.document(request.body).get("ParameterXml")
        try:
            names = [each.text for each in tree(str(text)).iter("entity")]
        except ValueError:
            raise errors.bad_metadata("ParameterXml is no XML.") from None
        for name in names:
            if name not in self._schema.tables:
                raise errors.no_metadata(str(name))
        return Reply(204)

    def _add_component(self, request: Request) -> Reply:
        sent = payload.document(request.body)
        solution = self._solutions.find(str(sent.get("SolutionUniqueName")))
        request.user.need("Write", solution.table)
        if not isinstance(sent.get("ComponentType"), int) or not sent.get("ComponentId"):
            raise errors.bad_payload("ComponentId and ComponentType are needed.")
        row = self._solutions.add(solution, sent["ComponentType"], str(sent["ComponentId"]).lower())
        found = {"id": row.id if row else None}
        return _response(request, "AddSolutionComponent", found)

    def _insert_option(self, request: Request) -> Reply:
        value = self._writing.insert_option(request)
        return _response(request, "InsertOptionValue", {"NewOptionValue": value})

    def _create_tables(self, request: Request) -> Reply:
        sent = payload.document(request.body).get("Entities")
        if not isinstance(sent, list) or len(sent) != 1 or not isinstance(sent[0], dict):
            raise errors.not_played("CreateEntities of several tables at once")
        name = url.query_pairs(request.query).get("SolutionUniqueName")
        solution = self._solutions.find(name) if name else self._solutions.named_in(request)
        self._writing.make_table(request, sent[0], solution)
        return Reply(204)

    def _reactivate_key(self, request: Request) -> Reply:
        request.user.need_right("prvWriteEntity")
        sent = payload.document(request.body)
        table = self._schema.tables.get(str(sent.get("EntityLogicalName")))
        key = table.keys.get(str(sent.get("EntityKeyLogicalName"))) if table else None
        if key is None or key.status != "Failed":
            raise errors.no_metadata("a key whose index failed")
        self._keys.start(key)
        return Reply(204)

    def _bulk_delete(self, request: Request) -> Reply:
        job = self._jobs.add(request, payload.document(request.body))
        return _response(request, "BulkDelete", {"JobId": job})

    def _add_privileges(self, request: Request, role: Row) -> Reply:
        request.user.need("Write", role.table)
        sent = payload.document(request.body).get("Privileges")
        table = self._schema.tables["privilege"]
        for each in sent if isinstance(sent, list) else []:
            if each.get("Depth") not in ("Basic", "Local", "Deep", "Global"):
                raise errors.bad_payload("Depth is Basic, Local, Deep or Global, as text.")
            if each["Depth"] != "Global":
                raise errors.not_played("privileges below organization level")
            privilege = self._store.get(table, str(each.get("PrivilegeId")).lower())
            if privilege is None:
                raise errors.not_found(table, str(each.get("PrivilegeId")))
            association = self._schema.associations["roleprivileges_association"]
            self._store.link(association, role.id, privilege.id)
        return Reply(204)


def _parameter(request: Request, name: str) -> str:
    """A function's parameter: `Name(Query=@p1)?@p1=…`, the form that JSON values need."""
    segment = url.segments(request.path)[0]
    match = re.fullmatch(rf"\w+\({name}=(@\w+)\)", segment)
    value = url.query_pairs(request.query).get(match[1]) if match else None
    if value is None:
        raise errors.bad_query(f"The parameter {name} is given as an alias with a value.")
    return value


def _response(request: Request, name: str, document: dict[str, Any]) -> Reply:
    kind = f"{request.base}$metadata#{SPACE}{name}Response"
    return json_reply(200, {"@odata.context": kind} | document)
