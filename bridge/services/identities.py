"""Sign-in identities: one normal form for each address, the record's id derived from it, and the
way from a proven address to its member.

Not for: contact details of the profile, or proving an address (`codes.py`). The id of an identity
is a keyed hash of kind and value, so a sign-in is one read by key, no personal value stands in a
CRM URL, and two devices that register one number meet in the CRM itself. The key is for life.
"""

import hmac
import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, Protocol

import idna
import phonenumbers

from adapters.base import Found, Trace
from adapters.errors import NotFound
from bridge import log, security
from bridge.seal import Pseudonyms

Kind = Literal["mobile", "email", "wechat_oa", "wechat_mini", "card"]

FORM = "1"
"""The version of the normal forms below. It is part of every id: a change of form is a migration of
all identity rows, not an edit here."""

_MOBILE = (
    phonenumbers.PhoneNumberType.MOBILE,
    phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
)
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.ASCII)
_OPENID = re.compile(r"[A-Za-z0-9]{1,40}:[A-Za-z0-9_-]{6,128}", re.ASCII)
_CARD = re.compile(r"[A-Z0-9]{4,40}", re.ASCII)
_LONGEST_MAIL = 100  # of the CRM's column


class NotNormal(Exception):
    """It isn't an address of that kind. Says nothing of the value."""

    def __init__(self, kind: str) -> None:
        super().__init__("not an address of this kind")
        self.kind = kind


def normalise(kind: str, value: str, region: str) -> str:
    """The one form of an address: E.164 (`region` where no country code was given), e-mail in
    lower case with its domain in IDNA, `appid:openid`, card numbers without spaces.

    Raises NotNormal.

    >>> normalise("mobile", "138 0013 8000", "CN")
    '+8613800138000'
    >>> normalise("email", "Li.Wei@Bücher.Example", "CN")
    'li.wei@xn--bcher-kva.example'
    """
    if kind == "mobile":
        return _mobile(value, region)
    if kind == "email":
        return _email(value)
    if kind in ("wechat_oa", "wechat_mini") and _OPENID.fullmatch(value):
        return value
    if kind == "card":
        plain = re.sub(r"[\s-]", "", value).upper()
        if _CARD.fullmatch(plain):
            return plain
    raise NotNormal(kind)


def guess(text: str, region: str) -> tuple[Kind, str]:
    """(kind, normal form) of what somebody typed as their name at sign-in: an e-mail address if it
    has an `@`, else a mobile number. Raises NotNormal."""
    kind: Kind = "email" if "@" in text else "mobile"
    return kind, normalise(kind, text, region)


def _mobile(value: str, region: str) -> str:
    try:
        number = phonenumbers.parse(value.strip()[:40], region)
    except phonenumbers.NumberParseException:
        raise NotNormal("mobile") from None
    if number.extension or not phonenumbers.is_valid_number(number):
        raise NotNormal("mobile")
    if phonenumbers.number_type(number) not in _MOBILE:
        raise NotNormal("mobile")
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _email(value: str) -> str:
    local, at, domain = value.strip().rpartition("@")
    local = local.lower()
    try:
        ascii_domain = idna.encode(domain.lower(), uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        raise NotNormal("email") from None
    plain = f"{local}@{ascii_domain}"
    fits = len(local) <= 64 and len(plain) <= _LONGEST_MAIL and "." in ascii_domain
    if not (at and fits and _LOCAL.fullmatch(local)):
        raise NotNormal("email")
    return plain


class IdentityKeys:
    """What only a holder of the identity key can compute: ids of identities, and the MAC that ties
    an identity to its member."""

    def __init__(self, key: bytes) -> None:
        self._names = Pseudonyms(key)

    def id(self, kind: str, value: str) -> str:
        """The identity record's id. `value` in normal form."""
        raw = self._names.raw("identity.id", FORM, kind, value)
        return str(uuid.UUID(bytes=raw[:16], version=4))

    def mac(self, identity_id: str, member_id: str) -> str:
        """22 characters that say: we bound this identity to this member."""
        return self._names.of("identity.mac", identity_id, member_id)

    def holds(self, identity_id: str, member_id: str, mac: str) -> bool:
        """True if `mac` is ours; constant time."""
        return hmac.compare_digest(self.mac(identity_id, member_id).encode(), mac.encode())

    def check_row(self) -> tuple[str, str]:
        """(id, MAC) of the row by which a process sees that it has the key that the CRM's rows
        were made with."""
        row = self.id("check", "identity-key")
        return row, self.mac(row, "identity-key")


class Reader(Protocol):
    """What the web tier may ask a CRM."""

    def get(
        self, kind: str, id: str, fields: Iterable[str], *, trace: Trace | None = None
    ) -> Found:
        """As `adapters.base.Adapter.get`."""


class Crm(Reader, Protocol):
    """What a sign-in may ask it."""

    def check_password(self, name: str, password: str, *, trace: Trace | None = None) -> bool:
        """Where the CRM `checks_passwords`: is it that of whom the CRM knows by `name`?"""


def row_of(crm: Reader, identity_id: str, trace: Trace | None = None) -> Found | None:
    """An address's row, None where there is none; `holder_of` says whose it is. Raises CrmError."""
    try:
        return crm.get("identity", identity_id, ("member.subject",), trace=trace)
    except NotFound:
        return None


def holder_of(row: Found | None) -> str | None:
    """The member whom a row of `row_of` leads to. One that leads to a deleted contact is free: not
    every CRM empties it."""
    member = row.lookups.get("member") if row else None
    return member.id if member else None


@dataclass(frozen=True)
class SignIn:
    """An identity and its member, active."""

    identity_id: str
    member_id: str = field(repr=False)
    member: Found


_ROW = ("member", "member_text", "mac")
_MEMBER = ("state", "master", "stamp", "subject")


def resolve(
    crm: Reader,
    keys: IdentityKeys,
    kind: str,
    value: str,
    fields: Iterable[str] = (),
    trace: Trace | None = None,
) -> SignIn | None:
    """The member that an address signs in, with `fields` of the member; one read by key.

    None: nobody has it, it was released, its member is inactive or merged away, or the row wasn't
    bound by us (a forged or copied one). `value` in normal form. Raises CrmError.
    """
    identity_id = keys.id(kind, value)
    wanted = dict.fromkeys((*_ROW, *(f"member.{name}" for name in (*_MEMBER, *fields))))
    try:
        row = crm.get("identity", identity_id, tuple(wanted), trace=trace)
    except NotFound:
        return None
    member = row.lookups.get("member")
    bound_to = row.record.get("member_text") or ""
    if member is None:
        return None
    if not keys.holds(identity_id, bound_to, row.record.get("mac") or ""):
        security.tell("row-not-ours", member=member.id, reason=kind)
        return None
    if member.id != bound_to:
        if not _merged(crm, bound_to, member.id, trace):
            security.tell("row-not-ours", member=member.id, reason=kind)
            return None
        log.event("identity-moved-by-merge", kind=kind)
    if member.record.get("state") == "inactive" or member.record.get("master") is not None:
        return None
    return SignIn(identity_id, member.id, member)


def _merged(crm: Reader, loser: str, winner: str, trace: Trace | None) -> bool:
    """True if the CRM itself says that `loser` was merged into `winner`. A row that was only
    pointed at another member by hand is not honoured."""
    try:
        old = crm.get("member", loser, ("state", "master"), trace=trace)
    except NotFound:
        return False
    return old.record.get("state") == "inactive" and old.record.get("master") == winner
