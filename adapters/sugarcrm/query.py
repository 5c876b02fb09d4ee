"""Addresses and searches of Sugar's API. Not for: sending them.

Every search is a POST, so that no value stands in a URL, and names its fields, since Sugar
otherwise gives every column, a portal password's hash among them. Only what Sugar compares as we do
is left to it; the rest is compared on what came (`Stepwise.meets`).
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from adapters.stepwise import Condition
from adapters.sugarcrm import rows
from mappings.binding import FieldBinding, KindBinding
from mappings.converters import Emails, Text

_SERVER = {"eq": "$equals", "gt": "$gt", "ge": "$gte", "lt": "$lt", "le": "$lte", "in": "$in"}
Clause = dict[str, Any]


def found_by(binding: KindBinding) -> str:
    """The address of searches."""
    return f"{binding.entity_set}/filter"


def record(binding: KindBinding, own: str, columns: Iterable[str]) -> str:
    """`Contacts/<own id>?fields=…`: the answer to a PUT has fields too."""
    return f"{binding.entity_set}/{quote(own, safe='')}?fields={','.join(dict.fromkeys(columns))}"


def upsert(binding: KindBinding, id: str) -> str:
    """`Contacts/sync_key/<our id>`."""
    return f"{binding.entity_set}/sync_key/{id}"


def search(clauses: list[Clause], columns: Iterable[str], size: int) -> dict[str, Any]:
    """One page in the order of Sugar's own ids, which is unique: others shift while rows are
    added."""
    return {
        "filter": clauses,
        "fields": ",".join(dict.fromkeys(columns)),
        "max_num": size,
        "order_by": f"{rows.ID}:ASC",
    }


def known_as(id: str, ids: str) -> list[Clause]:
    """Records of this canonical id. One that staff made has no sync_key and is known by its own."""
    own = {rows.ID: {"$equals": id}}
    return [own] if ids == "id" else [{"$or": [{rows.SYNC_KEY: {"$equals": id}}, own]}]


def clauses(conditions: Iterable[Condition], after: str | None) -> list[Clause]:
    """What Sugar is asked to compare; all hold together. Pages go by id."""
    found = [clause for each in conditions if (clause := _clause(*each))]
    return found if after is None else [*found, {rows.ID: {"$gt": after}}]


def _clause(op: str, field: FieldBinding, dumped: Any) -> Clause | None:
    name = field.converter.search if isinstance(field.converter, Emails) else field.column
    if op == "eq" and dumped is None:
        return {name: {"$empty": ""}} if isinstance(field.converter, Text) else None
    if op not in _SERVER or dumped is None:
        return None
    if op == "in":
        return {name: {"$in": [_text(field, each) for each in dumped]}}
    return {name: {_SERVER[op]: _text(field, dumped)}}


def _text(field: FieldBinding, dumped: Any) -> Any:
    """A value to compare with; an address is one text here."""
    return dumped if isinstance(field.converter, Emails) else rows.wire(field, dumped)
