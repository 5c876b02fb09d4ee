"""Codes and proof tickets: for one purpose, one visitor, ten minutes; and the sign-in by them."""

import re
import time
from types import SimpleNamespace

import pytest

from adapters.base import FreeBudget, Remote, Trace
from adapters.errors import Unreachable
from adapters.memory import Memory
from bridge.errors import Problem
from bridge.seal import Keyring, Mac, Pseudonyms
from bridge.services import codes, proofs, sign_in
from bridge.services.codes import Asker
from bridge.services.identities import IdentityKeys
from bridge.services.passwords import Passwords
from bridge.services.sign_in import Attempt
from bridge.services.subjects import stamp_digest
from bridge.store.challenges import Challenges
from bridge.store.grants import Grants
from bridge.store.limits import WINDOWS, Limits
from mappings.loader import load
from tests.support.tokens import tokens_server, web

KEY = [("k1", b"k" * 32)]
MEMBER = "10000000-0000-4000-8000-000000000001"
TRACE = Trace("00-" + "1" * 32 + "-" + "2" * 16 + "-01")
MAPPING = load("mappings/memory.yaml")


class Mailboxes:
    """Keeps what was accepted; or refuses."""

    def __init__(self) -> None:
        self.accepted, self.refuse = [], False

    def notice_mailbox(self, address):
        return "n-mailbox"

    def member_mailbox(self, member_id):
        return "w-mailbox"

    def accept(self, write, *, mailbox, owner, fingerprint):
        if self.refuse:
            raise Problem("store-unavailable")
        self.accepted.append((write, mailbox))


@pytest.fixture(scope="module")
def redis(tmp_path_factory):
    with tokens_server(tmp_path_factory.mktemp("tokens") / "t") as running:
        yield web(running)


@pytest.fixture
def parts(redis, monkeypatch):
    _, keys = redis.do("SCAN", 0, "COUNT", 10_000)
    for key in keys:
        redis.do("DEL", key)
    monkeypatch.setattr(sign_in, "FLOOR_SECONDS", 0.05)
    names, now = Pseudonyms(b"n" * 32), SimpleNamespace(at=1_800_000_000.0)
    settings = SimpleNamespace(
        region="CN", brand=SimpleNamespace(name={"zh-CN": "山岚", "en": "Shanlan"})
    )
    return SimpleNamespace(
        now=now,
        settings=settings,
        keyring=Keyring(KEY),
        names=names,
        identity_keys=IdentityKeys(b"i" * 32),
        challenges=Challenges(redis, Keyring(KEY), names),
        limits=Limits(redis, names, dict.fromkeys(WINDOWS, 8)),
        grants=Grants(redis, Keyring(KEY), names, Mac(KEY)),
        mailboxes=Mailboxes(),
        passwords=Passwords(Keyring(KEY)),
        crm=Memory(MAPPING, Remote({}, {}, None, FreeBudget(), "read")),
        operation_key=Pseudonyms(b"o" * 32),
        capabilities=Memory.capabilities,
        clock=lambda: now.at,
    )


def asker(binding="session:a", language="en", number=7):
    return Asker(f"client-{number}", binding, f"203.0.{number}.7", language, TRACE)


def sent(parts):
    write, _ = parts.mailboxes.accepted[-1]
    return write, re.search(r"\b\d{6}\b", write.notice["text"]).group()


def test_a_code_is_sent_and_gives_a_proof(parts):
    """Start, read the message, verify: a ticket for exactly that address."""
    id = codes.start(parts, "mobile", "138 0013 8000", "registration", asker())
    write, code = sent(parts)
    assert (write.verb, write.notice["channel"], write.notice["to"]) == (
        "notice",
        "sms",
        "+8613800138000",
    )
    assert write.start_by == parts.now.at + 600
    assert write.trace == TRACE.traceparent
    ticket = codes.verify(parts, id, code, "session:a")
    assert codes.verify(parts, id, code, "session:a") == ticket
    proof = proofs.open_ticket(parts, ticket, "registration", "session:a")
    assert (proof.kind, proof.value) == ("mobile", "+8613800138000")
    assert proof.identity_id == parts.identity_keys.id("mobile", "+8613800138000")


def test_a_mail_has_a_subject_in_the_askers_language(parts):
    """E-mail goes by mail, with words in Chinese for a Chinese page."""
    codes.start(parts, "email", "A@Example.com", "registration", asker(language="zh-CN"))
    write, _ = sent(parts)
    assert (write.notice["channel"], write.notice["to"]) == ("mail", "a@example.com")
    assert "山岚" in write.notice["subject"]


