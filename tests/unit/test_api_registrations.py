"""Codes, proofs and registrations as a client's back end makes them."""

from typing import Any

import pytest

from adapters.base import Found
from adapters.errors import Unreachable
from bridge.services import identities
from bridge.services.scenes import Scene
from bridge.writes.write import record_id
from tests.unit.api_harness import MAPPING, Api

MOBILE = "+8613800138000"
OTHER = "20000000-0000-4000-8000-000000000002"
GRANTED = [{"purpose": "membership", "granted": True, "text_version": "2"}]


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


def register(api: Api, headers: dict[str, str] | None = None, **form: Any) -> Any:
    """A registration with a good proof and the required consent, unless `form` says otherwise."""
    body = {"given_name": "Wei", "consents": GRANTED} | form
    body.setdefault("proof", api.proof(MOBILE))
    return api.call("POST", "/v1/registrations", api.token(None), json=body, headers=headers or {})


def the_member(api: Api) -> dict[str, Any]:
    """The one member in the CRM, as its columns say."""
    ((_, row),) = api.crm.store.rows["member"].items()
    return row.columns


# -- codes ---------------------------------------------------------------------------------------


def test_a_code_becomes_a_proof(api: Api) -> None:
    """otp, verify, registration: the address that was proven is the member's mobile."""
    token = api.token(None)
    ask = {"channel": "sms", "address": "138 0013 8000", "purpose": "registration"}
    started = api.call("POST", "/v1/otp", token, json=ask)
    assert started.status_code == 202
    body = started.get_json()
    assert (body["expires_in"], body["resend_in"]) == (600, 60)
    challenge = body["challenge_id"]
    code, _ = api.challenges.open[challenge]
    done = api.call("POST", f"/v1/otp/{challenge}/verify", token, json={"code": code})
    assert (done.status_code, done.get_json()["expires_in"]) == (200, 600)
    assert register(api, proof=done.get_json()["proof"]).status_code == 201
    assert the_member(api)["mobile"] == MOBILE


def test_a_wrong_code_is_422_and_another_clients_too(api: Api) -> None:
    """A wrong code, an unknown challenge and another client's are one answer."""
    ask = {"channel": "mail", "address": "li@example.com", "purpose": "registration"}
    challenge = api.call("POST", "/v1/otp", api.token(None), json=ask).get_json()["challenge_id"]
    code, _ = api.challenges.open[challenge]
    texts = set()
    for token, id, typed in (
        (api.token(None), challenge, "0000000"),
        (api.token(None), "B" * 22, code),
        (api.token(None, client_id="till"), challenge, code),
    ):
        answer = api.call("POST", f"/v1/otp/{id}/verify", token, json={"code": typed})
        assert answer.status_code == 422
        texts.add(answer.text)
    assert len(texts) == 1


def test_no_address_is_told_by_our_own_field(api: Api) -> None:
    """What isn't a number is 422 at /address, and isn't echoed; no message goes out."""
    ask = {"channel": "sms", "address": "li.wei@example.com", "purpose": "registration"}
    answer = api.call("POST", "/v1/otp", api.token(None), json=ask)
    assert answer.get_json()["errors"] == [{"pointer": "/address", "code": "not-an-address"}]
    assert "li.wei" not in answer.text
    assert api.mailboxes.writes == []


def test_the_answer_is_the_same_for_a_members_address(api: Api) -> None:
    """Asking for a code tells nothing of who is a member."""
    register(api)
    answers = []
    for address in ("13800138000", "13900139000"):
        ask = {"channel": "sms", "address": address, "purpose": "registration"}
        answer = api.call("POST", "/v1/otp", api.token(None), json=ask)
        answers.append((answer.status_code, sorted(answer.get_json())))
    assert answers[0] == answers[1]


def test_the_persons_own_network_is_counted(api: Api) -> None:
    """Where the back end says the person's address, limits count its range, else the back end's."""
    ask = {"channel": "sms", "address": "13800138000", "purpose": "registration"}
    api.call("POST", "/v1/otp", api.token(None), json=ask | {"remote_address": "203.0.113.9"})
    api.call("POST", "/v1/otp", api.token(None), json=ask)
    networks = [each for each in api.limits.seen if each[0] == "codes_per_network"]
    assert networks == [
        ("codes_per_network", "203.0.113.0/24"),
        ("codes_per_network", "127.0.0.0/24"),
    ]


