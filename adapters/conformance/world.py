"""What the suite needs to know of the CRM behind an adapter. Not for: any one CRM."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any, cast

import pytest

from adapters.base import Adapter, Found, Record
from adapters.conformance.partial import Partial
from adapters.errors import Invalid, NotFound
from mappings.loader import Mapping

AWKWARD = (
    "O'Brien",
    "''; drop",
    "100%",
    "a_b",
    "[a-z]",
    "name+tag@example.com",
    "a/b\\c?d&e=f#g",
    "<b>&amp;</b>",
    "王小明",
    "𠮷野家",
    "👩‍👩‍👧",
    "é",
    'say "hi"',
    "(1),$top=1",
    "x" * 50,
)
"""Values that break quoting, patterns, URLs or narrow encodings somewhere."""


@dataclass(frozen=True)
class Seen:
    """One request as the remote side saw it; `target` is path and query. `in_batch`: it stood in
    another request's body, where no log looks."""

    method: str
    target: str
    headers: dict[str, str]
    body: Any
    in_batch: bool = False


class World(ABC):
    """The adapter under test and, where there is a remote side, a hold on it.

    `disturbs`: can it play faults, show requests and end tokens? `lacks`: kinds and `kind.field`s
    that this server has no place for (`adapters.conformance.partial`). `shared`: it isn't only
    ours, so what a test made is erased after it. `throttled_for`: every pause that the budget was
    told of; `taken` and `done`: how often it was asked and told.
    """

    disturbs = False
    shared = False
    lacks: frozenset[str] = frozenset()
    mapping: Mapping

    def __init__(self) -> None:
        self.throttled_for: list[float] = []
        self.taken = 0
        self.done: list[bool] = []

    @abstractmethod
    def adapter(self, **changes: Any) -> Adapter:
        """A new adapter as the writing user; `changes` go into its `Remote`."""

    def seen(self) -> list[Seen]:
        """Requests for data since the last `forget`, those inside a batch too."""
        raise NotImplementedError

    def reads(self, request: Seen) -> bool:
        """Does it change nothing? A search may go by POST."""
        return request.method == "GET"

    def written(self, request: Seen) -> Any:
        """{column: value} of a write, without what the adapter adds for itself."""
        return request.body

    def forget(self) -> None:
        """Forget the requests seen so far."""
        raise NotImplementedError

    def fault(self, kind: str, **rule: Any) -> None:
        """The next request for data meets a fault of the sandbox's menu."""
        raise NotImplementedError

    def fault_in_write(self, kind: str, **rule: Any) -> None:
        """The next request that changes something meets it."""
        self.fault(kind, **rule)

    def expire_tokens(self) -> None:
        """Every token issued so far is refused from now on."""
        raise NotImplementedError

    def token_calls(self) -> int:
        """How many tokens were issued."""
        raise NotImplementedError

    def wrong_credential(self) -> dict[str, str] | None:
        """One that has the right shape and that the CRM doesn't know; None where a clause must not
        try one, as on a server that locks users out. Its secret begins with WRONG."""
        return None

    def password(self) -> tuple[str, str] | None:
        """Name and right password of somebody whom the CRM can check, where it can."""
        return None

    # A Budget, so that clauses can see what it was told.

    def take(self, lane: str) -> None:
        """Granted and counted."""
        self.taken += 1

    def throttled(self, retry_after: float) -> None:
        """Noted."""
        self.throttled_for.append(retry_after)

    def release(self, ok: bool, seconds: float) -> None:
        """Noted."""
        self.done.append(ok)


class CountingBudget:
    """The world as `adapters.base.Budget`."""

    def __init__(self, world: World) -> None:
        self._world = world

    def take(self, lane: str) -> None:
        """See Budget."""
        self._world.take(lane)

    def throttled(self, retry_after: float) -> None:
        """See Budget."""
        self._world.throttled(retry_after)

    def done(self, ok: bool, seconds: float) -> None:
        """See Budget."""
        self._world.release(ok, seconds)


class Clauses:
    """Base of the mixins: fixtures and small helpers."""

    @pytest.fixture
    def world(self) -> Iterator[World]:
        """To be given by the adapter's own test file; empty at the start of each test."""
        raise NotImplementedError

    @pytest.fixture
    def crm(self, world: World) -> Iterator[Adapter]:
        """The adapter under test."""
        made = world.adapter()
        if world.lacks or world.shared:
            partial = Partial(made, world.lacks)
            yield cast(Adapter, partial)
            if world.shared:
                partial.erase_what_it_made()
        else:
            yield made
        made.close()

    @pytest.fixture
    def remote(self, world: World) -> World:
        """The world, where it has a remote side to look at and to disturb."""
        if not world.disturbs:
            pytest.skip("there is no remote side")
        return world


def new_id() -> str:
    """A record's id, as the bridge makes them."""
    return str(uuid.uuid4())


def tag() -> str:
    """A value that no other test, and no row of a server that is shared, has."""
    return uuid.uuid4().hex[:12]


@contextmanager
def bound(world: World, kind: str, name: str, **changes: Any) -> Iterator[Adapter]:
    """Another adapter on the same CRM, whose mapping binds this field otherwise. Skips where this
    server has no place for the field."""
    if world.lacks & {kind, f"{kind}.{name}"}:
        pytest.skip(f"this server has no {kind}.{name}")
    before, binding = world.mapping, world.mapping.kinds[kind]
    if name not in binding.fields:
        pytest.skip(f"the mapping doesn't hold {kind}.{name}")
    fields = {**binding.fields, name: replace(binding.fields[name], **changes)}
    kinds = {**before.kinds, kind: replace(binding, fields=fields)}
    world.mapping = replace(before, kinds=kinds)
    try:
        made = world.adapter()
    finally:
        world.mapping = before
    yield made
    made.close()


def member(crm: Adapter, **record: Any) -> Found:
    """A new member."""
    if not crm.capabilities.create_with_our_id:
        pytest.skip("not declared: a record under our id")
    return crm.create("member", new_id(), record)


def read(crm: Adapter, found: Found, *fields: str) -> Record:
    """What the CRM holds of it now."""
    return crm.get(found.kind, found.id, fields).record


def keeps(crm: Adapter, value: str) -> bool:
    """Does the CRM keep this text? One that it would change must be Invalid, and only where the
    adapter says so beforehand."""
    if crm.capabilities.any_text:
        return True
    id = new_id()
    try:
        crm.create("member", id, {"family_name": value})
    except Invalid as error:
        assert error.fields == ("family_name",)
        with pytest.raises(NotFound):
            crm.get("member", id, ())
        return False
    crm.erase("member", id)
    return True
