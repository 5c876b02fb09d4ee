"""What a member signs in with, changed by the member: mobile, e-mail, linked identities."""

from typing import Any

import pytest

from bridge import security
from bridge.services import identities, proofs
from bridge.services.clients import Client, Clients
from tests.unit.api_harness import Api

MOBILE, OTHER = "+8613800138000", "+8613900139000"
EMAIL = "li.wei@example.com"
STRANGER = "20000000-0000-4000-8000-000000000002"


@pytest.fixture
def api() -> Api:
    """A fresh application, with two clients of one sector and one of another."""
    fresh = Api()
    sectors = {"site": "brand", "till": "brand", "partner": "partner"}
    made = {id: Client(id, {}, public=True, sector=sector) for id, sector in sectors.items()}
    fresh.parts.clients = Clients(made)
    return fresh


@pytest.fixture
def member(api: Api) -> str:
    """A member with a mobile."""
    id = api.member(mobile=MOBILE)
    api.identity(id, "mobile", MOBILE)
    return id


def proof(api: Api, token: str, value: str, kind: str = "mobile") -> str:
    """A ticket of an address that was proven in this session."""
    binding = proofs.grant_binding(api.grants.callers[token].grant_id)
    return proofs.issue(api.parts, kind, value, "change", binding)  # type: ignore[arg-type]


def put(api: Api, token: str, kind: str, value: str, **more: Any) -> Any:
    """Another mobile or e-mail, with a good proof."""
    body = {"proof": more.pop("ticket", None) or proof(api, token, value, kind)}
    return api.call("PUT", f"/v1/me/{kind}", token, json=body | more)


def signs_in(api: Api, kind: str, value: str) -> str | None:
    """Whom an address signs in."""
    found = identities.resolve(api.crm, api.parts.identity_keys, kind, value)
    return found.member_id if found else None


def column(api: Api, id: str, name: str) -> Any:
    """Of the member's record in the CRM."""
    return api.crm.get("member", id, [name]).record[name]


def notices(api: Api) -> list[str]:
    """Who was written to."""
    return [write.notice["to"] for write in api.mailboxes.writes if write.notice]


# -- mobile and e-mail -----------------------------------------------------------------------------


def test_a_code_to_the_new_number_changes_it(api: Api, member: str) -> None:
    """Code, proof, change: the new number signs in, the old one nobody, and the profile follows."""
    token = api.token(member)
    ask = {"channel": "sms", "address": "139 0013 9000"}
    id = api.call("POST", "/v1/me/codes", token, json=ask).get_json()["challenge_id"]
    code, _ = api.challenges.open[id]
    ticket = api.call("POST", f"/v1/me/codes/{id}/verify", token, json={"code": code}).get_json()
    done = put(api, token, "mobile", OTHER, ticket=ticket["proof"])
    assert (done.status_code, done.data) == (204, b"")
    assert signs_in(api, "mobile", OTHER) == member
    assert signs_in(api, "mobile", MOBILE) is None
    assert column(api, member, "mobile") == OTHER


def test_it_is_one_write(api: Api, member: str) -> None:
    """Member, new row and old row go together; what is released holds no value."""
    put(api, api.token(member), "mobile", OTHER)
    (write,) = [write for write in api.mailboxes.writes if not write.notice]
    assert [(each.verb, each.kind) for each in write.operations] == [
        ("update", "member"),
        ("create", "identity"),
        ("update", "identity"),
    ]
    assert write.start_by == write.accepted_at + 900
    old = api.parts.identity_keys.id("mobile", MOBILE)
    assert not any(api.crm.get("identity", old, ["value", "member", "mac"]).record.values())


def test_a_first_email_leaves_the_mobile(api: Api, member: str) -> None:
    """Only identities of the same kind are replaced."""
    assert put(api, api.token(member), "email", EMAIL).status_code == 204
    assert signs_in(api, "email", EMAIL) == signs_in(api, "mobile", MOBILE) == member
    assert column(api, member, "email") == EMAIL


def test_a_free_row_is_taken_over(api: Api, member: str) -> None:
    """A number that somebody gave up keeps its row."""
    api.identity(member, "mobile", OTHER, member=None, member_text=None, mac=None)
    assert put(api, api.token(member), "mobile", OTHER).status_code == 204
    assert signs_in(api, "mobile", OTHER) == member


def test_another_members_number_is_theirs(api: Api, member: str) -> None:
    """409 for whoever proved it, and nothing changes."""
    api.identity(api.member(id=STRANGER), "mobile", OTHER)
    answer = put(api, api.token(member), "mobile", OTHER)
    assert answer.status_code == 409
    assert answer.get_json()["errors"] == [{"pointer": "/proof", "code": "has-a-member"}]
    assert signs_in(api, "mobile", OTHER) == STRANGER
    assert signs_in(api, "mobile", MOBILE) == member


