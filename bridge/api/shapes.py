"""What bodies look like, in and out: made once per process, from the mapping's own schemas.

Not for: reading bodies (`body.py`). A member's part of a form is the canonical schema cut to what
a client may send; a brand's own fields come with it, under `ext`.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from marshmallow import INCLUDE, RAISE, Schema, fields, validate

from mappings.loader import Mapping

_PERSON = {
    "description": "The person's IP address as the client's back end saw it; limits count its "
    "range. Without it they count the back end's own."
}


class Strict(Schema):
    """A key that isn't listed is refused."""

    class Meta:
        """As all schemas here."""

        unknown = RAISE


class ChallengeForm(Strict):
    """Where a one-time code is to go, and what for."""

    channel = fields.String(required=True, validate=validate.OneOf(["sms", "mail"]))
    address = fields.String(required=True, validate=validate.Length(min=3, max=200))
    purpose = fields.String(required=True, validate=validate.OneOf(["registration"]))
    language = fields.String(load_default="zh-CN", validate=validate.OneOf(["zh-CN", "en"]))
    remote_address = fields.IP(metadata=_PERSON)


class ResetForm(Strict):
    """Where a code or a link is to go, to whoever has forgotten their password."""

    channel = fields.String(required=True, validate=validate.OneOf(["sms", "mail"]))
    address = fields.String(required=True, validate=validate.Length(min=3, max=200))
    language = fields.String(load_default="zh-CN", validate=validate.OneOf(["zh-CN", "en"]))
    remote_address = fields.IP(metadata=_PERSON)


class ResetStarted(Schema):
    """On its way, if it can be. Seconds. A code brings the id that it is verified under."""

    expires_in = fields.Integer(required=True)
    challenge_id = fields.String()
    resend_in = fields.Integer()


class NewPasswordForm(Strict):
    """The new password, and the link's token or the proof that a code gave."""

    password = fields.String(required=True, load_only=True, validate=validate.Length(max=256))
    token = fields.String(validate=validate.Length(min=16, max=200))
    proof = fields.String(validate=validate.Length(min=16, max=2000))
    further_proofs = fields.List(
        fields.String(validate=validate.Length(min=16, max=2000)),
        load_default=list,
        validate=validate.Length(max=1),
    )


class PasswordForm(Strict):
    """The new password, and the one before unless the sign-in is recent."""

    password = fields.String(required=True, load_only=True, validate=validate.Length(max=256))
    current_password = fields.String(load_only=True, validate=validate.Length(max=256))


class AddressForm(Strict):
    """An address that the member wants to sign in with: where a code is to go."""

    channel = fields.String(required=True, validate=validate.OneOf(["sms", "mail"]))
    address = fields.String(required=True, validate=validate.Length(min=3, max=200))
    language = fields.String(load_default="zh-CN", validate=validate.OneOf(["zh-CN", "en"]))


class ProofForm(Strict):
    """What was proven or vouched for."""

    proof = fields.String(required=True, validate=validate.Length(min=16, max=2000))


class VouchForm(Strict):
    """What the client itself has seen: a card's number, or `appid:openid`."""

    kind = fields.String(
        required=True, validate=validate.OneOf(["card", "wechat_oa", "wechat_mini"])
    )
    value = fields.String(required=True, validate=validate.Length(min=3, max=200))


class SessionShown(Schema):
    """Where the member is signed in. `id` is the `sid` of the session's id_tokens; `device`: one of
    wechat, tablet, phone, desktop, other; `used_at`: the last refresh."""

    id = fields.String(required=True)
    client_id = fields.String(required=True)
    client_name = fields.Dict(required=True)
    device = fields.String(required=True)
    signed_in_at = fields.AwareDateTime(required=True, format="iso")
    used_at = fields.AwareDateTime(required=True, format="iso")
    is_current = fields.Boolean(required=True)


class SessionsShown(Schema):
    """All of them, the newest first."""

    sessions = fields.List(fields.Nested(SessionShown), required=True)