@pytest.mark.parametrize(
    ("purpose", "binding"), [("claim", "session:a"), ("registration", "session:b")]
)
def test_a_ticket_is_good_for_its_purpose_and_visitor_only(parts, purpose, binding):
    """Another purpose or visitor opens nothing."""
    ticket = proofs.issue(parts, "mobile", "+8613800138000", "registration", "session:a")
    with pytest.raises(Problem) as caught:
        proofs.open_ticket(parts, ticket, purpose, binding)
    assert caught.value.type == "proof-invalid"


def test_a_ticket_ends_after_ten_minutes(parts):
    """And a forged one never begins."""
    ticket = proofs.issue(parts, "mobile", "+8613800138000", "registration", "session:a")
    parts.now.at += 600
    assert proofs.open_ticket(parts, ticket, "registration", "session:a")
    parts.now.at += 1
    for bad in (ticket, ticket[:-2] + "AA", "", "x.y"):
        with pytest.raises(Problem):
            proofs.open_ticket(parts, bad, "registration", "session:a")


def test_asking_twice_in_a_minute_sends_one_message(parts):
    """The same visitor gets the same challenge and no second message; another has to wait."""
    first = codes.start(parts, "mobile", "13800138000", "registration", asker())
    assert codes.start(parts, "mobile", "+8613800138000", "registration", asker()) == first
    assert len(parts.mailboxes.accepted) == 1
    with pytest.raises(Problem) as caught:
        codes.start(parts, "mobile", "13800138000", "registration", asker("session:b"))
    assert caught.value.type == "too-many"
    assert caught.value.retry_after <= 60


def test_a_code_that_could_not_be_sent_holds_nobody_off(parts):
    """If the mailbox refuses, the next try sends."""
    parts.mailboxes.refuse = True
    with pytest.raises(Problem):
        codes.start(parts, "mobile", "13800138000", "registration", asker())
    parts.mailboxes.refuse = False
    codes.start(parts, "mobile", "13800138000", "registration", asker())
    assert len(parts.mailboxes.accepted) == 1


def test_the_days_messages_are_counted_whoever_they_are_for(parts):
    """The daily budget ends all codes, and nothing waits half-begun afterwards."""
    for number in range(8):
        codes.start(parts, "mobile", f"1380013810{number}", "registration", asker(number=number))
    with pytest.raises(Problem) as caught:
        codes.start(parts, "mobile", "13800138200", "registration", asker(number=99))
    assert caught.value.type == "too-many"
    assert len(parts.mailboxes.accepted) == 8


@pytest.mark.parametrize(("kind", "value"), [("mobile", "1"), ("email", "x"), ("card", "AB1234")])
def test_what_gets_no_code_is_a_validation_problem_without_the_value(parts, kind, value):
    """Not an address, or a kind that no message reaches."""
    with pytest.raises(Problem) as caught:
        codes.start(parts, kind, value, "registration", asker())
    assert caught.value.type == "validation"
    assert parts.mailboxes.accepted == []


def test_a_wrong_code_and_an_unknown_challenge_are_the_same_answer(parts):
    """Whatever is wrong, it is `code-wrong`."""
    id = codes.start(parts, "mobile", "13800138000", "registration", asker())
    _, code = sent(parts)
    documents = []
    for challenge, tried, binding in (
        (id, f"{(int(code) + 1) % 10**6:06}", "session:a"),
        ("unknown", code, "session:a"),
        (id, code, "session:b"),
    ):
        with pytest.raises(Problem) as caught:
            codes.verify(parts, challenge, tried, binding)
        documents.append(caught.value.document())
    assert documents == documents[:1] * 3


# -- sign-in --------------------------------------------------------------------------------------


@pytest.fixture
def member(parts):
    record = {"state": "active", "stamp": "stamp-1", "subject": "subject-1"}
    hashed = parts.passwords.hash_for(MEMBER, "right password")
    parts.crm.create("member", MEMBER, record | {"credential": hashed})
    for kind, value in (("mobile", "+8613800138000"), ("email", "li@example.com")):
        row = parts.identity_keys.id(kind, value)
        bound = {"member": MEMBER, "member_text": MEMBER}
        mac = parts.identity_keys.mac(row, MEMBER)
        parts.crm.create("identity", row, {"kind": kind, "value": value, "mac": mac, **bound})


def attempt(identifier, password, number=7):
    return Attempt(identifier, password, f"client-{number}", f"203.0.{number}.7", TRACE)


