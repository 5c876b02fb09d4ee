"""The contract between the bridge and a CRM: few verbs, many kinds. Not for: any one CRM.

`docs/adapter-contract.md` has the numbered clauses; `adapters/conformance/` tests them.
Plain dicts go in, plain dicts and codes come out, so the contract can be spoken over a wire.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from dataclasses import field as attribute
from typing import Any, ClassVar, Literal, Protocol

from adapters.capabilities import Capabilities
from adapters.errors import Unsupported
from adapters.guide import Guide
from mappings.loader import Mapping as CrmMapping

Record = dict[str, Any]
"""Canonical field -> value (str, bool, int, Decimal, date, aware datetime, None). A brand's own
fields are under `ext`, a dict. An absent key means "not asked" or "not changed"; None means empty.
A lookup's value is the id of the record it names."""

Verb = Literal["create", "update", "erase"]


@dataclass(frozen=True)
class Found:
    """One record as the CRM holds it now.

    `version` is the CRM's own, opaque; "" where it has none. `lookups` holds the records asked for
    by dotted fields through a lookup (`member.stamp` -> lookups["member"]), None where empty;
    `collections` those asked for through a collection (`consents.purpose`).
    """

    kind: str
    id: str
    version: str
    record: Record = attribute(repr=False)
    lookups: Mapping[str, "Found | None"] = attribute(default_factory=dict, repr=False)
    collections: Mapping[str, tuple["Found", ...]] = attribute(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Criterion:
    """One condition of a query; all conditions hold together. `value` is a tuple for `in`."""

    field: str
    op: Literal["eq", "ne", "gt", "ge", "lt", "le", "in"]
    value: Any = attribute(repr=False)


@dataclass(frozen=True)
class Page:
    """Some rows, and the cursor of the next page; None after the last. A cursor may hold values of
    the CRM's, so whoever hands it out seals it."""

    rows: tuple[Found, ...]
    cursor: str | None = attribute(repr=False)


@dataclass(frozen=True)
class Operation:
    """One change. `create` takes id and record; `update` id, record and a concrete version, which
    a record made in the same `apply` can't have; `erase` id and version (None: whatever it is
    now)."""

    verb: Verb
    kind: str
    id: str
    record: Record = attribute(default_factory=dict, repr=False)
    version: str | None = None


@dataclass(frozen=True)
class Trace:
    """What names a call in both systems' logs. `traceparent`: W3C Trace Context, level 1."""

    traceparent: str


class TokenCache(Protocol):
    """Where an adapter keeps a remote token, sealed and shared by all processes of one role."""

    def get(self, name: str) -> tuple[str, float] | None:
        """(token, seconds it is still good for), or None."""

    def put(self, name: str, token: str, seconds: float) -> None:
        """Keep `token` for `seconds`."""

    def single_flight(self, name: str, seconds: float) -> "FlightLock":
        """A lock that one process of all holds while it fetches; the others wait and look again."""


class FlightLock(Protocol):
    """Context manager: entering gives True to the one that fetches, False to one that waited."""

    def __enter__(self) -> bool: ...
    def __exit__(self, *exc: object) -> None: ...


class Budget(Protocol):
    """Leave to call: asked before each call, told afterwards what the CRM said of its limits."""

    def take(self, lane: str) -> None:
        """Raises `Throttled` at once where the allowance is spent or the CRM asked for a pause."""

    def throttled(self, retry_after: float) -> None:
        """The CRM answered 429: everyone pauses for `retry_after` seconds."""

    def done(self, ok: bool, seconds: float) -> None:
        """A call ended; `ok` is False for unreachable, timed out or malformed."""


class FreeBudget:
    """No limit at all: for tests and tools."""

    def take(self, lane: str) -> None:
        """Always granted."""

    def throttled(self, retry_after: float) -> None:
        """Nothing to pause."""

    def done(self, ok: bool, seconds: float) -> None:
        """Nothing to count."""


@dataclass(frozen=True)
class Description:
    """The CRM's own metadata: {table: {column: type}} and {table: {key name: columns}}.

    The rest is there as far as the CRM tells it: `navigations` {table: names of the ways to other
    records}; `lengths` {table: {text column: characters}}; `options` {table: {choice column:
    values}}, `labels` {table: {choice column: {value: what staff see}}}; `inactive_keys` {table:
    {key name: its status}}; `read_only` {table: columns that only the CRM itself writes};
    `lookups` {table: {lookup column: ((way, other table), …)}}, `collections` {table: {way: (other
    table, its lookup column)}}; `ahead`: seconds by which the CRM's clock is ahead of ours; `sets`
    {table: the entity set that it goes by}."""

    tables: Mapping[str, Mapping[str, str]]
    keys: Mapping[str, Mapping[str, tuple[str, ...]]]
    navigations: Mapping[str, frozenset[str]] = attribute(default_factory=dict)
    lengths: Mapping[str, Mapping[str, int]] = attribute(default_factory=dict)
    options: Mapping[str, Mapping[str, frozenset[Any]]] = attribute(default_factory=dict)
    inactive_keys: Mapping[str, Mapping[str, str]] = attribute(default_factory=dict)
    ahead: float | None = None
    sets: Mapping[str, str] = attribute(default_factory=dict)
    labels: Mapping[str, Mapping[str, Mapping[Any, str]]] = attribute(default_factory=dict)
    read_only: Mapping[str, frozenset[str]] = attribute(default_factory=dict)
    lookups: Mapping[str, Mapping[str, tuple[tuple[str, str], ...]]] = attribute(
        default_factory=dict
    )
    collections: Mapping[str, Mapping[str, tuple[str, str]]] = attribute(default_factory=dict)


@dataclass(frozen=True)
class Table:
    """A table that the CRM has: its name, and what a mapping calls `entity_set` and `id`."""

    name: str
    entity_set: str
    id_column: str


class Adapter(ABC):
    """A CRM. Every method may raise any `CrmError`; fields and kinds are canonical names.

    `trace` is a keyword of every verb that goes out; the adapter sends it on where the CRM keeps
    such a header.
    """

    capabilities: Capabilities
    guide: ClassVar[Guide] = Guide()

    @abstractmethod
    def __init__(self, mapping: CrmMapping, remote: "Remote") -> None:
        """Connects to nothing yet. Raises BadMapping, BadCredentials on what can be told now."""

    @classmethod
    def check_options(
        cls, options: Mapping[str, Any], credential: Mapping[str, str] | None = None
    ) -> list[str]:
        """Every mistake in the `crm` section's options (and credential, where given), no values."""
        return []

    @abstractmethod
    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        """The record with this id; only `fields` are asked for. Raises NotFound."""

    @abstractmethod
    def find(
        self, kind: str, key: str, value: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        """The one record whose key field `key` is exactly `value`. Raises NotFound; Conflict where
        there is more than one."""

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
        """Rows that meet all `criteria`, in a stable order."""
        raise Unsupported

    @abstractmethod
    def create(self, kind: str, id: str, record: Record, *, trace: Trace | None = None) -> Found:
        """Make a record under our id; gives id and version. Raises Conflict where it exists."""

    @abstractmethod
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
        """Change the record if it is at `version`; gives the new version and `returning` fields.
        Raises StaleVersion, NotFound. Never creates."""

    @abstractmethod
    def erase(
        self, kind: str, id: str, version: str | None = None, *, trace: Trace | None = None
    ) -> None:
        """Remove the record. Raises NotFound where there is none."""

    def apply(
        self, operations: Iterable[Operation], *, trace: Trace | None = None
    ) -> tuple[Found | None, ...]:
        """Several changes, all or nothing where `atomic_batch`; one answer each (None for erase).
        A version is "" where the CRM doesn't tell it."""
        raise Unsupported

    def run(self, operation: str, record: Record, *, trace: Trace | None = None) -> Record:
        """Something that this CRM does natively."""
        raise Unsupported

    @abstractmethod
    def describe(self) -> Description:
        """The CRM's own metadata, for the doctor and `provision`."""

    def tables(self) -> tuple[Table, ...]:
        """Every table that the CRM's user may see, mapped or not, for `mappings draft`."""
        raise Unsupported

    @abstractmethod
    def ping(self) -> None:
        """One cheap call that proves credential and reachability."""

    @abstractmethod
    def close(self) -> None:
        """Let go of connections."""


@dataclass(frozen=True)
class Remote:
    """What every adapter is made of, whoever the CRM is: `parts.py` fills it from configuration.

    `options` is the `crm` section as it stands, validated by the adapter's own `check_options`.
    `credential` is this role's CRM user. `connect_timeout`, `read_timeout`: seconds.
    """

    options: Mapping[str, Any]
    credential: Mapping[str, str] = attribute(repr=False)
    tokens: TokenCache
    budget: Budget
    lane: str
    connect_timeout: float = 2.0
    read_timeout: float = 4.0