@pytest.mark.parametrize("purpose", ["registrations_per_network", "registrations_per_client"])
def test_a_limit_is_429_with_the_wait(api: Api, purpose: str) -> None:
    """Over the limit nothing is accepted, and the answer says when to come back."""
    api.limits.refused = purpose
    answer = register(api)
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
    assert answer.headers["RateLimit"] == f'"{purpose}";r=0;t=7'
    assert api.mailboxes.writes == []


def test_limits_are_told(api: Api) -> None:
    """A limited route says how many it takes in which window."""
    policy = register(api).headers["RateLimit-Policy"]
    assert policy == '"registrations_per_network";q=5;w=3600, "registrations_per_client";q=5;w=3600'


# -- registrations -------------------------------------------------------------------------------


def test_one_write_makes_member_identity_and_consents(api: Api) -> None:
    """201; all of it in one operation, bound together, with nothing but a hash of the password."""
    answer = register(
        api,
        password="correct horse battery",
        birth_date="1990-01-02",
        ext={"favourite_model": "T1"},
    )
    assert (answer.status_code, answer.headers["Location"]) == (201, "/v1/me")
    (write,) = api.mailboxes.writes
    assert [op.kind for op in write.operations] == ["member", "identity", "consent"]
    assert answer.get_json() == {"operation": write.op}
    member = write.operations[0].id
    keys = api.parts.identity_keys
    found = identities.resolve(api.crm, keys, "mobile", MOBILE, ("credential",))
    assert found is not None
    assert found.member_id == member
    stored = found.member.record["credential"]
    assert api.parts.passwords.check(member, stored, "correct horse battery")
    assert "correct horse" not in repr(api.crm.store.rows)
    consent = write.operations[2].record
    assert (consent["member"], consent["text_version"], consent["granted"]) == (member, "2", True)
    assert consent["channel"] == "site"
    assert write.start_by is not None


def test_the_scene_says_where_they_came_from(api: Api) -> None:
    """Store and scene of a signed code or link are the member's; a forged one is refused."""
    text = api.parts.scenes.write(Scene("SH001", "spring", "window"))
    assert register(api, scene=text).status_code == 201
    row = the_member(api)
    assert (row["registered_store"], row["last_store"]) == ("SH001", "SH001")
    assert (row["registered_scene"], row["registered_channel"]) == ("SH001.spring.window", "window")
    forged = register(api, scene=text.replace("SH001", "SH002"), proof=api.proof("+8613900139000"))
    assert forged.get_json()["errors"] == [{"pointer": "/scene", "code": "not-ours"}]


def test_a_link_is_a_scene_too(api: Api) -> None:
    """What a registration link carries is taken as it stands."""
    token = api.parts.scenes.link_token(Scene("SH001"), "00-" + "a" * 32 + "-" + "b" * 16 + "-01")
    assert register(api, scene=token).status_code == 201
    assert the_member(api)["registered_store"] == "SH001"


def test_who_proved_a_members_address_is_told(api: Api) -> None:
    """409 after the proof, and the member that exists isn't touched."""
    register(api)
    before = api.crm.store.version
    again = register(api, given_name="Mallory")
    assert (again.status_code, again.get_json()["type"][-8:]) == (409, "conflict")
    assert api.crm.store.version == before


@pytest.mark.parametrize(
    ("proof", "status"),
    [
        ("k1." + "A" * 60, 422),
        ("li.wei@example.com", 422),
        (None, 422),
    ],
)
def test_nothing_is_told_without_a_proof(api: Api, proof: str | None, status: int) -> None:
    """A forged proof gets one answer whether or not the address has a member."""
    register(api)
    body = {"consents": GRANTED} | ({"proof": proof} if proof else {})
    answer = api.call("POST", "/v1/registrations", api.token(None), json=body)
    assert answer.status_code == status
    assert len(api.mailboxes.writes) == 1
    assert answer.get_json()["errors"][0]["pointer"] == "/proof"


def test_a_proof_is_for_its_client_and_ten_minutes(api: Api) -> None:
    """Another client's proof is none, nor is an old one."""
    assert register(api, proof=api.proof(MOBILE, client="till")).status_code == 422
    proof = api.proof(MOBILE)
    api.now += 601
    assert register(api, proof=proof).status_code == 422
    assert api.mailboxes.writes == []


def test_a_repeated_request_is_one_registration(api: Api) -> None:
    """With and without a key, the same request joins the first and gets its answer."""
    for headers in ({}, {"Idempotency-Key": "0123456789abcdef"}):
        api = Api()
        proof = api.proof(MOBILE)
        answers = [register(api, headers=headers, proof=proof) for _ in range(2)]
        assert [a.status_code for a in answers] == [201, 201]
        assert answers[0].get_json() == answers[1].get_json()
        assert len(api.mailboxes.writes) == 1


