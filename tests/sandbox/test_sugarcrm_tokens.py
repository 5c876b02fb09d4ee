"""Sugar's tokens: one set for a user and a platform, and which refusal means what."""

import json

import pytest

from tests.sandbox.sugar import Sugar, label


def test_the_reply_has_what_the_documents_list(sugar):
    """access_token, expires_in, token_type, scope, refresh_token, refresh_expires_in and more."""
    answer = sugar.token()
    assert answer.status_code == 200
    assert set(answer.json()) == {
        "access_token",
        "expires_in",
        "token_type",
        "scope",
        "refresh_token",
        "refresh_expires_in",
        "download_token",
    }
    assert answer.json()["token_type"] == "bearer"


@pytest.mark.parametrize("path", ["/v11_24/oauth2/token", "/v10/oauth2/token/"])
@pytest.mark.parametrize("form", ["form", "json", "bare"])
def test_a_login_may_be_a_form_or_json(sugar, path, form):
    """Also with a slash at the end, and JSON without a content type."""
    sent = {
        "form": {"data": sugar.login},
        "json": {"json": sugar.login},
        "bare": {"data": json.dumps(sugar.login).encode()},
    }
    answer = sugar.http.post(f"{sugar.root}/rest{path}", timeout=10, **sent[form])
    assert answer.status_code == 200


def test_a_second_login_ends_the_first(sugar, sugarcrm):
    """The same user and platform: the first token is invalid_grant; another platform lives on."""
    other = Sugar(sugarcrm, platform="mobile")
    second = Sugar(sugarcrm)
    assert label(sugar.call("GET", "me")) == (401, "invalid_grant")
    assert second.call("GET", "me").status_code == 200
    assert other.call("GET", "me").status_code == 200


def test_another_user_on_the_same_platform_lives_on(sugar, sugarcrm):
    """The session is a user's and a platform's together."""
    Sugar(sugarcrm, "writer")
    assert sugar.call("GET", "me").status_code == 200


def test_a_refresh_ends_the_earlier_set(sugar):
    """Both its tokens; `platform` need not be repeated, and may be."""
    first = sugar.set
    second = sugar.refresh(first["refresh_token"]).json()
    assert label(sugar.call("GET", "me")) == (401, "invalid_grant")
    assert label(sugar.refresh(first["refresh_token"])) == (401, "invalid_grant")
    third = sugar.refresh(second["refresh_token"], platform=sugar.login["platform"])
    assert third.status_code == 200


def test_no_token_is_need_login(sugar):
    """A client logs in then, and refreshes at invalid_grant."""
    sugar.http.headers.pop("OAuth-Token")
    assert label(sugar.call("GET", "me")) == (401, "need_login")
    answer = sugar.call("GET", "me", headers={"OAuth-Token": "nonsense"})
    assert label(answer) == (401, "invalid_grant")


def test_an_expired_token_is_invalid_grant(sugar):
    """By the clock, and its refresh token is still good."""
    sugar.control("clock", {"advance": 3601})
    assert label(sugar.call("GET", "me")) == (401, "invalid_grant")
    assert sugar.refresh(sugar.set["refresh_token"]).status_code == 200


def test_an_expired_refresh_token_is_refused(sugar):
    """After two weeks."""
    sugar.control("clock", {"advance": 1209601})
    assert label(sugar.refresh(sugar.set["refresh_token"])) == (401, "invalid_grant")


def test_lifetimes_are_an_administrators(sugar):
    """A client never counts on 3600."""
    sugar.control("settings", {"access_lifetime": 60, "refresh_lifetime": 120})
    answer = sugar.token().json()
    assert (answer["expires_in"], answer["refresh_expires_in"]) == (60, 120)


def test_an_unknown_platform_is_refused_when_the_switch_is_on(sugar):
    """And taken when it is off."""
    assert label(sugar.token(platform="nobody-registered")) == (422, "invalid_parameter")
    sugar.control("settings", {"disable_unknown_platforms": False})
    assert sugar.token(platform="nobody-registered").status_code == 200


def test_a_wrong_password_is_refused_as_set(sugar):
    """Which status and label is a knob: nobody could verify it."""
    assert label(sugar.token(password="wrong")) == (401, "need_login")
    sugar.control("settings", {"wrong_password": "400 invalid_grant"})
    assert label(sugar.token(password="wrong")) == (400, "invalid_grant")


