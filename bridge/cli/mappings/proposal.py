"""Where each kind could live in a CRM, and its fields there. Not for: YAML (`draft.py`), or which
column a field could be (`match.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from adapters.base import Description, Table
from adapters.errors import CrmError, Unsupported
from bridge.cli.mappings import words
from bridge.cli.mappings.match import Guess, Known, Matcher, nothing
from bridge.cli.mappings.source import Source
from bridge.keys import Role
from mappings.binding import KindBinding
from mappings.canonical import SCHEMAS, each_field
from mappings.canonical.fields import Collection
from mappings.loader import Mapping as CrmMapping

Block = Mapping[str, Any]


@dataclass(frozen=True)
class Example:
    """Another mapping, as data: its file's name, `crm`, `prefix`, and each kind's block."""

    name: str
    crm: str
    prefix: str
    kinds: Mapping[str, Block]


@dataclass(frozen=True)
class Home:
    """Where a kind lives. `there`: whether the CRM has that table."""

    table: Table
    reason: str
    there: bool


@dataclass(frozen=True)
class Drafted:
    """One kind: its fields, the brand's own and its collections, each with its reason."""

    home: Home
    fields: Mapping[str, Guess]
    ext: Mapping[str, Guess]
    collections: Mapping[str, Guess]
    unused: Mapping[str, str]

    @property
    def lost(self) -> dict[str, str]:
        """{field or collection: why}."""
        every = {**self.fields, **self.collections}
        return {name: guess.reason for name, guess in every.items() if guess.entry is None}


def propose(
    given: Source, role: Role, example: Example, named: Mapping[str, str]
) -> dict[str, Drafted]:
    """Every kind. `named`: kind -> table, where somebody says so. Raises CrmSaysNo, and LookupError
    where there is no such kind or table."""
    blocks = example.kinds
    every = _tables(given, role, blocks)
    unknown = [kind for kind in named if kind not in SCHEMAS]
    if unknown:
        raise LookupError(f"--table {unknown[0]}=…: the kinds are {', '.join(SCHEMAS)}")
    homes = {kind: _home(kind, every, blocks.get(kind, {}), named.get(kind)) for kind in SCHEMAS}
    found = given.describe(_skeleton(homes), role)
    places = {kind: home.table.name for kind, home in homes.items()}
    drafted = {}
    for kind, home in homes.items():
        known = Known(home.table, found, given.adapter.guide, places)
        matcher = Matcher(known, blocks.get(kind, {}), example.name)
        drafted[kind] = _fields(kind, home, matcher)
    return {kind: _with_rows(kind, drafted, found, example) for kind in drafted}


def _fields(kind: str, home: Home, matcher: Matcher) -> Drafted:
    declared = dict(each_field(SCHEMAS[kind]))
    if not home.there:
        absent = dict.fromkeys(declared, nothing("its table isn't there"))
        return Drafted(home, absent, {}, {}, {})
    fields, ext = matcher.fields(declared), matcher.extras()
    return Drafted(home, fields, ext, {}, matcher.columns)


def _tables(given: Source, role: Role, blocks: Mapping[str, Block]) -> dict[str, Table]:
    """By name. A CRM that doesn't list its tables is asked for the example's alone."""
    crm = given.connect(_skeleton({}), role)
    try:
        return {table.name: table for table in crm.tables()}
    except Unsupported:
        places = (
            Table(*(str(b.get(n)) for n in ("table", "entity_set", "id"))) for b in blocks.values()
        )
        return {table.name: table for table in places}
    except CrmError as error:
        raise given.no(error) from None
    finally:
        crm.close()


def _home(kind: str, every: Mapping[str, Table], block: Block, named: str | None) -> Home:
    """Raises LookupError where the CRM has no table of the name that was given."""
    if named is not None:
        if named not in every:
            raise LookupError(f"--table {kind}={named}: the CRM has no such table")
        return Home(every[named], "as told", True)
    if str(block.get("table")) in every:
        return Home(every[str(block["table"])], "the example's", True)
    for name in (kind, *words.TABLES.get(kind, ())):
        hits = [each for each in every if name in map(words.singular, words.stems(each))]
        if len(hits) == 1:
            return Home(every[hits[0]], f"called like {name}", True)
        if hits:
            reason = (
                f"several could be it: {', '.join(sorted(hits))}; name one with --table {kind}=…"
            )
            return Home(Table(kind, kind, "id"), reason, False)
    reason = f"MISSING: no table is called like it; make it, or name one with --table {kind}=…"
    return Home(Table(kind, kind, "id"), reason, False)


def _skeleton(homes: Mapping[str, Home]) -> CrmMapping:
    """Enough of a mapping for an adapter to describe these tables."""
    kinds = {
        kind: KindBinding(
            kind, home.table.name, home.table.entity_set, home.table.id_column,
            {}, {}, {}, {}, frozenset(),
        )
        for kind, home in homes.items()
        if home.there
    }  # fmt: skip
    return CrmMapping("draft", kinds, dict(SCHEMAS))


def _with_rows(
    kind: str, drafted: Mapping[str, Drafted], found: Description, example: Example
) -> Drafted:
    """The kind with its collections, now that the lookups of all kinds are placed."""
    own = drafted[kind]
    declared: Mapping[str, Collection] = getattr(SCHEMAS[kind], "collections", {})
    told = found.collections.get(own.home.table.name)
    rows = {name: _rows(each, drafted[each.kind], told) for name, each in declared.items()}
    ways = example.kinds.get(kind, {}).get("collections")
    if not told and isinstance(ways, dict):
        said = f"as in {example.name}; the CRM doesn't tell its ways"
        rows |= {
            name: Guess({"column": str(ways[name])}, said)
            for name, guess in rows.items()
            if guess.entry is not None and name in ways
        }
    return replace(own, collections=rows)


def _rows(
    collection: Collection, other: Drafted, told: Mapping[str, tuple[str, str]] | None
) -> Guess:
    """The way to the rows whose lookup leads here."""
    entry = other.fields[collection.lookup].entry
    if entry is None:
        return nothing(f"{collection.kind}.{collection.lookup} isn't placed")
    if not told:
        return Guess(entry, f"by the column of {collection.kind}.{collection.lookup}")
    here = other.home.table.name, entry["column"]
    ways = [way for way, place in sorted(told.items()) if place == here]
    if len(ways) != 1:
        return nothing(f"there are {len(ways)} ways to its rows")
    return Guess({"column": ways[0]}, f"the way back of {collection.kind}.{collection.lookup}")
