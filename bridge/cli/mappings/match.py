"""Which column of a table a field could be, and why. For `draft`. Not for: writing YAML.

A guess is never made between two that are as good; the reason then names both.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from marshmallow import fields
from marshmallow.fields import Field

from adapters.base import Description, Table
from adapters.guide import Guide
from bridge.cli.mappings import words
from mappings.canonical import longest
from mappings.canonical.fields import Option, Reference

_TYPES: tuple[tuple[type[Field[Any]], str], ...] = (
    (Option, "option"),
    (Reference, "lookup"),
    (fields.String, "text"),
    (fields.Date, "date"),
    (fields.DateTime, "datetime"),
    (fields.Decimal, "decimal"),
    (fields.Boolean, "bool"),
)
_PHONES = ("mobile",)
_OPPOSITE = ("donot", "optout", "optedout")
_LONG_ENOUGH = 5  # of a name that another one may contain: `tier` is in `frontier`
_WHOLE_NUMBERS = ("Integer", "BigInt", "int")


@dataclass(frozen=True)
class Guess:
    """What stands under a field, and why; `entry` is None where nothing could be placed."""

    entry: Mapping[str, Any] | None
    reason: str


def nothing(reason: str) -> Guess:
    """The field goes under not_held."""
    return Guess(None, reason)


@dataclass(frozen=True)
class Known:
    """What the CRM says of one table. `homes`: kind -> table, of every kind."""

    table: Table
    found: Description
    guide: Guide
    homes: Mapping[str, str]


class Matcher:
    """One table's columns for the fields of one kind; a column is given away once, and `columns`
    are those that are left.

    `example`: the kind's block in another mapping, preferred where the table has its columns;
    `called`: what to call that one.
    """

    def __init__(self, known: Known, example: Mapping[str, Any], called: str) -> None:
        self._found, self._guide, self._homes = known.found, known.guide, known.homes
        self._table = known.table.name
        self._example, self._called = example, called
        self.columns = dict(self._found.tables.get(self._table, {}))
        self.columns.pop(known.table.id_column, None)

    def fields(self, declared: Mapping[str, Field[Any]]) -> dict[str, Guess]:
        """The example's first, then by name: a sure one isn't lost to a guess."""
        made: dict[str, Guess] = {}
        for step in (self._as_in_example, self._by_name):
            for name, field in declared.items():
                if name not in made or made[name].entry is None:
                    made[name] = step(name, field)
                    self._take(made[name])
        return {name: made[name] for name in declared}

    def extras(self) -> dict[str, Guess]:
        """The example's fields of the brand's own that the table has too."""
        given = self._example.get("ext")
        kept = {}
        for name, entry in given.items() if isinstance(given, dict) else ():
            guess = self._copied(entry)
            if guess.entry is not None:
                kept[str(name)] = guess
                self._take(guess)
        return kept

    def _take(self, guess: Guess) -> None:
        if guess.entry is not None:
            self.columns.pop(str(guess.entry["column"]), None)

    def _as_in_example(self, name: str, field: Field[Any]) -> Guess:
        given = self._example.get("fields")
        return self._copied(given.get(name) if isinstance(given, dict) else None)

    def _copied(self, entry: Any) -> Guess:
        """The example's own words, if the column is there, fits, and has its options."""
        if not isinstance(entry, dict) or entry.get("column") not in self.columns:
            return nothing("")
        column = entry["column"]
        if not self._fits(column, str(entry.get("type"))):
            return nothing("")
        values = self._options(column)
        options = entry.get("options")
        given = set(options.values()) - {None} if isinstance(options, dict) else set()
        if values is not None and not given <= set(values):
            return nothing("")
        kept = {name: value for name, value in entry.items() if name not in ("key", "access")}
        return Guess(kept | self._held(column, entry.get("access")), f"as in {self._called}")

    def _by_name(self, name: str, field: Field[Any]) -> Guess:
        given = "phone" if name in _PHONES else _type(field)
        names = [words.plain(each) for each in (name, *words.FIELDS.get(name, ()))]
        fitting = [c for c in self.columns if self._fits(c, given) and self._leads(c, field)]
        column, reason = _best(names, fitting)
        if column is None:
            return nothing(reason)
        entry: dict[str, Any] = {"column": column, "type": given}
        if isinstance(field, Option):
            table = self._choices(column, field.choices)
            if isinstance(table, str):
                return nothing(f"{column} could be it, but {table}")
            entry["options"], more = table
            reason += more
        elif isinstance(field, Reference):
            entry |= self._way(column, field)
        elif given == "bool" and any(word in words.stems(column)[-1] for word in _OPPOSITE):
            entry["type"], reason = "inverted_bool", f"{reason}; yes there is no here"
        return Guess(entry | self._held(column, None), reason + self._short(column, field))

    def _fits(self, column: str, given: str) -> bool:
        fits = self._guide.column_types.get(given, ())
        return not fits or self.columns[column] in fits

    def _leads(self, column: str, field: Field[Any]) -> bool:
        """Does a lookup lead to the kind that it should? True where the CRM doesn't tell."""
        told = self._found.lookups.get(self._table)
        if not isinstance(field, Reference) or not told:
            return True
        return self._homes.get(field.to) in [table for _, table in told.get(column, ())]

    def _way(self, column: str, field: Reference) -> dict[str, str]:
        ways = self._found.lookups.get(self._table, {}).get(column, ())
        target = self._homes.get(field.to)
        return next(({"navigation": way} for way, to in ways if to == target and way != column), {})

    def _held(self, column: str, access: str | None) -> dict[str, str]:
        """What the CRM itself says of the column: its key, and whether it can be written."""
        keys = self._found.keys.get(self._table, {})
        key = next((name for name, over in sorted(keys.items()) if over == (column,)), "")
        guarded = column in self._found.read_only.get(self._table, ())
        access = "read" if guarded else access
        return ({"key": key} if key else {}) | ({"access": access} if access else {})

    def _options(self, column: str) -> Mapping[Any, str] | None:
        """{value: label}, as far as the CRM tells any."""
        values = self._found.options.get(self._table, {}).get(column)
        if values is None:
            return None
        labels = self._found.labels.get(self._table, {}).get(column, {})
        return {value: labels.get(value, "") for value in sorted(values, key=str)}

    def _choices(self, column: str, choices: Iterable[str]) -> tuple[dict[str, Any], str] | str:
        """The option table and what to say of it; or why there is none."""
        told = self._options(column)
        if told is None:
            if self.columns[column] in _WHOLE_NUMBERS:
                return "the CRM doesn't tell which number is what"
            same = {word: word for word in choices}
            return same, "; the CRM doesn't tell its options, these are our own words: check them"
        found = {word: value for word in choices if (value := _value(word, told)) is not None}
        lacking = [word for word in choices if word not in found]
        empty = [word for word in lacking if word in words.EMPTY]
        if len(lacking) > 1 or lacking != empty:
            return f"it has no option like {', '.join(lacking)}"
        table = {word: found.get(word) for word in choices}
        return table, "".join(f"; empty is {word}" for word in empty)

    def _short(self, column: str, field: Field[Any]) -> str:
        room, most = self._found.lengths.get(self._table, {}).get(column), longest(field)
        short = room is not None and most is not None and room < most
        return f"; holds {room} characters only, {most} may come" if short else ""


