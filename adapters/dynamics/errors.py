"""Dataverse's errors -> ours, by code first, then by status. Not for: the transport's.

Codes: learn.microsoft.com/power-apps/developer/data-platform/reference/web-service-error-codes and
the pages on limits, optimistic concurrency, alternate keys and Web API client errors. Messages are
in the user's language and hold values, so they are never looked at.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from adapters.answers import pause
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Conflict,
    CrmError,
    Invalid,
    Malformed,
    NotFound,
    StaleVersion,
    Throttled,
    TimedOut,
    Unsupported,
)

CODES: Mapping[str, type[CrmError]] = {
    "0x80040217": NotFound,  # … With Id = … Does Not Exist
    "0x80060882": StaleVersion,  # ConcurrencyVersionMismatch
    "0x80060883": BadMapping,  # OptimisticConcurrencyNotEnabled: the table can't do it
    "0x8006088d": BadMapping,  # ConcurrencyVersionNotProvided
    "0x80060892": Conflict,  # DuplicateRecordEntityKey: an alternate key's value is taken
    "0x80040237": Conflict,  # DuplicateRecord: the id is taken
    "0x80040333": Conflict,  # DuplicateRecordsFound: a duplicate detection rule (412 or 500)
    "0x80044331": Invalid,  # StringLengthExceeded
    "0x80044330": Invalid,  # a number outside its column's range
    "0x8004431a": Invalid,  # PicklistValueOutOfRange
    "0x80040265": Invalid,  # a plug-in refused: a rule of the business
    # Converters give only JSON of the column's type, so this is a name that isn't there.
    "0x80048d19": BadMapping,  # payload: undeclared property
    "0x80060888": BadMapping,  # query: unknown property, wrong key
    "0x8006088a": BadMapping,  # Resource not found for the segment: wrong entity set
    "0x80072560": BadCredentials,  # The user is not a member of the organization
    "0x80040220": BadCredentials,  # a privilege is missing
    "0x80072321": Throttled,  # execution time
    "0x80072322": Throttled,  # number of requests
    "0x80072326": Throttled,  # concurrent requests
}

_STATUS: Mapping[int, type[CrmError]] = {
    400: Invalid,
    401: BadCredentials,
    403: BadCredentials,
    404: NotFound,
    405: Invalid,  # also CannotDeleteDueToAssociation
    408: TimedOut,
    413: Invalid,
    429: Throttled,
    501: Unsupported,
}

# Statuses that mean the same whoever answered; any other refusal must come from Dataverse itself:
# a proxy's 404 page doesn't mean that a member is gone.
_FROM_ANYONE = frozenset((401, 408, 413, 429))
_CODE = re.compile(r"0x[0-9a-fA-F]{8}\Z")


def error_of(
    status: int, headers: Mapping[str, str], body: bytes, *, conditional: bool
) -> CrmError:
    """The error that this answer (400 or more) is; `conditional`: the request had an If-Match."""
    own, code = _code(body)
    if status == 401:  # which body comes with it isn't documented
        return BadCredentials(code)
    kind = CODES.get(code) or _by_status(status, own=own, conditional=conditional)
    if kind is Throttled:
        return Throttled(code, pause(headers))
    return kind(code)


def _by_status(status: int, *, own: bool, conditional: bool) -> type[CrmError]:
    if not own and status not in _FROM_ANYONE:
        return Malformed
    if status == 412:
        return StaleVersion if conditional else Conflict
    return _STATUS.get(status, Malformed)


def _code(body: bytes) -> tuple[bool, str]:
    """(has it Dataverse's shape, its code in lower case or ""). Older answers have no code."""
    try:
        document: Any = json.loads(body)
    except ValueError:
        return False, ""
    error = document.get("error") if isinstance(document, dict) else None
    if not isinstance(error, dict):
        return False, ""
    code = error.get("code")
    known = isinstance(code, str) and _CODE.match(code)
    return True, str(code).lower() if known else ""
