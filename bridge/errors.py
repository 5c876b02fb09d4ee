"""The one outward table: what went wrong -> an RFC 9457 problem document.

Not for: what went wrong at the CRM (`adapters/errors.py`), or OAuth's own errors (RFC 6749 section
5.2, `bridge/oauth`). No problem holds a value that came in or was read: `detail` is constant per
type, `errors[].pointer` names a field of the schema.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adapters import errors as crm

TYPE_BASE = "https://crm-bridge.invalid/problems/"  # a name, not a place (RFC 9457 section 3.1.1)


@dataclass(frozen=True)
class Kind:
    """One stable type of problem."""

    status: int
    title: str
    detail: str
    retry_after: int | None = None


KINDS: Mapping[str, Kind] = {
    "invalid-request": Kind(400, "The request is malformed", "See `errors` for the places."),
    "unauthenticated": Kind(401, "Sign in first", "The access token is missing or no longer good."),
    "step-up": Kind(401, "Sign in again", "This needs a sign-in that is more recent or stronger."),
    "insufficient-scope": Kind(403, "Not allowed", "The token doesn't carry the scope needed."),
    "forbidden": Kind(403, "Not allowed", "This client may not do that."),
    "not-found": Kind(404, "There is no such thing", "It doesn't exist, or it isn't yours."),
    "method-not-allowed": Kind(405, "Not with this method", "See the Allow header."),
    "not-acceptable": Kind(406, "Not in this form", "This resource has JSON only."),
    "conflict": Kind(409, "It exists already", "A record with this identity exists; sign in."),
    "claimable": Kind(409, "There is a record", "A record with this number can be claimed."),
    "claim-over": Kind(409, "No tries left", "It can't be claimed today; register instead."),
    "last-way": Kind(409, "It has to stay", "It is the last way to sign in; add another first."),
    "gone": Kind(410, "It was erased", "This member's data were erased."),
    "stale": Kind(412, "It has changed", "The record changed since that ETag; read it again."),
    "too-large": Kind(413, "Too large", "The body is over the limit."),
    "unsupported-media-type": Kind(415, "Not this media type", "Send application/json."),
    "validation": Kind(422, "Some fields are not right", "See `errors` for the places."),
    "key-reuse": Kind(422, "Idempotency key used before", "The same key came with another body."),
    "proof-invalid": Kind(422, "The proof is not good", "Prove the address again."),
    "proof-insufficient": Kind(
        422, "One more proof is needed", "See `needs` for the address that must be proven too."
    ),
    "claim-refused": Kind(422, "That doesn't fit", "None of the facts is the record's."),
    "code-wrong": Kind(422, "The code is not right", "Check the code, or ask for a new one."),
    "refused": Kind(422, "The CRM refused it", "The CRM doesn't accept this change."),
    "unsupported": Kind(422, "Not with this CRM", "See GET /v1/capabilities."),
    "too-many": Kind(429, "Too many tries", "Wait before the next try.", 60),
    "mailbox-full": Kind(429, "Too many changes wait", "Wait until some are done.", 5),
    "internal": Kind(500, "Our mistake", "It is logged under the request id."),
    "busy": Kind(503, "Busy", "Nothing was done. Try again in a moment.", 1),
    "crm-malformed": Kind(502, "The CRM answered nonsense", "Try again later.", 5),
    "crm-misconfigured": Kind(503, "The CRM connection is not set up", "An operator must act.", 60),
    "crm-unavailable": Kind(503, "The CRM can't be reached", "Try again later.", 5),
    "crm-throttled": Kind(503, "The CRM is busy", "Try again later.", 5),
    "wechat-unavailable": Kind(
        503, "WeChat does not do it", "Try again later, or see `wechat_code`.", 5
    ),
    "store-unavailable": Kind(503, "Not available", "Nothing was accepted. Try again later.", 5),
    "pending": Kind(503, "Not done yet", "That operation still waits. Try again in a moment.", 1),
    "outcome-unknown": Kind(503, "Not sure", "Repeat with the same Idempotency-Key.", 5),
    "expired": Kind(410, "Too late", "It wasn't done in time and was dropped."),
    "cancelled": Kind(409, "Cancelled", "An earlier change of the same member made it void."),
}
"""Type -> what a client sees. `docs/problems.md` is written from it."""


@dataclass(frozen=True)
class FieldError:
    """A place in the request (`pointer`, RFC 6901, schema names only) and a constant code."""

    pointer: str
    code: str

    def as_dict(self) -> dict[str, str]:
        """As it stands in `errors`."""
        return {"pointer": self.pointer, "code": self.code}


class Problem(Exception):
    """To be answered as `application/problem+json`. Holds nothing that came from outside."""

    def __init__(
        self,
        type: str,
        errors: Sequence[FieldError] = (),
        retry_after: float | None = None,
        extensions: Mapping[str, Any] | None = None,
    ) -> None:
        """`type`: a key of KINDS. `extensions`: constants and references of ours only."""
        super().__init__(type)
        self.type = type
        self.kind = KINDS[type]
        self.errors = tuple(errors)
        self.retry_after = retry_after if retry_after is not None else self.kind.retry_after
        self.extensions = dict(extensions or {})

    def document(self) -> dict[str, Any]:
        """The body (RFC 9457 section 3)."""
        body: dict[str, Any] = {
            "type": TYPE_BASE + self.type,
            "title": self.kind.title,
            "status": self.kind.status,
            "detail": self.kind.detail,
            **self.extensions,
        }
        if self.errors:
            body["errors"] = [error.as_dict() for error in self.errors]
        return body


_CRM: tuple[tuple[type[crm.CrmError], str], ...] = (
    (crm.NotFound, "not-found"),
    (crm.Conflict, "conflict"),
    (crm.StaleVersion, "stale"),
    (crm.Invalid, "refused"),
    (crm.Unsupported, "unsupported"),
    (crm.Throttled, "crm-throttled"),
    (crm.Malformed, "crm-malformed"),
    (crm.Unavailable, "crm-unavailable"),
    (crm.Misconfigured, "crm-misconfigured"),
    (crm.Refused, "refused"),
    (crm.CrmError, "internal"),
)
"""Most specific first: a guard test sees that every CRM error has a line."""


def from_crm(error: crm.CrmError) -> Problem:
    """The problem that a CRM error is for a client."""
    name = next(name for kind, name in _CRM if isinstance(error, kind))
    retry_after = getattr(error, "retry_after", None) if isinstance(error, crm.Throttled) else None
    fields = getattr(error, "fields", ())
    return Problem(name, [FieldError(f"/{name}", "refused") for name in fields], retry_after)