def test_a_key_with_another_form_is_refused(api: Api) -> None:
    """Another name or another password is another request: 422, and the first one stands."""
    headers = {"Idempotency-Key": "0123456789abcdef"}
    first = {"proof": api.proof(MOBILE), "password": "correct horse battery"}
    assert register(api, headers=headers, **first).status_code == 201
    for change in ({"given_name": "Bo"}, {"password": "wrong horse battery"}):
        again = register(api, headers=headers, **first | change)
        assert (again.status_code, again.get_json()["type"][-9:]) == (422, "key-reuse")


def test_a_repeated_request_meets_its_own_record_after_redis_was_wiped(api: Api) -> None:
    """The ids come from the key and the proof, so the second write is of the same records."""
    headers, proof = {"Idempotency-Key": "0123456789abcdef"}, api.proof(MOBILE)
    register(api, headers=headers, proof=proof)
    api.mailboxes.known.clear()
    api.mailboxes.outcomes.clear()
    api.challenges.bound.clear()
    register(api, headers=headers, proof=proof)
    first, second = api.mailboxes.writes
    assert first.op == second.op
    assert first.operations[0].id == second.operations[0].id
    assert first.operations[0].id == record_id(api.parts.record_key, first.op, "member")


def test_a_proof_makes_one_member(api: Api) -> None:
    """The same proof under another key is refused."""
    proof = api.proof(MOBILE)
    api.mailboxes.held = True
    register(api, headers={"Idempotency-Key": "0123456789abcdef"}, proof=proof)
    other = register(api, headers={"Idempotency-Key": "fedcba9876543210"}, proof=proof)
    assert (other.status_code, other.get_json()["type"][-13:]) == (422, "proof-invalid")
    assert len(api.mailboxes.writes) == 1


def test_a_refused_form_doesnt_use_the_proof_up(api: Api) -> None:
    """A proof is bound after validation: the corrected form is taken."""
    proof = api.proof(MOBILE)
    assert register(api, proof=proof, consents=[]).status_code == 422
    assert register(api, proof=proof, email="nonsense").status_code == 422
    assert register(api, proof=proof).status_code == 201


def test_a_released_address_is_taken_anew(api: Api) -> None:
    """An identity that no member holds is given to the new one, at the version that was seen."""
    register(api)
    id = api.parts.identity_keys.id("mobile", MOBILE)
    seen = api.crm.get("identity", id, [])
    api.crm.update("identity", id, {"member": None, "value": None}, seen.version)
    assert register(api, given_name="Bo").status_code == 201
    found = identities.resolve(api.crm, api.parts.identity_keys, "mobile", MOBILE, ("given_name",))
    assert found is not None
    assert found.member.record["given_name"] == "Bo"
    assert api.crm.get("identity", id, ["value"]).record["value"] == MOBILE


def test_two_proofs_make_two_identities(api: Api) -> None:
    """A second proven address signs in the same member; a proven e-mail is the profile's."""
    email = api.proof("li@example.com", "email")
    assert register(api, further_proofs=[email]).status_code == 201
    keys = api.parts.identity_keys
    ids = [
        identities.resolve(api.crm, keys, kind, value)
        for kind, value in (("mobile", MOBILE), ("email", "li@example.com"))
    ]
    assert ids[0] and ids[1] and ids[0].member_id == ids[1].member_id
    assert the_member(api)["email"] == "li@example.com"