def test_a_key_with_a_secret_is_checked(sugar):
    """The key `sugar` has none; an unknown key is refused."""
    good = {"client_id": "crm_bridge", "client_secret": "crm-bridge-key-secret"}
    assert sugar.token(**good).status_code == 200
    assert label(sugar.token(client_id="crm_bridge")) == (401, "invalid_client")
    assert label(sugar.token(client_id="nobody")) == (401, "invalid_client")


@pytest.mark.parametrize("grant", ["client_credentials", "authorization_code", ""])
def test_there_are_two_grants(sugar, grant):
    """The documents know password and refresh_token; what another does is not guessed."""
    assert label(sugar.token(grant_type=grant)) == (501, "not_played")


def test_bearer_is_taken_too(sugar):
    """Some clients send Authorization instead of OAuth-Token."""
    token = sugar.http.headers.pop("OAuth-Token")
    headers = {"Authorization": f"Bearer {token}"}
    assert sugar.call("GET", "me", headers=headers).status_code == 200


@pytest.mark.parametrize("sent", [None, [], {"token": "x", "refresh_token": "y"}])
def test_logout(sugar, sent):
    """With nothing, `[]`, or tokens in the body; the access token ends."""
    answer = sugar.call("POST", "oauth2/logout", sent)
    assert (answer.status_code, answer.json()) == (200, {"success": True})
    assert label(sugar.call("GET", "me")) == (401, "invalid_grant")


def test_sudo(sugar, sugarcrm):
    """An administrator gets a token as another user, besides the own one and without a refresh."""
    reader = Sugar(sugarcrm, "reader")
    answer = sugar.call("POST", "oauth2/sudo/reader").json()
    assert "refresh_token" not in answer
    headers = {"OAuth-Token": answer["access_token"]}
    me = sugar.call("GET", "me", headers=headers).json()["current_user"]
    assert me["user_name"] == "reader"
    assert sugar.call("GET", "me").json()["current_user"]["user_name"] == "admin"
    assert reader.call("GET", "me").status_code == 200
    writer = Sugar(sugarcrm, "writer")
    assert label(writer.call("POST", "oauth2/sudo/admin")) == (403, "not_authorized")


def test_control_of_tokens(sugar):
    """expire leaves the refresh tokens, forget leaves nothing; asked for are counted."""
    sugar.control("tokens", {"expire": True})
    assert label(sugar.call("GET", "me")) == (401, "invalid_grant")
    fresh = sugar.refresh(sugar.set["refresh_token"]).json()
    sugar.control("tokens", {"forget": True})
    assert label(sugar.refresh(fresh["refresh_token"])) == (401, "invalid_grant")
    assert sugar.state()["tokens"]["living"] == 0


PORTAL = {"client_id": "support_portal", "platform": "portal", "username": "zoe", "password": "pw"}


def member(sugar, **changes):
    """A contact who may sign in to the portal."""
    sugar.make(last_name="Z", portal_name="zoe", portal_password="pw", portal_active=True)
    return sugar.token(**(PORTAL | changes))


def test_a_contact_proves_a_password_by_the_token_call(sugar):
    """A session of its own; what it could do in the portal isn't played."""
    answer = member(sugar)
    assert answer.status_code == 200
    headers = {"OAuth-Token": answer.json()["access_token"]}
    me = sugar.call("GET", "me", headers=headers).json()["current_user"]
    assert me["type"] == "support_portal"
    assert label(sugar.call("GET", "Contacts", headers=headers)) == (501, "not_played")
    assert sugar.call("POST", "oauth2/logout", headers=headers).json() == {"success": True}
    assert label(sugar.call("GET", "me", headers=headers)) == (401, "invalid_grant")
    assert sugar.call("GET", "me").status_code == 200


@pytest.mark.parametrize("wrong", [{"password": "other"}, {"username": "nobody"}])
def test_a_wrong_portal_password_is_refused(sugar, wrong):
    """As a user's is."""
    assert label(member(sugar, **wrong)) == (401, "need_login")


def test_an_inactive_portal_user_is_refused(sugar):
    """Where the password is right, and a person has not ticked Portal Active."""
    sugar.make(last_name="Z", portal_name="zoe", portal_password="pw")
    assert label(sugar.token(**PORTAL)) == (403, "inactive_portal_user")


def test_a_portal_that_is_not_enabled(sugar):
    """It refuses everybody."""
    sugar.control("settings", {"portal_enabled": False})
    assert label(member(sugar)) == (403, "portal_not_configured")
