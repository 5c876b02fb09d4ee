"""Who calls: the bearer token (RFC 6750, in the header only) and what it allows.

Not for: making or ending tokens (`bridge/store/grants.py`). An unknown, expired or revoked token
is 401 and says no more; a good one of the wrong sort, or without the scope, is 403.
"""

from enum import Enum

import flask

from bridge.errors import Problem
from bridge.parts import WebParts
from bridge.store.grants import Caller


class Who(Enum):
    """Whose token a route takes."""

    MEMBER = "member"  # a member signed in through a client
    CLIENT = "client"  # a client's own (client_credentials)
    EITHER = "either"
    ANYBODY = "anybody"  # no token is looked at


def admit(parts: WebParts, who: Who, scopes: tuple[str, ...]) -> Caller:
    """The caller, kept as `flask.g.caller` too. Any one of `scopes` is enough. Raises Problem."""
    caller = parts.grants.check(_token())
    if caller is None or parts.settings.issuer not in caller.audience:
        raise Problem("unauthenticated")
    flask.g.caller = caller
    is_member = caller.member_id is not None
    if who is not Who.EITHER and is_member != (who is Who.MEMBER):
        raise Problem("forbidden")
    if caller.scope.isdisjoint(scopes):
        raise Problem("insufficient-scope", extensions={"scope": " ".join(scopes)})
    return caller


def _token() -> str:
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise Problem("unauthenticated")
    return token.strip()
