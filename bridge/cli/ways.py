"""By which routes each personal field comes in and goes out, read off the tables of routes.

For the privacy report. The API's part is computed from its routes and shapes, so that a new route
can't be forgotten; what has another name on the way (an address, a proof, a password) is listed.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from marshmallow import Schema
from marshmallow.fields import Nested

from bridge.api import shapes
from bridge.api.routes import ROUTES, Route
from bridge.pages.forms import ASKED
from mappings.loader import Mapping as CrmMapping

Field = tuple[str, str]


@dataclass(frozen=True)
class Ways:
    """Routes, as a reader finds them in /docs, sorted."""

    comes: tuple[str, ...]
    goes: tuple[str, ...]


_PROVING = (
    "POST /v1/claims (in a proof)",
    "POST /v1/me/codes",
    "POST /v1/otp",
    "POST /v1/password-resets",
    "POST /v1/registrations (in a proof)",
    "/register (page)",
    "/reset (page)",
    "/sign-in/code (page)",
)
_NAMED_OTHERWISE: Mapping[Field, Ways] = {
    ("member", "mobile"): Ways(_PROVING, ("the gateway (SMS)", "/register/details (page, masked)")),
    ("member", "email"): Ways(
        (
            "POST /v1/me/codes",
            "POST /v1/otp",
            "POST /v1/password-resets",
            "POST /v1/registrations (in a proof)",
            "PUT /v1/me/email (in a proof)",
            "/reset (page)",
        ),
        ("the gateway (mail)",),
    ),
    ("member", "credential"): Ways(
        (
            "POST /v1/claims (password)",
            "POST /v1/registrations (password)",
            "POST /v1/password-resets/confirm (password)",
            "PUT /v1/me/password (password, current_password)",
            "/reset/password (page, password)",
            "/register/details (page, password)",
            "/sign-in (page, password)",
        ),
        (),
    ),
    ("member", "card_number"): Ways(("POST /v1/claims (compared only)",), ()),
    ("member", "legacy_credential"): Ways(
        ("/sign-in (page, password)", "PUT /v1/me/password (current_password)"), ()
    ),
    ("member", "portal_name"): Ways((), ()),
    ("identity", "value"): Ways(
        (
            *_PROVING,
            "/sign-in (page)",
            "POST /v1/proofs",
            "POST /wechat/callback (openid)",
            "GET /wechat/oauth/return (openid, from WeChat)",
        ),
        ("the gateway (SMS, mail)", "GET /v1/me/identities", "WeChat (openid)"),
    ),
    ("member", "given_name"): Ways((), ("/oauth/userinfo",)),
    ("member", "family_name"): Ways((), ("/oauth/userinfo",)),
}
"""What no schema tells."""


def ways(mapping: CrmMapping) -> dict[Field, Ways]:
    """Every personal field that this CRM holds, the brand's own included."""
    fields = sorted(mapping.personal_fields)
    return dict(_each(mapping, (f for f in fields if f[1] in mapping.kinds[f[0]].fields)))


def ways_of(mapping: CrmMapping, field: Field) -> Ways:
    """Those of one field, personal or not."""
    return dict(_each(mapping, [field]))[field]


def _each(mapping: CrmMapping, fields: Iterable[Field]) -> Iterator[tuple[Field, Ways]]:
    made = shapes.make(mapping)
    bodies: dict[str, Schema] = {
        "Member": made.member,
        "MemberChange": made.change,
        "RegistrationForm": made.registration,
    }
    for kind, name in fields:
        yield (kind, name), _of(kind, name, bodies)


def _of(kind: str, field: str, bodies: Mapping[str, Schema]) -> Ways:
    comes, goes = set[str](), set[str]()
    named = _NAMED_OTHERWISE.get((kind, field), Ways((), ()))
    if kind == "member":
        for route in ROUTES:
            given, answered = _names(route, bodies)
            shown = f"{route.method} {route.path}"
            comes |= {shown} if field in given else set()
            goes |= {shown} if field in answered else set()
        comes |= {"/register/details (page)"} if field in ASKED else set()
    return Ways(tuple(sorted(comes | set(named.comes))), tuple(sorted(goes | set(named.goes))))


def _names(route: Route, bodies: Mapping[str, Schema]) -> tuple[set[str], set[str]]:
    """Dotted names of the member's in a route's body and in its answers."""
    given = set(_dotted(bodies[route.body])) if route.body in bodies else set()
    answers = (bodies[name] for name in route.answers.values() if name in bodies)
    return given, {name for answer in answers for name in _dotted(answer)}


def _dotted(schema: Schema, prefix: str = "") -> Iterator[str]:
    for name, field in schema.fields.items():
        inner: Any = field.schema if isinstance(field, Nested) else None
        if inner is not None and not inner.many:
            yield from (f"{prefix}{name}.{below}" for below in inner.fields)
        else:
            yield f"{prefix}{name}"


def paths(found: Mapping[Field, Ways]) -> set[str]:
    """Every path that is named, without method and remark."""
    listed = (way for each in found.values() for way in (*each.comes, *each.goes))
    return {word for way in listed for word in way.split()[:2] if word.startswith("/")}
