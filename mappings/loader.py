"""Reads and checks a mapping file, all mistakes at once. Not for: converting values.

A file is data: `crm`, `prefix`, and per kind `table`, `entity_set`, `id`, `label`, `fields` (field
-> `column`, `type` and what the type takes), `ext` (a brand's own fields, declared here alone),
`collections` (name -> the CRM's way there) and `not_held`; docs/adapter-contract.md has each key.
"""

import dataclasses
import re
from collections.abc import Mapping as Dict
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml
from marshmallow import RAISE, Schema, fields, validate

from mappings.binding import CollectionBinding, FieldBinding, KindBinding
from mappings.canonical import (
    SCHEMAS,
    client_readable,
    client_writable,
    each_field,
    longest,
    personal_fields,
)
from mappings.canonical.fields import Collection, Option, Reference, tags
from mappings.converters import CONVERTERS, Converter, Lookup, OptionTable

_KIND_KEYS = {
    *("table", "entity_set", "id", "label", "version"),
    *("fields", "ext", "collections", "not_held"),
}
_FIELD_KEYS = {"column", "type", "access", "key", "length", "label"}
_EXT_KEYS = {"personal", "client"}


class MappingErrors(ValueError):
    """`problems`: every mistake of the file, each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("the mapping is wrong: " + "; ".join(problems))
        self.problems = problems


@dataclasses.dataclass(frozen=True)
class Mapping:
    """A checked mapping: where each kind lives, and its schema with the brand's own fields.
    `prefix`: names that begin with it and `_` are made by `provision`, all others by nobody."""

    crm: str
    kinds: Dict[str, KindBinding]
    schemas: Dict[str, type[Schema]]
    prefix: str = ""

    def schema(self, kind: str) -> type[Schema]:
        """The kind's marshmallow schema; a brand's own fields are a nested schema under `ext`."""
        return self.schemas[kind]

    def readable(self, kind: str) -> tuple[str, ...]:
        """Dotted names that a client may ask for, of those that this CRM holds."""
        return self._held(kind, client_readable(kind, self.schemas[kind]))

    def writable(self, kind: str) -> tuple[str, ...]:
        """Dotted names that a client may change, of those that this CRM holds."""
        return self._held(kind, client_writable(kind, self.schemas[kind]))

    @cached_property
    def personal_fields(self) -> frozenset[tuple[str, str]]:
        """(kind, dotted field) of everything personal, the brand's own included."""
        return frozenset(personal_fields(self.schemas))

    def _held(self, kind: str, names: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name for name in names if name in self.kinds[kind].fields)


def load(path: Path | str, schemas: Dict[str, type[Schema]] = SCHEMAS) -> Mapping:
    """The mapping in this file. Raises MappingErrors with all its mistakes."""
    reading = _Reading(schemas)
    document = reading.parse(Path(path))
    mapping = None if document is None else reading.mapping(document)
    if mapping is None or reading.problems:
        raise MappingErrors(reading.problems)
    return mapping


