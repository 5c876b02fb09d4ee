"""A store's parametric QR code. Not for: HTTP, or drawing the image (WeChat does)."""

from collections.abc import Mapping
from typing import Any

from marshmallow import RAISE, Schema, ValidationError, fields, validate, validates_schema

from bridge.errors import FieldError, Problem
from bridge.services.scenes import Scene, SceneTooLong
from bridge.wechat.channel import Channel
from bridge.wechat.errors import WechatError

MOST_SECONDS = 2_592_000
"""30 days ("Generate QR code with parameters")."""
_CODE = validate.Regexp(r"[0-9A-Za-z_-]{1,32}\Z")


class QrCodeRequest(Schema):
    """What a code is to say. Nothing about a person has a place in it."""

    class Meta:
        unknown = RAISE

    store = fields.String(required=True, validate=_CODE)
    campaign = fields.String(load_default="", validate=_CODE)
    channel = fields.String(load_default="", validate=_CODE)
    kind = fields.String(
        load_default="permanent", validate=validate.OneOf(["permanent", "temporary"])
    )
    expire_seconds = fields.Integer(
        strict=True, validate=validate.Range(min=60, max=MOST_SECONDS), load_default=None
    )

    @validates_schema
    def _times(self, data: Mapping[str, Any], **kwargs: Any) -> None:
        """A permanent code has no end, a temporary one always says when."""
        if (data["kind"] == "temporary") != (data["expire_seconds"] is not None):
            raise ValidationError("only for temporary codes, and always", "expire_seconds")


class QrCodeDone(Schema):
    """A code that WeChat made. `scene` is signed; `url` is what the image says; `image_url` is the
    image at WeChat, which needs no token."""

    scene = fields.String(required=True)
    ticket = fields.String(required=True)
    url = fields.String(required=True)
    image_url = fields.String(required=True)
    expire_seconds = fields.Integer(allow_none=True)


def create(channel: Channel, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Make the code that a loaded QrCodeRequest asks for; gives a QrCodeDone. Raises Problem,
    StoreDown. WeChat allows 100,000 permanent codes in all, and they can't be taken back."""
    if wanted["store"] not in channel.brand.stores:
        raise Problem("validation", [FieldError("/store", "not-an-option")])
    scene = Scene(
        wanted["store"], wanted["campaign"], wanted["channel"], issued=channel.scenes.today()
    )
    try:
        text = channel.scenes.write(scene)
        made = channel.gateway.create_qr(text, wanted["expire_seconds"])
    except SceneTooLong:
        raise Problem("validation", [FieldError("/campaign", "too-long")]) from None
    except WechatError as error:
        raise _problem(error) from None
    return {
        "scene": text,
        "ticket": made.ticket,
        "url": made.url,
        "image_url": channel.gateway.qr_image(made.ticket),
        "expire_seconds": made.seconds,
    }


def _problem(error: WechatError) -> Problem:
    """WeChat's refusals have no type of their own: the code is a number of WeChat's and says what
    an operator must do (45009 quota, 45029 too many codes, 40164 address list)."""
    return Problem("wechat-unavailable", extensions={"wechat_code": error.errcode})
