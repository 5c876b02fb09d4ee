"""The Web API itself: which resource a request names and which verb does what to it.

Reading and writing single records; what is below them is in `below.py`, sets in `sets.py`,
definitions in `metadata/`, functions and actions in `messages.py`, batches in `batch.py`.
"""

import dataclasses
from typing import Any

from sandbox.dynamics import errors, fetch, fetching, payload, sets, tracking, url
from sandbox.dynamics.below import Below
from sandbox.dynamics.changes import Changes, References, check_version, must
from sandbox.dynamics.message import JSON_TYPE, Reply, Request, json_reply
from sandbox.dynamics.messages import SPACE, Messages
from sandbox.dynamics.metadata.resources import SETS, Resources
from sandbox.dynamics.metadata.writing import Writing
from sandbox.dynamics.multiple import NAMES as MULTIPLE
from sandbox.dynamics.multiple import Multiple
from sandbox.dynamics.query import Options, Parser
from sandbox.dynamics.render import Renderer
from sandbox.dynamics.schema import Table
from sandbox.dynamics.store import Row
from sandbox.dynamics.tenant import Tenant
from sandbox.dynamics.writes import Writes

LONGEST_URL = 32_768
LONGEST_URL_IN_BATCH = 65_536
IMPERSONATION = ("callerobjectid", "mscrmcallerid")


class Service:
    """Executes requests on the tenant. Every refusal is a DataverseError."""

    def __init__(self, tenant: Tenant) -> None:
        self.tenant = tenant
        self.schema, self.store, self.records = tenant.schema, tenant.store, tenant.records
        self._changes = Changes(tenant)
        self._writes = Writes(tenant, self._changes)
        self._tracking = tracking.Tracking(tenant.store, tenant.clock)
        self._multiple = Multiple(tenant, self._writes)
        self._below = Below(tenant, self._changes, self._listed, self._read)
        parts = (tenant.schema, tenant.store)
        writing = Writing(*parts, tenant.keys, tenant.catalog, tenant.solutions)
        self._metadata = Resources(tenant.schema, writing)
        self._messages = Messages(tenant, writing)

    def execute(self, request: Request, references: References | None = None) -> Reply:
        """Do what one request says; in a change set, `references` are the records made so far."""
        self._check(request)
        with self.store.transaction():
            self.tenant.keys.settle()
            self.tenant.jobs.settle()
            return self._execute(request, references or {})

    def _execute(self, request: Request, references: References) -> Reply:
        if not request.path:
            return self._service_document(request)
        name = url.segments(request.path)[0]
        message = self._messages.unbound(name)
        if message is not None:
            method, answer = message
            if request.method != method:
                raise errors.wrong_method(request.method)
            return answer(request)
        if name.partition("(")[0] in SETS:
            return self._metadata.answer(request)
        if name == "$batch":
            raise errors.bad_payload("A batch can't contain another batch.")
        found = url.resource(self.schema, request.path)
        if found.key is None:
            return self._on_set(request, found, references)
        return self._on_record(request, found, references)

    def _check(self, request: Request) -> None:
        longest = LONGEST_URL_IN_BATCH if request.in_batch else LONGEST_URL
        if len(request.base) + len(request.target) > longest:
            raise errors.DataverseError(414, "0x80060888", "The request URI is too long.")
        if any(name in request.headers for name in IMPERSONATION):
            raise errors.not_played("impersonation")

    def _service_document(self, request: Request) -> Reply:
        if request.method != "GET":
            raise errors.wrong_method(request.method)
        listed = [{"name": n, "kind": "EntitySet", "url": n} for n in sorted(self.schema.sets)]
        return json_reply(200, {"@odata.context": f"{request.base}$metadata", "value": listed})

    # -- sets -----------------------------------------------------------------------------

    def _on_set(self, request: Request, found: url.Resource, references: References) -> Reply:
        table, rest = found.table, found.rest
        if len(rest) == 1 and rest[0].removeprefix(SPACE) in MULTIPLE:
            name = rest[0].removeprefix(SPACE)
            return self._multiple.answer(request, table, name, references)
        if rest and rest[0].startswith(SPACE):
            raise errors.not_played(rest[0])
        if rest and rest != ("$count",):
            raise errors.no_segment(rest[0])
        if request.method == "GET":
            request.user.need("Read", table)
            rows = self.store.rows(table)
            if rest:
                return sets.count(request, table, rows, self._parser(request))
            pairs = url.query_pairs(request.query)
            if "fetchXml" in pairs:
                return self._fetched(request, table, pairs)
            if tracking.asked(request):
                options, renderer = self._options(request, table), self._renderer(request)
                return self._tracking.listed(request, table, options, renderer)
            return self._listed(request, table, rows)
        if request.method != "POST" or rest:
            raise errors.wrong_method(request.method)
        return self._create(request, table, None, references)

    def _fetched(self, request: Request, table: Table, pairs: dict[str, str]) -> Reply:
        if set(pairs) - {"fetchXml", "tag"}:
            raise errors.bad_query("fetchXml goes with no other query option.")
        found = fetch.parse(pairs["fetchXml"], table, self.schema, request.user.sees)
        for link in found.links:
            request.user.need("Read", link.table)
        return fetching.listed(request, found, self.store, self._renderer(request))

    def _listed(self, request: Request, table: Table, rows: list[Row]) -> Reply:
        options = self._options(request, table)
        return sets.listed(request, table, rows, options, self._renderer(request))

    # -- records --------------------------------------------------------------------------

    def _on_record(self, request: Request, found: url.Resource, references: References) -> Reply:
        key = found.key
        assert key is not None  # noqa: S101 - the caller has looked
        row = self.tenant.find(found.table, key)
        if found.rest and found.rest[0].startswith(SPACE):
            return self._messages.bound(request, must(found.table, key, row), found.rest[0])
        if found.rest:
            row = must(found.table, key, row)
            return self._below.answer(request, row, found.rest, references)
        if request.method == "GET":
            request.user.need("Read", found.table)
            return self._read(request, must(found.table, key, row))
        if request.method == "DELETE":
            request.user.need("Delete", found.table)
            row = must(found.table, key, row)
            check_version(request, row)
            self.records.delete(row)
            return Reply(204)
        if request.method != "PATCH":
            raise errors.wrong_method(request.method)
        return self._upsert(request, found.table, key, row, references)

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
            row = must(table, key, row)
            check_version(request, row)
        if row is None:
            return self._create(request, table, key, references)
        sent = payload.document(request.body)
        row = self._writes.update(request, row, sent, references, key)
        if request.prefer.representation:
            # Dataverse ignores $expand here.
            options = dataclasses.replace(self._options(request, table), expands=())
            return self._shown(request, 200, row, options)
        return self._made(request, row, key)

    def _create(
        self, request: Request, table: Table, key: url.Key | None, references: References
    ) -> Reply:
        sent = payload.document(request.body)
        row = self._writes.create(request, table, sent, references, key)
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

    # -- helpers --------------------------------------------------------------------------

    def _parser(self, request: Request) -> Parser:
        return Parser(self.store, request.user.sees)

    def _options(self, request: Request, table: Table) -> Options:
        options = self._parser(request).options(table, url.query_pairs(request.query))
        _need_expanded(request, options)
        return options

    def _renderer(self, request: Request) -> Renderer:
        return Renderer(self.store, request.base, request.prefer, request.user.sees)


def _need_expanded(request: Request, options: Options) -> None:
    for expand in options.expands:
        request.user.need("Read", expand.table)
        _need_expanded(request, expand.options)


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
