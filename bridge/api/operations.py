"""`/v1/operations/{id}`: what became of a write, for whoever made it. Not for: anybody else's,
which are 404 like those that never were."""

from datetime import UTC, datetime

from flask import Response

from bridge.api import answers
from bridge.api.call import Call, query
from bridge.api.prefer import preferences
from bridge.errors import TYPE_BASE, Problem
from bridge.services import operations, versions
from bridge.writes.write import Outcome


def read(call: Call) -> Response:
    """The state now; with `Prefer: wait=N`, as soon as it is done."""
    query()
    op, mailboxes, wishes = call.path["id"], call.parts.mailboxes, preferences()
    if not versions.OPERATION.fullmatch(op):
        raise Problem("not-found")
    outcome = mailboxes.outcome(op, call.owner)
    if outcome is None and "wait" in wishes.asked:
        outcome = mailboxes.wait(op, wishes.seconds)
    if outcome is None:
        retry = str(answers.RETRY_SECONDS)
        return answers.json({"id": op, "status": "pending"}, Retry_After=retry)
    return answers.json(_shown(call, outcome))


def _shown(call: Call, outcome: Outcome) -> dict[str, object]:
    shown: dict[str, object] = {
        "id": outcome.op,
        "status": outcome.code,
        "at": datetime.fromtimestamp(int(outcome.at), UTC),
    }
    problem = operations.problem_of(outcome)
    if problem is not None:
        shown["problem"] = TYPE_BASE + problem
    if outcome.version and call.by.member_id:
        shown["etag"] = versions.etag(call.parts.etags, call.by.member_id, outcome.base)
    return shown
