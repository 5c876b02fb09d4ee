"""Signing in through the hosted page, and what its tokens are worth, over the whole line."""

import time
from collections.abc import Iterator

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from bridge.cli.journey import Journey, bearer
from bridge.cli.line import Line, free_port, granian
from bridge.cli.processes import Child, wait_until
from bridge.cli.published import SANDBOX_CLIENT_SECRETS

CMS = "https://cms.sandbox.invalid"


def post(member: Journey, endpoint: str, client: str | None = None, **form: str):
    """A POST to an OAuth endpoint; public clients name themselves in the form."""
    auth = (client, SANDBOX_CLIENT_SECRETS[client]) if client else None
    return member.http.post(f"{member.line.url}/oauth/{endpoint}", data=form, auth=auth, timeout=20)


def test_the_id_token_says_who_signed_in_and_userinfo_who_that_is(member: Journey) -> None:
    """joserfc verifies it with the published key; the CRM's names come with userinfo alone."""
    found = member.http.get(f"{member.line.url}/.well-known/openid-configuration").json()
    keys = KeySet.import_key_set(member.http.get(found["jwks_uri"]).json())
    claims = jwt.decode(member.tokens["id_token"], keys, algorithms=["ES256"]).claims
    expected = {"iss": member.line.url, "aud": "portal", "amr": ["pwd"], "acr": "aal1"}
    assert {name: claims[name] for name in expected} == expected
    info = member.http.get(found["userinfo_endpoint"], headers=member.authorized()).json()
    assert info["sub"] == claims["sub"]
    assert info["given_name"] == member.member.given_name
    assert info["family_name"] == member.member.family_name
    assert set(info) <= {"sub", "name", "given_name", "family_name", "locale"}


def test_a_resource_server_is_told_of_the_tokens_that_name_it(member: Journey) -> None:
    """The CMS sees a member without a name; a revoked token is not active."""
    token = member.tokens["access_token"]
    seen = post(member, "introspect", "cms", token=token).json()
    assert (seen["active"], seen["aud"], seen["client_id"]) == (True, CMS, "portal")
    assert post(member, "introspect", "site", token=token).json() == {"active": False}
    member.sign_out()
    assert post(member, "introspect", "cms", token=token).json() == {"active": False}


def test_a_spent_refresh_token_ends_the_session(member: Journey) -> None:
    """Two rotations on, the first token is reuse: all that came of it is dead."""
    first = member.tokens["refresh_token"]
    member.refresh()
    member.refresh()
    again = post(
        member, "token", grant_type="refresh_token", refresh_token=first, client_id="portal"
    )
    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    me = member.http.get(f"{member.line.url}/v1/me", headers=member.authorized())
    assert me.status_code == 401


def test_logout_at_the_site_ends_the_browsers_session(member: Journey) -> None:
    """RP-initiated logout: back at the client's own page, and the tokens are over."""
    site = member.site
    answer = site.get(
        f"{member.line.url}/oauth/logout",
        params={
            "id_token_hint": member.tokens["id_token"],
            "post_logout_redirect_uri": "http://127.0.0.1:8765/",
            "state": "s",
        },
        allow_redirects=False,
    )
    assert answer.headers["Location"] == "http://127.0.0.1:8765/?state=s"
    me = member.http.get(f"{member.line.url}/v1/me", headers=member.authorized())
    assert me.status_code == 401


@pytest.fixture
def second(line: Line) -> Iterator[str]:
    """Another web process on the same Redis; gives its URL."""
    port = free_port()
    child = Child(
        "web-2", granian("wsgi:app", port, 1), line.environ("web"), line.directory / "web-2.log"
    )
    url = f"http://127.0.0.1:{port}"

    def ready() -> bool:
        try:
            return requests.get(f"{url}/readyz", timeout=2).status_code == 200
        except requests.RequestException:
            return False

    try:
        wait_until(ready, 30, "the second web server", child)
        yield url
    finally:
        child.stop()


def test_a_revocation_in_one_process_is_known_in_the_other_at_once(
    member: Journey, second: str
) -> None:
    """The other process had the token in its memory; a quarter of a second later it refuses it."""
    headers = bearer(member.tokens["access_token"])
    for _ in range(3):
        assert member.http.get(f"{second}/v1/me", headers=headers).status_code == 200
        time.sleep(0.1)
    post(member, "revoke", token=member.tokens["refresh_token"], client_id="portal")
    time.sleep(0.25)
    assert member.http.get(f"{second}/v1/me", headers=headers).status_code == 401
