"""The request's preconditions and retry key: If-Match, If-None-Match, Idempotency-Key.

Not for: what an ETag holds (`bridge/services/versions.py`). Sources: RFC 9110 section 13.1, and
draft-ietf-httpapi-idempotency-key-header-07 (expired 2026-04) for the key.
"""

import re

import flask

from bridge.errors import FieldError, Problem

_TAG = re.compile(r'(W/)?"([\x21\x23-\x7e]{0,512})"')
_TAGS = re.compile(
    r'\s*(?:W/)?"[\x21\x23-\x7e]{0,512}"\s*(?:,\s*(?:W/)?"[\x21\x23-\x7e]{0,512}"\s*)*'
)
_KEY = re.compile(r'"([\x20-\x21\x23-\x5b\x5d-\x7e]{16,255})"|([A-Za-z0-9_.:~*/+=-]{16,255})')


def if_match() -> str | None:
    """The one strong tag without its quotes; None where there is no condition (`*` is none: whoever
    is signed in has a record). Raises Problem: 400 malformed or several, 412 weak (section 13.1.1:
    a weak tag never matches)."""
    given = flask.request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    found = _TAG.fullmatch(given.strip())
    if not found:
        code = "one-tag-only" if len(_TAG.findall(given)) > 1 else "malformed"
        raise Problem("invalid-request", [FieldError("", code)], extensions={"header": "If-Match"})
    if found[1]:
        raise Problem("stale", [FieldError("", "weak-tag")], extensions={"header": "If-Match"})
    return found[2]


def refuse_if_match() -> None:
    """For a change that can't be held to a version: a condition must not be passed over (RFC 9110
    section 13.1.1). Raises Problem, as `if_match`."""
    if if_match() is not None:
        raise Problem(
            "invalid-request", [FieldError("", "not-here")], extensions={"header": "If-Match"}
        )


def is_current(etag: str) -> bool:
    """Whether If-None-Match names `etag` (quoted), compared weakly (section 13.1.2)."""
    given = flask.request.headers.get("If-None-Match")
    if not given:
        return False
    if given.strip() == "*":
        return True
    return any(f'"{tag}"' == etag for _, tag in _TAG.findall(given))


def idempotency_key() -> str | None:
    """The key: a quoted string (RFC 8941 section 3.3.3) or, leniently, the bare text; 16 to 255
    characters. Raises Problem for anything else."""
    given = flask.request.headers.get("Idempotency-Key")
    if given is None:
        return None
    found = _KEY.fullmatch(given.strip())
    if not found:
        extensions = {"header": "Idempotency-Key"}
        raise Problem("invalid-request", [FieldError("", "malformed")], extensions=extensions)
    return found[1] or found[2]