class _Reading:
    """One reading of one file: collects `problems` instead of stopping at the first."""

    def __init__(self, schemas: Dict[str, type[Schema]]) -> None:
        self.schemas = schemas
        self.problems: list[str] = []

    def parse(self, path: Path) -> Dict[str, Any] | None:
        """The document as data, None where it isn't YAML; repeated keys are mistakes."""
        try:
            node = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            mark = getattr(error, "problem_mark", None)
            line = f", line {mark.line + 1}" if mark else ""
            self.problems.append(f"can't be read as YAML{line}")
            return None
        if node is None:
            return {}
        self._repeated(node)
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
        return document if isinstance(document, dict) else {}

    def _repeated(self, node: yaml.Node) -> None:
        if isinstance(node, yaml.MappingNode):
            names = [key.value for key, _ in node.value]
            for name in sorted({str(n) for n in names if names.count(n) > 1}):
                line = node.start_mark.line + 1
                self.problems.append(f"{name!r} stands twice in the block at line {line}")
            for _, value in node.value:
                self._repeated(value)
        elif isinstance(node, yaml.SequenceNode):
            for value in node.value:
                self._repeated(value)

    def mapping(self, document: Dict[str, Any]) -> Mapping:
        """The whole, as far as it could be read."""
        self._unknown("", document, {"crm", "prefix", "kinds"})
        kinds = self._block("kinds", document.get("kinds"))
        self._unknown("kinds", kinds, set(self.schemas))
        found, schemas = {}, {}
        for kind, schema in self.schemas.items():
            entry = self._block(kind, kinds.get(kind))
            if kind in kinds:
                found[kind], schemas[kind] = self._kind(kind, schema, entry)
            else:
                self.problems.append(f"{kind}: is missing")
        crm = self._text("", document, "crm")
        return Mapping(crm, found, schemas, self._prefix(document))

    def _prefix(self, document: Dict[str, Any]) -> str:
        given = document.get("prefix", "")
        if isinstance(given, str) and re.fullmatch("|[a-z][a-z0-9]{1,7}", given):
            return given
        self.problems.append("prefix: must be 2 to 8 small letters and digits, a letter first")
        return ""

    def _kind(
        self, kind: str, schema: type[Schema], entry: Dict[str, Any]
    ) -> tuple[KindBinding, type[Schema]]:
        self._unknown(kind, entry, _KIND_KEYS)
        declared = dict(each_field(schema))
        not_held = self._not_held(kind, schema, declared, entry)
        bound = self._fields(kind, declared, entry, not_held)
        extras, ext_schema = self._ext(kind, entry)
        self._columns_once(kind, entry, [*bound.values(), *extras.values()])
        collections = self._collections(kind, schema, entry, not_held)
        if ext_schema:
            schema = type(schema.__name__, (schema,), {"ext": fields.Nested(ext_schema)})
        every = bound | extras
        return KindBinding(
            kind=kind,
            table=self._text(kind, entry, "table"),
            entity_set=self._text(kind, entry, "entity_set"),
            id_column=self._text(kind, entry, "id"),
            fields=every,
            lookups={n: f.to for n, f in declared.items() if isinstance(f, Reference)},
            collections=collections,
            keys={name: field.key for name, field in every.items() if field.key},
            not_held=not_held,
            label=self._label(kind, kind, entry),
            version=self._text(kind, entry, "version") if "version" in entry else "",
        ), schema

    def _not_held(
        self,
        kind: str,
        schema: type[Schema],
        declared: Dict[str, fields.Field[Any]],
        entry: Dict[str, Any],
    ) -> frozenset[str]:
        listed = entry.get("not_held") or []
        if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
            self.problems.append(f"{kind}.not_held: must be a list of names")
            return frozenset()
        known = set(declared) | set(_collections_of(schema))
        self.problems += [f"{kind}.not_held: no field {n!r}" for n in listed if n not in known]
        return frozenset(listed)

    def _fields(
        self,
        kind: str,
        declared: Dict[str, fields.Field[Any]],
        entry: Dict[str, Any],
        not_held: frozenset[str],
    ) -> dict[str, FieldBinding]:
        given = self._block(f"{kind}.fields", entry.get("fields"))
        self._unknown(f"{kind}.fields", given, set(declared))
        found = {}
        for name, field in declared.items():
            place = f"{kind}.{name}"
            if name not in given and name not in not_held:
                self.problems.append(f"{place}: is neither bound nor under not_held")
            if name in given and name in not_held:
                self.problems.append(f"{place}: is both bound and under not_held")
            if name in given:
                binding = self._field(place, name, given[name], set(), field)
                if binding:
                    found[name] = binding
        return found

    def _field(
        self,
        place: str,
        name: str,
        given: Any,
        more: set[str],
        canonical: fields.Field[Any] | None,
    ) -> FieldBinding | None:
        entry = self._block(place, given)
        kind = CONVERTERS.get(str(entry.get("type")))
        if kind is None:
            self.problems.append(f"{place}: type is not one of {', '.join(CONVERTERS)}")
            return None
        takes = {field.name for field in dataclasses.fields(kind)}
        self._unknown(place, entry, _FIELD_KEYS | more | takes)
        converter = self._converter(place, kind, entry, takes)
        self._fits(place, converter, canonical)
        if entry.get("access", "write") not in ("read", "write"):
            self.problems.append(f"{place}: access is neither read nor write")
        personal = bool(
            canonical.metadata["personal"] if canonical else entry.get("personal", True)
        )
        return FieldBinding(
            name=name,
            column=self._text(place, entry, "column"),
            converter=converter,
            access=entry.get("access", "write"),
            key=str(entry.get("key", "")),
            personal=personal,
            secret=bool(canonical and canonical.metadata["secret"]),
            length=self._length(place, entry, canonical),
            label=self._label(place, name.removeprefix("ext."), entry),
        )

    def _label(self, place: str, name: str, entry: Dict[str, Any]) -> str:
        """As given, or the field's name in words."""
        given = entry.get("label", name.replace("_", " ").capitalize())
        if isinstance(given, str) and given and given.isprintable():
            return given
        self.problems.append(f"{place}: label is not a line of text")
        return name

    def _length(
        self, place: str, entry: Dict[str, Any], canonical: fields.Field[Any] | None
    ) -> int | None:
        """As given, or the vocabulary's own limit, which a column can't be shorter than."""
        least = longest(canonical) if canonical else None
        given = entry.get("length", least)
        if given is None or (type(given) is int and given >= (least or 1)):
            return given
        self.problems.append(f"{place}: length is not a number of at least {least or 1}")
        return least

    def _converter(
        self, place: str, kind: type[Converter], entry: Dict[str, Any], takes: set[str]
    ) -> Converter:
        given = {name: entry[name] for name in takes if name in entry}
        for field in dataclasses.fields(kind):
            value = given.get(field.name)
            wanted = dict if field.name == "options" else str
            if field.name in given and not isinstance(value, wanted):
                self.problems.append(f"{place}: {field.name} is not a {wanted.__name__}")
                del given[field.name]
        converter = kind(**given)
        self.problems += [f"{place}: {problem}" for problem in converter.problems()]
        return converter

    def _fits(self, place: str, converter: Converter, canonical: fields.Field[Any] | None) -> None:
        """A converter must serve its field's type, and an option table all of its words."""
        if canonical is None:
            return
        is_lookup = isinstance(canonical, Reference), isinstance(converter, Lookup)
        is_option = isinstance(canonical, Option), isinstance(converter, OptionTable)
        serves = isinstance(canonical, converter.serves)
        if not serves or len(set(is_lookup)) > 1 or len(set(is_option)) > 1:
            self.problems.append(f"{place}: this type can't hold a {type(canonical).__name__}")
        elif isinstance(canonical, Option) and isinstance(converter, OptionTable):
            words, given = set(canonical.choices), {str(word) for word in converter.options}
            self.problems += [f"{place}: option {w!r} is missing" for w in sorted(words - given)]
            self.problems += [f"{place}: no option {w!r}" for w in sorted(given - words)]

    def _ext(
        self, kind: str, entry: Dict[str, Any]
    ) -> tuple[dict[str, FieldBinding], type[Schema] | None]:
        given = self._block(f"{kind}.ext", entry.get("ext") or {})
        found: dict[str, FieldBinding] = {}
        made: dict[str, fields.Field[Any]] = {}
        for name, content in given.items():
            place = f"{kind}.ext.{name}"
            if not str(name).isidentifier():
                self.problems.append(f"{place}: a name has letters, digits and _ only")
                continue
            binding = self._field(place, f"ext.{name}", content, _EXT_KEYS, None)
            if binding:
                found[binding.name] = binding
                made[name] = self._ext_field(place, binding, content)
        if not made:
            return found, None
        meta = type("Meta", (), {"unknown": RAISE})
        return found, type(f"{kind.title()}ExtSchema", (Schema,), {**made, "Meta": meta})

    def _ext_field(
        self, place: str, binding: FieldBinding, content: Dict[str, Any]
    ) -> fields.Field[Any]:
        client = content.get("client", binding.access)
        if client not in ("read", "write", "create", "none"):
            self.problems.append(f"{place}: client is not one of read, write, create, none")
            client = "read"
        if type(content.get("personal", True)) is not bool:
            self.problems.append(f"{place}: personal is neither true nor false")
        marks = tags(
            personal=binding.personal,
            system=client == "none",
            access="read" if client == "none" else client,
        )
        made = _field_for(binding.converter, marks)
        if binding.length and isinstance(made, fields.String):
            made.validators.append(validate.Length(max=binding.length))
        return made

    def _collections(
        self, kind: str, schema: type[Schema], entry: Dict[str, Any], not_held: frozenset[str]
    ) -> dict[str, CollectionBinding]:
        declared = _collections_of(schema)
        place = f"{kind}.collections"
        given = self._block(place, entry.get("collections") or {})
        self._unknown(place, given, set(declared))
        missing = set(declared) - set(given) - not_held
        self.problems += [
            f"{place}.{name}: is neither bound nor under not_held" for name in sorted(missing)
        ]
        return {
            name: CollectionBinding(
                name, declared[name].kind, declared[name].lookup, self._text(place, given, name)
            )
            for name in given
            if name in declared
        }

    def _columns_once(self, kind: str, entry: Dict[str, Any], found: list[FieldBinding]) -> None:
        columns = [str(entry.get("id")), *(field.column for field in found)]
        for column in sorted({c for c in columns if c and columns.count(c) > 1}):
            self.problems.append(f"{kind}: column {column!r} is bound twice")

    def _block(self, place: str, given: Any) -> Dict[str, Any]:
        if isinstance(given, dict):
            return given
        if given is not None:
            self.problems.append(f"{place}: must be a block of keys")
        return {}

    def _text(self, place: str, entry: Dict[str, Any], key: str) -> str:
        value = entry.get(key)
        if isinstance(value, str) and value:
            return value
        self.problems.append(f"{place}.{key}: must be text".lstrip("."))
        return ""

    def _unknown(self, place: str, entry: Dict[str, Any], known: set[str]) -> None:
        for name in entry:
            if name not in known:
                self.problems.append(f"{place}: unknown key {name!r}".lstrip(": "))


def _collections_of(schema: type[Schema]) -> dict[str, Collection]:
    return dict(getattr(schema, "collections", {}))


def _field_for(converter: Converter, marks: dict[str, Any]) -> fields.Field[Any]:
    """The marshmallow field of a brand's own field."""
    if isinstance(converter, Lookup):
        return Reference("", **marks)
    if isinstance(converter, OptionTable):
        return Option(tuple(converter.options), **marks)
    made = converter.serves[0]
    if made is fields.List:
        return fields.List(fields.String(), allow_none=True, metadata=marks)
    if made is fields.Decimal:
        return fields.Decimal(as_string=True, allow_none=True, allow_nan=False, metadata=marks)
    return made(allow_none=True, metadata=marks)
