"""OAuth's refusals, worded by us. Not for: problems of the API (`bridge/errors.py`).

Authlib's own descriptions quote what came in (`grant_type=… is not supported`, a redirect URI) and
tell an unknown client from a wrong secret, so none of them leaves: a refusal has a constant
description here, or the constant one that we raised it with.
"""

from typing import Any

from authlib.oauth2.rfc6749 import OAuth2Error

DESCRIPTIONS = {
    "invalid_request": "A parameter is missing, malformed or repeated.",
    "invalid_client": "Client authentication failed.",
    "invalid_grant": "The code or token is not good.",
    "unauthorized_client": "The client may not use this grant type.",
    "unsupported_grant_type": "There is no such grant type here.",
    "unsupported_response_type": "Only response_type=code is served.",
    "invalid_scope": "The scope is unknown, or not this client's.",
    "access_denied": "The request was denied.",
    "authorization_pending": "Nobody has answered yet; ask again.",
    "slow_down": "Ask less often: five seconds more between two tries.",
    "expired_token": "The code is over; start again.",
    "request_not_supported": "Send the parameters themselves.",
    "request_uri_not_supported": "Send the parameters themselves.",
    "login_required": "The member has to sign in.",
    "invalid_session": "The auth_session is unknown, over, or not this client's.",
    "insufficient_authorization": "Bring one of the steps.",
    "invalid_credentials": "The name or the password is not right.",
    "otp_required": "Bring the code that was sent.",
    "otp_invalid": "The code is not right.",
    "wechat_code_invalid": "The code of WeChat's is not good.",
    "registration_required": "Nobody has what was proven; it may be registered.",
    "registration_pending": "The CRM has not confirmed it yet; ask again.",
    "already_registered": "What was proven has a member by now; sign in.",
    "step_refused": "See problem and errors.",
    "too_many_attempts": "Wait before the next try.",
    "temporarily_unavailable": "Try again in a few seconds.",
    "server_error": "Our mistake; it is logged.",
}
STATUS = {
    "invalid_client": 401,
    "too_many_attempts": 429,
    "temporarily_unavailable": 503,
    "server_error": 500,
}
RETRY_AFTER = 5


class Refusal(OAuth2Error):  # type: ignore[misc]
    """A refusal of ours. `description`: a constant of the code, in ASCII."""

    def __init__(self, error: str, description: str = "", redirect_uri: str | None = None) -> None:
        super().__init__(
            description=description or DESCRIPTIONS[error], error=error, redirect_uri=redirect_uri
        )


def body(error: OAuth2Error) -> dict[str, str]:
    """RFC 6749 sections 4.1.2.1 and 5.2."""
    known = error.error if error.error in DESCRIPTIONS or isinstance(error, Refusal) else None
    name = known or "invalid_request"
    said = error.description if isinstance(error, Refusal) else DESCRIPTIONS[name]
    return {"error": name, "error_description": said}


def headers(name: str) -> list[tuple[str, Any]]:
    """Beside the body."""
    found = [("Content-Type", "application/json"), ("Cache-Control", "no-store")]
    if name == "invalid_client":
        found.append(("WWW-Authenticate", 'Basic realm="oauth", charset="UTF-8"'))
    if name == "temporarily_unavailable":
        found.append(("Retry-After", str(RETRY_AFTER)))
    return found