@pytest.mark.parametrize("held", [False, True])
def test_sessions_end_and_the_address_before_is_told(api: Api, member: str, held: bool) -> None:
    """Every session, this one too, whether or not the CRM has it yet."""
    token, other = api.token(member), api.token(member)
    stamp = column(api, member, "stamp")
    api.mailboxes.held = held
    assert put(api, token, "mobile", OTHER).status_code == (202 if held else 204)
    assert set(api.grants.ended) == {f"g-{token}", f"g-{other}"}
    assert (column(api, member, "stamp") == stamp) is held
    assert notices(api) == [MOBILE]


def test_an_unlinked_identitys_sessions_end_before_the_crm_has_it(api: Api, member: str) -> None:
    """As with an address that is replaced."""
    api.identity(member, "wechat_oa", "wx1234:oABCDEF")
    token, api.mailboxes.held = api.token(member), True
    (named,) = [each["id"] for each in listed(api, token) if each["kind"] == "wechat_oa"]
    assert api.call("DELETE", f"/v1/me/identities/{named}", token).status_code == 202
    assert api.grants.ended == [f"g-{token}"]


def test_a_proof_is_for_its_session_purpose_kind_and_one_use(api: Api, member: str) -> None:
    """Another session's, another purpose's, another kind's, and a used one change nothing."""
    token, stolen = api.token(member), api.token(member)
    for wrong in (
        proof(api, stolen, OTHER),
        api.proof(OTHER, purpose="reset"),
        proof(api, token, EMAIL, "email"),
    ):
        answer = put(api, token, "mobile", OTHER, ticket=wrong)
        assert answer.get_json()["type"].endswith("/proof-invalid")
    ticket = proof(api, token, OTHER)
    api.challenges.bound[
        proofs.open_ticket(
            api.parts,
            ticket,
            "change",  # type: ignore[arg-type]
            proofs.grant_binding(api.grants.callers[token].grant_id),
        ).ticket_id
    ] = "another operation"
    assert put(api, token, "mobile", OTHER, ticket=ticket).status_code == 422
    assert signs_in(api, "mobile", OTHER) is None


def test_a_retry_is_the_same_change(api: Api, member: str) -> None:
    """The same key gives the same operation, even though the session has ended meanwhile."""
    token, key = api.token(member), {"Idempotency-Key": "app-mobile-00001"}
    caller = api.grants.callers[token]
    body = {"proof": proof(api, token, OTHER)}
    for _ in range(2):
        api.grants.callers[token] = caller
        now = column(api, member, "stamp")
        api.grants.callers[token] = type(caller)(**vars(caller) | {"stamp": api.digest(now)})
        answer = api.call("PUT", "/v1/me/mobile", token, json=body, headers=key)
        assert answer.status_code == 204
    assert len([write for write in api.mailboxes.writes if not write.notice]) == 1


# -- linked identities -----------------------------------------------------------------------------


def vouched(api: Api, kind: str, value: str, client: str = "till") -> Any:
    """What a back end that may vouch is given."""
    token = api.token(None, client_id=client)
    return api.call("POST", "/v1/proofs", token, json={"kind": kind, "value": value})


def link(api: Api, token: str, ticket: str) -> Any:
    """By the member."""
    return api.call("POST", "/v1/me/identities", token, json={"proof": ticket})


@pytest.mark.parametrize(
    ("kind", "value"),
    [("card", "SH-0001 2345"), ("wechat_mini", "wx1234:oABCDEF"), ("wechat_oa", "wx1234:oABCDEF")],
)
def test_a_vouched_identity_is_linked(api: Api, member: str, kind: str, value: str) -> None:
    """A till or a mini program's server vouches, the member links; the addresses are told."""
    ticket = vouched(api, kind, value).get_json()["proof"]
    assert link(api, api.token(member), ticket).status_code == 204
    assert signs_in(api, kind, identities.normalise(kind, value, "CN")) == member
    assert notices(api) == [MOBILE]


def test_another_members_card_is_theirs(api: Api, member: str) -> None:
    """409, and it stays with them."""
    api.identity(api.member(id=STRANGER), "card", "SH00012345")
    ticket = vouched(api, "card", "SH00012345").get_json()["proof"]
    assert link(api, api.token(member), ticket).status_code == 409
    assert signs_in(api, "card", "SH00012345") == STRANGER


def test_another_sectors_proof_links_nothing(api: Api, member: str) -> None:
    """What a partner vouched for is no proof here."""
    ticket = vouched(api, "card", "SH00012345", client="partner").get_json()["proof"]
    assert link(api, api.token(member), ticket).status_code == 422


