"""The authority and the application users, driven by MSAL and by plain requests."""

import base64
import time
from pathlib import Path

import msal
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.sandbox.dataverse import Crm, problem


def msal_app(ready, credential):
    """A real MSAL application that trusts the sandbox's CA and nothing of the environment."""
    session = requests.Session()
    session.trust_env = False
    session.verify = ready["ca_file"]
    return msal.ConfidentialClientApplication(
        ready["client_id"],
        client_credential=credential,
        authority=ready["authority"],
        instance_discovery=False,
        http_client=session,
    )


@pytest.mark.parametrize("kind", ["secret", "certificate"])
def test_msal_gets_a_token_that_works(crm, kind):
    """MSAL signs in by secret and by certificate, and the token opens the Web API."""
    ready = crm.ready
    pfx = {"private_key_pfx_path": ready["pfx_file"], "public_certificate": True}
    app = msal_app(ready, ready["client_secret"] if kind == "secret" else pfx)
    answer = app.acquire_token_for_client([f"{ready['url']}/.default"])
    assert answer["expires_in"] == 3600
    told = crm.get("WhoAmI", Authorization=f"Bearer {answer['access_token']}")
    assert told.status_code == 200
    assert crm.control("state", method="GET")["tokens"]["calls"] == {"writer": 1}


def test_a_foreign_certificate_is_refused(crm, tmp_path):
    """An assertion signed by a key that isn't registered gives invalid_client."""
    key = RSAKey.import_key(rsa.generate_private_key(public_exponent=65537, key_size=2048))
    client_id = crm.ready["client_id"]
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": f"{crm.ready['authority']}/oauth2/v2.0/token",
    }
    answer = crm.ask_token(
        client_id=client_id,
        client_assertion_type="urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion=jwt.encode({"alg": "RS256"}, claims | {"exp": 9999999999}, key),
    )
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [700027])


