"""CreateMultiple, UpdateMultiple, UpsertMultiple: all of the targets, or none.

Sources: learn.microsoft.com/power-apps/developer/data-platform/bulk-operations and /webapi/
reference/upsertmultiple. Standard tables only, which are atomic; elastic ones aren't played.
"""

from typing import Any

from sandbox.dynamics import errors, payload, url
from sandbox.dynamics.changes import References
from sandbox.dynamics.message import Reply, Request, json_reply
from sandbox.dynamics.schema import Table
from sandbox.dynamics.tenant import Tenant
from sandbox.dynamics.writes import Sent, Writes

SPACE = "Microsoft.Dynamics.CRM."
NAMES = ("CreateMultiple", "UpdateMultiple", "UpsertMultiple")


class Multiple:
    """The three messages on a set; inside a transaction, which an error undoes."""

    def __init__(self, tenant: Tenant, writes: Writes) -> None:
        self._tenant = tenant
        self._writes = writes

    def answer(self, request: Request, table: Table, name: str, references: References) -> Reply:
        """`POST contacts/Microsoft.Dynamics.CRM.CreateMultiple` and its kin."""
        if request.method != "POST":
            raise errors.wrong_method(request.method)
        targets = _targets(request, table)
        if name == "CreateMultiple":
            made = [self._writes.create(request, table, sent, references).id for sent in targets]
            kind = f"{request.base}$metadata#{SPACE}CreateMultipleResponse"
            return json_reply(200, {"@odata.context": kind, "Ids": made})
        for sent in targets:
            if name == "UpdateMultiple":
                self._update(request, table, sent, references)
            else:
                self._upsert(request, table, sent, references)
        return Reply(204)

    def _update(self, request: Request, table: Table, sent: Sent, references: References) -> None:
        key = _key_in(table, sent) or _key_of(self._tenant, request, table, sent)
        if key is None:
            raise errors.bad_payload("A target of UpdateMultiple needs its primary key.")
        row = self._tenant.find(table, key)
        if row is None:
            raise errors.none_found(table, [key.id or key.text])
        self._writes.update(request, row, sent, references, key)

    def _upsert(self, request: Request, table: Table, sent: Sent, references: References) -> None:
        key = _key_of(self._tenant, request, table, sent) or _key_in(table, sent)
        row = self._tenant.find(table, key) if key else None
        if row is not None and key is not None:
            self._writes.update(request, row, sent, references, key)
        else:
            self._writes.create(request, table, sent, references, key)


def _targets(request: Request, table: Table) -> list[Sent]:
    document = payload.document(request.body)
    targets = document.get("Targets")
    if set(document) != {"Targets"} or not isinstance(targets, list) or not targets:
        raise errors.bad_payload("Targets is a list of records.")
    for sent in targets:
        kind = sent.get("@odata.type") if isinstance(sent, dict) else None
        if not isinstance(kind, str) or kind.removeprefix("#") != f"{SPACE}{table.name}":
            raise errors.bad_payload(f"Each target has the @odata.type '{SPACE}{table.name}'.")
    return targets


def _key_in(table: Table, sent: Sent) -> url.Key | None:
    """The primary key among the columns."""
    if table.key not in sent:
        return None
    return url.parse_key(table, str(sent[table.key]))


def _key_of(tenant: Tenant, request: Request, table: Table, sent: Sent) -> url.Key | None:
    """The key in the target's @odata.id, which may be an alternate one."""
    uri: Any = sent.get("@odata.id")
    if uri is None:
        return None
    found = url.bound_reference(tenant.schema, request.base, uri)
    if found.table is not table:
        raise errors.bad_payload(f"@odata.id does not name a record of '{table.set}'.")
    return found.key
