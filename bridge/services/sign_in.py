"""Sign a member in: by password, or by an address proven just now.

Not for: pages, or what a client may do afterwards (`bridge/oauth`). An unknown name, a wrong
password, a released or inactive record get the same answer after the same time; tries are counted
for names that nobody has, too.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Protocol

from adapters.base import Found, Trace
from adapters.capabilities import Capabilities
from bridge import security
from bridge.errors import Problem
from bridge.seal import Pseudonyms
from bridge.services import identities, rehash, traces
from bridge.services.identities import Crm, IdentityKeys, NotNormal, SignIn
from bridge.services.passwords import Passwords
from bridge.services.proofs import Proof
from bridge.services.subjects import stamp_digest
from bridge.store.grants import Grants
from bridge.store.limits import Limits, network
from bridge.store.sessions import SignedIn

FLOOR_SECONDS = 0.4
"""No answer to a password comes sooner, since the CRM answers "not found" faster than "found"."""
ACRS = ("aal1", "aal2")
"""One factor, two factors (NIST SP 800-63B), the weaker first."""
TOGETHER_SECONDS = 600
"""Two sign-ins of one member in one browser within this are two factors, if they are of two."""


class _Settings(Protocol):
    @property
    def region(self) -> str: ...


class Needs(rehash.Needs, Protocol):
    """The parts that a sign-in works with."""

    @property
    def crm(self) -> Crm: ...
    @property
    def identity_keys(self) -> IdentityKeys: ...
    @property
    def passwords(self) -> Passwords: ...
    @property
    def limits(self) -> Limits: ...
    @property
    def names(self) -> Pseudonyms: ...
    @property
    def grants(self) -> Grants: ...
    @property
    def settings(self) -> _Settings: ...
    @property
    def capabilities(self) -> Capabilities: ...
    @property
    def clock(self) -> Callable[[], float]: ...


@dataclass(frozen=True)
class Attempt:
    """One try. `identifier`: as it was typed; `address`: the remote IP address."""

    identifier: str = field(repr=False)
    password: str = field(repr=False)
    client: str
    address: str
    trace: Trace | None = None


def by_password(parts: Needs, attempt: Attempt) -> SignedIn | None:
    """Who signed in; None for every reason not to. Raises Problem (`too-many`, `busy`), CrmError,
    StoreDown."""
    kind, value = _name(attempt.identifier, parts.settings.region)
    where = network(attempt.address)
    seen = {"client": attempt.client, "network": where, "trace": _id_of(attempt.trace)}
    try:
        parts.limits.hit("sign_ins_per_network", where)
        parts.limits.hit("sign_ins_per_client", attempt.client)
        parts.limits.hit("sign_ins_per_identifier", kind, value)
    except Problem as problem:
        security.tell("sign-in-limited", reason=str(problem.extensions["limit"]), **seen)
        raise
    until = time.monotonic() + FLOOR_SECONDS
    try:
        found = _try(parts, kind, value, attempt)
    finally:
        time.sleep(max(0.0, until - time.monotonic()))
    if found is None:
        security.tell("sign-in-failed", **seen)
    else:
        security.tell("sign-in", member=found.member_id, reason="password", **seen)
    return found


def by_proof(parts: Needs, proof: Proof, trace: Trace | None = None) -> SignedIn | None:
    """Who holds a proven address; None if nobody does: then they may register. Raises CrmError,
    StoreDown."""
    found = identities.resolve(parts.crm, parts.identity_keys, proof.kind, proof.value, (), trace)
    if found is None:
        return None
    amr = {"mobile": ("otp", "sms"), "email": ("otp",)}.get(proof.kind, ("fed",))
    who = _signed_in(parts, found, amr)
    if who is not None:
        security.tell("sign-in", member=who.member_id, reason=proof.kind, trace=_id_of(trace))
    return who


def has_member(parts: Needs, proof: Proof, trace: Trace | None = None) -> bool:
    """Does a proven address sign anybody in? Raises CrmError."""
    keys = parts.identity_keys
    return identities.resolve(parts.crm, keys, proof.kind, proof.value, (), trace) is not None


def _id_of(trace: Trace | None) -> str:
    return traces.trace_id(trace.traceparent) if trace else ""


def joined(before: SignedIn | None, now: SignedIn) -> SignedIn:
    """A sign-in on top of the one before in the same browser: password and code together are two
    factors, as long as both are recent and nothing was signed out in between. Two factors are
    never the half of a new pair: each of a pair was given for it."""
    if before is None or before.acr != ACRS[0]:
        return now
    same = ("member_id", "epoch", "stamp")
    if any(getattr(before, name) != getattr(now, name) for name in same):
        return now
    methods = {*before.amr, *now.amr}
    recent = now.auth_time - before.auth_time <= TOGETHER_SECONDS
    if not recent or not {"pwd", "otp"} <= methods:
        return now
    return replace(now, amr=(*sorted(methods), "mfa"), acr=ACRS[1])


def level(acr: str) -> int:
    """How strong; 0 for one that isn't ours."""
    return ACRS.index(acr) + 1 if acr in ACRS else 0


