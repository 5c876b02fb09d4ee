"""`/v1/me/password`: what a member who is signed in does with their account. Not for: the profile
(`me.py`), or whoever forgot the password (`resets.py`)."""

from flask import Response

from bridge import edge
from bridge.api import answers, conditions, writing
from bridge.api.call import Call
from bridge.api.me import record_of
from bridge.errors import FieldError, Problem
from bridge.services import accounts, credentials, step_up
from bridge.services.accounts import Account
from bridge.services.credentials import Visit
from bridge.writes.write import Outcome

PASSWORD = "PUT /v1/me/password"  # noqa: S105 - a route


def change_password(call: Call) -> Response:
    """With the current password, or soon after a sign-in. Every session ends, this one too."""
    conditions.refuse_if_match()
    credentials.checked(call.form["password"])
    account = account_of(call)
    _allowed(call, account)
    op = writing.operation(call, PASSWORD)
    done = credentials.set_password(call.parts, account, call.form["password"], op, visit_of(call))

    def answer(_: Outcome) -> Response:
        accounts.end_sessions(call.parts, done.member_id, done.stamp)
        return answers.empty()

    return answers.settled(call, done.accepted, answer)


def account_of(call: Call) -> Account:
    """The caller's own. Raises as `record_of`."""
    return accounts.of(record_of(call, accounts.FIELDS), call.parts.identity_keys)


def visit_of(call: Call) -> Visit:
    """The caller, as the services want to know them."""
    return Visit(call.by.client_id, call.owner, edge.trace())


def _allowed(call: Call, account: Account) -> None:
    """Raises Problem: `validation` for a wrong current password, `step-up` where none was sent and
    the sign-in is old."""
    current = call.form.get("current_password")
    if current is None:
        step_up.required(call.by, call.parts.clock(), call.parts.settings.oauth)
    elif not credentials.is_current(call.parts, account, current):
        raise Problem("validation", [FieldError("/current_password", "wrong")])
