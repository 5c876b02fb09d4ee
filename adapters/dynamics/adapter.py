"""The adapter for Microsoft Dynamics 365 (Dataverse Web API v9.2): each verb as requests.

Not for: notation (`query`, `rows`, `batch`), the call itself (`client`), tokens (`tokens`).
Personal values never stand in a URL, which both sides' logs keep: a read by one goes as a `$batch`.
"""

import json
import re
from collections.abc import Iterable
from collections.abc import Mapping as Dict
from functools import lru_cache
from typing import Any

from adapters import asked as shared
from adapters.answers import document
from adapters.base import (
    Adapter,
    Criterion,
    Description,
    Found,
    Operation,
    Page,
    Record,
    Remote,
    Table,
    Trace,
)
from adapters.capabilities import Capabilities
from adapters.dynamics import batch, metadata, query, rows
from adapters.dynamics import options as option_rules
from adapters.dynamics.client import JSON_BODY, PROTOCOL, READING, Call, Client
from adapters.dynamics.guide import GUIDE
from adapters.errors import BadMapping, Invalid, Malformed, NotFound, Unsupported
from adapters.http import Answer
from adapters.stepwise import the_only
from mappings.binding import FieldBinding, KindBinding
from mappings.converters import Phone, Text
from mappings.loader import Mapping

_ETAG = re.compile(r'(W/)?"[\x21\x23-\x7e]*"\Z')
_REPRESENTATION = "return=representation"
LARGEST_PAGE = 5000

Condition = tuple[str, FieldBinding, Any]


