"""The parameter `registration` of a challenge: a JSON object, read strictly.

Not for: what a registration needs (`bridge/services/registration.py`), which checks again.
"""

from typing import Any

import orjson
from marshmallow import RAISE, Schema, ValidationError, fields, validate

from bridge.errors import FieldError, Problem
from bridge.services.consents import Answer
from bridge.services.registration import Form
from mappings.loader import Mapping as CrmMapping


class _Consent(Schema):
    class Meta:
        unknown = RAISE

    purpose = fields.String(required=True, validate=validate.Length(max=50))
    granted = fields.Boolean(required=True, truthy={True}, falsy={False})
    text_version = fields.String(required=True, validate=validate.Length(max=50))


class _Beside(Schema):
    class Meta:
        unknown = RAISE

    password = fields.String(validate=validate.Length(max=256))
    consents = fields.List(fields.Nested(_Consent), load_default=list)


_BESIDE = frozenset(_Beside().fields)


def read(mapping: CrmMapping, text: str) -> Form:
    """The member's own fields, `password` and `consents`, as in `POST /v1/registrations`. Raises
    Problem("validation") with the fields of the schema that aren't right."""
    try:
        given = orjson.loads(text)
    except ValueError:
        raise Problem("validation", [FieldError("", "malformed")]) from None
    if not isinstance(given, dict):
        raise Problem("validation", [FieldError("", "not-an-object")])
    ours = {name: given.pop(name) for name in _BESIDE if name in given}
    profile = _loaded(mapping.schema("member")(only=mapping.writable("member")), given)
    beside = _loaded(_Beside(), ours)
    answers = tuple(Answer(**each) for each in beside["consents"])
    return Form(profile, answers, beside.get("password"))


def _loaded(schema: Schema, given: dict[str, Any]) -> dict[str, Any]:
    try:
        loaded: dict[str, Any] = schema.load(given)
    except ValidationError as error:
        wrong = error.messages if isinstance(error.messages, dict) else {}
        known = [FieldError(f"/{name}", "invalid") for name in wrong if name in schema.fields]
        rest = [FieldError("", "unknown-field")] if set(wrong) - set(schema.fields) else []
        raise Problem("validation", known + rest) from None
    return loaded
