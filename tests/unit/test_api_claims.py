"""A record that the CRM has, claimed by a proven number and a second fact, or left behind."""

from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest

from adapters.base import Trace
from bridge import parts
from bridge.services import claims, identities, proofs
from bridge.services.sign_in import Attempt, by_password
from tests.unit.api_harness import CONSENTS, Api

MOBILE, EMAIL, CARD = "+8613800138000", "li.wei@example.com", "SH00012345"
BORN = date(1990, 5, 17)
PASSWORD = "lantern-tide-94"
GRANTED = [{"purpose": CONSENTS[0]["purpose"], "granted": True, "text_version": "2"}]
IMPORTED = {"given_name": "Imported", "mobile": MOBILE, "email": "Li.Wei@Example.com"}


@pytest.fixture
def api() -> Api:
    """A fresh application that knows claims."""
    fresh = Api()
    fresh.parts.settings.claims.enabled = True
    fresh.limits.most["claim_tries"] = 3
    return fresh


@pytest.fixture
def record(api: Api) -> str:
    """Half empty, as an import left it: no identity, no password, no subject."""
    id = "40000000-0000-4000-8000-000000000004"
    facts = {"birth_date": BORN, "card_number": "sh 0001-2345", "state": "active"}
    api.crm.create("member", id, IMPORTED | facts)
    return id


def claim(api: Api, headers: Any = None, **form: Any) -> Any:
    """With a good proof of the number."""
    body = {"proof": form.pop("proof", None) or api.proof(MOBILE), "consents": GRANTED} | form
    return api.call("POST", "/v1/claims", api.token(None), json=body, headers=headers or {})


def register(api: Api) -> Any:
    """A new member with this number."""
    body = {"proof": api.proof(MOBILE), "given_name": "New", "consents": GRANTED}
    return api.call("POST", "/v1/registrations", api.token(None), json=body)


def holder(api: Api, kind: str = "mobile", value: str = MOBILE) -> str | None:
    """Whom an address signs in."""
    found = identities.resolve(api.crm, api.parts.identity_keys, kind, value)
    return found.member_id if found else None


def give_up(api: Api) -> None:
    """All tries."""
    for _ in range(3):
        assert claim(api, birth_date="1970-01-01").status_code == 422


def problem(answer: Any) -> str:
    """Its type."""
    return str(answer.get_json()["type"].rpartition("/")[2])


# -- with a second fact ----------------------------------------------------------------------------


@pytest.mark.parametrize("fact", [{"birth_date": BORN.isoformat()}, {"card_number": "SH 00012345"}])
def test_a_second_fact_opens_the_record(api: Api, record: str, fact: dict[str, str]) -> None:
    """The number signs in from then on, the record keeps what it had, and a subject is made."""
    answer = claim(api, password=PASSWORD, **fact)
    assert answer.status_code == 201
    assert set(answer.get_json()) == {"operation"}
    assert holder(api) == record
    found = api.crm.get("member", record, ["given_name", "subject", "stamp"]).record
    assert found["given_name"] == "Imported"
    assert found["subject"]
    assert found["stamp"]
    assert api.crm.get("member", record, ["consents.purpose"]).collections["consents"]
    api.parts.grants.standing = lambda _: (0, None)
    attempt = Attempt(MOBILE, PASSWORD, "site", "127.0.0.1")
    assert (entered := by_password(api.parts, attempt)) is not None
    assert entered.member_id == record


def test_a_code_to_the_email_on_file_opens_it(api: Api, record: str) -> None:
    """Typed by its holder, who is never shown it; it signs in from then on too."""
    answer = claim(api, email_proof=api.proof(EMAIL, "email"))
    assert answer.status_code == 201
    assert "example.com" not in answer.text
    assert holder(api) == holder(api, "email", EMAIL) == record


@pytest.mark.parametrize(
    "fact",
    [
        {},
        {"birth_date": "1990-05-18"},
        {"card_number": "SH00012346"},
        {"email": "other@example.com"},
    ],
)
def test_without_the_right_fact_nothing_is_told(
    api: Api, record: str, fact: dict[str, str]
) -> None:
    """One answer for every wrong fact, without a value of the record; nothing is written."""
    if "email" in fact:
        fact = {"email_proof": api.proof(fact["email"], "email")}
    answer = claim(api, **fact)
    assert (answer.status_code, problem(answer)) == (422, "claim-refused")
    assert set(answer.get_json()) == {"type", "title", "status", "detail"}
    assert holder(api) is None
    assert api.mailboxes.writes == []


@pytest.mark.parametrize("empty", ["birth_date", "card_number", "email"])
def test_an_empty_field_is_no_fact(api: Api, record: str, empty: str) -> None:
    """What the record doesn't have can't be guessed as nothing."""
    version = api.crm.get("member", record, []).version
    api.crm.update("member", record, dict.fromkeys(("birth_date", "card_number", "email")), version)
    assert problem(claim(api)) == "claim-refused"


