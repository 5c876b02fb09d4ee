"""What a CRM can do, as answers to questions. Not for: how it does it.

A verb whose capability isn't declared raises `Unsupported`; the conformance suite checks both ways.
"""

from dataclasses import asdict, dataclass
from typing import Literal


@dataclass(frozen=True)
class Capabilities:
    """One answer per question; the defaults are those of a CRM that can do nothing special."""

    # Does an update name the version it is based on, and does the CRM itself compare?
    # `best_effort`: the adapter compares just before writing, which leaves a gap.
    versioned_update: Literal["yes", "best_effort", "no"] = "no"
    # May we choose a new record's id, so that a repeated create meets itself?
    create_with_our_id: bool = False
    # Are several changes in one `apply` all or nothing?
    atomic_batch: bool = False
    # Does one read bring the record that a lookup names, or a member's own rows?
    expands: bool = False
    # Does the CRM check a member's password itself (`run("check_password", …)`)?
    checks_passwords: bool = False
    # Does writing None empty a field?
    clears_with_null: bool = False
    # Is a record found by an exact alternate key in one call?
    finds_by_key: bool = False
    # Does `query` page with a cursor while rows are added?
    pages_with_cursor: bool = False
    # Do the values that a `find` or `query` compares stay out of every URL?
    hides_values: bool = False
    # Is every text kept as it is? Where not, one that the CRM would change is Invalid.
    any_text: bool = False

    def as_dict(self) -> dict[str, str | bool]:
        """{question: answer}, as `GET /v1/capabilities` shows it."""
        return asdict(self)
