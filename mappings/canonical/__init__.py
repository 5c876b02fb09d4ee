"""The vocabulary: one marshmallow schema per noun. Not for: columns, which are a mapping's.

Records in flight are plain dicts; a schema says which fields there are, of which type, who may see
or change them (`canonical.fields.tags`), and turns them to JSON and back.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from marshmallow import Schema, validate
from marshmallow.fields import Field, Nested

from mappings.canonical.consent import ConsentSchema
from mappings.canonical.identity import IdentitySchema
from mappings.canonical.member import MemberSchema

SCHEMAS: Mapping[str, type[Schema]] = {
    "member": MemberSchema,
    "identity": IdentitySchema,
    "consent": ConsentSchema,
}
"""Kind -> its schema, without a brand's own fields (`mappings.loader.Mapping.schema` has them)."""


def each_field(schema: type[Schema], prefix: str = "") -> Iterator[tuple[str, Field[Any]]]:
    """Every field with its dotted name; those of a nested schema as `ext.name`."""
    for name, field in schema().fields.items():
        if isinstance(field, Nested):
            yield from each_field(type(field.schema), f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


def longest(field: Field[Any]) -> int | None:
    """The vocabulary's own limit of a text, in characters."""
    given = (rule.max for rule in field.validators if isinstance(rule, validate.Length))
    return next((most for most in given if most is not None), None)


def personal_fields(schemas: Mapping[str, type[Schema]] = SCHEMAS) -> set[tuple[str, str]]:
    """(kind, field) of everything that is personal."""
    return {
        (kind, name)
        for kind, schema in schemas.items()
        for name, field in each_field(schema)
        if field.metadata["personal"]
    }


def client_readable(kind: str, schema: type[Schema] | None = None) -> tuple[str, ...]:
    """Fields that a client may ask for; `schema` where it has a brand's own fields."""
    return tuple(
        name for name, field in each_field(schema or SCHEMAS[kind]) if not field.metadata["system"]
    )


def client_writable(kind: str, schema: type[Schema] | None = None) -> tuple[str, ...]:
    """Fields that a client may change after the record was made."""
    return tuple(
        name
        for name, field in each_field(schema or SCHEMAS[kind])
        if not field.metadata["system"] and field.metadata["access"] == "write"
    )