def _type(field: Field[Any]) -> str:
    return next(name for kind, name in _TYPES if isinstance(field, kind))


def _best(names: Iterable[str], columns: Iterable[str]) -> tuple[str | None, str]:
    """The one column that is meant, with the reason; or None, with the reason."""
    own, *others = names
    for reason, hit in _ways(own, others):
        hits = [column for column in columns if hit(column)]
        if len(hits) == 1:
            return hits[0], reason
        if hits:
            return None, f"several could be it: {', '.join(sorted(hits))}"
    return None, "no column of a fitting type has such a name"


def _ways(own: str, others: list[str]) -> Iterator[tuple[str, Callable[[str], bool]]]:
    """From sure to bold."""
    yield "the same name", partial(_called, own, words.stems)
    for other in others:
        yield f"often called {other}", partial(_called, other, words.stems)
    yield "nearly the same name", partial(_called, own, words.loose)
    for other in others:
        yield f"nearly {other}", partial(_called, other, words.loose)
    for part in (own, *others):
        if len(part) >= _LONG_ENOUGH:
            yield f"its name has {part} in it", partial(_has, part)


def _called(name: str, stems: Callable[[str], tuple[str, ...]], column: str) -> bool:
    return name in stems(column)


def _has(part: str, column: str) -> bool:
    return part in words.plain(column)


def _value(word: str, told: Mapping[Any, str]) -> Any:
    """The CRM's value whose label, or which itself, is called like the word."""
    names = {words.plain(each) for each in (word, *words.OPTIONS.get(word, ()))}
    hits = [v for v, label in told.items() if names & {words.plain(label), words.plain(str(v))}]
    return hits[0] if len(hits) == 1 else None
