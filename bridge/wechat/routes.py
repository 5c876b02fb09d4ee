"""The channel's routes. Not for: what they decide (the modules beside this one).

/wechat/callback, /wechat/oauth/start and /wechat/oauth/return are WeChat's and the browser's;
/v1/qr-codes is for a client of the brand's with a token of its own (scope `qr:write`).
"""

from typing import Any

import flask
from flask import Blueprint, Response
from flask_smorest import Blueprint as DocumentedBlueprint
from marshmallow import ValidationError
from werkzeug.exceptions import RequestEntityTooLarge

from bridge import edge
from bridge.errors import FieldError, Problem
from bridge.store.grants import Grants
from bridge.store.sessions import Session
from bridge.wechat import callbacks, qr, web_oauth
from bridge.wechat.channel import Channel

QR_SCOPE = "qr:write"


def pushes(channel: Channel) -> Blueprint:
    """The callback URL that the account's console is told."""
    made = Blueprint("wechat_callback", __name__)

    @made.get("/wechat/callback")
    def verify() -> Response:
        return _plain(callbacks.verify(channel, flask.request.args), "text/plain")

    @made.post("/wechat/callback")
    def hear() -> Response:
        traceparent = edge.trace().traceparent
        reply = callbacks.hear(channel, flask.request.args, _body(), traceparent)
        return _plain(reply.text, reply.content_type)

    return made


def _body() -> bytes:
    flask.request.max_content_length = callbacks.MAX_BODY + 1  # a chunked body is cut there
    try:
        body = flask.request.get_data(cache=False)
    except RequestEntityTooLarge:
        raise Problem("too-large") from None
    if len(body) > callbacks.MAX_BODY:
        raise Problem("too-large")
    return body


def _plain(text: str, content_type: str) -> Response:
    """With its length and nothing around it: WeChat compares byte by byte."""
    return Response(text.encode(), 200, content_type=f"{content_type}; charset=utf-8")


def browser(channel: Channel) -> Blueprint:
    """Web OAuth, for a browser that has a session with the hosted pages."""
    made = Blueprint("wechat_oauth", __name__)

    @made.get("/wechat/oauth/start")
    def start() -> Response:
        return _to(web_oauth.start(channel, _session(channel)))

    @made.get(web_oauth.RETURN_PATH)
    def come_back() -> Response:
        query = flask.request.args
        given = web_oauth.Return(query.get("state", ""), query.get("code", ""))
        return _to(web_oauth.come_back(channel, _session(channel), given))

    return made


def _session(channel: Channel) -> Session | None:
    return channel.sessions.load(flask.request.cookies.get(channel.sessions.cookie_name))


def _to(address: str) -> Response:
    return Response(status=302, headers={"Location": address})


def qr_codes(channel: Channel, grants: Grants) -> DocumentedBlueprint:
    """`POST /v1/qr-codes`."""
    made = DocumentedBlueprint("qr_codes", __name__)

    def create() -> Response:
        _admit(channel, grants)
        answer = flask.jsonify(qr.create(channel, _form(qr.QrCodeRequest())))
        answer.status_code = 201
        return answer

    made.route("/v1/qr-codes", methods=["POST"])(made.doc(**_DOCUMENTED)(create))
    return made


_DOCUMENTED: dict[str, Any] = {
    "summary": "Make a store's QR code",
    "description": "With a client's own token of scope `qr:write`. WeChat keeps permanent codes "
    "for ever and allows 100,000 of them.",
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": qr.QrCodeRequest}},
    },
    "security": [{"bearer": [QR_SCOPE]}],
    "tags": ["qr-codes"],
    "responses": {
        "201": {
            "description": "The code, made by WeChat",
            "content": {"application/json": {"schema": qr.QrCodeDone}},
        }
    },
}


def _admit(channel: Channel, grants: Grants) -> None:
    """A client's own token (RFC 6750), meant for us, with the scope. Raises Problem."""
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    caller = grants.check(token.strip()) if scheme.lower() == "bearer" and token.strip() else None
    if caller is None or channel.issuer not in caller.audience:
        raise Problem("unauthenticated")
    flask.g.caller = caller
    if caller.member_id is not None:
        raise Problem("forbidden")
    if QR_SCOPE not in caller.scope:
        raise Problem("insufficient-scope", extensions={"scope": QR_SCOPE})


def _form(schema: qr.QrCodeRequest) -> dict[str, Any]:
    """The body as `schema` loads it; a problem names only the schema's fields. Raises Problem."""
    if flask.request.mimetype != "application/json":
        raise Problem("unsupported-media-type")
    try:
        loaded: dict[str, Any] = schema.load(flask.request.get_json(silent=True) or {})
        return loaded
    except ValidationError as error:
        given = error.messages if isinstance(error.messages, dict) else {}
        known = [FieldError(f"/{name}", "invalid") for name in schema.fields if name in given]
        raise Problem("validation", known or [FieldError("", "invalid")]) from None