class Dynamics(Adapter):
    """One environment, as one application user."""

    capabilities = Capabilities(
        versioned_update="yes",
        create_with_our_id=True,
        atomic_batch=True,
        expands=True,
        clears_with_null=True,
        finds_by_key=True,
        pages_with_cursor=True,
        hides_values=True,
        any_text=True,
    )
    guide = GUIDE

    def __init__(self, mapping: Mapping, remote: Remote) -> None:
        if self.check_options(remote.options, remote.credential):
            raise BadMapping
        self._mapping = mapping
        self._options = option_rules.read(remote.options, remote.credential)
        self._client = Client(self._options, remote)
        # The same few sets of fields are asked for again and again.
        self._split = lru_cache(512)(lambda kind, fields: shared.split(mapping, kind, fields))
        self._reading = lru_cache(512)(
            lambda kind, fields: query.reading(shared.split(mapping, kind, fields))
        )

    @classmethod
    def check_options(
        cls, options: Dict[str, Any], credential: Dict[str, str] | None = None
    ) -> list[str]:
        """See `adapters/dynamics/options.py`."""
        return option_rules.problems(options, credential)

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        names = tuple(fields)
        asked: shared.Asked = self._split(kind, names)
        target = f"{query.record(asked.binding, id)}?{self._reading(kind, names)}"
        answer = self._client.call(Call("GET", target, hot=True), trace)
        found = rows.found(asked, document(answer))
        if found.id != shared.uuid_of(id):
            raise Malformed
        return found

    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        names = tuple(fields)
        binding = shared.kind_of(self._mapping, kind)
        field, remote_value = shared.condition(binding, Criterion(key, "eq", value))
        if not isinstance(field.converter, Text) or not isinstance(remote_value, str):
            raise Invalid(fields=(field.name,))
        if field.key and not field.personal and query.fits_key(remote_value):
            return self._by_key(binding, field, remote_value, names, trace)
        wanted = Criterion(key, "eq", value)
        if isinstance(field.converter, Phone):  # rows that staff typed or imported
            wanted = Criterion(key, "in", field.converter.spellings(value))
        return self._by_value(kind, wanted, names, trace)

    def query(
        self,
        kind: str,
        criteria: Iterable[Criterion],
        fields: Iterable[str],
        *,
        cursor: str | None = None,
        limit: int = 100,
        trace: Trace | None = None,
    ) -> Page:
        given = tuple(criteria)
        names = tuple(fields)
        asked: shared.Asked = self._split(kind, names)
        binding = asked.binding
        conditions = [(each.op, *shared.condition(binding, each)) for each in given]
        # What was compared comes along, so that it can be compared again.
        more = (*names, *(each.field for each in given))
        if cursor is None:
            parts = [
                self._reading(kind, more),
                query.filtering(conditions),
                f"$orderby={binding.id_column} asc".replace(" ", "%20"),
            ]
            cursor = f"{binding.entity_set}?{'&'.join(filter(None, parts))}"
        elif not cursor.startswith(f"{binding.entity_set}?") or not cursor.isascii():
            raise Invalid
        prefer = f"odata.maxpagesize={max(1, min(limit, LARGEST_PAGE))}"
        personal = any(field.personal for _, field, _ in conditions)
        found = self._page(cursor, prefer, personal=personal, trace=trace)
        return Page(tuple(_exact(asked, conditions, found)), self._next(binding, found))

    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        binding = shared.kind_of(self._mapping, kind)
        part = self._creating(binding, id, record)
        target = f"{part.target}?$select={binding.id_column}"
        headers = {**part.headers, "Prefer": _REPRESENTATION}
        answer = self._client.call(Call("POST", target, headers, part.body), trace)
        return self._written(binding, id, answer, ())

    def update(
        self,
        kind: str,
        id: str,
        changes: Record,
        version: str,
        *,
        returning: Iterable[str] = (),
        trace: Trace | None = None,
    ) -> Found:
        names = tuple(returning)
        asked: shared.Asked = self._split(kind, names)
        if asked.lookups or asked.collections:
            raise Unsupported  # Dataverse ignores $expand on a PATCH
        part = self._updating(asked.binding, id, changes, version)
        target = f"{part.target}?{self._reading(kind, names)}"
        headers = {**part.headers, "Prefer": _REPRESENTATION}
        answer = self._client.call(Call("PATCH", target, headers, part.body), trace)
        return self._written(asked.binding, id, answer, names)

    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        part = self._erasing(shared.kind_of(self._mapping, kind), id, version)
        self._client.call(Call("DELETE", part.target, part.headers), trace)

    def apply(
        self, operations: Iterable[Operation], *, trace: Trace | None = None
    ) -> tuple[Found | None, ...]:
        given = shared.checked(operations)
        if not given:
            return ()
        parts = [self._part(operation) for operation in given]
        answers = self._batch(*batch.change_set(self._options.root, parts), trace)
        failed = next((n for n, each in enumerate(answers) if each.status >= 400), None)
        if failed is not None:
            # Only the failing part is answered, so which one it was isn't told; any versioned part
            # makes a 412 without a code a stale version.
            conditional = any("If-Match" in part.headers for part in parts)
            raise self._client.error(answers[failed], conditional=conditional)
        if len(answers) != len(given):
            raise Malformed
        return tuple(
            None
            if operation.verb == "erase"
            else Found(operation.kind, shared.uuid_of(operation.id), _version_in(answer), {})
            for operation, answer in zip(given, answers, strict=True)
        )

    def describe(self) -> Description:
        return metadata.describe(self._mapping, self._client)

    def tables(self) -> tuple[Table, ...]:
        return metadata.tables(self._client)

    def ping(self) -> None:
        if "UserId" not in document(self._client.call(Call("GET", "WhoAmI"), None)):
            raise Malformed

    def close(self) -> None:
        self._client.close()

    def _by_key(
        self,
        binding: KindBinding,
        field: FieldBinding,
        value: str,
        names: tuple[str, ...],
        trace: Trace | None,
    ) -> Found:
        more = (*names, field.name)
        target = f"{query.by_key(binding, field, value)}?{self._reading(binding.kind, more)}"
        row = document(self._client.call(Call("GET", target, hot=True), trace))
        condition = ("eq", field, value)
        exact = _exact(self._split(binding.kind, names), [condition], {"value": [row]})
        if not exact:
            raise NotFound  # the CRM compares without case
        return exact[0]

    def _by_value(
        self, kind: str, criterion: Criterion, names: tuple[str, ...], trace: Trace | None
    ) -> Found:
        return the_only(
            lambda cursor: self.query(kind, [criterion], names, cursor=cursor, trace=trace)
        )

    def _page(
        self, target: str, prefer: str, *, personal: bool, trace: Trace | None
    ) -> dict[str, Any]:
        headers = {**READING, "Prefer": prefer}
        if not personal:
            return document(self._client.call(Call("GET", target, headers), trace))
        part = batch.Part("GET", target, headers)
        answers = self._batch(*batch.reads(self._options.root, [part]), trace)
        if len(answers) != 1:
            raise Malformed
        if answers[0].status >= 400:
            raise self._client.error(answers[0], conditional=False)
        return document(answers[0])

    def _batch(self, content_type: str, body: bytes, trace: Trace | None) -> list[Answer]:
        headers = {**PROTOCOL, "Content-Type": content_type}
        call = Call("POST", "$batch", headers, body, multipart=True)
        answer = self._client.call(call, trace)
        return batch.answers(answer.headers, answer.body)

    def _next(self, binding: KindBinding, page: dict[str, Any]) -> str | None:
        """The next page's address, relative. One of another host or set is refused."""
        link = page.get("@odata.nextLink")
        if link is None:
            return None
        start = self._options.url + self._options.root
        if not isinstance(link, str) or not link.startswith(f"{start}{binding.entity_set}?"):
            raise Malformed
        return link[len(start) :]

    def _part(self, operation: Operation) -> batch.Part:
        binding = shared.kind_of(self._mapping, operation.kind)
        if operation.verb == "create":
            return self._creating(binding, operation.id, operation.record)
        if operation.verb == "update":
            version = shared.concrete(operation.version)
            return self._updating(binding, operation.id, operation.record, version)
        return self._erasing(binding, operation.id, operation.version)

    def _creating(self, binding: KindBinding, id: str, record: Record) -> batch.Part:
        """A POST with our id in the body: repeated, it meets itself (412)."""
        sent = rows.body(self._mapping, binding, record, new=True)
        sent[binding.id_column] = shared.uuid_of(id)
        return batch.Part("POST", binding.entity_set, JSON_BODY, _json(sent))

    def _updating(self, binding: KindBinding, id: str, changes: Record, version: str) -> batch.Part:
        """A PATCH with a concrete If-Match: without one it would create a record that is gone."""
        sent = rows.body(self._mapping, binding, changes, new=False)
        headers = {**JSON_BODY, "If-Match": _etag(version)}
        return batch.Part("PATCH", query.record(binding, id), headers, _json(sent))

    def _erasing(self, binding: KindBinding, id: str, version: str | None) -> batch.Part:
        headers = PROTOCOL if version is None else {**PROTOCOL, "If-Match": _etag(version)}
        return batch.Part("DELETE", query.record(binding, id), headers)

    def _written(
        self, binding: KindBinding, id: str, answer: Answer, names: tuple[str, ...]
    ) -> Found:
        found = rows.found(self._split(binding.kind, names), document(answer))
        if found.id != shared.uuid_of(id):
            raise Malformed
        return found


