"""`/v1/me`: read, changed and erased by the member whose record it is, and nobody else."""

import dataclasses
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from joserfc import jwt

from adapters.base import Found
from adapters.errors import Malformed, Throttled, Unreachable
from bridge.errors import Problem
from bridge.services import versions
from tests.unit.api_harness import ISSUER, Api

OTHER = "20000000-0000-4000-8000-000000000002"
KEY = {"Idempotency-Key": '"0123456789abcdef"'}


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


def spied(api: Api, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """The fields of each read that reaches the CRM."""
    seen: list[tuple[str, ...]] = []
    real = api.crm.get

    def get(kind: str, id: str, fields: Any, **kwargs: Any) -> Found:
        seen.append(tuple(fields))
        return real(kind, id, fields, **kwargs)

    monkeypatch.setattr(api.crm, "get", get)
    return seen


# -- reading -------------------------------------------------------------------------------------


def test_a_read_shows_all_a_client_may_see(api: Api) -> None:
    """Dates are ISO 8601, amounts are text, what is empty is null, the brand's own is under ext."""
    values = {"birth_date": date(1990, 1, 2), "points": Decimal("10.5")}
    member = api.member(**values, ext={"favourite_model": "T1"})
    body = api.call("GET", "/v1/me", api.token(member)).get_json()
    assert (body["birth_date"], body["points"], body["email"]) == ("1990-01-02", "10.5", None)
    assert body["ext"] == {"favourite_model": "T1"}


def test_nothing_of_the_systems_own_leaves(api: Api) -> None:
    """Neither the CRM's id nor stamp, credential, subject or operations are in an answer."""
    member = api.member(credential="hash", registered_scene="SH001.x")
    answer = api.call("GET", "/v1/me", api.token(member)).text
    for secret in (member, "hash", "op0", "SH001", f"s-{member}", '"stamp"', '"state"'):
        assert secret not in answer


def test_sparse_fields_reach_the_crm(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fields=` asks the CRM for these and for what guards the session, and for no more."""
    token, seen = api.token(api.member()), spied(api, monkeypatch)
    answer = api.call("GET", "/v1/me?fields=given_name,ext.favourite_model", token)
    assert answer.get_json() == {"given_name": "Wei", "ext": {"favourite_model": None}}
    guards = {"stamp", "state", "master", "last_operations"}
    assert set(seen[0]) == {"given_name", "ext.favourite_model"} | guards


@pytest.mark.parametrize("field", ["li@example.com", "stamp", "credential", "", "given_name,"])
def test_an_unknown_field_is_refused_before_the_crm(
    api: Api, monkeypatch: pytest.MonkeyPatch, field: str
) -> None:
    """Unknown and system fields are one and the same to a client; the value isn't echoed."""
    token, seen = api.token(api.member()), spied(api, monkeypatch)
    answer = api.call("GET", "/v1/me", token, query_string={"fields": field})
    assert answer.status_code == 400
    assert answer.get_json()["parameter"] == "fields"
    assert field == "" or field.strip(",") not in answer.text
    assert seen == []


@pytest.mark.parametrize("query", ["li@example.com=1", "fields=email&fields=tier", "Fields=email"])
def test_unknown_and_repeated_parameters_are_refused(api: Api, query: str) -> None:
    """A parameter that isn't ours is named to nobody; one that comes twice has no meaning."""
    answer = api.call("GET", f"/v1/me?{query}", api.token(api.member()))
    assert answer.status_code == 400
    assert "example.com" not in answer.text


def test_the_etag_is_opaque_strong_and_the_same_again(api: Api) -> None:
    """Two reads of one state have one ETag, which says 304, and which shows nothing."""
    token = api.token(api.member())
    first, second = (api.call("GET", "/v1/me", token).headers["ETag"] for _ in range(2))
    assert first == second
    assert first.startswith('"')
    assert "op0" not in first
    for header in (first, f'"other", W/{first}', "*"):
        answer = api.call("GET", "/v1/me", token, headers={"If-None-Match": header})
        assert (answer.status_code, answer.text) == (304, "")
        assert answer.headers["ETag"] == first
    other = api.call("GET", "/v1/me", token, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_an_adapter_that_brings_more_shows_no_more(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What wasn't asked for doesn't leave, even if an adapter brings it along."""
    token, real = api.token(api.member(email="li@example.com")), api.crm.get

    def everything(kind: str, id: str, fields: Any, **kwargs: Any) -> Found:
        return real(kind, id, (*fields, "email", "credential"), **kwargs)

    monkeypatch.setattr(api.crm, "get", everything)
    answer = api.call("GET", "/v1/me?fields=given_name", token)
    assert answer.get_json() == {"given_name": "Wei"}


def test_another_members_record_never_leaves(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever mixes two members up on the way, the answer is 500 and holds nothing of either."""
    member = api.member(email="li@example.com")
    api.member(id=OTHER, email="other@example.com", subject="s-2")
    real = api.crm.get

    def mixed(kind: str, id: str, fields: Any, **kwargs: Any) -> Found:
        return real(kind, OTHER, fields, **kwargs)

    monkeypatch.setattr(api.crm, "get", mixed)
    answer = api.call("GET", "/v1/me", api.token(member))
    assert answer.status_code == 500
    assert "example.com" not in answer.text


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"stamp": "s2"}, 401),
        ({"stamp": None}, 401),
        ({"state": "inactive"}, 401),
        ({"state": "inactive", "master": OTHER}, 401),
        ({"master": OTHER}, 401),
    ],
)
def test_a_session_ends_when_the_record_says_so(
    api: Api, changes: dict[str, Any], status: int
) -> None:
    """A new stamp, a deactivation or a merge in the CRM ends the grant at the next read."""
    member = api.member(email="li@example.com")
    api.member(id=OTHER, subject="s-2")
    token = api.token(member)
    api.crm.update("member", member, changes, api.crm.get("member", member, []).version)
    answer = api.call("GET", "/v1/me", token)
    assert answer.status_code == status
    assert "example.com" not in answer.text
    assert len(api.grants.ended) == 1
    assert api.call("GET", "/v1/me", token).status_code == 401


def test_a_record_that_is_gone_is_410_and_ends_the_session(api: Api) -> None:
    """Erased in the CRM: said once, then the token is dead."""
    member = api.member()
    token = api.token(member)
    api.crm.erase("member", member)
    assert api.call("GET", "/v1/me", token).status_code == 410
    assert api.call("GET", "/v1/me", token).status_code == 401


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [(Unreachable(), 503, "5"), (Throttled(retry_after=17), 503, "17"), (Malformed(), 502, "5")],
)
def test_crm_trouble_is_told_and_ends_no_session(
    api: Api, monkeypatch: pytest.MonkeyPatch, error: Exception, status: int, wait: str
) -> None:
    """A CRM that doesn't answer gives 502 or 503 with Retry-After; the grant lives."""
    token = api.token(api.member())

    def broken(*_: Any, **__: Any) -> Found:
        raise error

    monkeypatch.setattr(api.crm, "get", broken)
    answer = api.call("GET", "/v1/me", token)
    assert (answer.status_code, answer.headers["Retry-After"]) == (status, wait)
    assert api.grants.ended == []


# -- changing ------------------------------------------------------------------------------------


def test_a_change_is_in_the_crm_and_gives_the_new_etag(api: Api) -> None:
    """204, and the ETag is the one that a read then has: it can be edited on without a read."""
    token = api.token(api.member(family_name="Li", email="li@example.com"))
    answer = api.call("PATCH", "/v1/me", token, json={"given_name": "An", "email": None})
    read = api.call("GET", "/v1/me", token)
    assert (answer.status_code, answer.text) == (204, "")
    assert answer.headers["ETag"] == read.headers["ETag"]
    body = read.get_json()
    assert (body["given_name"], body["family_name"], body["email"]) == ("An", "Li", None)


def test_representation_brings_the_record(api: Api) -> None:
    """`return=representation` gives 200 and the whole record, and says so."""
    token = api.token(api.member())
    headers = {"Prefer": "return=representation"}
    answer = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=headers)
    assert (answer.status_code, answer.get_json()["given_name"]) == (200, "An")
    assert answer.headers["Preference-Applied"] == "return=representation"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/me", {"given_name": "An"}),
        (
            "PUT",
            "/v1/me/consents",
            {"consents": [{"purpose": "marketing", "granted": True, "text_version": "1"}]},
        ),
    ],
)
def test_what_is_done_is_no_error_when_it_cant_be_read(
    api: Api, monkeypatch: pytest.MonkeyPatch, method: str, path: str, body: dict[str, Any]
) -> None:
    """Applied, and the CRM gone before the answer's read: 202 with the operation, not 503."""
    token = api.token(api.member())
    release = api.mailboxes.release

    def done_and_gone(write: Any) -> None:
        release(write)

        def gone(*_: Any, **__: Any) -> Found:
            raise Unreachable

        monkeypatch.setattr(api.crm, "get", gone)

    monkeypatch.setattr(api.mailboxes, "release", done_and_gone)
    headers = {"Prefer": "return=representation"}
    answer = api.call(method, path, token, json=body, headers=headers)
    assert answer.status_code == 202
    assert "Preference-Applied" not in answer.headers
    seen = api.call("GET", answer.headers["Location"], token)
    assert seen.get_json()["status"] == "applied"


@pytest.mark.parametrize(("method", "path"), [("DELETE", "/v1/me"), ("PUT", "/v1/me/consents")])
def test_a_condition_is_never_passed_over(api: Api, method: str, path: str) -> None:
    """What can't be held to a version refuses If-Match instead of doing it all the same."""
    token = api.token(api.member())
    tag = api.call("GET", "/v1/me", token).headers["ETag"]
    body = {"consents": [{"purpose": "marketing", "granted": True, "text_version": "1"}]}
    form = {"json": body} if method == "PUT" else {}
    answer = api.call(method, path, token, headers={"If-Match": tag}, **form)
    assert (answer.status_code, answer.get_json()["header"]) == (400, "If-Match")
    assert api.mailboxes.writes == []
    assert api.call(method, path, token, headers={"If-Match": "*"}, **form).status_code < 300


def test_a_preference_counts_as_applied_only_where_it_was(api: Api) -> None:
    """The answer to new consents has a body, whoever asked for none."""
    body = {"consents": [{"purpose": "marketing", "granted": True, "text_version": "1"}]}
    headers = {"Prefer": "return=minimal"}
    token = api.token(api.member())
    consents = api.call("PUT", "/v1/me/consents", token, json=body, headers=headers)
    edit = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=headers)
    assert (consents.status_code, "Preference-Applied" in consents.headers) == (200, False)
    assert edit.headers["Preference-Applied"] == "return=minimal"


def test_if_match_needs_no_read_and_names_the_version(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write carries the version and the operations that the ETag holds."""
    token = api.token(api.member())
    tag = api.call("GET", "/v1/me", token).headers["ETag"]
    seen = spied(api, monkeypatch)
    api.mailboxes.held = True
    api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers={"If-Match": tag})
    base = api.mailboxes.writes[0].based_on
    assert base is not None and not isinstance(base, str)
    assert base.operations == ("op0",)
    assert seen == []


def test_a_stale_if_match_changes_nothing(api: Api) -> None:
    """412 where the record has changed since; the member's data stay."""
    token = api.token(api.member())
    tag = api.call("GET", "/v1/me", token).headers["ETag"]
    api.call("PATCH", "/v1/me", token, json={"given_name": "An"})
    late = api.call("PATCH", "/v1/me", token, json={"given_name": "Bo"}, headers={"If-Match": tag})
    assert late.status_code == 412
    assert api.call("GET", "/v1/me", token).get_json()["given_name"] == "An"


@pytest.mark.parametrize(
    ("tag", "status"),
    [
        ('W/"abc"', 412),
        ('"made-up"', 412),
        ("abc", 400),
        ('"a", "b"', 400),
        ('"op-short"', 412),
        ('"', 400),
    ],
)
def test_tags_that_arent_ours_change_nothing(api: Api, tag: str, status: int) -> None:
    """A weak or foreign tag never matches; a malformed one, or several, is a malformed request."""
    answer = api.call(
        "PATCH",
        "/v1/me",
        api.token(api.member()),
        json={"given_name": "An"},
        headers={"If-Match": tag},
    )
    assert (answer.status_code, answer.get_json()["header"]) == (status, "If-Match")
    assert api.mailboxes.writes == []


def test_a_tag_that_was_weakened_on_the_way_never_matches(api: Api) -> None:
    """RFC 9110 section 13.1.1 compares strongly, even where the rest is right."""
    token = api.token(api.member())
    headers = {"If-Match": "W/" + api.call("GET", "/v1/me", token).headers["ETag"]}
    answer = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=headers)
    assert (answer.status_code, api.mailboxes.writes) == (412, [])


def test_another_members_tag_never_matches(api: Api) -> None:
    """An ETag is bound to its member: the same state of somebody else has another one."""
    mine, theirs = api.token(api.member()), api.token(api.member(id=OTHER, subject="s-2"))
    tag = api.call("GET", "/v1/me", theirs).headers["ETag"]
    answer = api.call("PATCH", "/v1/me", mine, json={"given_name": "An"}, headers={"If-Match": tag})
    assert answer.status_code == 412


def test_a_pending_write_has_a_tag_to_build_on(api: Api) -> None:
    """202 with Location, Retry-After and an `op-` ETag, which as If-Match names that write."""
    token = api.token(api.member())
    api.mailboxes.held = True
    first = api.call("PATCH", "/v1/me", token, json={"given_name": "An"})
    op = first.get_json()["id"]
    assert (first.status_code, first.headers["ETag"]) == (202, f'"op-{op}"')
    assert first.headers["Location"] == f"/v1/operations/{op}"
    assert first.headers["Retry-After"] == "1"
    headers = {"If-Match": first.headers["ETag"]}
    api.call("PATCH", "/v1/me", token, json={"given_name": "Bo"}, headers=headers)
    assert api.mailboxes.writes[1].based_on == op


def test_a_member_reads_their_own_write(api: Api) -> None:
    """`after=` is answered only once that operation is done; another's operation is 404."""
    token = api.token(api.member())
    api.mailboxes.held = True
    op = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}).get_json()["id"]
    waits = api.call("GET", f"/v1/me?after={op}", token)
    assert (waits.status_code, waits.headers["Retry-After"]) == (503, "1")
    api.mailboxes.release(api.mailboxes.writes[0])
    assert api.call("GET", f"/v1/me?after={op}", token).get_json()["given_name"] == "An"
    stranger = api.token(api.member(id=OTHER, subject="s-2"))
    assert api.call("GET", f"/v1/me?after={op}", stranger).status_code == 404
    assert api.call("GET", "/v1/me?after=x", token).status_code == 400


def test_a_retry_joins_and_another_body_is_refused(api: Api) -> None:
    """The same key and body is the same operation; the same key with another body is 422."""
    token = api.token(api.member())
    for _ in range(2):
        answer = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=KEY)
        assert answer.status_code == 204
    assert len(api.mailboxes.writes) == 1
    other = api.call("PATCH", "/v1/me", token, json={"given_name": "Bo"}, headers=KEY)
    assert (other.status_code, other.get_json()["type"][-9:]) == (422, "key-reuse")
    headers = KEY | {"If-Match": api.call("GET", "/v1/me", token).headers["ETag"]}
    other = api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=headers)
    assert other.status_code == 422


def test_a_key_belongs_to_one_member_and_client(api: Api) -> None:
    """Two members, or two clients of one, with the same key are different operations."""
    member, other = api.member(), api.member(id=OTHER, subject="s-2")
    for token in (api.token(member), api.token(other), api.token(member, client_id="till")):
        api.call("PATCH", "/v1/me", token, json={"given_name": "An"}, headers=KEY)
    assert len({write.op for write in api.mailboxes.writes}) == 3


def test_a_read_tells_the_grant_that_the_member_stands(api: Api) -> None:
    """A good read is noted with the grant, so that a refresh needs no CRM call; not each time."""
    token = api.token(api.member())
    for _ in range(3):
        api.call("GET", "/v1/me", token)
    assert api.grants.checked == [f"g-{token}"]


@pytest.mark.parametrize("key", ['"short"', "x" * 256, '"with"quote-12345"', "ключ-ключ-ключ-ключ"])
def test_a_malformed_key_is_refused(api: Api, key: str) -> None:
    """Anything but 16 to 255 plain characters is 400, and nothing is accepted."""
    headers = {"Idempotency-Key": key.encode().decode("latin-1")}
    answer = api.call(
        "PATCH", "/v1/me", api.token(api.member()), json={"given_name": "An"}, headers=headers
    )
    assert answer.status_code == 400
    assert api.mailboxes.writes == []


@pytest.mark.parametrize(
    ("body", "errors"),
    [
        ({}, [("", "empty")]),
        ({"points": "5"}, [("/points", "read-only")]),
        ({"mobile": "+8613800138000"}, [("/mobile", "read-only")]),
        ({"stamp": "x"}, [("", "unknown-field")]),
        ({"li@example.com": 1}, [("", "unknown-field")]),
        ({"ext": {"li@example.com": 1}}, [("/ext", "unknown-field")]),
        ({"ext": None}, [("/ext", "null")]),
        ({"ext": 3}, [("/ext", "malformed")]),
        ({"email": "no address"}, [("/email", "malformed")]),
        ({"gender": "x"}, [("/gender", "not-an-option")]),
        ({"given_name": "x" * 51}, [("/given_name", "too-long")]),
        ({"birth_date": "yesterday"}, [("/birth_date", "malformed")]),
        ({"birth_date": "3000-01-01"}, [("/birth_date", "out-of-range")]),
        ({"given_name": ["x"], "tier": 1}, [("/given_name", "malformed"), ("/tier", "read-only")]),
    ],
)
def test_what_may_not_be_changed_is_told_by_place(
    api: Api, body: dict[str, Any], errors: list[tuple[str, str]]
) -> None:
    """A wrong change is 422 with pointers to our own fields, no value, and nothing accepted."""
    answer = api.call("PATCH", "/v1/me", api.token(api.member()), json=body)
    places = [(e["pointer"], e["code"]) for e in answer.get_json()["errors"]]
    assert (answer.status_code, sorted(places)) == (422, sorted(errors))
    assert "example.com" not in answer.text
    assert api.mailboxes.writes == []


# -- erasing -------------------------------------------------------------------------------------


def test_an_erased_member_is_gone_and_signed_out(api: Api) -> None:
    """The record is removed and every session of the member's is over."""
    member = api.member()
    token, phone = api.token(member), api.token(member)
    assert api.call("DELETE", "/v1/me", token).status_code == 200
    assert [op.kind for op in api.mailboxes.writes[0].operations] == ["member"]
    assert api.call("GET", "/v1/me", phone).status_code == 401


def test_an_erasure_has_a_receipt_that_anyone_can_check_and_that_names_nobody(api: Api) -> None:
    """A JWT under the key of the JWKS, of a type of its own, with the operation and the time."""
    member = api.member()
    shown = api.call("DELETE", "/v1/me", api.token(member)).get_json()
    read = jwt.decode(shown["receipt"], api.parts.id_token_key, algorithms=["ES256"])
    assert read.header == {"alg": "ES256", "typ": "erasure-receipt+jwt", "kid": "e1"}
    assert read.claims == {"iss": ISSUER, "iat": 1, "op": shown["operation"]}
    assert shown["erased_at"] == "1970-01-01T00:00:01+00:00"
    assert member not in str(shown)


def test_a_retry_of_an_erasure_gets_the_same_receipt(api: Api) -> None:
    """While the token is still good, the same key asks for what became of the first, although the
    record is gone by then."""
    member = api.member()
    token, key = api.token(member), {"Idempotency-Key": "erase-me-once-please"}
    api.mailboxes.held = True
    api.mailboxes.wait = lambda op, seconds: api.mailboxes.outcomes.get(op)
    assert api.call("DELETE", "/v1/me", token, headers=key).status_code == 202
    api.mailboxes.release(api.mailboxes.writes[0])
    again = api.call("DELETE", "/v1/me", token, headers=key)
    assert (again.status_code, len(api.mailboxes.writes)) == (200, 1)
    assert api.call("DELETE", "/v1/me", token, headers=key).status_code == 401


def test_a_second_erasure_is_harmless(api: Api) -> None:
    """A member who is gone is told so, and nothing is written."""
    member = api.member()
    token = api.token(member)
    api.crm.erase("member", member)
    assert api.call("DELETE", "/v1/me", token).status_code == 410
    assert api.mailboxes.writes == []


def test_an_ended_session_erases_nobody(api: Api) -> None:
    """A session that the CRM no longer carries can't erase."""
    member = api.member()
    token = api.token(member, stamp="old")
    assert api.call("DELETE", "/v1/me", token).status_code == 401
    assert api.mailboxes.writes == []


def test_an_erasure_is_accepted_while_the_crm_is_down(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A CRM that doesn't answer delays no erasure: 202, and it is done later."""
    token = api.token(api.member())
    api.mailboxes.held = True

    def broken(*_: Any, **__: Any) -> Found:
        raise Unreachable

    monkeypatch.setattr(api.crm, "get", broken)
    assert api.call("DELETE", "/v1/me", token).status_code == 202
    assert api.mailboxes.writes[0].verb == "erase"


def test_a_closed_mailbox_is_410(api: Api) -> None:
    """After an erasure was accepted nothing more is taken."""
    token = api.token(api.member())
    api.mailboxes.refuse_with = Problem("gone")
    answer = api.call("PATCH", "/v1/me", token, json={"given_name": "An"})
    assert answer.status_code == 410


# -- what an ETag is -----------------------------------------------------------------------------


def test_a_tag_opens_for_its_member_alone(api: Api) -> None:
    """What was sealed for one member isn't a tag of another's, nor is a changed one."""
    base = versions.Base('W/"123"', ("a", "b"))
    tag = versions.etag(api.parts.etags, "one", base).strip('"')
    assert versions.opened(api.parts.etags, "one", tag) == base
    assert versions.opened(api.parts.etags, "two", tag) is None
    assert versions.opened(api.parts.etags, "one", tag[:-1] + "A") is None
    assert dataclasses.astuple(base) == ('W/"123"', ("a", "b"))


def test_the_contact_email_needs_a_recent_sign_in(api: Api) -> None:
    """A claim may send a code there, so an old session can't point it at somebody else's mailbox;
    other fields it may change."""
    old = api.token(api.member(email="li@example.com"), auth_time=int(api.now) - 601)
    answer = api.call("PATCH", "/v1/me", old, json={"email": "thief@example.com"})
    assert answer.status_code == 401
    assert answer.get_json()["type"].endswith("/step-up")
    assert api.call("PATCH", "/v1/me", old, json={"given_name": "An"}).status_code == 204
