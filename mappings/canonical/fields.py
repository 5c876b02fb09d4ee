"""The field types and tags that the schemas are made of. Not for: any one noun."""

import uuid
from typing import Any, Literal

from marshmallow import ValidationError, fields, validate

Access = Literal["read", "write", "create"]


def tags(
    *,
    personal: bool = False,
    system: bool = False,
    secret: bool = False,
    access: Access = "write",
) -> dict[str, Any]:
    """A field's metadata. `personal`: the privacy scan and the log filter look for its values.
    `system`: never shown to or taken from a client. `secret`: shown to nobody at all.
    `access`: what a client may do; `create` means that it is taken at registration only."""
    return {"personal": personal, "system": system, "secret": secret, "access": access}


def text(longest: int, **marks: Any) -> fields.String:
    """Text of at most `longest` characters."""
    return fields.String(
        allow_none=True, validate=validate.Length(max=longest), metadata=tags(**marks)
    )


def moment(**marks: Any) -> fields.AwareDateTime:
    """A point in time, always with its zone."""
    return fields.AwareDateTime(format="iso", allow_none=True, metadata=tags(**marks))


class Option(fields.String):
    """One of `choices`."""

    def __init__(self, choices: tuple[str, ...], **marks: Any) -> None:
        super().__init__(allow_none=True, validate=validate.OneOf(choices), metadata=tags(**marks))
        self.choices = choices


class Reference(fields.String):
    """The id of a record of kind `to`: a UUID in lower case."""

    def __init__(self, to: str, **marks: Any) -> None:
        super().__init__(allow_none=True, metadata=tags(**marks))
        self.to = to

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        text = super()._deserialize(value, *args, **kwargs)
        try:
            return str(uuid.UUID(text))
        except ValueError:
            raise ValidationError("Not an id.") from None


class Collection:
    """Records of `kind` whose lookup `lookup` names this one."""

    def __init__(self, kind: str, lookup: str) -> None:
        self.kind = kind
        self.lookup = lookup
