"""A forgotten password reset, and a known one changed, as a back end and a member do it."""

from typing import Any

import pytest

from bridge.errors import Problem
from bridge.services import accounts
from bridge.services.sign_in import Attempt, by_password
from bridge.services.subjects import stamp_digest
from bridge.writes.write import Outcome
from tests.unit.api_harness import Api

MOBILE, EMAIL = "+8613800138000", "li.wei@example.com"
OLD, NEW = "shanlan-old-7Q", "lantern-tide-94"
KEY = {"Idempotency-Key": "portal-reset-0001"}


@pytest.fixture
def api() -> Api:
    """A fresh application."""
    return Api()


@pytest.fixture
def member(api: Api) -> str:
    """A member with a password and a mobile."""
    id = api.member()
    version = api.crm.get("member", id, []).version
    hashed = api.parts.passwords.hash_for(id, OLD)
    api.crm.update("member", id, {"credential": hashed}, version)
    api.identity(id, "mobile", MOBILE)
    return id


def confirm(api: Api, client: str = "site", headers: Any = None, **form: Any) -> Any:
    """The second half of a reset; with a good proof of the mobile, unless `form` says otherwise."""
    if not {"proof", "token"} & set(form):
        form["proof"] = api.proof(MOBILE, purpose="reset")
    token, body = api.token(None, client_id=client), {"password": NEW} | form
    return api.call("POST", "/v1/password-resets/confirm", token, json=body, headers=headers or {})


def ask(api: Api, channel: str, address: str, client: str = "site") -> Any:
    """The first half."""
    body = {"channel": channel, "address": address}
    return api.call("POST", "/v1/password-resets", api.token(None, client_id=client), json=body)


def holds(api: Api, id: str, password: str) -> bool:
    """Is it the member's password, as the CRM has it?"""
    stored = api.crm.get("member", id, ["credential"]).record["credential"]
    return bool(api.parts.passwords.check(id, stored, password))


def notices(api: Api) -> list[dict[str, str]]:
    """Messages handed to the worker."""
    return [write.notice for write in api.mailboxes.writes if write.notice]


def the_link(api: Api) -> str:
    """The token of the newest link."""
    return notices(api)[-1]["text"].split("token=")[1].split()[0]


# -- reset -----------------------------------------------------------------------------------------


def test_a_reset_by_sms_code(api: Api, member: str) -> None:
    """Code, proof, new password: the old one is wrong then, and nobody is signed in by it."""
    client = api.token(None)
    id = ask(api, "sms", "138 0013 8000").get_json()["challenge_id"]
    code, _ = api.challenges.open[id]
    proof = api.call("POST", f"/v1/otp/{id}/verify", client, json={"code": code}).get_json()
    done = confirm(api, proof=proof["proof"])
    assert (done.status_code, done.data, "Set-Cookie" in done.headers) == (204, b"", False)
    assert holds(api, member, NEW)
    assert not holds(api, member, OLD)


def test_a_reset_by_link(api: Api, member: str) -> None:
    """The link leads to our page with a token that is good for one new password."""
    api.identity(member, "email", EMAIL)
    assert ask(api, "mail", " Li.Wei@Example.com").get_json() == {"expires_in": 1800}
    assert notices(api)[-1]["to"] == EMAIL
    assert "https://members.example.com/reset/link?token=" in notices(api)[-1]["text"]
    token = the_link(api)
    assert len(token) == 43  # 256 bits
    assert confirm(api, token=token).status_code == 204
    assert holds(api, member, NEW)
    again = confirm(api, token=token, password="another-one-77", headers=KEY)
    assert (again.status_code, again.get_json()["errors"][0]["code"]) == (422, "used")
    assert holds(api, member, NEW)


def test_the_start_tells_nothing_and_reads_nothing(api: Api, member: str) -> None:
    """For a member's address and for nobody's: same answer, one message each, no CRM read."""
    api.crm._remote.budget.take = lambda _: pytest.fail("the CRM was asked")  # type: ignore[method-assign]
    for channel, known, unknown in (
        ("sms", MOBILE, "+8613900139000"),
        ("mail", EMAIL, "nobody@example.com"),
    ):
        answers, before = [ask(api, channel, each) for each in (known, unknown)], len(notices(api))
        assert [answer.status_code for answer in answers] == [202, 202]
        assert {tuple(sorted(answer.get_json())) for answer in answers} == {
            tuple(sorted(answers[0].get_json()))
        }
        assert [each["to"] for each in notices(api)[before - 2 :]] == [known, unknown]


