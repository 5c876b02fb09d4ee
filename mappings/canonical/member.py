"""A member: the person as the brand knows them. Not for: how they sign in, what they agreed to."""

from typing import ClassVar

from marshmallow import fields, validate

from mappings.canonical.credential import CredentialSchema
from mappings.canonical.fields import Collection, Option, Reference, moment, tags, text


class MemberSchema(CredentialSchema):
    """One person. `subject` survives a change of CRM; the CRM's own id never leaves the bridge."""

    collections: ClassVar[dict[str, Collection]] = {
        "identities": Collection("identity", "member"),
        "consents": Collection("consent", "member"),
    }

    # Ours, random, and no value of the person: it may stand in a URL of the CRM.
    subject = text(50, system=True)
    given_name = text(50, personal=True)
    family_name = text(50, personal=True)
    email = fields.Email(
        allow_none=True, validate=validate.Length(max=100), metadata=tags(personal=True)
    )
    # Proven at registration, changed only with a new proof: not by a plain edit.
    mobile = text(50, personal=True, access="create")
    birth_date = fields.Date(allow_none=True, metadata=tags(personal=True))
    gender = Option(("female", "male", "undisclosed"), personal=True)
    language = Option(("zh-CN", "en"))
    # As staff keep it, perhaps from before there was a bridge; a card that signs in is an identity.
    card_number = text(50, personal=True, access="read")
    points = fields.Decimal(
        as_string=True, allow_none=True, allow_nan=False, metadata=tags(access="read")
    )
    tier = Option(("silver", "gold", "platinum"), access="read")
    member_since = moment(access="read")
    registered_store = text(50, access="read")
    registered_scene = text(64, system=True)
    registered_channel = text(50, system=True)
    last_store = text(50, system=True)
    last_scene = text(64, system=True)
    state = Option(("active", "inactive"), system=True)
    # Set by a merge in the CRM: the record that this one became.
    master = Reference("member", system=True)
    # Why staff should look at the record: `number-moved`.
    review = text(50, system=True)
    last_operations = text(255, system=True)
