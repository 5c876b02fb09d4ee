"""Dataverse's errors: HTTP status, code and message. The codes are those Microsoft documents.

Messages name tables and columns and, like the real service's, may repeat an id or a key value.
"""

from sandbox.dynamics.schema import Column, Table


class DataverseError(Exception):
    """An answer of the Web API that is not a success."""

    def __init__(
        self, status: int, code: str, message: str, headers: dict[str, str] | None = None
    ) -> None:
        super().__init__(code)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def not_played(what: str) -> DataverseError:
    """The sandbox knows that Dataverse does this and doesn't do it itself."""
    return DataverseError(501, "0x80060888", f"The sandbox does not play this: {what}.")


def bad_query(message: str) -> DataverseError:
    """OData-level trouble in a URL."""
    return DataverseError(400, "0x80060888", message)


def bad_payload(message: str) -> DataverseError:
    """The body doesn't parse or names what isn't there."""
    prefix = "Error identified in Payload provided by the user for Entity"
    return DataverseError(400, "0x80048d19", f"{prefix} :'', InnerException : {message}")


def unknown_property(name: str, table: Table) -> DataverseError:
    """A column in a query that the table doesn't have."""
    kind = f"Microsoft.Dynamics.CRM.{table.name}"
    return bad_query(f"Could not find a property named '{name}' on type '{kind}'.")


def undeclared_property(name: str, table: Table) -> DataverseError:
    """A property in a payload that the table doesn't have (its case counts)."""
    kind = f"Microsoft.Dynamics.CRM.{table.name}"
    return bad_payload(f"An undeclared property '{name}' was found on '{kind}'.")


def no_segment(name: str) -> DataverseError:
    """No such set or function."""
    message = f"Resource not found for the segment '{name}'."
    return DataverseError(404, "0x8006088a", message)


def not_found(table: Table, which: str) -> DataverseError:
    """No record with this primary key."""
    message = f"{table.schema_name} With Id = {which} Does Not Exist"
    return DataverseError(404, "0x80040217", message)


def no_such_key(table: Table) -> DataverseError:
    """No record with these values of an alternate key (RecordNotFoundByEntityKey)."""
    message = f"A record with the specified key values does not exist in {table.name} entity"
    return DataverseError(404, "0x80060891", message)


def wrong_method(method: str) -> DataverseError:
    """The resource exists and doesn't take this verb."""
    message = f"The requested resource does not support http method '{method}'."
    return DataverseError(405, "0x80060888", message)


def version_mismatch() -> DataverseError:
    """If-Match named a version that has passed."""
    message = "The version of the existing record doesn't match the RowVersion property provided."
    return DataverseError(412, "0x80060882", message)


def exists() -> DataverseError:
    """The primary key is taken."""
    return DataverseError(412, "0x80040237", "A record with matching key values already exists.")


def duplicate_key(key: str) -> DataverseError:
    """An alternate key's values are taken."""
    message = f"A record that has the attribute values of entity key {key} already exists."
    return DataverseError(412, "0x80060892", message)


def wrong_key(table: Table) -> DataverseError:
    """The parentheses name no key of the table."""
    return bad_query(
        "The key in the request URI is not valid for resource "
        f"'Microsoft.Dynamics.CRM.{table.name}'. Ensure that the names and number of key "
        "properties match the declared or alternate key properties."
    )


def too_long(column: Column, table: Table) -> DataverseError:
    """A text over its MaxLength."""
    message = (
        f"A validation error occurred. The length of the '{column.name}' attribute of the "
        f"'{table.name}' entity exceeded the maximum allowed length of '{column.maximum}'."
    )
    return DataverseError(400, "0x80044331", message)


def out_of_range(column: Column, table: Table) -> DataverseError:
    """A number outside its column's range."""
    message = (
        f"A validation error occurred. The value of '{column.name}' on record of type "
        f"'{table.name}' is outside the valid range."
    )
    return DataverseError(400, "0x80044330", message)


def not_an_option(column: Column, table: Table) -> DataverseError:
    """An integer that is no option of the choice."""
    accepted = ",".join(map(str, column.options))
    message = (
        f"A validation error occurred. The value of '{column.name}' on record of type "
        f"'{table.name}' is outside the valid range. Accepted Values: {accepted}"
    )
    return DataverseError(400, "0x8004431a", message)