@pytest.mark.parametrize("name", ["138 0013 8000", "Li@Example.com"])
def test_the_right_password_signs_in_by_mobile_or_mail(parts, member, name):
    """Who, when, how, and the stamp's digest."""
    parts.grants.revoke_member(MEMBER)
    who = sign_in.by_password(parts, attempt(name, "right password"))
    assert (who.member_id, who.subject, who.amr, who.acr) == (
        MEMBER,
        "subject-1",
        ("pwd",),
        "aal1",
    )
    assert who.auth_time == parts.now.at
    assert who.stamp == stamp_digest(parts.names, "stamp-1")
    assert who.epoch == parts.grants.epoch(MEMBER) >= 1


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("13800138000", "wrong password"),
        ("13800138999", "right password"),
        ("nonsense", "right password"),
        ("", ""),
    ],
)
def test_every_failure_is_the_same_answer_and_no_faster_than_the_floor(
    parts, member, name, password
):
    """Wrong, unknown and malformed alike."""
    began = time.monotonic()
    assert sign_in.by_password(parts, attempt(name, password)) is None
    assert time.monotonic() - began >= 0.05


def test_a_member_without_a_password_cannot_sign_in_by_one(parts, member):
    """No credential: the same answer as a wrong one."""
    version = parts.crm.get("member", MEMBER, ["stamp"]).version
    parts.crm.update("member", MEMBER, {"credential": None}, version)
    assert sign_in.by_password(parts, attempt("13800138000", "right password")) is None


@pytest.mark.parametrize("name", ["13800138000", "13900139000", "not a name"])
def test_tries_are_counted_whether_or_not_anybody_has_the_name(parts, member, name):
    """After the limit even the right password is refused, for unknown names too."""
    for number in range(8):
        sign_in.by_password(parts, attempt(name, "wrong password", number))
    with pytest.raises(Problem) as caught:
        sign_in.by_password(parts, attempt(name, "right password", 99))
    assert caught.value.type == "too-many"


@pytest.mark.parametrize("same", ["client", "address"])
def test_a_network_or_a_client_cannot_try_one_password_on_many_names(parts, member, same):
    """Sprayed tries are counted by where they come from."""
    for number in range(9):
        client = "portal" if same == "client" else f"client-{number}"
        address = "203.0.113.7" if same == "address" else f"203.0.{number}.7"
        tried = Attempt(f"1380013810{number}", "password one", client, address)
        if number < 8:
            assert sign_in.by_password(parts, tried) is None
            continue
        with pytest.raises(Problem) as caught:
            sign_in.by_password(parts, tried)
        assert caught.value.type == "too-many"


def test_a_proven_address_signs_in_or_says_that_it_is_free(parts, member):
    """The way by code: no password, and who is told has proven the address."""
    ticket = proofs.issue(parts, "mobile", "+8613800138000", "sign-in", "session:a")
    proof = proofs.open_ticket(parts, ticket, "sign-in", "session:a")
    who = sign_in.by_proof(parts, proof)
    assert (who.member_id, who.amr) == (MEMBER, ("otp", "sms"))
    ticket = proofs.issue(parts, "mobile", "+8613900139000", "sign-in", "session:a")
    proof = proofs.open_ticket(parts, ticket, "sign-in", "session:a")
    assert sign_in.by_proof(parts, proof) is None


def test_only_a_sign_in_is_told_as_one(parts, member, monkeypatch):
    """Whoever asks whether an address is free signs nobody in, and neither does a sign-in that
    ended before it was complete."""
    told = []
    monkeypatch.setattr(sign_in.security, "tell", lambda name, **_: told.append(name))
    ticket = proofs.issue(parts, "mobile", "+8613800138000", "sign-in", "session:a")
    proof = proofs.open_ticket(parts, ticket, "sign-in", "session:a")
    assert sign_in.has_member(parts, proof)
    assert told == []
    assert sign_in.by_proof(parts, proof) is not None
    assert told == ["sign-in"]
    monkeypatch.setattr(parts.grants, "standing", lambda _: (0, "another stamp"))
    assert sign_in.by_proof(parts, proof) is None
    assert told == ["sign-in"]


def test_a_crm_in_trouble_is_not_a_wrong_password(parts, member, monkeypatch):
    """The error goes on; it isn't counted as an answer."""

    def down(*_, **__):
        raise Unreachable

    monkeypatch.setattr(parts.crm, "get", down)
    with pytest.raises(Unreachable):
        sign_in.by_password(parts, attempt("13800138000", "right password"))
