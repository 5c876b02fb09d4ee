"""Sugar's refusals -> ours, by their label. Not for: the transport's.

Labels: Sugar Developer Guide, "API Exceptions". The texts beside them are in the user's language
and hold values, and a 409 brings the whole record, so nothing but the label is looked at. What has
no label is a proxy's page: its 404 doesn't mean that a member is gone.
"""

import re
from collections.abc import Mapping

from adapters.answers import pause, said
from adapters.errors import (
    BadCredentials,
    BadMapping,
    CrmError,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Throttled,
    TimedOut,
)
from adapters.http import Answer

LABELS: Mapping[str, type[CrmError]] = {
    "incorrect_version": BadMapping,  # 301
    "need_login": BadCredentials,
    "invalid_grant": BadCredentials,
    "invalid_client": BadCredentials,
    "not_authorized": BadCredentials,
    "inactive_portal_user": BadCredentials,
    "portal_not_configured": BadCredentials,
    "client_outdated": BadMapping,
    "no_method": BadMapping,
    "not_found": NotFound,
    "edit_conflict": StaleVersion,
    "missing_parameter": Invalid,
    "invalid_parameter": Invalid,
    "request_too_large": Invalid,
}
# Statuses that mean the same whoever answered.
_STATUS: Mapping[int, type[CrmError]] = {401: BadCredentials, 408: TimedOut, 413: Invalid}
_LABEL = re.compile(r"[a-z_]{1,40}\Z")


def error_of(answer: Answer) -> CrmError:
    """The error that this answer (300 or more) is."""
    if answer.status == 429:  # of SugarCloud's front end: Sugar itself has no such label
        return Throttled("429", pause(answer.headers))
    label = label_of(answer)
    kind = LABELS.get(label) or _STATUS.get(answer.status, Malformed)
    return kind(label or str(answer.status))


def label_of(answer: Answer) -> str:
    """Sugar's constant for what went wrong, or ""."""
    label = said(answer).get("error")
    return label if isinstance(label, str) and _LABEL.match(label) else ""
