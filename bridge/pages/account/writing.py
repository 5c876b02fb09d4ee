"""How the account's pages hand in a write, and wait for it. Not for: what is written.

A form that is sent twice is one write: while one waits, the session holds its operation, and the
operation's id comes from the session's count of writes.
"""

import json
from collections.abc import Mapping
from typing import Any

import flask
from flask.typing import ResponseReturnValue

from adapters.base import Operation
from bridge.edge.request import trace
from bridge.pages.account.holder import CLIENT, holder, owner
from bridge.pages.frame import href, show, visitor, words
from bridge.pages.signing_in import leave
from bridge.parts import current
from bridge.services import accounts, operations
from bridge.services.credentials import Changed
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Base, Outcome, Verb, Write, operation_id

WAIT_SECONDS = 2.5
"""How long a form waits for the CRM before it shows the page that waits."""
LONG_SECONDS = 20
_COUNT, _WAITING = "writes", "writing"


def operation(what: str) -> str:
    """The id of the write that this form makes: the same when it is sent again."""
    parts, session = current(), visitor()
    key = f"{session.binding} {session.data.get(_COUNT, 0)}"
    known = parts.mailboxes.knows
    return operation_id(parts.operation_key, CLIENT, holder().member_id, what, key, known)


def accept(
    verb: Verb,
    operations: tuple[Operation, ...],
    op: str,
    said: Mapping[str, Any],
    based_on: Base | None = None,
) -> Accepted:
    """Seal and append to the member's mailbox. `said`: what makes the form this one. Raises
    Problem."""
    parts, member_id = current(), holder().member_id
    write = Write(
        verb=verb,
        op=op,
        accepted_at=parts.clock(),
        operations=operations,
        based_on=based_on,
        trace=trace().traceparent,
    )
    content = json.dumps([said, repr(based_on)], sort_keys=True, default=str)
    return parts.mailboxes.accept(
        write,
        mailbox=parts.mailboxes.member_mailbox(member_id),
        owner=owner(),
        fingerprint=parts.names.of("fingerprint", verb, content),
    )


def waits() -> bool:
    """Does a write of this visit wait?"""
    return _WAITING in visitor().data


def wait(accepted: Accepted, back: str, done: str) -> ResponseReturnValue:
    """Until the CRM has it, or a while; then to the page `back`, or to the one that waits. `done`:
    the key of the sentence that says so."""
    parts, session = current(), visitor()
    note = {"op": accepted.op, "since": parts.clock(), "back": back, "done": done}
    session.data[_COUNT] = session.data.get(_COUNT, 0) + 1
    session.data[_WAITING] = note
    parts.sessions.save(session)  # before the wait: a second click, or a reload, finds it
    parts.mailboxes.wait(accepted.op, WAIT_SECONDS)
    return flask.redirect(href("account_pending"), 303)


def pending() -> ResponseReturnValue:
    """Waits for the CRM; then goes back, and says what became of it."""
    note = visitor().data.get(_WAITING)
    if note is None:
        return flask.redirect(href("account"), 303)
    outcome = _outcome(note["op"])
    if outcome is None:
        return waiting(note["since"], "account_progress", "account_pending")
    visitor().data.pop(_WAITING)
    problem = operations.problem_of(outcome)
    visitor().data["notice"] = note["done"] if problem is None else _refusal(problem)
    return flask.redirect(href(note["back"]), 303)


def progress() -> ResponseReturnValue:
    """What the waiting page asks: {"done": bool}."""
    note = visitor().data.get(_WAITING)
    return {"done": note is None or _outcome(note["op"]) is not None}


def waiting(since: float, poll: str, here: str) -> ResponseReturnValue:
    """The page that waits: `poll` and `here` are its endpoints."""
    long = current().clock() - since > LONG_SECONDS
    return show("pending.html", long=long, words="account", poll=href(poll), here=href(here))


def closing(changed: Changed, what: str) -> ResponseReturnValue:
    """After a change that signs the member out everywhere: says what became of it. `what`: the
    texts' section, with `done`, `later` and `refused`."""
    parts, t = current(), words()
    outcome = parts.mailboxes.wait(changed.accepted.op, WAIT_SECONDS)
    came_to = "later"
    if outcome is not None:
        refused = operations.problem_of(outcome) is not None
        came_to = "refused" if refused else "done"
    if came_to == "done":
        accounts.end_sessions(parts, changed.member_id, changed.stamp)
    leave()
    title, lines = t(f"{what}.{came_to}_title"), [t(f"{what}.{came_to}_lead")]
    links = [("signed_out.again", href("sign_in"))]
    return show("message.html", title=title, lines=lines, links=links, done=came_to == "done")


def _outcome(op: str) -> Outcome | None:
    return current().mailboxes.outcome(op, owner())


def _refusal(problem: str) -> str:
    return "account.stale" if problem == "stale" else "account.refused"
