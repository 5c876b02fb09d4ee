"""The Web API itself: which resource a request names and which verb does what to it.

Reading and writing single records; sets are in `sets.py`, batches in `batch.py`.
"""

import dataclasses
from typing import Any

from sandbox.dynamics import errors, metadata, payload, sets, url, values
from sandbox.dynamics.message import JSON_TYPE, Reply, Request, json_reply
from sandbox.dynamics.query import Options, Parser
from sandbox.dynamics.records import Records
from sandbox.dynamics.render import Renderer
from sandbox.dynamics.schema import Column, Schema, Table
from sandbox.dynamics.store import Reference, Row, Store

LONGEST_URL = 32_768
LONGEST_URL_IN_BATCH = 65_536
IMPERSONATION = ("callerobjectid", "mscrmcallerid")
References = dict[str, str]  # Content-ID -> `contacts(id)`, inside one change set


class Service:
    """Executes requests on the store. Every refusal is a DataverseError."""

    def __init__(self, schema: Schema, store: Store, records: Records) -> None:
        self.schema = schema
        self.store = store
        self.records = records

    def execute(self, request: Request, references: References | None = None) -> Reply:
        """Do what one request says; in a change set, `references` are the records made so far."""
        self._check(request)
        if not request.path:
            return self._service_document(request)
        name = url.segments(request.path)[0]
        if name.removesuffix("()") in ("WhoAmI", "RetrieveVersion"):
            return self._function(request, name.removesuffix("()"))
        if name.partition("(")[0] == "EntityDefinitions":
            return metadata.answer(self.schema, request)
        if name == "$batch":
            raise errors.bad_payload("A batch can't contain another batch.")
        found = url.resource(self.schema, request.path)
        with self.store.transaction():
            if found.key is None:
                return self._on_set(request, found, references or {})
            return self._on_record(request, found, references or {})

    def _check(self, request: Request) -> None:
        longest = LONGEST_URL_IN_BATCH if request.in_batch else LONGEST_URL
        if len(request.base) + len(request.target) > longest:
            raise errors.DataverseError(414, "0x80060888", "The request URI is too long.")
        if any(name in request.headers for name in IMPERSONATION):
            raise errors.not_played("impersonation")
        if request.prefer.track_changes:
            raise errors.not_played("change tracking")

    def _service_document(self, request: Request) -> Reply:
        if request.method != "GET":
            raise errors.wrong_method(request.method)
        listed = [{"name": n, "kind": "EntitySet", "url": n} for n in sorted(self.schema.sets)]
        return json_reply(200, {"@odata.context": f"{request.base}$metadata", "value": listed})

    def _function(self, request: Request, name: str) -> Reply:
        if request.method != "GET":
            raise errors.wrong_method(request.method)
        organization = self.schema.organization
        kind = f"{request.base}$metadata#Microsoft.Dynamics.CRM.{name}Response"
        answer = {"@odata.context": kind}
        if name == "RetrieveVersion":
            return json_reply(200, answer | {"Version": organization["version"]})
        ids = {
            "BusinessUnitId": organization["business_unit"],
            "UserId": request.user.id,
            "OrganizationId": organization["id"],
        }
        return json_reply(200, answer | ids)

    # -- sets -----------------------------------------------------------------------------

    def _on_set(self, request: Request, found: url.Resource, references: References) -> Reply:
        table, rest = found.table, found.rest
        if rest and rest[0].startswith("Microsoft.Dynamics.CRM."):
            raise errors.not_played(rest[0])
        if rest and rest != ("$count",):
            raise errors.no_segment(rest[0])
        if request.method == "GET":
            request.user.need("Read", table)
            rows = self.store.rows(table)
            if rest:
                return sets.count(request, table, rows, self._parser(request))
            return self._listed(request, table, rows)
        if request.method != "POST" or rest:
            raise errors.wrong_method(request.method)
        return self._create(request, table, None, references)

    def _listed(self, request: Request, table: Table, rows: list[Row]) -> Reply:
        options = self._options(request, table)
        return sets.listed(request, table, rows, options, self._renderer(request))

    # -- records --------------------------------------------------------------------------

    def _on_record(self, request: Request, found: url.Resource, references: References) -> Reply:
        key = found.key
        assert key is not None  # noqa: S101 - the caller has looked
        row = self.find(found.table, key)
        if found.rest:
            return self._on_part(request, found, self._must(found.table, key, row), references)
        if request.method == "GET":
            request.user.need("Read", found.table)
            return self._read(request, self._must(found.table, key, row))
        if request.method == "DELETE":
            request.user.need("Delete", found.table)
            row = self._must(found.table, key, row)
            self._check_version(request, row)
            self.records.delete(row)
            return Reply(204)
        if request.method != "PATCH":
            raise errors.wrong_method(request.method)
        return self._upsert(request, found.table, key, row, references)

    def find(self, table: Table, key: url.Key) -> Row | None:
        """The row that a key names."""
        if key.id is not None:
            return self.store.get(table, key.id)
        return self.store.by_key(table, key.name or "", key.values)

    def _must(self, table: Table, key: url.Key, row: Row | None) -> Row:
        if row is None:
            raise errors.not_found(table, key.id) if key.id else errors.no_such_key(table)
        return row

    def _check_version(self, request: Request, row: Row) -> None:
        wanted = request.headers.get("if-match", "*")
        if wanted not in ("*", row.etag):
            raise errors.version_mismatch()

    def _read(self, request: Request, row: Row) -> Reply:
        options = self._options(request, row.table)
        if options.test or options.order or options.top is not None or options.count:
            raise errors.bad_query("This query option does not go with a single record.")
        plain = not options.expands and not request.prefer.annotations
        if plain and request.headers.get("if-none-match") == row.etag:
            return Reply(304, {"ETag": row.etag})
        return self._shown(request, 200, row, options)

    def _shown(self, request: Request, status: int, row: Row, options: Options) -> Reply:
        renderer = self._renderer(request)
        context = {"@odata.context": renderer.context(row.table, options, single=True)}
        reply = json_reply(status, context | renderer.row(row, options), {"ETag": row.etag})
        return dataclasses.replace(reply, entity=f"{row.table.set}({row.id})")

    def _upsert(
        self,
        request: Request,
        table: Table,
        key: url.Key,
        row: Row | None,
        references: References,
    ) -> Reply:
        if row is not None and request.headers.get("if-none-match") == "*":
            raise errors.exists()
        if "if-match" in request.headers:
            row = self._must(table, key, row)
            self._check_version(request, row)
        if row is None:
            return self._create(request, table, key, references)
        request.user.need("Write", table)
        sent = payload.document(request.body)
        for column in key.columns:  # an update drops what the URL says already
            sent.pop(column, None)
        row = self.records.update(row, self._changes(request, table, sent, references))
        if request.prefer.representation:
            # Dataverse ignores $expand here.
            options = dataclasses.replace(self._options(request, table), expands=())
            return self._shown(request, 200, row, options)
        return self._made(request, row, key)

    def _create(
        self, request: Request, table: Table, key: url.Key | None, references: References
    ) -> Reply:
        request.user.need("Create", table)
        changes = self._changes(request, table, payload.document(request.body), references)
        if key is not None and key.name is not None:
            changes = dict(zip(key.columns, key.values, strict=True)) | changes
        row_id = key.id if key is not None else None
        row = self.records.create(table, changes, request.user, row_id)
        if request.prefer.representation:
            return self._shown(request, 201, row, self._options(request, table))
        return self._made(request, row, key)

    def _made(self, request: Request, row: Row, key: url.Key | None) -> Reply:
        """204; after an upsert by alternate key the entity id echoes the key."""
        named = f"{row.table.set}({key.text if key and key.name else row.id})"
        headers = {"OData-EntityId": request.base + named}
        if key is None or request.in_batch:
            headers["Location"] = request.base + named
        return Reply(204, headers, entity=f"{row.table.set}({row.id})")

    def _changes(
        self, request: Request, table: Table, sent: dict[str, Any], references: References
    ) -> dict[str, Any]:
        def resolve(uri: Any) -> Reference:
            return self._resolved(request, table, uri, references)

        changes = payload.changes(self.schema, table, sent, resolve)
        self._check_secured(request, table, changes)
        return changes

    def _resolved(
        self, request: Request, table: Table, uri: Any, references: References
    ) -> Reference:
        if isinstance(uri, str) and uri.startswith("$"):
            uri = dereferenced(uri, references)
        found = url.bound_reference(self.schema, request.base, uri)
        assert found.key is not None  # noqa: S101 - bound_reference has looked
        target = self._must(found.table, found.key, self.find(found.table, found.key))
        request.user.need("Append", table)
        request.user.need("AppendTo", found.table)
        return found.table.name, target.id

    def _check_secured(self, request: Request, table: Table, changes: dict[str, Any]) -> None:
        for name in changes:
            if table.columns[name].secured and not request.user.secured:
                raise errors.missing_privilege(request.user.id or "", "WriteSecured", table)

    # -- parts of a record ----------------------------------------------------------------

    def _on_part(
        self, request: Request, found: url.Resource, row: Row, references: References
    ) -> Reply:
        table, name, more = found.table, found.rest[0], found.rest[1:]
        if name in table.collections and not more:
            return self._collection(request, row, name)
        if name in table.navigations and more == ("$ref",):
            return self._reference(request, row, name, references)
        if name in table.navigations and name not in table.wire:
            raise errors.not_played("reading through a navigation property")
        column = table.wire.get(name)
        if column is None or more not in ((), ("$value",)):
            raise errors.no_segment(name if column is None else more[0])
        if request.method == "GET":
            return self._property(request, row, column, raw=bool(more))
        if request.method not in ("PUT", "DELETE") or more:
            raise errors.wrong_method(request.method)
        request.user.need("Write", table)
        self._check_version(request, row)
        sent = payload.document(request.body) if request.method == "PUT" else {"value": None}
        if set(sent) != {"value"}:
            raise errors.bad_payload('A single column is sent as {"value": …}.')
        changes = self._changes(request, table, {name: sent["value"]}, references)
        self.records.update(row, changes)
        return Reply(204)

    def _property(self, request: Request, row: Row, column: Column, *, raw: bool) -> Reply:
        request.user.need("Read", row.table)
        value = row.values.get(column.name)
        if value is None or (column.secured and not request.user.secured):
            return Reply(204)
        if raw:
            text = str(value[1] if column.type == "lookup" else value)
            return Reply(200, {"Content-Type": "text/plain"}, text.encode())
        context = f"{request.base}$metadata#{row.table.set}({row.id})/{column.wire}"
        return json_reply(200, {"@odata.context": context, "value": values.shown(column, value)})

    def _collection(self, request: Request, row: Row, name: str) -> Reply:
        if request.method != "GET":
            raise errors.wrong_method(request.method)
        collection = row.table.collections[name]
        table = self.schema.tables[collection.table]
        request.user.need("Read", table)
        return self._listed(request, table, self.store.pointing(table, collection.column, row.id))

    def _reference(self, request: Request, row: Row, name: str, references: References) -> Reply:
        if request.method not in ("PUT", "DELETE"):
            raise errors.not_played("reading a reference")
        request.user.need("Write", row.table)
        sent = payload.document(request.body).get("@odata.id") if request.method == "PUT" else None
        bound = {f"{name}{payload.BIND}": sent}
        self.records.update(row, self._changes(request, row.table, bound, references))
        return Reply(204)

    # -- helpers --------------------------------------------------------------------------

    def _parser(self, request: Request) -> Parser:
        return Parser(self.store, request.user.secured)

    def _options(self, request: Request, table: Table) -> Options:
        options = self._parser(request).options(table, url.query_pairs(request.query))
        for expand in options.expands:
            request.user.need("Read", expand.table)
        return options

    def _renderer(self, request: Request) -> Renderer:
        return Renderer(self.store, request.base, request.prefer, request.user.secured)


def dereferenced(text: str, references: References) -> str:
    """`$1` or `$1/…` with the record that the part with this Content-ID made."""
    name, slash, rest = text.removeprefix("$").partition("/")
    if name not in references:
        raise errors.bad_query(
            f"Content-ID Reference: '${name}' does not exist in the batch context."
        )
    return references[name] + slash + rest


def error_reply(error: errors.DataverseError, annotated: bool) -> Reply:
    """An error as Dataverse words it; details only where annotations were asked for."""
    inner: dict[str, Any] = {"code": error.code, "message": error.message}
    if annotated:
        inner |= {
            "@Microsoft.PowerApps.CDS.HelpLink": "http://go.microsoft.com/fwlink/?LinkID=398563",
            "@Microsoft.PowerApps.CDS.TraceText": "",
            "@Microsoft.PowerApps.CDS.InnerError.Message": error.message,
        }
    reply = json_reply(error.status, {"error": inner}, error.headers)
    return dataclasses.replace(reply, headers={**reply.headers, "Content-Type": JSON_TYPE})
