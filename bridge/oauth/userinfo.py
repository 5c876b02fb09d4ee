"""Userinfo (OpenID Connect Core section 5.3): `sub`, and with the scope `profile` who it is.

Not for: the member's record (`/v1/me`). Without `profile` the CRM isn't asked.
"""

from typing import Any

import flask

from adapters.base import Trace
from bridge.errors import Problem
from bridge.oauth.needs import Needs
from bridge.services import members
from bridge.services.members import Holder, SessionOver
from bridge.store.grants import Caller

_FIELDS = ("given_name", "family_name", "language")


def userinfo(parts: Needs, trace: Trace) -> dict[str, Any]:
    """The claims. Raises Problem, CrmError, StoreDown."""
    caller = _caller(parts)
    claims: dict[str, Any] = {"sub": caller.subject}
    if "profile" in caller.scope:
        claims |= _profile(parts, caller, trace)
    return claims


def _caller(parts: Needs) -> Caller:
    scheme, _, token = flask.request.headers.get("Authorization", "").partition(" ")
    caller = parts.grants.check(token.strip()) if scheme.lower() == "bearer" else None
    if caller is None or caller.member_id is None:
        raise Problem("unauthenticated")
    flask.g.caller = caller
    if "openid" not in caller.scope:
        raise Problem("insufficient-scope", extensions={"scope": "openid"})
    return caller


def _profile(parts: Needs, caller: Caller, trace: Trace) -> dict[str, Any]:
    holder = Holder(str(caller.member_id), caller.stamp)
    try:
        found = members.read(parts.crm, holder, _FIELDS, parts.names, trace)
    except SessionOver:
        parts.grants.revoke_grant(caller.grant_id)
        raise Problem("unauthenticated") from None
    given, family, language = (found.record.get(name) for name in _FIELDS)
    whole = " ".join(part for part in (given, family) if part)
    claims = {"name": whole, "given_name": given, "family_name": family, "locale": language}
    return {name: value for name, value in claims.items() if value}