def bad_metadata(message: str) -> DataverseError:
    """A definition that can't be. Microsoft's tables have a code for most of these cases, which
    aren't known one by one; this is the one that is seen for definitions in general."""
    return DataverseError(400, "0x80048403", message)


def no_metadata(name: str) -> DataverseError:
    """No such table, column, key or relationship."""
    return DataverseError(404, "0x80060888", f"Could not find the metadata asked for: '{name}'.")


def no_attribute(name: str, table: Table) -> DataverseError:
    """A column named in a definition or an action that the table doesn't have."""
    message = f"Could not find an attribute with name {name} on entity {table.name}."
    return DataverseError(400, "0x80048403", message)


def table_exists(name: str) -> DataverseError:
    """SchemaNameisNotUnique."""
    message = (
        f"The schema name {name} for type Entity is not unique. "
        f"An {name} with same name already exists."
    )
    return DataverseError(400, "0x80044363", message)


def column_exists(name: str, table: Table) -> DataverseError:
    """DuplicateAttributeSchemaName."""
    message = f"Attribute {name} already exists for entity {table.name}."
    return DataverseError(400, "0x80047013", message)


def relationship_exists() -> DataverseError:
    """EntityRelationshipSchemaNameNotUnique."""
    message = "A relationship with the specified name already exists. Please specify a unique name."
    return DataverseError(400, "0x8004432B", message)


def key_exists(name: str, table: Table) -> DataverseError:
    """EntityKeyNameExists."""
    message = f"An entity key with the name {name} already exists on entity {table.name}."
    return DataverseError(400, "0x80060893", message)


def same_key_exists() -> DataverseError:
    """EntityKeyWithSelectedAttributesExists."""
    message = "An entity key with the selected attributes already exists on entity."
    return DataverseError(400, "0x80060894", message)


def not_supported(table: Table) -> DataverseError:
    """SdkEntityDoesNotSupportMessage: the system itself keeps these rows."""
    message = f"The method being invoked does not support provided entity type ({table.name})."
    return DataverseError(400, "0x80040800", message)


def missing_right(user: str, privilege: str) -> DataverseError:
    """A privilege that isn't about the rows of a table."""
    message = f"Principal user (Id={user}, type=8) is missing {privilege} privilege."
    return DataverseError(403, "0x80040220", message)


def missing_privilege(user: str, verb: str, table: Table) -> DataverseError:
    """The application user's roles don't allow it."""
    message = (
        f"Principal user (Id={user}, type=8) is missing prv{verb}{table.schema_name} privilege "
        f"on OTC={table.otc} for entity '{table.name}'."
    )
    return DataverseError(403, "0x80040220", message)


def no_application_user() -> DataverseError:
    """A valid token of an app registration that the environment doesn't know."""
    return DataverseError(403, "0x80072560", "The user is not a member of the organization.")


def still_referenced(table: Table, by: Table) -> DataverseError:
    """CannotDeleteDueToAssociation: rows lead here by a relationship that restricts deletes."""
    message = (
        f"The object you tried to delete is associated with another object and cannot be "
        f"deleted ({table.name}, by {by.name})."
    )
    return DataverseError(405, "0x80040227", message)


def component_in_use(what: str) -> DataverseError:
    """CannotDeleteInUseComponent."""
    message = f"The {what} component cannot be deleted because other components use it."
    return DataverseError(400, "0x8004f01f", message)


def none_found(table: Table, ids: list[str]) -> DataverseError:
    """As `not_found`, in the words of a message on several records."""
    message = f"{table.schema_name} With Ids = {', '.join(ids)} Do Not Exist"
    return DataverseError(404, "0x80040217", message)


def expired_token() -> DataverseError:
    """ExpiredVersionStamp: a delta token older than the organization keeps changes for."""
    message = "Version stamp associated with the client has expired. Please perform a full sync."
    return DataverseError(400, "0x80044352", message)


def bad_fetch(message: str) -> DataverseError:
    """A FetchXML query that can't be."""
    return DataverseError(400, "0x80041102", f"Invalid FetchXML: {message}")


def no_fetch_attribute(name: str, table: Table) -> DataverseError:
    """QueryBuilderNoAttribute."""
    message = f"'{table.name}' entity doesn't contain attribute with Name = '{name}'."
    return DataverseError(400, "0x80041103", message)