def test_nobodys_address_is_told_so_once_it_is_proven(api: Api) -> None:
    """A proven address without a member is 404, and writes nothing."""
    assert confirm(api, proof=api.proof("+8613900139000", purpose="reset")).status_code == 404
    assert api.mailboxes.writes == []


@pytest.mark.parametrize("state", [{"state": "inactive"}, {"master": "it"}])
def test_a_closed_record_has_no_reset(api: Api, member: str, state: dict[str, str]) -> None:
    """A deactivated or merged member is nobody."""
    if "master" in state:
        state = {"master": api.member(id="30000000-0000-4000-8000-000000000003")}
    api.crm.update("member", member, state, api.crm.get("member", member, []).version)
    assert confirm(api).status_code == 404
    with pytest.raises(Problem, match="not-found"):  # closed between the two reads
        accounts.read(api.parts, member)  # type: ignore[arg-type]
    assert not holds(api, member, NEW)


def test_an_sms_alone_does_not_open_an_account_with_an_email(api: Api, member: str) -> None:
    """Where a verified e-mail exists it must be proven too; then both together are enough."""
    api.identity(member, "email", EMAIL)
    refused = confirm(api)
    assert refused.status_code == 422
    assert refused.get_json()["type"].endswith("/proof-insufficient")
    assert (refused.get_json()["needs"], EMAIL in refused.text) == ("email", False)
    assert not holds(api, member, NEW)
    second = [api.proof(EMAIL, "email", purpose="reset")]
    assert confirm(api, further_proofs=second).status_code == 204


def test_a_forged_email_row_is_no_second_channel(api: Api, member: str) -> None:
    """A row that we didn't bind neither counts nor is written to."""
    api.identity(member, "email", EMAIL, mac="forged")
    assert confirm(api).status_code == 204
    assert notices(api) == []


def test_two_peoples_proofs_are_nobodys(api: Api, member: str) -> None:
    """Proofs of addresses that don't belong to one member together open nothing."""
    other = api.member(id="20000000-0000-4000-8000-000000000002")
    api.identity(other, "email", EMAIL)
    second = [api.proof(EMAIL, "email", purpose="reset")]
    assert confirm(api, further_proofs=second).status_code == 404


def test_every_session_ends_and_the_stamp_changes(api: Api, member: str) -> None:
    """Tokens are dead at once; a session that survives in Redis dies by the stamp."""
    token = api.token(member)
    before = api.crm.get("member", member, ["stamp"]).record["stamp"]
    api.mailboxes.held = True
    assert confirm(api, headers={"Prefer": "respond-async"}).status_code == 202
    assert api.call("GET", "/v1/me", token).status_code == 401  # before the CRM has it
    api.mailboxes.release(api.mailboxes.writes[0])
    assert api.crm.get("member", member, ["stamp"]).record["stamp"] != before
    assert api.call("GET", "/v1/me", api.token(member)).status_code == 401  # the stamp before


def test_the_other_channels_are_told(api: Api, member: str) -> None:
    """Each verified address that didn't prove itself gets a notice, and none more by a retry."""
    api.identity(member, "email", EMAIL)
    api.identity(member, "wechat_oa", "wx1:oABCDEFGH")
    ask(api, "mail", EMAIL)
    token = the_link(api)
    for _ in range(2):
        assert confirm(api, token=token).status_code == 204
    assert [each["to"] for each in notices(api)] == [EMAIL, MOBILE]  # the link, the notice


def test_a_notice_that_cannot_go_out_loses_no_reset(api: Api, member: str) -> None:
    """The change is accepted by then; the missing notice is logged."""
    api.identity(member, "email", EMAIL)
    token = (ask(api, "mail", EMAIL), the_link(api))[1]
    accept = api.mailboxes.accept

    def refuse_notices(write: Any, **where: Any) -> Any:
        if write.notice:
            raise Problem("mailbox-full")
        return accept(write, **where)

    api.mailboxes.accept = refuse_notices  # type: ignore[method-assign]
    assert confirm(api, token=token).status_code == 204
    assert holds(api, member, NEW)


