"""An adapter written from nothing, in the seven steps of `adapters/README.md`. The CRM behind it is
a plain REST service with a table per kind; `server.py` tells its routes. Not for: production.
"""

import hashlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from adapters import asked, errors
from adapters.base import Adapter, Criterion, Description, Found, Page, Record, Remote, Trace
from adapters.capabilities import Capabilities
from adapters.http import Answer, Limits, Wire
from adapters.kept import KeptToken
from mappings.binding import nested
from mappings.converters import NotDecodable
from mappings.loader import Mapping as CrmMapping

Fields = Iterable[str]
Traced = Trace | None
# Step 3: the service's own codes, which come before its status. Its texts aren't read.
ERRORS: Mapping[str, type[errors.CrmError]] = {
    "no-row": errors.NotFound, "taken": errors.Conflict, "other-rev": errors.StaleVersion,
    "bad-value": errors.Invalid, "no-column": errors.BadMapping, "no-table": errors.BadMapping,
    "bad-token": errors.BadCredentials, "bad-key": errors.BadCredentials,
}  # fmt: skip


class RestTable(Adapter):
    """One service, as one user. Option: `url`; credential: `key`."""

    # Step 2: what it can. It has no joins, no transactions and no alternate keys.
    capabilities = Capabilities(
        versioned_update="yes", create_with_our_id=True, clears_with_null=True,
        pages_with_cursor=True, hides_values=True, any_text=True,
    )  # fmt: skip

    def __init__(self, mapping: CrmMapping, remote: Remote) -> None:
        if self.check_options(remote.options, remote.credential):
            raise errors.BadMapping
        self._mapping, self._remote, self._url = mapping, remote, remote.options["url"]
        self._limits = Limits(remote.connect_timeout, remote.read_timeout)
        self._wire = Wire(self._limits)
        # Step 4: one token for all processes of a role; named by the place, never by the key.
        name = hashlib.sha256(self._url.encode()).hexdigest()[:24]
        self._tokens = KeptToken(f"rest-table.{name}", remote.tokens, self._new_token)

    @classmethod
    def check_options(
        cls, options: Mapping[str, Any], credential: Mapping[str, str] | None = None
    ) -> list[str]:
        found = [f"crm.options.{name} is unknown" for name in options if name != "url"]
        if not str(options.get("url", "")).startswith(("http://", "https://")):
            found.append("crm.options.url must be the service's address")
        if credential is not None and set(credential) != {"key"}:
            found.append("crm.credential needs key")
        return found

    # Step 5: the verbs. `asked` checks fields, values and versions as for every adapter.
    def get(self, kind: str, id: str, fields: Fields, *, trace: Traced = None) -> Found:
        wanted = self._split(kind, fields)
        try:
            return _found(wanted, self._call("GET", _row(wanted, id), trace))
        except errors.Invalid:
            raise errors.NotFound from None  # what can't be an id

    def find(
        self, kind: str, key: str, value: str, fields: Fields, *, trace: Traced = None
    ) -> Found:
        rows = self.query(kind, [Criterion(key, "eq", value)], fields, limit=2, trace=trace).rows
        if len(rows) != 1:
            raise errors.Conflict if rows else errors.NotFound
        return rows[0]

    def query(
        self, kind: str, criteria: Iterable[Criterion], fields: Fields, *,
        cursor: str | None = None, limit: int = 100, trace: Traced = None,
    ) -> Page:  # fmt: skip
        wanted = self._split(kind, fields)
        given = [(each.op, *asked.condition(wanted.binding, each)) for each in criteria]
        body = {
            "where": [[field.column, op, value] for op, field, value in given],
            "columns": [field.column for field in wanted.own],
            "after": None if cursor is None else asked.uuid_of(cursor), "limit": limit + 1,
        }  # fmt: skip
        rows = self._call("POST", f"/tables/{wanted.binding.entity_set}/search", trace, body)
        found = tuple(_found(wanted, row) for row in (rows if isinstance(rows, list) else [None]))
        return Page(found[:limit], found[limit - 1].id if len(found) > limit else None)

    def create(self, kind: str, id: str, record: Record, *, trace: Traced = None) -> Found:
        wanted, born = self._split(kind, ()), {"state": "active"} if kind == "member" else {}
        return self._write("PUT", wanted, id, born | record, {"If-None-Match": "*"}, trace)

    def update(
        self, kind: str, id: str, changes: Record, version: str, *,
        returning: Fields = (), trace: Traced = None,
    ) -> Found:  # fmt: skip
        wanted, headers = self._split(kind, returning), {"If-Match": asked.concrete(version)}
        return self._write("PATCH", wanted, id, changes, headers, trace)

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Traced = None
    ) -> None:
        headers = {} if version is None else {"If-Match": asked.concrete(version)}
        self._call("DELETE", _row(self._split(kind, ()), id), trace, None, headers)

    def describe(self) -> Description:
        return Description(self._call("GET", "/schema"), {})

    def ping(self) -> None:
        self._call("GET", "/schema")

    def close(self) -> None:
        self._wire.close()

    def _split(self, kind: str, fields: Fields) -> asked.Asked:
        wanted = asked.split(self._mapping, kind, fields)
        if wanted.lookups or wanted.collections:
            raise errors.Unsupported  # as `expands`, which isn't declared
        return wanted

    def _write(
        self, method: str, wanted: asked.Asked, id: str, record: Record,
        headers: Mapping[str, str], trace: Traced,
    ) -> Found:  # fmt: skip
        columns = {field.column: sent for field, sent in asked.dumped(wanted.binding, record)}
        return _found(wanted, self._call(method, _row(wanted, id), trace, columns, headers))

    # Step 3: one call, all of it in the time of one. A refused token is replaced once.
    def _call(
        self, method: str, path: str, trace: Traced = None, body: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Any:  # fmt: skip
        sent = {"Content-Type": "application/json", **(headers or {})}
        sent |= {"traceparent": trace.traceparent} if trace else {}
        data, end = None if body is None else json.dumps(body).encode(), self._limits.deadline()
        refused = ""
        while True:
            with self._counted():
                token = self._tokens.get(end, refused)
                signed = {**sent, "Authorization": f"Bearer {token}"}
                answer = self._wire.exchange(method, self._url + path, signed, data, end)
                if answer.status != 401 or refused:
                    return _understood(answer)
                refused = token

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """The budget is asked before a call and told after it whether the service was well."""
        budget, began, well = self._remote.budget, time.monotonic(), True
        budget.take(self._remote.lane)
        try:
            yield
        except errors.Unavailable as error:
            if well := isinstance(error, errors.Throttled):
                budget.throttled(error.retry_after)
            raise
        finally:
            budget.done(well, time.monotonic() - began)

    def _new_token(self, end: float) -> tuple[str, float]:
        body = json.dumps({"key": self._remote.credential["key"]}).encode()
        found = _understood(self._wire.exchange("POST", f"{self._url}/token", {}, body, end))
        try:
            return str(found["token"]), float(found["seconds"])
        except (KeyError, TypeError, ValueError):
            raise errors.Malformed from None


def _row(wanted: asked.Asked, id: str) -> str:
    columns = ",".join(field.column for field in wanted.own)
    return f"/tables/{wanted.binding.entity_set}/{asked.uuid_of(id)}?columns={columns}"


def _understood(answer: Answer) -> Any:
    """The document of an answer. Raises the error that it tells, with nothing of its text."""
    if answer.status == 429:
        pause = answer.headers.get("retry-after", "")
        raise errors.Throttled("429", float(pause) if pause.isdigit() else 1.0)
    try:
        document = json.loads(answer.body, parse_float=Decimal)
    except (ValueError, RecursionError):
        raise errors.Malformed from None
    if answer.status < 300:
        return document
    code = str(document.get("error")) if isinstance(document, dict) else ""
    raise ERRORS.get(code, errors.Malformed)(code if code in ERRORS else "")


def _found(wanted: asked.Asked, row: Any) -> Found:
    try:
        values = {f.name: f.converter.load(row["row"][f.column]) for f in wanted.own}
        id, version = asked.uuid_of(row["id"]), str(row["rev"])
    except (KeyError, TypeError, NotDecodable, errors.Invalid):
        raise errors.Malformed from None
    return Found(wanted.binding.kind, id, version, nested(values | dict.fromkeys(wanted.empty)))
