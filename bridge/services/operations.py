"""What became of an accepted write, for whoever made it. Not for: doing or keeping writes."""

from bridge.errors import KINDS, Problem
from bridge.seal import Pseudonyms
from bridge.writes.write import Outcome

_NOT_PROBLEMS = {"merged": "stale", "unreadable": "internal"}
"""Reasons that aren't problem types -> the type: a merged record is read again, which says so."""


def owner(names: Pseudonyms, *, member_id: str | None, client: str) -> str:
    """Who may read an outcome, as it stands in Redis: a member, or a client of its own."""
    who = ("member", member_id) if member_id else ("client", client)
    return names.of("operation.owner", *who)


def problem_of(outcome: Outcome) -> str | None:
    """The problem type of an outcome; None where it was applied."""
    if outcome.code == "applied":
        return None
    name = _NOT_PROBLEMS.get(outcome.reason, outcome.reason)
    if name in KINDS:
        return name
    return outcome.code if outcome.code in KINDS else "refused"


def applied(outcome: Outcome) -> Outcome:
    """The outcome of a write that was applied. Raises Problem for any other."""
    name = problem_of(outcome)
    if name is not None:
        raise Problem(name, extensions={"operation": outcome.op})
    return outcome
