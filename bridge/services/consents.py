"""What a member agrees to: the brand's purposes, and rows that are only ever added.

Not for: the texts themselves (configuration), or flags of the profile. The newest row of a purpose
counts; of two of the same moment, the one that withdraws.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from adapters.base import Found, Operation
from bridge.errors import FieldError, Problem

FIELDS = ("purpose", "granted", "text_version", "channel", "at")
_NEVER = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True)
class Answer:
    """A member's answer to one purpose, to one version of its text."""

    purpose: str
    granted: bool
    text_version: str


def checked(
    purposes: Sequence[Mapping[str, Any]], answers: Sequence[Answer], *, registering: bool
) -> None:
    """Raises Problem where an answer is to a purpose that the brand doesn't ask for, to another
    version than the current one, given twice, or where a required purpose isn't granted (at a
    registration: is missing)."""
    known = {purpose["purpose"]: purpose for purpose in purposes}
    errors = [
        FieldError(f"/consents/{index}/{name}", code)
        for index, answer in enumerate(answers)
        for name, code in _mistakes(known.get(answer.purpose), answer, answers[:index])
    ]
    granted = {answer.purpose for answer in answers if answer.granted}
    asked = set(known) if registering else {answer.purpose for answer in answers}
    missing = [p for p in asked if p in known and known[p]["required"] and p not in granted]
    if missing:
        errors.append(FieldError("/consents", "consent-required"))
    if errors:
        raise Problem("validation", errors)


def _mistakes(
    purpose: Mapping[str, Any] | None, answer: Answer, before: Sequence[Answer]
) -> Iterable[tuple[str, str]]:
    if purpose is None:
        yield "purpose", "not-an-option"
    elif any(answer.purpose == other.purpose for other in before):
        yield "purpose", "twice"
    elif answer.granted and answer.text_version != purpose["version"]:
        yield "text_version", "not-current"


def rows(
    member_id: str, answers: Sequence[Answer], ids: Sequence[str], channel: str, at: datetime
) -> tuple[Operation, ...]:
    """One new row per answer, under `ids`."""
    return tuple(
        Operation(
            "create",
            "consent",
            id,
            {
                "member": member_id,
                "purpose": answer.purpose,
                "granted": answer.granted,
                "text_version": answer.text_version,
                "channel": channel[:50],
                "at": at,
            },
        )
        for id, answer in zip(ids, answers, strict=True)
    )


def current(purposes: Sequence[Mapping[str, Any]], given: Iterable[Found]) -> list[dict[str, Any]]:
    """Per purpose of the brand: the newest answer (None where there is none), whether it is to
    the current text, and whether the purpose is required."""
    newest: dict[str, dict[str, Any]] = {}
    for row in sorted((found.record for found in given), key=_age):
        newest[row["purpose"]] = row
    return [_shown(purpose, newest.get(purpose["purpose"])) for purpose in purposes]


def history(given: Iterable[Found]) -> list[dict[str, Any]]:
    """Every answer there ever was, the newest first."""
    rows = sorted((found.record for found in given), key=_age, reverse=True)
    return [{name: row.get(name) for name in FIELDS} for row in rows]


def _age(row: Mapping[str, Any]) -> tuple[datetime, bool]:
    return row["at"] or _NEVER, not row["granted"]


def _shown(purpose: Mapping[str, Any], row: Mapping[str, Any] | None) -> dict[str, Any]:
    return {
        "purpose": purpose["purpose"],
        "required": purpose["required"],
        "granted": bool(row["granted"]) if row else None,
        "text_version": row["text_version"] if row else None,
        "is_current": bool(row and row["text_version"] == purpose["version"]),
        "at": row["at"] if row else None,
    }
