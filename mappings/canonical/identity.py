"""A sign-in identity: one proven address of one member. Not for: contact details of the profile."""

from marshmallow import RAISE, Schema

from mappings.canonical.fields import Option, Reference, moment, text


class IdentitySchema(Schema):
    """Its id is derived from kind and value. `member` None: released."""

    class Meta:
        """Unknown fields are refused."""

        unknown = RAISE

    kind = Option(("mobile", "email", "wechat_oa", "wechat_mini", "card", "check"), system=True)
    value = text(200, personal=True, system=True)
    member = Reference("member", system=True)
    # The member once more, under the MAC: it tells a merge in the CRM from a forged row.
    member_text = text(100, system=True)
    mac = text(100, system=True)
    verified_at = moment(system=True)
    last_operations = text(255, system=True)
