"""What the REST API answers where it refuses: `{"error": label, "error_message": text}`.

Labels and statuses are the documented ones; the texts are ours, and nobody should read them.
"""

import json
from typing import Any

LABELS = {
    "incorrect_version": 301,
    "need_login": 401,
    "invalid_grant": 401,
    "not_authorized": 403,
    "inactive_portal_user": 403,
    "portal_not_configured": 403,
    "no_method": 404,
    "not_found": 404,
    "edit_conflict": 409,
    "missing_parameter": 422,
    "invalid_parameter": 422,
    "fatal_error": 500,
}
_TEXTS = {
    "incorrect_version": "The version is not known here.",
    "need_login": "No valid authentication for user.",
    "invalid_grant": "The access token provided is invalid.",
    "not_authorized": "You are not authorized to perform this action.",
    "inactive_portal_user": "The portal user is not active.",
    "portal_not_configured": "The portal is not enabled.",
    "no_method": "Could not find a route.",
    "not_found": "Could not find the record.",
    "edit_conflict": "The record was changed by another user.",
    "missing_parameter": "A required parameter is missing.",
    "invalid_parameter": "A parameter is invalid.",
}


class SugarError(Exception):
    """An answer that is not a success; `more` is added to its document."""

    def __init__(self, label: str, text: str = "", status: int | None = None, **more: Any) -> None:
        super().__init__(label)
        self.status = status or LABELS[label]
        self.document = {"error": label, "error_message": text or _TEXTS.get(label, label), **more}


def not_played(what: str) -> SugarError:
    """Neither a document nor a client of others' says what a real server does here."""
    return SugarError("not_played", f"The sandbox does not play this: {what}.", 501)


def error_body(status: int, code: str | None, message: str) -> tuple[str, bytes]:
    """The body of a fault set through the control plane; `code` is the label."""
    known = {number: label for label, number in reversed(LABELS.items())}
    label = code or known.get(status, "service_unavailable")
    return "application/json", json.dumps({"error": label, "error_message": message}).encode()