@pytest.mark.parametrize(
    ("consents", "errors"),
    [
        ([], [("/consents", "consent-required")]),
        ([{"granted": False}], [("/consents", "consent-required")]),
        ([{"text_version": "1"}], [("/consents/0/text_version", "not-current")]),
        ([{}, {"purpose": "li.wei"}], [("/consents/1/purpose", "not-an-option")]),
        ([{}, {}], [("/consents/1/purpose", "twice")]),
        ([{"granted": "yes"}], [("/consents/0/granted", "malformed")]),
        ([{"li.wei@example.com": 1}], [("/consents/0", "unknown-field")]),
    ],
)
def test_consents_are_to_the_current_text(
    api: Api, consents: list[dict[str, Any]], errors: list[tuple[str, str]]
) -> None:
    """Without the required consent to the text of today there is no registration."""
    answer = register(api, consents=[GRANTED[0] | each for each in consents])
    places = [(e["pointer"], e["code"]) for e in answer.get_json()["errors"]]
    assert (answer.status_code, places) == (422, errors)
    assert "li.wei" not in answer.text
    assert api.mailboxes.writes == []


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"password": "short"}, ("/password", "too-short")),
        ({"password": "password"}, ("/password", "too-common")),
        ({"birth_date": "2999-01-01"}, ("/birth_date", "out-of-range")),
        ({"mobile": "+8613900139000"}, ("", "unknown-field")),
        ({"stamp": "x"}, ("", "unknown-field")),
        ({"points": "100"}, ("", "unknown-field")),
        ({"registered_store": "SH001"}, ("", "unknown-field")),
        ({"remote_address": "here"}, ("/remote_address", "malformed")),
    ],
)
def test_a_form_takes_what_a_person_may_say(
    api: Api, form: dict[str, Any], error: tuple[str, str]
) -> None:
    """Neither an unproven number nor anything of the system's comes in by the form."""
    answer = register(api, **form)
    places = [(e["pointer"], e["code"]) for e in answer.get_json()["errors"]]
    assert (answer.status_code, places) == (422, [error])
    assert api.mailboxes.writes == []


def test_one_address_proven_twice_is_one_too_many(api: Api) -> None:
    """422 with the place, not "it exists already", and the proofs are still good."""
    proof = api.proof(MOBILE)
    for second in (proof, api.proof(MOBILE)):
        answer = register(api, proof=proof, further_proofs=[second])
        assert answer.status_code == 422
        assert answer.get_json()["errors"] == [{"pointer": "/further_proofs", "code": "twice"}]
    assert register(api, proof=proof).status_code == 201


def test_of_two_numbers_the_first_is_the_profiles(api: Api) -> None:
    """Both sign the member in; the record's mobile is that of `proof`."""
    answer = register(api, further_proofs=[api.proof("+8613900139000")])
    assert answer.status_code == 201
    assert the_member(api)["mobile"] == MOBILE
    assert len(api.crm.store.rows["identity"]) == 2


def test_a_registration_is_taken_while_the_crm_is_down(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accepted sealed, as every write: the worker finds out whether the address is free."""
    proof, real = api.proof(MOBILE), api.crm.get

    def broken(*_: Any, **__: Any) -> Found:
        raise Unreachable

    monkeypatch.setattr(api.crm, "get", broken)
    api.mailboxes.held = True
    assert register(api, proof=proof).status_code == 202
    monkeypatch.setattr(api.crm, "get", real)
    (write,) = api.mailboxes.writes
    api.mailboxes.release(write)
    assert register(api, proof=proof).status_code == 201
    assert the_member(api)["mobile"] == MOBILE


def test_what_waits_is_202_and_the_clients_to_ask_for(api: Api) -> None:
    """An API client gets the operation; the same client may ask for it, a member may not."""
    api.mailboxes.held = True
    answer = register(api, headers={"Prefer": "respond-async"})
    assert answer.status_code == 202
    assert answer.headers["Preference-Applied"] == "respond-async"
    place = answer.headers["Location"]
    assert api.call("GET", place, api.token(None)).get_json()["status"] == "pending"
    assert api.call("GET", place, api.token(None, client_id="till")).status_code == 404
    assert api.call("GET", place, api.token(api.member(id=OTHER))).status_code == 404
    api.mailboxes.release(api.mailboxes.writes[0])
    assert api.call("GET", place, api.token(None)).get_json()["status"] == "applied"


def test_two_at_once_meet_in_the_crm(api: Api) -> None:
    """Two registrations of one number: the second ends as a conflict, and nothing of it is left."""
    api.mailboxes.held = True
    register(api)
    second = register(api, given_name="Bo")
    for write in api.mailboxes.writes:
        api.mailboxes.release(write)
    shown = api.call("GET", second.headers["Location"], api.token(None)).get_json()
    assert (shown["status"], shown["problem"][-8:]) == ("refused", "conflict")
    assert the_member(api)["given_name"] == "Wei"


def test_every_field_that_the_mapping_holds_can_be_sent(api: Api) -> None:
    """The form is made from the mapping: what a client may change it may send at registration."""
    shape = api.call("GET", "/openapi.json").get_json()["components"]["schemas"]
    offered = set(shape["RegistrationForm"]["properties"])
    assert {name.partition(".")[0] for name in MAPPING.writable("member")} <= offered
