"""A request's body as changes to one row, with all that a caller needs to be allowed for it."""

from typing import Any

from sandbox.dynamics import errors, payload, url
from sandbox.dynamics.message import Request
from sandbox.dynamics.schema import Table
from sandbox.dynamics.store import Reference, Row
from sandbox.dynamics.tenant import Tenant

References = dict[str, str]  # Content-ID -> `contacts(id)`, inside one change set


class Changes:
    """Resolves references and checks rights; writes nothing."""

    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    def read(
        self,
        request: Request,
        table: Table,
        sent: dict[str, Any],
        references: References,
        *,
        creating: bool = False,
    ) -> dict[str, Any]:
        """Stored values by column name."""

        def resolve(uri: Any) -> Reference:
            return self._bound(request, table, uri, references)

        changes = payload.changes(self._tenant.schema, table, sent, resolve)
        for name in changes:
            if not request.user.may_set(table.columns[name], creating=creating):
                raise errors.missing_privilege(request.user.id or "", "WriteSecured", table)
        return changes

    def _bound(self, request: Request, table: Table, uri: Any, references: References) -> Reference:
        target = self.named(request, uri, references)
        request.user.need("Append", table)
        request.user.need("AppendTo", target.table)
        return target.table.name, target.id

    def named(self, request: Request, uri: Any, references: References) -> Row:
        """The row that a URI in a body names, which must be there."""
        if isinstance(uri, str) and uri.startswith("$"):
            uri = dereferenced(uri, references)
        found = url.bound_reference(self._tenant.schema, request.base, uri)
        if found.key is None:
            raise errors.bad_payload("A reference must be the URI of a record.")
        return must(found.table, found.key, self._tenant.find(found.table, found.key))


def must(table: Table, key: url.Key, row: Row | None) -> Row:
    """The row, or the 404 that fits the key."""
    if row is None:
        raise errors.not_found(table, key.id) if key.id else errors.no_such_key(table)
    return row


def check_version(request: Request, row: Row) -> None:
    """If-Match: the row's version or `*`."""
    wanted = request.headers.get("if-match", "*")
    if wanted not in ("*", row.etag):
        raise errors.version_mismatch()


def dereferenced(text: str, references: References) -> str:
    """`$1` or `$1/…` with the record that the part with this Content-ID made."""
    name, slash, rest = text.removeprefix("$").partition("/")
    if name not in references:
        raise errors.bad_query(
            f"Content-ID Reference: '${name}' does not exist in the batch context."
        )
    return references[name] + slash + rest
