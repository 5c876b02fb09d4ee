"""A consent: what a member agreed to or withdrew, to which text, when and where. Rows are only
added, never changed. Not for: marketing flags of the profile."""

from marshmallow import RAISE, Schema, fields

from mappings.canonical.fields import Reference, moment, tags, text


class ConsentSchema(Schema):
    """One answer of a member to one purpose."""

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE

    member = Reference("member", system=True)
    purpose = text(50)
    granted = fields.Boolean(allow_none=True, metadata=tags())
    text_version = text(50)
    channel = text(50, access="read")
    at = moment(access="read")
