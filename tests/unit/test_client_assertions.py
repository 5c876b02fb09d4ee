"""Clients that sign instead of sending a secret, and secrets that are being replaced, over HTTP."""

import secrets

import pytest
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import ECKey, OctKey, OKPKey, RSAKey

from bridge.oauth.assertions import TYPE
from bridge.seal import b64
from bridge.services.client_keys import trouble
from tests.support.oauth_site import ODD_SECRET, SECRET, SIGNER, served
from tests.support.tokens import at_once, tokens_server, web


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    with (
        tokens_server(tmp_path_factory.mktemp("tokens") / "t") as server,
        served(web(server)) as running,
    ):
        yield running


def claims(site, **changes):
    """What a good assertion says, with changes; None leaves a claim out."""
    given = {
        "iss": "signer",
        "sub": "signer",
        "aud": site.issuer,
        "exp": int(site.clock()) + 60,
        "jti": secrets.token_urlsafe(16),
        **changes,
    }
    return {name: value for name, value in given.items() if value is not None}


def signed(given, key=SIGNER, **header):
    """A JWT."""
    return jwt.encode({"alg": "ES256", "kid": "s1", **header}, given, key, algorithms=None)


def ask(site, assertion, endpoint="token", **form):
    """A request that authenticates by `assertion`."""
    form = {"grant_type": "client_credentials", **form}
    return site.post(
        endpoint, None, {"client_assertion_type": TYPE, "client_assertion": assertion, **form}
    )


def refused(answer):
    """One answer for every reason."""
    assert answer.status_code == 401, answer.text
    return answer.json()["error"] == "invalid_client"


def test_a_client_that_signs_gets_its_own_narrow_token(site):
    """private_key_jwt, with and without its id beside it; its scope and no more."""
    token = ask(site, signed(claims(site))).json()
    assert (token["token_type"], token["scope"]) == ("Bearer", "registrations:write")
    assert "refresh_token" not in token
    assert ask(site, signed(claims(site)), client_id="signer").ok
    wide = ask(site, signed(claims(site)), scope="member:read")
    assert (wide.status_code, wide.json()["error"]) == (400, "invalid_scope")


def test_authlibs_own_client_signs_in(site):
    """A client that others wrote, told to name the issuer."""
    client = OAuth2Session("signer", SIGNER, token_endpoint_auth_method="private_key_jwt")
    client.trust_env = False
    by = PrivateKeyJWT(site.issuer, alg="ES256", headers={"kid": "s1"})
    client.register_client_auth_method(by)
    assert client.fetch_token(site.issuer + "/oauth/token")["scope"] == "registrations:write"


def test_it_may_introspect_as_well(site):
    """The same way of authentication at every endpoint."""
    answer = ask(site, signed(claims(site)), "introspect", token="unknown")
    assert answer.json() == {"active": False}


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "till"},
        {"iss": "nobody"},
        {"iss": None},
        {"sub": "till"},
        {"aud": "https://elsewhere.example.com"},
        {"aud": None},
        {"exp": None},
        {"exp": 1},
        {"exp": 4_000_000_000},
        {"exp": "soon"},
        {"nbf": 4_000_000_000},
        {"iat": 4_000_000_000},
        {"jti": None},
        {"jti": "short"},
        {"jti": 7},
    ],
)
def test_an_assertion_that_is_wrong_in_one_claim_is_refused(site, changes):
    """RFC 7523 section 3; the audience is our issuer and nothing else."""
    assert refused(ask(site, signed(claims(site, **changes))))


def test_the_audience_is_the_issuer_alone(site):
    """Neither the token endpoint nor a list (rfc7523bis)."""
    for audience in (site.issuer + "/oauth/token", [site.issuer], [site.issuer, "https://x"]):
        assert refused(ask(site, signed(claims(site, aud=audience))))


def test_a_signature_of_another_key_or_kind_is_refused(site):
    """Another key under the same `kid`; our public key as a shared secret; no signature at all."""
    other = ECKey.generate_key("P-256", {"kid": "s1"})
    assert refused(ask(site, signed(claims(site), other)))
    shared = OctKey.import_key(SIGNER.as_dict(private=False)["x"])
    given = jwt.encode({"alg": "HS256", "kid": "s1"}, claims(site), shared, algorithms=["HS256"])
    assert refused(ask(site, given))
    head, body, _ = signed(claims(site)).split(".")
    assert refused(ask(site, f"{head}.{body}."))
    for junk in ("", "x", "a.b.c", "é.é.é", "e30.e30.", "eyJhbGciOiJub25lIn0.e30."):
        assert refused(ask(site, junk))


def test_an_assertion_is_good_once(site):
    """Whoever heard it can't use it: a hundred uses give one token."""
    assertion = signed(claims(site))
    answers = at_once(100, lambda: ask(site, assertion))
    assert sum(answer.ok for answer in answers) == 1
    assert all(refused(answer) for answer in answers if not answer.ok)


def test_one_way_of_authentication_at_a_time(site):
    """RFC 6749 section 2.3."""
    assertion = signed(claims(site))
    both = ask(site, assertion, client_secret=SECRET)
    assert (both.status_code, both.json()["error"]) == (400, "invalid_request")
    form = {"client_assertion_type": TYPE, "client_assertion": assertion}
    form["grant_type"] = "client_credentials"
    basic = site.post("token", None, form, auth=("till", SECRET))
    assert (basic.status_code, basic.json()["error"]) == (400, "invalid_request")
    assert refused(ask(site, signed(claims(site)), client_id="till"))
    assert refused(ask(site, signed(claims(site)), client_assertion_type="urn:x"))


def test_a_client_with_keys_has_no_secret(site):
    """Nor is it public."""
    form = {"grant_type": "client_credentials", "client_id": "signer"}
    assert refused(site.post("token", None, form))
    assert refused(site.post("token", None, form | {"client_secret": "-"}))


def test_two_secrets_hold_while_one_is_replaced(site):
    """The old and the new; no third."""
    form = {"token": "unknown", "client_id": "renewed"}
    for secret in (SECRET, ODD_SECRET):
        assert site.post("revoke", None, form | {"client_secret": secret}).ok
    assert refused(site.post("revoke", None, form | {"client_secret": "another"}))


def public(key):
    """Of a key, with a kid."""
    return {**key.as_dict(private=False), "kid": "k"}


def weak_rsa():
    """A public key of 1024 bits."""
    n = rsa.generate_private_key(65537, 1024).public_key().public_numbers().n  # noqa: S505
    return {"kty": "RSA", "kid": "k", "e": "AQAB", "n": b64(n.to_bytes(128, "big"))}


@pytest.mark.filterwarnings("ignore:Key size")
@pytest.mark.parametrize(
    ("keys", "good"),
    [
        ([public(ECKey.generate_key("P-256"))], True),
        ([public(OKPKey.generate_key("Ed25519"))], True),
        ([public(RSAKey.generate_key(2048))], True),
        ([weak_rsa()], False),
        ([public(ECKey.generate_key("P-384"))], False),
        ([public(OKPKey.generate_key("X25519"))], False),
        ([{**ECKey.generate_key("P-256").as_dict(private=True), "kid": "k"}], False),
        ([OctKey.generate_key(256).as_dict() | {"kid": "k"}], False),
        ([SIGNER.as_dict(private=False), SIGNER.as_dict(private=False)], False),
        ([{"kty": "EC", "kid": "k"}], False),
        ([{"kid": "k"}], False),
        (["k"], False),
        ([], False),
    ],
)
def test_only_strong_public_keys_can_be_registered(keys, good):
    """And each has a `kid` of its own."""
    assert (trouble(keys) is None) is good