def test_nobody_vouches_for_numbers_and_mailboxes(api: Api) -> None:
    """Those the bridge proves itself."""
    assert vouched(api, "mobile", MOBILE).status_code == 422
    assert vouched(api, "card", "?").get_json()["errors"][0]["pointer"] == "/value"


def listed(api: Api, token: str) -> list[dict[str, Any]]:
    """The identities as the member sees them."""
    return list(api.call("GET", "/v1/me/identities", token).get_json()["identities"])


def test_the_list_shows_no_id_of_the_crms_and_no_openid(api: Api, member: str) -> None:
    """An opaque name of the member's own, the value but for WeChat's; forged rows not at all."""
    api.identity(member, "wechat_oa", "wx1234:oABCDEF")
    api.identity(member, "email", EMAIL, mac="forged")
    found = listed(api, api.token(member))
    assert {(each["kind"], each["value"]) for each in found} == {
        ("mobile", MOBILE),
        ("wechat_oa", None),
    }
    ids = {each["id"] for each in found}
    assert not ids & set(api.crm.store.rows["identity"])


def test_an_identity_is_unlinked(api: Api, member: str) -> None:
    """It signs nobody in from then on, and every session ends."""
    api.identity(member, "wechat_oa", "wx1234:oABCDEF")
    token = api.token(member)
    (named,) = [each["id"] for each in listed(api, token) if each["kind"] == "wechat_oa"]
    assert api.call("DELETE", f"/v1/me/identities/{named}", token).status_code == 204
    assert signs_in(api, "wechat_oa", "wx1234:oABCDEF") is None
    assert api.call("GET", "/v1/me", token).status_code == 401
    assert api.grants.stamps[member] == api.digest(column(api, member, "stamp"))


def test_the_last_way_to_sign_in_stays(api: Api, member: str) -> None:
    """A mobile or an e-mail has to be left; WeChat alone isn't enough."""
    api.identity(member, "wechat_oa", "wx1234:oABCDEF")
    token = api.token(member)
    (named,) = [each["id"] for each in listed(api, token) if each["kind"] == "mobile"]
    answer = api.call("DELETE", f"/v1/me/identities/{named}", token)
    assert (answer.status_code, answer.get_json()["type"][-8:]) == (409, "last-way")
    assert signs_in(api, "mobile", MOBILE) == member


def test_somebody_elses_identity_is_not_there(api: Api, member: str) -> None:
    """Its name, as its own member sees it, is 404 to another."""
    stranger = api.member(id=STRANGER)
    api.identity(stranger, "mobile", OTHER)
    api.identity(stranger, "email", EMAIL)
    named = listed(api, api.token(stranger))[0]["id"]
    assert api.call("DELETE", f"/v1/me/identities/{named}", api.token(member)).status_code == 404
    assert signs_in(api, "mobile", OTHER) == STRANGER


# -- swapped by staff ------------------------------------------------------------------------------


def test_a_swapped_row_signs_nobody_in_and_is_not_the_members(api: Api, member: str) -> None:
    """A row that somebody pointed at another member by hand fits neither of them."""
    api.member(id=STRANGER)
    row = api.identity(member, "email", EMAIL)
    version = api.crm.get("identity", row, []).version
    api.crm.update("identity", row, {"member": STRANGER, "member_text": STRANGER}, version)
    assert signs_in(api, "email", EMAIL) is None
    assert listed(api, api.token(STRANGER)) == []
    assert [each["kind"] for each in listed(api, api.token(member))] == ["mobile"]


# -- what a collector is told ----------------------------------------------------------------------


def test_account_changes_are_security_events(
    api: Api, member: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A new password, another address, a link and its end are told, and by whom."""
    told: list[tuple[str, str]] = []
    monkeypatch.setattr(
        security, "tell", lambda event, **more: told.append((event, more["reason"]))
    )
    body = {"password": "lantern-tide-94"}
    api.call("PUT", "/v1/me/password", api.token(member), json=body)
    card = vouched(api, "card", "SH00012345").get_json()["proof"]
    for step in (lambda t: put(api, t, "mobile", OTHER), lambda t: link(api, t, card)):
        stamp = api.digest(column(api, member, "stamp"))
        assert step(api.token(member, stamp=stamp)).status_code == 204
    token = api.token(member, stamp=api.digest(column(api, member, "stamp")))
    (named,) = [each["id"] for each in listed(api, token) if each["kind"] == "card"]
    api.call("DELETE", f"/v1/me/identities/{named}", token)
    assert told == [
        ("password-set", "change"),
        ("address-changed", "mobile"),
        ("identity-linked", "card"),
        ("identity-unlinked", "card"),
    ]