@pytest.mark.parametrize(
    ("change", "status", "error", "number"),
    [
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": ""}, 401, "invalid_client", 7000218),
        ({"client_id": "0" * 8}, 400, "unauthorized_client", 700016),
        ({"scope": "https://elsewhere.example/.default"}, 400, "invalid_resource", 500011),
        ({"scope": "user_impersonation"}, 400, "invalid_scope", 70011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
        ({"tenant": "nobody"}, 400, "invalid_request", 90002),
    ],
)
def test_the_authority_refuses_as_entra_does(crm, change, status, error, number):
    """Each wrong part of a token request has its error and its AADSTS number."""
    answer = crm.ask_token(**(crm.ready["writer"] | change))
    told = answer.json()
    assert (answer.status_code, told["error"], told["error_codes"]) == (status, error, [number])
    assert told["error_description"].startswith(f"AADSTS{number}")


def test_the_secret_may_come_as_basic(crm):
    """client_secret_basic works, as Authlib's client sends it."""
    pair = f"{crm.ready['client_id']}:{crm.ready['client_secret']}"
    url = f"{crm.ready['authority']}/oauth2/v2.0/token"
    form = {"grant_type": "client_credentials", "scope": f"{crm.root}/.default"}
    coded = base64.b64encode(pair.encode()).decode()
    answer = crm.http.post(url, data=form, headers={"Authorization": f"Basic {coded}"})
    assert answer.json()["token_type"] == "Bearer"


def test_an_absent_or_expired_token_is_401(crm):
    """Without a token, or an hour after it was issued, the challenge names the authority."""
    assert crm.get("WhoAmI").status_code == 200
    crm.control("clock", {"advance": 3601})
    for headers in ({}, {"Authorization": "Bearer nonsense"}):
        answer = crm.get("WhoAmI", **headers)
        assert answer.status_code == 401
        challenge = answer.headers["WWW-Authenticate"]
        assert challenge.startswith(f"Bearer authorization_uri={crm.ready['authority']}")
        assert f"resource_id={crm.root}/" in challenge


def test_lifetime_and_expiry_are_set_by_the_control_plane(crm):
    """Tests can shorten tokens and end those issued."""
    crm.control("tokens", {"lifetime": 60})
    assert crm.ask_token(**crm.ready["reader"]).json()["expires_in"] == 60
    crm.control("tokens", {"expire": True})
    assert crm.get("WhoAmI").status_code == 401


def test_a_registration_without_application_user_is_403(crm):
    """The stranger gets a token and then 0x80072560."""
    assert problem(Crm(crm.ready, "stranger").get("WhoAmI")) == (403, "0x80072560")


def test_the_reader_reads_and_does_nothing_else(crm):
    """The reader's role has read on all tables: create, write and delete are 0x80040220."""
    row = crm.make(firstname="A")
    reader = Crm(crm.ready, "reader")
    assert reader.get(f"contacts({row})").status_code == 200
    for call in (
        ("POST", "contacts", {"firstname": "B"}),
        ("PATCH", f"contacts({row})", {"firstname": "B"}),
        ("PUT", f"contacts({row})/firstname", {"value": "B"}),
        ("DELETE", f"contacts({row})/firstname"),
        ("DELETE", f"contacts({row})"),
    ):
        assert problem(reader.call(*call)) == (403, "0x80040220")
    assert crm.get(f"contacts({row})").json()["firstname"] == "A"


def test_a_secured_column_is_null_without_the_profile(crm):
    """Column security: who isn't in the profile reads null, filters on null and can't write."""
    row = crm.make(cb_credential="hash")
    reader = Crm(crm.ready, "reader")
    assert reader.get(f"contacts({row})").json()["cb_credential"] == "hash"
    crm.control("users", {"reader": {"secured": False}, "writer": {"secured": False}})
    assert reader.get(f"contacts({row})").json()["cb_credential"] is None
    assert reader.get(f"contacts({row})/cb_credential").status_code == 204
    assert not reader.rows("contacts?$filter=startswith(cb_credential,'h')")
    answer = crm.call("PATCH", f"contacts({row})", {"cb_credential": "x"})
    assert problem(answer)[0] == 403


def test_whoami_in_both_forms_names_the_application_user(crm):
    """WhoAmI and WhoAmI() are the same; RetrieveVersion answers too."""
    first, second = crm.get("WhoAmI").json(), crm.get("WhoAmI()").json()
    assert first == second
    assert crm.get(f"systemusers({first['UserId']})").json()["fullname"] == "# bridge writer"
    assert crm.get("RetrieveVersion()").json()["Version"].startswith("9.2.")
    assert {"name": "contacts", "kind": "EntitySet", "url": "contacts"} in crm.rows("")


@pytest.mark.parametrize(
    ("change", "number"),
    [({"aud": "https://elsewhere"}, 700027), ({"sub": "x"}, 700027), ({"exp": 1}, 700024)],
)
def test_an_assertion_for_elsewhere_or_of_yesterday_is_refused(crm, change, number):
    """The registered certificate's signature isn't enough: audience, subject and time count."""
    key = RSAKey.import_key(Path(crm.ready["key_file"]).read_text())
    client_id = crm.ready["client_id"]
    audience = f"{crm.ready['authority']}/oauth2/v2.0/token"
    claims = {"iss": client_id, "sub": client_id, "aud": audience, "exp": time.time() + 60}
    form = {
        "client_id": client_id,
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    }
    good = jwt.encode({"alg": "RS256"}, claims, key)
    assert crm.ask_token(client_assertion=good, **form).status_code == 200
    bad = jwt.encode({"alg": "RS256"}, claims | change, key)
    answer = crm.ask_token(client_assertion=bad, **form)
    assert (answer.status_code, answer.json()["error_codes"]) == (401, [number])


def test_each_privilege_is_asked_for(crm):
    """Reading a set, expanding into a table and binding a lookup need their privileges."""
    contact = crm.make(firstname="A")
    row = crm.make("cb_identities", **{"cb_Member@odata.bind": f"/contacts({contact})"})
    crm.control("users", {"reader": {"privileges": {"cb_identity": ["Read"]}}})
    reader = Crm(crm.ready, "reader")
    assert reader.get(f"cb_identities({row})").status_code == 200
    for path in ("contacts", f"contacts({contact})", f"cb_identities({row})?$expand=cb_Member"):
        assert problem(reader.get(path)) == (403, "0x80040220")
    held = {"cb_identity": ["Read", "Create", "Append"], "contact": ["Read"]}
    crm.control("users", {"writer": {"privileges": held}})
    answer = crm.call("POST", "cb_identities", {"cb_Member@odata.bind": f"/contacts({contact})"})
    assert problem(answer) == (403, "0x80040220")
