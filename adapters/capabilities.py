"""What a CRM can do, as answers to questions. Not for: how it does it.

A verb whose capability isn't declared raises `Unsupported`; the conformance suite checks both ways.
`docs/capabilities.md` is written from this file and the adapters' answers.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from dataclasses import field as attribute
from typing import Any, Literal


def _asked(question: str, without: str) -> Mapping[str, str]:
    return {"question": question, "without": without}


def _no(question: str, without: str) -> Any:
    return attribute(default=False, metadata=_asked(question, without))


@dataclass(frozen=True)
class Capabilities:
    """One answer per question; the defaults are those of a CRM that can do nothing special."""

    versioned_update: Literal["yes", "best_effort", "no"] = attribute(
        default="no",
        metadata=_asked(
            "Does an update name the version it is based on, and does the CRM itself compare?",
            "`best_effort`: the adapter compares just before writing, which leaves a gap of "
            "milliseconds. `no`: no process starts, unless `crm.requires` is changed",
        ),
    )
    create_with_our_id: bool = _no(
        "May we choose a new record's id, so that a repeated create meets itself?",
        "No process starts, unless `crm.requires` is changed",
    )
    atomic_batch: bool = _no(
        "Are several changes in one `apply` all or nothing?",
        "The worker goes step by step: a sign-in sees a whole member or nobody, other readers of "
        "the CRM may see a member before their consents",
    )
    expands: bool = _no(
        "Does one read bring the record that a lookup names, or a member's own rows?",
        "Refused",
    )
    checks_passwords: bool = _no(
        'Does the CRM check a member\'s password itself (`run("check_password", …)`)?',
        "The bridge keeps a sealed hash in the member's record and checks it",
    )
    clears_with_null: bool = _no(
        "Does writing None empty a field?",
        "A field can be changed, not emptied",
    )
    finds_by_key: bool = _no(
        "Is a record found by an exact alternate key in one call?",
        "`find` filters, and compares what came; the bridge's own paths read by id",
    )
    pages_with_cursor: bool = _no(
        "Does `query` page with a cursor while rows are added?",
        "An erasure could miss rows that are added while it runs",
    )
    hides_values: bool = _no(
        "Do the values that a `find` or `query` compares stay out of every URL?",
        "They stand in the CRM's own access log. The bridge's own paths compare ids only",
    )
    any_text: bool = _no(
        "Is every text kept as it is?",
        "One that the CRM would change is refused (`Invalid`)",
    )

    def as_dict(self) -> dict[str, str | bool]:
        """{question: answer}, as `GET /v1/capabilities` shows it."""
        return asdict(self)


@dataclass(frozen=True)
class Question:
    """One capability in words. `without`: what follows where the answer isn't yes."""

    name: str
    question: str
    without: str


QUESTIONS = tuple(Question(each.name, **each.metadata) for each in fields(Capabilities))