def test_a_birth_date_opens_no_account_that_was_used(api: Api, record: str) -> None:
    """Where there is a password, or another identity, only what is in one's hands counts."""
    api.identity(record, "email", EMAIL)
    assert problem(claim(api, birth_date=BORN.isoformat())) == "claim-refused"
    assert claim(api, card_number=CARD).status_code == 201


def test_a_password_counts_as_use(api: Api, record: str) -> None:
    """The same for a record with a credential."""
    hashed = api.parts.passwords.hash_for(record, PASSWORD)
    version = api.crm.get("member", record, []).version
    api.crm.update("member", record, {"credential": hashed}, version)
    assert problem(claim(api, birth_date=BORN.isoformat())) == "claim-refused"


def test_sessions_of_the_record_end_and_its_addresses_are_told(api: Api, record: str) -> None:
    """Whoever was in is out, and hears of the new way to sign in."""
    api.identity(record, "email", EMAIL)
    old = api.token(record)
    assert claim(api, card_number=CARD).status_code == 201
    assert f"g-{old}" in api.grants.ended
    assert [write.notice["to"] for write in api.mailboxes.writes if write.notice] == [EMAIL]


def test_three_tries_and_no_more(api: Api, record: str) -> None:
    """The fourth isn't compared, were it right."""
    give_up(api)
    answer = claim(api, birth_date=BORN.isoformat())
    assert (answer.status_code, problem(answer)) == (409, "claim-over")
    assert holder(api) is None


def test_a_proof_claims_once(api: Api, record: str) -> None:
    """A retry with the same key is the same claim; another request needs another proof."""
    proof, fact = api.proof(MOBILE), {"birth_date": BORN.isoformat()}
    first, again = (claim(api, proof=proof, **fact) for _ in range(2))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    api.challenges.bound.clear()
    other = {"Idempotency-Key": "till-claim-00001"}
    assert claim(api, proof=proof, headers=other, card_number=CARD).status_code == 409
    assert len([w for w in api.mailboxes.writes if not w.notice]) == 1


def test_a_used_proof_claims_nothing(api: Api, record: str) -> None:
    """A proof that made something else is spent."""
    proof = api.proof(MOBILE)
    binding = proofs.client_binding("site")
    ticket = proofs.open_ticket(api.parts, proof, "registration", binding)  # type: ignore[arg-type]
    api.challenges.bound[ticket.ticket_id] = "another operation"
    assert problem(claim(api, proof=proof, card_number=CARD)) == "proof-invalid"
    assert holder(api) is None


@pytest.mark.parametrize("twice", [True, False])
def test_none_or_several_records_can_not_be_claimed(api: Api, twice: bool) -> None:
    """Only staff can tell two records with one number apart."""
    if twice:
        for n in (5, 6):
            id = f"{n}0000000-0000-4000-8000-000000000000"
            api.crm.create("member", id, IMPORTED | {"birth_date": BORN, "state": "active"})
    assert problem(claim(api, birth_date=BORN.isoformat())) == "not-found"


def test_a_closed_record_can_not_be_claimed(api: Api, record: str) -> None:
    """Deactivated by staff."""
    version = api.crm.get("member", record, []).version
    api.crm.update("member", record, {"state": "inactive"}, version)
    assert problem(claim(api, birth_date=BORN.isoformat())) == "not-found"


