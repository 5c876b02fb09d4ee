"""The authorize endpoint (RFC 6749 section 4.1.1, OpenID Connect Core section 3.1.2).

Not for: signing in, which the hosted pages do. A request that has to wait for a sign-in is kept
sealed in the browser's session; the URLs between hold a handle and nothing else. A request whose
client or redirect URI isn't registered is answered here; every other mistake goes back to the
client.
"""

from dataclasses import dataclass
from typing import Any

import flask
from authlib.oauth2.rfc6749 import OAuth2Error
from flask import Response

from bridge.oauth.errors import Refusal
from bridge.oauth.grants import Approval
from bridge.oauth.needs import Needs
from bridge.oauth.request import BridgeRequest, navigated
from bridge.oauth.server import Server
from bridge.services import sign_in
from bridge.store.sessions import Session, SignedIn, sign_in_url

PROMPTS = ("none", "login", "consent", "select_account")
"""`consent`: clients are first party, so there is nothing to ask. `select_account`: as `login`."""


@dataclass(frozen=True)
class _Visit:
    """One arrival: what is asked, by which browser, and since when it waits."""

    parameters: dict[str, str]
    session: Session | None
    handle: str | None
    since: int | None

    @property
    def prompts(self) -> frozenset[str]:
        return frozenset(self.parameters.get("prompt", "").split())


def authorize(parts: Needs, server: Server) -> Response:
    """A redirect: to the client with a code or an error, or to the sign-in page. 400 (JSON) where
    there is no registered place to go back to."""
    try:
        visit = _arrive(parts)
        request = BridgeRequest(parts.settings.issuer, visit.parameters)
        _place_to_go_back_to(parts, visit.parameters)
        _supported(visit)
        grant = server.get_consent_grant(request)
        who = _fresh_sign_in(parts, visit)
    except OAuth2Error as error:
        return _refused(server, error)
    if who is None or visit.session is None:
        return _send_to_sign_in(parts, server, visit)
    answer = server.approve(request, grant, Approval(who, visit.session))
    visit.session.parked.pop(visit.handle or "", None)
    parts.sessions.save(visit.session)
    return answer


def _refused(server: Server, error: OAuth2Error) -> Response:
    if error.redirect_uri is None:
        error.state = None
    return server.handle_error_response(None, error)


def _arrive(parts: Needs) -> _Visit:
    session = parts.sessions.load(flask.request.cookies.get(parts.sessions.cookie_name))
    if session is not None and parts.grants.any_ended(session.grants):
        parts.sessions.end(session)  # the member signed it out from elsewhere
        session = None
    given = navigated()
    if "continue" not in given:
        return _Visit(given, session, None, None)
    parked = session.parked.get(given["continue"]) if session else None
    if parked is None:
        raise Refusal("invalid_request", "This sign-in is over; start again at the site.")
    return _Visit(dict(parked.parameters), session, given["continue"], parked.at)


def _place_to_go_back_to(parts: Needs, parameters: dict[str, str]) -> None:
    uris = parts.clients.redirect_uris(parameters.get("client_id", ""))
    if parameters.get("redirect_uri") not in uris:
        raise Refusal("invalid_request", "The client or its redirect URI is not registered.")


def _supported(visit: _Visit) -> None:
    """Raises Refusal, to be sent back to the client, for what we don't serve."""
    asked = visit.parameters
    back = _Back(asked)
    if "request" in asked:  # first: a request object may hold the rest (RFC 9101 section 5)
        raise back.refusal("request_not_supported")
    if "request_uri" in asked:
        raise back.refusal("request_uri_not_supported")
    if "response_type" not in asked:
        raise back.refusal("invalid_request")
    if asked["response_type"] != "code":
        raise back.refusal("unsupported_response_type")
    if asked.get("response_mode", "query") != "query":
        raise back.refusal("invalid_request")
    if not visit.prompts <= set(PROMPTS) or ("none" in visit.prompts and len(visit.prompts) > 1):
        raise back.refusal("invalid_request")
    if not asked.get("max_age", "0").isdecimal():
        raise back.refusal("invalid_request")


@dataclass(frozen=True)
class _Back:
    """Refusals that go back to the client, whose redirect URI was checked."""

    asked: dict[str, str]

    def refusal(self, name: str) -> Refusal:
        refusal = Refusal(name, redirect_uri=self.asked["redirect_uri"])
        refusal.state = self.asked.get("state")
        return refusal


def _fresh_sign_in(parts: Needs, visit: _Visit) -> SignedIn | None:
    """Who is signed in, if that is recent enough for this request; None if they must sign in.
    Raises Refusal("login_required") where the client forbids asking."""
    who = visit.session.signed_in if visit.session else None
    if who is not None and _holds(parts, visit, who):
        return who
    if "none" in visit.prompts:
        raise _Back(visit.parameters).refusal("login_required")
    return None


def _holds(parts: Needs, visit: _Visit, who: SignedIn) -> bool:
    if parts.grants.epoch(who.member_id) != who.epoch:
        return False
    if sign_in.missing(who, visit.parameters.get("acr_values", "")):
        return False
    if visit.since is not None and who.auth_time >= visit.since:
        return True  # signed in for this very request
    if visit.prompts & {"login", "select_account"}:
        return False
    longest = visit.parameters.get("max_age")
    return longest is None or parts.clock() - who.auth_time <= int(longest)


def _send_to_sign_in(parts: Needs, server: Server, visit: _Visit) -> Response:
    session = visit.session or parts.sessions.new()
    handle = visit.handle or session.park(visit.parameters, parts.clock())
    answer = server.handle_response(303, "", [("Location", sign_in_url(handle))])
    if visit.session is None:
        parts.sessions.start(session)
        cookie: Any = parts.sessions.cookie(session)
        answer.set_cookie(**cookie)
    elif visit.handle is None:
        parts.sessions.save(session)
    return answer
