"""`$metadata`: the tables as a CSDL document (OData 4.0). Not the metadata sets' own types.

Shape: learn.microsoft.com/power-apps/developer/data-platform/webapi/web-api-service-documents:
namespace `Microsoft.Dynamics.CRM` with the alias `mscrm`, an abstract base type, a lookup as a
property `_x_value` that its navigation property refers to.
"""

from collections.abc import Iterator
from xml.sax.saxutils import quoteattr

from sandbox.dynamics.schema import Column, Schema, Table
from sandbox.dynamics.values import EDM

HEAD = (
    '<?xml version="1.0" encoding="utf-8"?>',
    '<edmx:Edmx Version="4.0" xmlns:edmx="http://docs.oasis-open.org/odata/ns/edmx">',
    "<edmx:DataServices>",
    '<Schema Namespace="Microsoft.Dynamics.CRM" Alias="mscrm" '
    'xmlns="http://docs.oasis-open.org/odata/ns/edm">',
    '<EntityType Name="crmbaseentity" Abstract="true" />',
)
FUNCTIONS = (
    '<ComplexType Name="WhoAmIResponse"><Property Name="BusinessUnitId" Type="Edm.Guid" '
    'Nullable="false" /><Property Name="UserId" Type="Edm.Guid" Nullable="false" />'
    '<Property Name="OrganizationId" Type="Edm.Guid" Nullable="false" /></ComplexType>',
    '<ComplexType Name="RetrieveVersionResponse"><Property Name="Version" Type="Edm.String" '
    'Unicode="false" /></ComplexType>',
    '<Function Name="WhoAmI"><ReturnType Type="mscrm.WhoAmIResponse" Nullable="false" />'
    "</Function>",
    '<Function Name="RetrieveVersion"><ReturnType Type="mscrm.RetrieveVersionResponse" '
    'Nullable="false" /></Function>',
)
IMPORTS = tuple(
    f'<FunctionImport Name="{name}" Function="mscrm.{name}" IncludeInServiceDocument="false" />'
    for name in ("WhoAmI", "RetrieveVersion")
)


def document(schema: Schema) -> str:
    """The whole document."""
    lines = [*HEAD]
    for table in schema.tables.values():
        lines += _type(schema, table)
    lines += [*FUNCTIONS, '<EntityContainer Name="System">']
    for table in schema.tables.values():
        lines += _set(schema, table)
    lines += [*IMPORTS, "</EntityContainer>", "</Schema>", "</edmx:DataServices>", "</edmx:Edmx>"]
    return "\n".join(lines)


def _type(schema: Schema, table: Table) -> Iterator[str]:
    yield f'<EntityType Name={quoteattr(table.name)} BaseType="mscrm.crmbaseentity">'
    yield f"<Key><PropertyRef Name={quoteattr(table.key)} /></Key>"
    for column in table.columns.values():
        yield _property(table, column)
    for name, kind, partner, column in _navigations(schema, table):
        ends = f"<NavigationProperty Name={quoteattr(name)} Type={quoteattr(kind)}"
        ends += f" Partner={quoteattr(partner)}"
        if column is None:
            yield f"{ends} />"
            continue
        wire = quoteattr(column.wire)
        target = quoteattr(schema.target(column, name).key)
        yield f'{ends} Nullable="true">'
        yield f"<ReferentialConstraint Property={wire} ReferencedProperty={target} />"
        yield "</NavigationProperty>"
    yield "</EntityType>"


def _property(table: Table, column: Column) -> str:
    facets = ' Nullable="false"' if column.name == table.key else ""
    if column.type in ("string", "memo"):
        facets += f' MaxLength="{column.maximum}" Unicode="true"'
    if column.type in ("decimal", "money"):
        facets += f' Scale="{column.precision}"'
    kind = EDM[column.type]
    return f"<Property Name={quoteattr(column.wire)} Type={quoteattr(kind)}{facets} />"


def _navigations(schema: Schema, table: Table) -> Iterator[tuple[str, str, str, Column | None]]:
    """Name, type, the name seen from the other side, and a lookup's column."""
    for column in table.columns.values():
        for relationship in schema.relationships_of(column):
            kind = f"mscrm.{relationship.target}"
            yield relationship.navigation, kind, relationship.name, column
    for relationship in table.collections.values():
        kind = f"Collection(mscrm.{relationship.table})"
        yield relationship.name, kind, relationship.navigation, None
    for association in table.associations.values():
        kind = f"Collection(mscrm.{association.other(table.name)})"
        yield association.name, kind, association.name, None


def _set(schema: Schema, table: Table) -> Iterator[str]:
    yield f"<EntitySet Name={quoteattr(table.set)} EntityType={quoteattr(f'mscrm.{table.name}')}>"
    for name, kind, _, _ in _navigations(schema, table):
        bare = kind.removeprefix("Collection(").removesuffix(")").removeprefix("mscrm.")
        target = quoteattr(schema.tables[bare].set)
        yield f"<NavigationPropertyBinding Path={quoteattr(name)} Target={target} />"
    yield "</EntitySet>"