class IdentityShown(Schema):
    """What signs the member in. `value` is null for WeChat."""

    id = fields.String(required=True)
    kind = fields.String(required=True)
    value = fields.String(required=True, allow_none=True)
    verified_at = fields.AwareDateTime(required=True, allow_none=True, format="iso")


class IdentitiesShown(Schema):
    """All of them."""

    identities = fields.List(fields.Nested(IdentityShown), required=True)


class Challenge(Schema):
    """A code is on its way. Seconds."""

    challenge_id = fields.String(required=True)
    expires_in = fields.Integer(required=True)
    resend_in = fields.Integer(required=True)


class CodeForm(Strict):
    """The code as it was typed."""

    code = fields.String(required=True, validate=validate.Length(min=4, max=12))


class ProofShown(Schema):
    """A proof ticket: for one use, for so many seconds."""

    proof = fields.String(required=True)
    expires_in = fields.Integer(required=True)


class ConsentForm(Strict):
    """An answer to one purpose."""

    purpose = fields.String(required=True, validate=validate.Length(max=50))
    granted = fields.Boolean(required=True, truthy={True}, falsy={False})
    text_version = fields.String(required=True, validate=validate.Length(max=50))


class ClaimForm(Strict):
    """A proven mobile, and a second fact or several; one that fits is enough."""

    proof = fields.String(required=True, validate=validate.Length(min=16, max=2000))
    email_proof = fields.String(validate=validate.Length(min=16, max=2000))
    birth_date = fields.Date()
    card_number = fields.String(validate=validate.Length(min=4, max=50))
    password = fields.String(load_only=True, validate=validate.Length(max=256))
    consents = fields.List(
        fields.Nested(ConsentForm), load_default=list, validate=validate.Length(max=50)
    )
    remote_address = fields.IP(metadata=_PERSON)


class ConsentsForm(Strict):
    """New answers; purposes that aren't named stay as they are."""

    consents = fields.List(
        fields.Nested(ConsentForm), required=True, validate=validate.Length(min=1, max=50)
    )


class ConsentShown(Schema):
    """The newest answer to a purpose. `is_current`: it is to the text of today."""

    purpose = fields.String(required=True)
    required = fields.Boolean(required=True)
    granted = fields.Boolean(required=True, allow_none=True)
    text_version = fields.String(required=True, allow_none=True)
    is_current = fields.Boolean(required=True)
    at = fields.AwareDateTime(required=True, allow_none=True, format="iso")


class ConsentsShown(Schema):
    """All purposes of the brand."""

    consents = fields.List(fields.Nested(ConsentShown), required=True)


class ConsentGiven(Schema):
    """One answer, as it was given."""

    purpose = fields.String(required=True)
    granted = fields.Boolean(required=True, allow_none=True)
    text_version = fields.String(required=True, allow_none=True)
    channel = fields.String(required=True, allow_none=True)
    at = fields.AwareDateTime(required=True, allow_none=True, format="iso")


class ConsentHistory(Schema):
    """Every answer there ever was, the newest first."""

    consents = fields.List(fields.Nested(ConsentGiven), required=True)


class CompletenessShown(Schema):
    """`missing`: wanted fields that are empty; `required`: those of them that a new member must
    fill. `percent`: of the wanted ones, how many are filled."""

    missing = fields.List(fields.String(), required=True)
    required = fields.List(fields.String(), required=True)
    percent = fields.Integer(required=True)


class IdentityHeld(Schema):
    """An address, card or account that signs the member in."""

    kind = fields.String(required=True)
    value = fields.String(required=True, allow_none=True)
    verified_at = fields.AwareDateTime(required=True, allow_none=True, format="iso")


class ExportShown(Schema):
    """What the CRM holds of the member. `member` has the brand's own fields too."""

    exported_at = fields.AwareDateTime(required=True, format="iso")
    member = fields.Dict(required=True)
    identities = fields.List(fields.Nested(IdentityHeld), required=True)
    consents = fields.List(fields.Nested(ConsentGiven), required=True)


