"""A member's hash made anew at a sign-in: from another system's, or from a weaker one of ours."""

from types import SimpleNamespace

import pytest

from adapters.base import Found
from adapters.capabilities import Capabilities
from adapters.errors import Unreachable
from bridge.errors import Problem
from bridge.seal import Keyring, Pseudonyms
from bridge.services import passwords as made
from bridge.services import rehash, sign_in
from bridge.services.identities import SignIn
from bridge.services.passwords import Passwords
from bridge.writes.write import Base
from tests.unit.test_aspnet_hashes import KNOWN, PASSWORD

OLD, NEW = ("k0", b"o" * 32), ("k1", b"n" * 32)
MEMBER = "10000000-0000-4000-8000-000000000001"


class Mailboxes:
    """Keeps what was accepted; or refuses."""

    def __init__(self):
        self.writes, self.refuse = [], False

    def member_mailbox(self, member_id):
        return "w-" + member_id

    def accept(self, write, *, mailbox, owner, fingerprint):
        if self.refuse:
            raise Problem("store-unavailable")
        self.writes.append(write)


class Portal:
    """A CRM that checks passwords itself."""

    def __init__(self):
        self.asked = []

    def check_password(self, name, password, *, trace=None):
        self.asked.append(name)
        return (name, password) == ("ann", PASSWORD)


@pytest.fixture
def parts():
    return SimpleNamespace(
        passwords=Passwords(Keyring([NEW, OLD])),
        names=Pseudonyms(b"i" * 32),
        operation_key=Pseudonyms(b"o" * 32),
        mailboxes=Mailboxes(),
        clock=lambda: 1_800_000_000.0,
        crm=Portal(),
        capabilities=Capabilities(checks_passwords=True),
    )


def found(version="v7", **record):
    record = {"credential": None, "legacy_credential": None, "last_operations": "a b"} | record
    return SignIn("row", MEMBER, Found("member", MEMBER, version, record))


def renewed(parts, who, password=PASSWORD):
    rehash.renew(parts, who, password, None)
    return parts.mailboxes.writes


def test_the_other_systems_hash_fits_only_where_there_is_none_of_ours(parts):
    """It isn't bound to its member, so it never stands beside one that is."""
    foreign = found(legacy_credential=KNOWN["v3 sha256"])
    assert sign_in.fits(parts, foreign.member, PASSWORD)
    assert not sign_in.fits(parts, foreign.member, "another password")
    ours = parts.passwords.hash_for(MEMBER, "chosen since then")
    both = found(legacy_credential=KNOWN["v3 sha256"], credential=ours)
    assert not sign_in.fits(parts, both.member, PASSWORD)
    assert sign_in.fits(parts, both.member, "chosen since then")


def test_the_crm_checks_the_password_of_a_member_without_a_hash_of_ours(parts):
    """By the name that it knows them by; it stays the CRM's password, so nothing is written."""
    portal = found(portal_name="ann")
    assert sign_in.fits(parts, portal.member, PASSWORD)
    assert not sign_in.fits(parts, portal.member, "another password")
    assert renewed(parts, portal) == []


def test_the_crm_is_not_asked_where_there_is_a_hash_of_ours(parts):
    """A password that was chosen here is the one that counts."""
    ours = parts.passwords.hash_for(MEMBER, "chosen since then")
    assert not sign_in.fits(parts, found(portal_name="ann", credential=ours).member, PASSWORD)
    assert parts.crm.asked == []


def test_a_crm_that_checks_no_passwords_is_not_asked(parts):
    """The capability decides, not the mapping."""
    parts.capabilities = Capabilities()
    assert not sign_in.fits(parts, found(portal_name="ann").member, PASSWORD)
    assert parts.crm.asked == []


def test_the_first_sign_in_replaces_the_other_systems_hash(parts):
    """One edit on the version that was read: ours set, the other emptied."""
    (write,) = renewed(parts, found(legacy_credential=KNOWN["v2"]))
    (operation,) = write.operations
    assert (operation.verb, operation.kind, operation.id) == ("update", "member", MEMBER)
    assert operation.record["legacy_credential"] is None
    assert parts.passwords.check(MEMBER, operation.record["credential"], PASSWORD)
    assert write.based_on == Base("v7", ("a", "b"))
    assert write.start_by == parts.clock() + 300


def test_a_hash_of_today_stays(parts):
    """Nothing is written at an ordinary sign-in."""
    hashed = parts.passwords.hash_for(MEMBER, PASSWORD)
    assert renewed(parts, found(credential=hashed)) == []


def test_a_hash_with_less_work_or_under_an_older_key_is_made_anew(parts, monkeypatch):
    """So that parameters and keys can rise without a reset."""
    older_key = Passwords(Keyring([OLD])).hash_for(MEMBER, PASSWORD)
    assert len(renewed(parts, found(credential=older_key))) == 1
    weaker = parts.passwords.hash_for(MEMBER, PASSWORD)
    monkeypatch.setattr(made, "PASSES", made.PASSES + 1)
    assert len(renewed(parts, found(credential=weaker))) == 2


def test_many_sign_ins_at_one_version_are_one_operation(parts):
    """The same record read twice gives the same operation; a later one another."""
    for version in ("v7", "v7", "v8"):
        renewed(parts, found(version, legacy_credential=KNOWN["v2"]))
    first, second, third = (write.op for write in parts.mailboxes.writes)
    assert first == second != third


def test_a_record_without_a_version_is_left_alone(parts):
    """Where the CRM tells none, a password that was changed meanwhile could be overwritten."""
    assert renewed(parts, found("", legacy_credential=KNOWN["v2"])) == []


def test_a_password_that_is_too_weak_today_still_signs_in(parts):
    """It stays with the other system's hash: nobody is locked out for it."""
    assert renewed(parts, found(legacy_credential=KNOWN["v2"]), "short") == []


def test_a_sign_in_outlives_a_store_that_takes_nothing(parts):
    """The hash is made anew another time."""
    parts.mailboxes.refuse = True
    assert renewed(parts, found(legacy_credential=KNOWN["v2"])) == []


def test_a_refused_upgrade_says_nothing_else(parts, monkeypatch):
    """Only a refusal is passed over: what isn't one is a fault, and is seen."""

    def down(*_, **__):
        raise Unreachable

    monkeypatch.setattr(parts.mailboxes, "accept", down)
    with pytest.raises(Unreachable):
        renewed(parts, found(legacy_credential=KNOWN["v2"]))
