"""The one table of routes: path, method, view, who may call, with which scope, and the bodies.

Not for: what a route does. The URL map, the guard and the OpenAPI document are all made from this
table, so that no route is without a scope or undocumented.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from flask import Response

from bridge.api import (
    account,
    capabilities,
    claims,
    consents,
    health,
    identities,
    me,
    mine,
    operations,
    otp,
    registrations,
    resets,
    sessions,
    vouching,
)
from bridge.api.bearer import Who
from bridge.api.call import Call

View = Callable[[Call], Response]


@dataclass(frozen=True)
class Parameter:
    """A query parameter or header, for the document."""

    name: str
    where: str
    text: str


FIELDS = Parameter("fields", "query", "Only these fields, with commas between; `ext.<name>` too")
AFTER = Parameter("after", "query", "Wait until this operation of the caller's own is done")
IF_MATCH = Parameter("If-Match", "header", "One strong ETag: of a read, or of an own pending write")
IF_NONE_MATCH = Parameter("If-None-Match", "header", "304 where the record still has this ETag")
KEY = Parameter("Idempotency-Key", "header", "16 to 255 characters; a retry joins the first")
PREFER = Parameter(
    "Prefer", "header", "`respond-async`, `wait=N` (at most 5), `return=representation` (RFC 7240)"
)


@dataclass(frozen=True)
class Route:
    """`body`, and `answers` by status, name shapes of `bridge/api/shapes.py`; "" is no body.
    `fresh`: only soon after a sign-in (`oauth.step_up_seconds`)."""

    method: str
    path: str
    view: View
    who: Who
    scopes: tuple[str, ...]
    summary: str
    answers: Mapping[int, str]
    body: str = ""
    parameters: tuple[Parameter, ...] = ()
    limits: tuple[str, ...] = field(default=())
    fresh: bool = False


ROUTES: tuple[Route, ...] = (
    Route(
        "POST", "/v1/otp", otp.start, Who.CLIENT, ("registrations:write",),
        "Send a one-time code", {202: "Challenge"}, "ChallengeForm",
        limits=("codes_per_address", "codes_per_network", "codes_per_client"),
    ),
    Route(
        "POST", "/v1/otp/<id>/verify", otp.verify, Who.CLIENT,
        ("registrations:write", "resets:write"),
        "Turn the right code into a proof", {200: "ProofShown"}, "CodeForm",
    ),
    Route(
        "POST", "/v1/registrations", registrations.create, Who.CLIENT, ("registrations:write",),
        "Make a member out of a proven address", {201: "Registered", 202: "OperationShown"},
        "RegistrationForm", (KEY, PREFER),
        limits=("registrations_per_network", "registrations_per_client"),
    ),
    Route(
        "POST", "/v1/claims", claims.create, Who.CLIENT, ("registrations:write",),
        "Claim a record that the CRM has already", {201: "Registered", 202: "OperationShown"},
        "ClaimForm", (KEY, PREFER),
        limits=("registrations_per_network", "registrations_per_client"),
    ),
    Route(
        "POST", "/v1/password-resets", resets.start, Who.CLIENT, ("resets:write",),
        "Send a code or a link to whoever forgot the password", {202: "ResetStarted"}, "ResetForm",
        limits=("codes_per_address", "codes_per_network", "codes_per_client"),
    ),
    Route(
        "POST", "/v1/password-resets/confirm", resets.confirm, Who.CLIENT, ("resets:write",),
        "Choose a new password", {204: "", 202: "OperationShown"},
        "NewPasswordForm", (KEY, PREFER),
    ),
    Route(
        "GET", "/v1/me", me.read, Who.MEMBER, ("member:read",),
        "Read the member's own record", {200: "Member", 304: ""},
        parameters=(FIELDS, AFTER, IF_NONE_MATCH, PREFER),
    ),
    Route(
        "PATCH", "/v1/me", me.change, Who.MEMBER, ("member:write",),
        "Change the member's own record", {204: "", 200: "Member", 202: "OperationShown"},
        "MemberChange", (IF_MATCH, KEY, PREFER),
    ),
    Route(
        "DELETE", "/v1/me", me.erase, Who.MEMBER, ("member:erase",),
        "Erase the member", {200: "ErasedShown", 202: "OperationShown"}, parameters=(KEY, PREFER),
        fresh=True,
    ),
    Route(
        "GET", "/v1/me/completeness", mine.completeness, Who.MEMBER, ("member:read",),
        "What the profile still lacks", {200: "CompletenessShown"},
    ),
    Route(
        "GET", "/v1/me/export", mine.copy, Who.MEMBER, ("member:export",),
        "A copy of everything that is held of the member", {200: "ExportShown"}, fresh=True,
    ),
    Route(
        "GET", "/v1/me/consents", consents.read, Who.MEMBER, ("consents:read",),
        "Read what the member agreed to", {200: "ConsentsShown"},
    ),
    Route(
        "GET", "/v1/me/consents/history", mine.consents_history, Who.MEMBER, ("consents:read",),
        "Every answer there ever was", {200: "ConsentHistory"},
    ),
    Route(
        "PUT", "/v1/me/consents", consents.replace, Who.MEMBER, ("consents:write",),
        "Agree or withdraw", {200: "ConsentsShown", 202: "OperationShown"},
        "ConsentsForm", (KEY, PREFER),
    ),
    Route(
        "PUT", "/v1/me/password", account.change_password, Who.MEMBER, ("account:write",),
        "Change the password", {204: "", 202: "OperationShown"}, "PasswordForm", (KEY, PREFER),
    ),
    Route(
        "POST", "/v1/me/codes", identities.start_code, Who.MEMBER, ("account:write",),
        "Send a code to an address to sign in with", {202: "Challenge"}, "AddressForm",
        limits=("codes_per_address", "codes_per_network", "codes_per_client"),
    ),
    Route(
        "POST", "/v1/me/codes/<id>/verify", otp.verify, Who.MEMBER, ("account:write",),
        "Turn the right code into a proof", {200: "ProofShown"}, "CodeForm",
    ),
    Route(
        "PUT", "/v1/me/mobile", identities.put_mobile, Who.MEMBER, ("account:write",),
        "Change the mobile", {204: "", 202: "OperationShown"}, "ProofForm", (KEY, PREFER),
        fresh=True,
    ),
    Route(
        "PUT", "/v1/me/email", identities.put_email, Who.MEMBER, ("account:write",),
        "Change the e-mail", {204: "", 202: "OperationShown"}, "ProofForm", (KEY, PREFER),
        fresh=True,
    ),
    Route(
        "GET", "/v1/me/identities", identities.read, Who.MEMBER, ("account:read",),
        "Read what signs the member in", {200: "IdentitiesShown"},
    ),
    Route(
        "POST", "/v1/me/identities", identities.link, Who.MEMBER, ("account:write",),
        "Link what was vouched for", {204: "", 202: "OperationShown"}, "ProofForm", (KEY, PREFER),
        fresh=True,
    ),
    Route(
        "DELETE", "/v1/me/identities/<id>", identities.unlink, Who.MEMBER, ("account:write",),
        "Unlink", {204: "", 202: "OperationShown"}, parameters=(KEY, PREFER), fresh=True,
    ),
    Route(
        "GET", "/v1/me/sessions", sessions.read, Who.MEMBER, ("account:read",),
        "Read where the member is signed in", {200: "SessionsShown"},
    ),
    Route(
        "DELETE", "/v1/me/sessions", sessions.end_all, Who.MEMBER, ("account:write",),
        "Sign out everywhere", {204: ""},
    ),
    Route(
        "DELETE", "/v1/me/sessions/<id>", sessions.end, Who.MEMBER, ("account:write",),
        "Sign out one session", {204: ""},
    ),
    Route(
        "POST", "/v1/proofs", vouching.create, Who.CLIENT, ("identities:vouch",),
        "Vouch for a card or a WeChat user", {201: "ProofShown"}, "VouchForm",
    ),
    Route(
        "GET", "/v1/operations/<id>", operations.read, Who.EITHER,
        ("member:read", "member:write", "member:erase", "account:write", "consents:write",
         "registrations:write", "resets:write"),
        "Ask what became of a write", {200: "OperationShown"}, parameters=(PREFER,),
    ),
    Route(
        "GET", "/v1/capabilities", capabilities.read, Who.ANYBODY, (),
        "What this deployment can do", {200: "CapabilitiesShown"},
    ),
    Route("GET", "/healthz", health.alive, Who.ANYBODY, (), "Is the process up?", {200: "Health"}),
    Route(
        "GET", "/readyz", health.ready, Who.ANYBODY, (),
        "Can it serve?", {200: "Health", 503: "Health"},
    ),
)  # fmt: skip