def test_another_clients_link_or_proof_is_nothing(api: Api, member: str) -> None:
    """A forwarded token, or a proof for something else, opens nothing elsewhere."""
    api.identity(member, "email", EMAIL)
    ask(api, "mail", EMAIL)
    for wrong in (
        {"client": "till", "token": the_link(api)},
        {"client": "till", "proof": api.proof(EMAIL, "email", purpose="reset")},
        {"proof": api.proof(EMAIL, "email", purpose="registration")},
        {"token": "A" * 43},
    ):
        answer = confirm(api, **wrong)
        assert answer.status_code == 422
        assert answer.get_json()["errors"][0]["code"] == "proof-invalid"
    assert not holds(api, member, NEW)


def test_a_weak_password_costs_no_proof(api: Api, member: str) -> None:
    """The proof is bound after everything else was validated."""
    proof = api.proof(MOBILE, purpose="reset")
    assert confirm(api, proof=proof, password="password1").status_code == 422
    assert confirm(api, proof=proof).status_code == 204


def test_a_new_password_is_never_set_late(api: Api, member: str) -> None:
    """The write ends a quarter of an hour after it was accepted."""
    confirm(api)
    write = api.mailboxes.writes[0]
    assert write.start_by == write.accepted_at + 900
    assert not write.mergeable


# -- change ----------------------------------------------------------------------------------------


def change(api: Api, token: str, **form: Any) -> Any:
    """PUT, with the new password."""
    return api.call("PUT", "/v1/me/password", token, json={"password": NEW} | form)


def test_the_current_password_allows_a_change(api: Api, member: str) -> None:
    """However old the sign-in; all sessions end, this one too, and the addresses are told."""
    token = api.token(member, auth_time=0)
    assert change(api, token, current_password=OLD).status_code == 204
    assert holds(api, member, NEW)
    assert api.call("GET", "/v1/me", token).status_code == 401
    assert [each["to"] for each in notices(api)] == [MOBILE]
    stamp = api.crm.get("member", member, ["stamp"]).record["stamp"]
    assert api.grants.stamps[member] == stamp_digest(api.names, stamp)


def test_a_wrong_current_password_changes_nothing(api: Api, member: str) -> None:
    """422 at its field, counted like a sign-in; a recent sign-in doesn't make up for it."""
    answer = change(api, api.token(member), current_password="wrong-wrong-1")
    assert answer.get_json()["errors"] == [{"pointer": "/current_password", "code": "wrong"}]
    assert ("sign_ins_per_identifier", "member", member) in api.limits.seen
    assert holds(api, member, OLD)


def test_without_the_current_one_the_sign_in_must_be_recent(api: Api, member: str) -> None:
    """An old sign-in is challenged as RFC 9470 says; a recent one is enough."""
    old = api.token(member, auth_time=int(api.now) - 601)
    answer = change(api, old)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == (
        'Bearer error="insufficient_user_authentication", max_age="600"'
    )
    assert holds(api, member, OLD)
    assert change(api, api.token(member, auth_time=int(api.now) - 599)).status_code == 204


def test_a_weak_new_password_is_told_at_its_field(api: Api, member: str) -> None:
    """Before the current one is tried."""
    answer = change(api, api.token(member), password="short", current_password="wrong-wrong-1")
    assert answer.status_code == 422
    assert answer.get_json()["errors"] == [{"pointer": "/password", "code": "too-short"}]


def test_a_refused_change_is_told(api: Api, member: str) -> None:
    """What the CRM refuses is a problem, not a 204."""
    api.mailboxes._apply = lambda write: Outcome(write.op, "refused", "refused")  # type: ignore[method-assign]
    assert change(api, api.token(member)).status_code == 422


def test_the_old_password_signs_nobody_in(api: Api, member: str) -> None:
    """The sign-in service refuses it, and takes the new one."""
    change(api, api.token(member))
    parts = api.parts
    parts.grants.standing = lambda _: (1, None)
    old, new = (by_password(parts, Attempt(MOBILE, p, "site", "127.0.0.1")) for p in (OLD, NEW))
    assert old is None
    assert new is not None