def _exact(
    asked: shared.Asked, conditions: Iterable[Condition], page: dict[str, Any]
) -> list[Found]:
    """The page's rows, without those that meet a condition on a text only in the CRM's eyes: it
    compares without case and trailing spaces."""
    given = page.get("value")
    if not isinstance(given, list):
        raise Malformed
    return [rows.found(asked, row) for row in given if all(_meets(row, *c) for c in conditions)]


def _meets(row: Any, op: str, field: FieldBinding, value: Any) -> bool:
    if not isinstance(row, dict) or field.column not in row:
        raise Malformed
    held = row[field.column]
    if not isinstance(held, str) or not isinstance(field.converter, Text):
        return True
    if op not in ("eq", "in"):
        return True
    if isinstance(field.converter, Phone):
        held = field.converter.load(held)
    return held in value if op == "in" else held == value


def _etag(version: str) -> str:
    """A version that may stand in a header. Raises Invalid."""
    if not _ETAG.match(shared.concrete(version)):
        raise Invalid
    return version


def _version_in(answer: Answer) -> str:
    """A change set's parts usually answer 204 without a version."""
    return answer.headers.get("etag", "")


def _json(sent: dict[str, Any]) -> bytes:
    return json.dumps(sent, ensure_ascii=False, separators=(",", ":")).encode()