class ErasedShown(Schema):
    """The receipt: a JWT signed with a key of `/oauth/jwks`; it names the operation and nobody."""

    operation = fields.String(required=True)
    erased_at = fields.AwareDateTime(required=True, format="iso")
    receipt = fields.String(required=True)


class OperationShown(Schema):
    """What became of a write. `etag`: the member record's afterwards; `problem`: the type that a
    waiting caller would have been answered."""

    id = fields.String(required=True)
    status = fields.String(
        required=True,
        validate=validate.OneOf(["pending", "applied", "refused", "stale", "expired", "cancelled"]),
    )
    problem = fields.String()
    etag = fields.String()
    at = fields.AwareDateTime(format="iso")


class Registered(Schema):
    """The member exists; sign in."""

    operation = fields.String(required=True)


class PlaceShown(Schema):
    """A JSON pointer (RFC 6901) into the request's body, "" for the whole, and a code."""

    pointer = fields.String(required=True)
    code = fields.String(required=True)


class ProblemShown(Schema):
    """RFC 9457. `docs/problems.md` lists the types. Some bring members of their own, such as
    `scope` or `operation`; ignore those you don't know (section 3.2)."""

    class Meta:
        """In the document: more members may come."""

        unknown = INCLUDE

    type = fields.String(required=True)
    title = fields.String(required=True)
    status = fields.Integer(required=True)
    detail = fields.String(required=True)
    errors = fields.List(fields.Nested(PlaceShown))


class CapabilitiesShown(Schema):
    """What this deployment can do."""

    crm = fields.Dict(required=True)
    member = fields.Dict(required=True)
    consents = fields.List(fields.Dict(), required=True)


class Health(Schema):
    """`ok`, or `trouble`; `parts` only where details are served."""

    status = fields.String(required=True)
    parts = fields.Dict()


class _RegistrationBase(Strict):
    proof = fields.String(required=True, validate=validate.Length(min=16, max=2000))
    further_proofs = fields.List(
        fields.String(validate=validate.Length(min=16, max=2000)),
        load_default=list,
        validate=validate.Length(max=2),
    )
    password = fields.String(load_only=True, validate=validate.Length(max=256))
    consents = fields.List(
        fields.Nested(ConsentForm), load_default=list, validate=validate.Length(max=50)
    )
    scene = fields.String(validate=validate.Length(min=1, max=200))
    remote_address = fields.IP(metadata=_PERSON)


REGISTRATION_ONLY = frozenset(_RegistrationBase().fields)


@dataclass(frozen=True)
class Shapes:
    """Instances to load and dump with. `readable`, `writable`: dotted names of the member's."""

    registration: Schema
    change: Schema
    member: Schema
    readable: tuple[str, ...]
    readable_top: frozenset[str]


def make(mapping: Mapping) -> Shapes:
    """The shapes of this deployment's members."""
    schema = mapping.schema("member")
    readable, writable = mapping.readable("member"), mapping.writable("member")
    return Shapes(
        registration=_cut("RegistrationForm", _RegistrationBase, schema, writable)(),
        change=_cut("MemberChange", Strict, schema, writable)(),
        member=_cut("Member", Schema, schema, readable)(),
        readable=readable,
        readable_top=frozenset(name.partition(".")[0] for name in readable),
    )


def _cut(name: str, base: type[Schema], schema: type[Schema], names: Iterable[str]) -> type[Schema]:
    """A schema with the declared fields of these dotted names; a nested one is cut likewise."""
    kept: dict[str, Any] = {}
    inner: dict[str, list[str]] = {}
    for dotted in names:
        outer, dot, below = dotted.partition(".")
        if dot:
            inner.setdefault(outer, []).append(below)
        else:
            kept[dotted] = schema._declared_fields[dotted]
    for outer, below_names in inner.items():
        nested = schema._declared_fields[outer]
        assert isinstance(nested, fields.Nested)  # noqa: S101 - dotted names are of nested schemas
        part = _cut(name + outer.title(), Strict, type(nested.schema), below_names)
        kept[outer] = fields.Nested(part)
    return type(name, (base,), kept)