def asked_level(acr_values: str) -> int:
    """The least that satisfies an authorize request: any of those it names will do, and one that
    we don't know is no demand (OpenID Connect Core section 3.1.2.1: voluntary)."""
    known = [level(each) for each in acr_values.split() if level(each)]
    return min(known, default=0)


def missing(who: SignedIn | None, acr_values: str) -> str:
    """The factor that a sign-in still needs for a request: `pwd` or `otp`; "" for none, or where
    nobody signed in yet."""
    if who is None or level(who.acr) >= asked_level(acr_values):
        return ""
    return "pwd" if "otp" in who.amr else "otp"


def _name(identifier: str, region: str) -> tuple[str, str]:
    """(kind, normal form), or ("", what was typed) for what can't be anybody's name."""
    try:
        return identities.guess(identifier, region)
    except NotNormal:
        return "", identifier.strip().casefold()


def _try(parts: Needs, kind: str, value: str, attempt: Attempt) -> SignedIn | None:
    found = None
    if kind:
        fields = rehash.FIELDS
        found = identities.resolve(
            parts.crm, parts.identity_keys, kind, value, fields, attempt.trace
        )
    if found is None:
        parts.passwords.check_nobody(attempt.password)
        return None
    if not fits(parts, found.member, attempt.password, attempt.trace):
        return None
    rehash.renew(parts, found, attempt.password, attempt.trace)
    return _signed_in(parts, found, ("pwd",))


class Checks(Protocol):
    """The parts that tell whether a password is a member's."""

    @property
    def passwords(self) -> Passwords: ...
    @property
    def crm(self) -> Crm: ...
    @property
    def capabilities(self) -> Capabilities: ...


def fits(parts: Checks, member: Found, password: str, trace: Trace | None = None) -> bool:
    """By the member's own hash; by another system's, or by the CRM's own check, only where there
    is none of ours. `member` with `rehash.FIELDS`. Raises Problem("busy"), CrmError."""
    record = member.record
    if parts.passwords.check(member.id, record.get("credential"), password):
        return True
    if record.get("credential"):
        return False
    foreign, name = record.get("legacy_credential"), record.get("portal_name")
    if foreign and parts.passwords.check_foreign(foreign, password):
        return True
    if not (name and parts.capabilities.checks_passwords):
        return False
    return parts.crm.check_password(name, password, trace=trace)


def _signed_in(parts: Needs, found: SignIn, amr: tuple[str, ...]) -> SignedIn | None:
    """None where the member was signed out everywhere between our read of the CRM and now: what
    signed in was the password before."""
    record = found.member.record
    stamp = stamp_digest(parts.names, record.get("stamp"))
    epoch, newest = parts.grants.standing(found.member_id)
    if newest not in (None, stamp):
        return None
    return SignedIn(
        member_id=found.member_id,
        subject=record.get("subject") or found.member_id,
        auth_time=int(parts.clock()),
        amr=amr,
        acr=ACRS[0],
        stamp=stamp,
        epoch=epoch,
    )