@pytest.mark.parametrize("why", ["off", "urls"])
def test_where_values_would_stand_in_urls_there_are_no_claims(
    api: Api, record: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by capability, and where the operator didn't switch it on; the CRM isn't searched."""
    monkeypatch.setattr(api.crm, "find", lambda *_, **__: pytest.fail("searched"))
    if why == "off":
        api.parts.settings.claims.enabled = False
    else:
        api.parts.capabilities = type(api.parts.capabilities)()
    assert problem(claim(api, birth_date=BORN.isoformat())) == "unsupported"


def test_consents_and_password_are_checked_first(api: Api, record: str) -> None:
    """As at a registration, before a try is counted."""
    good = {"birth_date": BORN.isoformat()}
    assert claim(api, consents=[], **good).status_code == 422
    assert claim(api, password="short", **good).status_code == 422
    assert not [each for each in api.limits.seen if each[0] == "claim_tries"]


def test_an_email_alone_claims_nothing(api: Api, record: str) -> None:
    """The first proof is of the number."""
    proof = api.proof(EMAIL, "email")
    assert problem(claim(api, proof=proof, birth_date=BORN.isoformat())) == "proof-invalid"


# -- left behind -----------------------------------------------------------------------------------


def test_a_registration_is_sent_to_the_claim_first(api: Api, record: str) -> None:
    """While there are tries left, no second record is made beside one that waits."""
    answer = register(api)
    assert (answer.status_code, problem(answer)) == (409, "claimable")
    assert list(api.crm.store.rows["member"]) == [record]


def test_after_three_tries_a_new_record_is_made(api: Api, record: str) -> None:
    """The number signs in to it, and the old record is marked for staff."""
    give_up(api)
    assert register(api).status_code == 201
    assert holder(api) not in (None, record)
    assert api.crm.get("member", record, ["review"]).record["review"] == "number-moved"


def test_a_recycled_number_moves_with_whoever_proved_it(api: Api, record: str) -> None:
    """It signed somebody else in: after three tries it signs in the new member, the old one's
    sessions end, their other addresses are told, and the record is marked."""
    api.identity(record, "mobile", MOBILE)
    api.identity(record, "email", EMAIL)
    old, stamp = api.token(record), api.crm.get("member", record, ["stamp"]).record["stamp"]
    assert problem(register(api)) == "conflict"
    give_up(api)
    assert register(api).status_code == 201
    assert holder(api) not in (None, record)
    assert holder(api, "email", EMAIL) == record
    found = api.crm.get("member", record, ["review", "stamp", "mobile"]).record
    assert (found["review"], found["mobile"]) == ("number-moved", MOBILE)
    assert found["stamp"] != stamp
    assert f"g-{old}" in api.grants.ended
    assert [write.notice["to"] for write in api.mailboxes.writes if write.notice] == [EMAIL]


def test_the_rightful_holder_of_a_number_is_told_to_sign_in(api: Api, record: str) -> None:
    """Their fact fits, and there is nothing to claim."""
    api.identity(record, "mobile", MOBILE)
    assert problem(claim(api, card_number=CARD)) == "conflict"


def test_without_claims_a_number_never_moves(api: Api, record: str) -> None:
    """Where the operator didn't switch them on, a registration is as before."""
    api.identity(record, "mobile", MOBILE)
    api.parts.settings.claims.enabled = False
    api.limits.most["claim_tries"] = 0
    assert problem(register(api)) == "conflict"
    assert holder(api) == record


def test_without_claims_no_record_is_looked_for(
    api: Api, record: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One read less for each registration, and a record beside the one that waits."""
    api.parts.settings.claims.enabled = False
    monkeypatch.setattr(api.crm, "find", lambda *_, **__: pytest.fail("searched"))
    assert register(api).status_code == 201


def test_a_repeated_registration_leaves_nothing_behind(api: Api, record: str) -> None:
    """The number signs in to the very record that it is to make."""
    api.identity(record, "mobile", MOBILE)
    proof, row = api.proof(MOBILE), api.parts.identity_keys.id("mobile", MOBILE)
    opened = proofs.open_ticket(
        api.parts,  # type: ignore[arg-type]
        proof,
        "registration",
        proofs.client_binding("site"),
    )
    rows = [identities.row_of(api.crm, row)]
    trace = Trace("00-" + "a1" * 16 + "-" + "b2" * 8 + "-01")
    assert claims.left_behind(api.parts, [opened], rows, record, trace) is None  # type: ignore[arg-type]
    assert claims.left_behind(api.parts, [opened], rows, "another", trace) is not None  # type: ignore[arg-type]


def test_an_email_that_signs_somebody_else_in_stays_theirs(api: Api, record: str) -> None:
    """It is the second fact all the same: it stands on the record, and was proven."""
    stranger = api.member(id="20000000-0000-4000-8000-000000000002")
    api.identity(stranger, "email", EMAIL)
    assert claim(api, email_proof=api.proof(EMAIL, "email")).status_code == 201
    assert holder(api, "email", EMAIL) == stranger
    assert holder(api) == record


def test_a_claim_is_one_write_on_what_was_compared(api: Api, record: str) -> None:
    """It names the version whose facts fitted, and is never applied late."""
    version = api.crm.get("member", record, []).version
    claim(api, card_number=CARD)
    (write,) = [write for write in api.mailboxes.writes if not write.notice]
    kinds = [(each.verb, each.kind) for each in write.operations]
    assert kinds == [("update", "member"), ("create", "identity"), ("create", "consent")]
    assert write.operations[0].version == version
    assert write.start_by == write.accepted_at + 900


@pytest.mark.parametrize(("adapter", "refused"), [("suitecrm", True), ("dynamics", False)])
def test_claims_need_a_crm_that_hides_values(adapter: str, refused: bool) -> None:
    """A process with such a setting doesn't start."""
    settings: Any = SimpleNamespace(
        crm=SimpleNamespace(adapter=adapter), claims=SimpleNamespace(enabled=True)
    )
    assert bool(parts._no_claims(settings)) is refused
    settings.claims.enabled = False
    assert parts._no_claims(settings) == []
