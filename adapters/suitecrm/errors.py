"""V8's refusals -> ours. Not for: the token endpoint's (`tokens.py`), the transport's.

V8 answers 400 for nearly everything and has no codes, so the constant parts of its English texts
(Api/V8/*.php, not translated) are looked for. They hold ids and names, so none of them is kept.
"""

import re
from collections.abc import Mapping

from adapters.answers import pause, said
from adapters.errors import (
    BadCredentials,
    BadMapping,
    Conflict,
    CrmError,
    Invalid,
    Malformed,
    NotFound,
    Throttled,
    TimedOut,
    Unsupported,
)
from adapters.http import Answer

_DETAILS: tuple[tuple[re.Pattern[str], type[CrmError], str], ...] = (
    (re.compile(r" module with id \S+ is not found\Z"), NotFound, "not-found"),
    (re.compile(r" with id \S+ is already exist\Z"), Conflict, "already-exist"),
    (re.compile(r"\[AccessDeniedException\]"), BadCredentials, "access-denied"),
    (re.compile(r'\AThe option "id" with value '), NotFound, "no-id"),
    (re.compile(r'\AThe option "data" with value '), BadMapping, "no-module"),
    (re.compile(r"\AProperty \w+ in \w+ module is invalid\Z"), BadMapping, "no-property"),
    (re.compile(r"\AThe following field in \w+ module is not found"), BadMapping, "no-field"),
    (re.compile(r"\AFilter field \w+ in \w+ module is not found\Z"), BadMapping, "no-field"),
)
_STATUS: Mapping[int, type[CrmError]] = {
    401: BadCredentials,
    403: BadCredentials,
    408: TimedOut,
    413: Invalid,
    501: Unsupported,
}


def error_of(answer: Answer) -> CrmError:
    """The error that this answer (400 or more) is."""
    if answer.status == 429:  # of a proxy in front: SuiteCRM itself has no limits
        return Throttled("429", pause(answer.headers))
    if answer.status != 400:
        return _STATUS.get(answer.status, Malformed)(str(answer.status))
    detail = _detail(answer)
    if detail is None:  # a proxy's page, or JSON followed by "Database failure"
        return Malformed("400")
    for pattern, kind, code in _DETAILS:
        if pattern.search(detail):
            return kind(code)
    return Invalid("400")


def _detail(answer: Answer) -> str | None:
    errors = said(answer).get("errors")
    detail = errors.get("detail") if isinstance(errors, dict) else None
    return detail if isinstance(detail, str) else None
