"""The clients' file: all mistakes at once, by place, and nothing quoted."""

import hashlib

import pytest
import yaml
from joserfc.jwk import ECKey

from bridge.services.clients import ClientTrouble, is_redirect, load

SECRET = "s" * 43
HASH = "sha256:" + hashlib.sha256(SECRET.encode()).hexdigest()
PORTAL = {
    "client_id": "portal",
    "name": {"en": "Portal"},
    "type": "confidential",
    "secret": HASH,
    "redirect_uris": ["https://www.example.com/cb"],
    "grant_types": ["authorization_code", "refresh_token"],
    "scopes": ["openid", "member:read"],
    "first_party": True,
}


@pytest.fixture
def read(tmp_path):
    def call(*entries):
        path = tmp_path / "clients.yaml"
        path.write_text(yaml.safe_dump({"clients": list(entries)}))
        return load(path)

    return call


def test_a_client_is_read_as_written(read):
    """A confidential client with its defaults."""
    client = read(PORTAL).get("portal")
    assert (client.public, client.sector, client.leeway, client.audience) == (
        False,
        "portal",
        0,
        None,
    )
    assert client.secret_holds(SECRET)
    assert not client.secret_holds(SECRET + "x")
    assert not client.secret_holds("")
    assert read(PORTAL).get("other") is None
    assert read(PORTAL).redirect_uris("other") == ()


def test_a_public_client_has_no_secret_that_could_hold(read):
    """Not even the empty one, or what stands for none."""
    public = read({**PORTAL, "type": "public", "secret": ""}).get("portal")
    assert not any(public.secret_holds(secret) for secret in ("", "-"))


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"secret": ""}, "clients.0.secret"),
        ({"secret": SECRET}, "clients.0.secret"),
        ({"type": "public"}, "clients.0.secret"),
        ({"type": "public", "secret": "", "grant_types": ["client_credentials"]}, "grant_types"),
        ({"redirect_uris": []}, "clients.0.redirect_uris"),
        ({"redirect_uris": ["http://www.example.com/cb"]}, "clients.0.redirect_uris.0"),
        ({"grant_types": ["refresh_token"], "redirect_uris": []}, "clients.0.grant_types"),
        ({"grant_types": ["password"]}, "clients.0.grant_types.0"),
        ({"grant_types": ["implicit"]}, "clients.0.grant_types.0"),
        ({"scopes": ["admin"]}, "clients.0.scopes.0"),
        ({"scopes": ["registrations:write"]}, "clients.0.scopes"),
        ({"first_party": False}, "clients.0.first_party"),
        ({"client_id": "a b"}, "clients.0.client_id"),
        ({"leeway": 61}, "clients.0.leeway"),
        ({"cors_origins": ["https://www.example.com/"]}, "clients.0.cors_origins.0"),
        ({"cors_origins": ["*"]}, "clients.0.cors_origins.0"),
        ({"whatever": 1}, "clients.0.whatever"),
    ],
)
def test_each_mistake_is_named_by_its_place(read, change, place):
    """Unknown keys, loose redirect URIs, wrong combinations: refused, and the secret not shown."""
    with pytest.raises(ClientTrouble) as caught:
        read({**PORTAL, **change})
    assert any(place in problem for problem in caught.value.problems)
    assert SECRET not in str(caught.value)


def test_all_mistakes_come_at_once(read):
    """One run tells everything that is wrong, in every client."""
    with pytest.raises(ClientTrouble) as caught:
        read({**PORTAL, "scopes": ["admin"], "type": "x"}, {**PORTAL, "leeway": -1})
    assert len(caught.value.problems) == 3


def test_an_id_is_given_once(read):
    """Two clients of one id are a mistake."""
    with pytest.raises(ClientTrouble):
        read(PORTAL, PORTAL)


@pytest.mark.parametrize("text", ["{", "clients: 3", "x: 1", "- a"])
def test_a_file_that_is_none_is_trouble(tmp_path, text):
    """Broken YAML and another shape are said in words."""
    path = tmp_path / "clients.yaml"
    path.write_text(text)
    for place in (path, tmp_path / "missing.yaml"):
        with pytest.raises(ClientTrouble):
            load(place)


@pytest.mark.parametrize(
    ("uri", "good"),
    [
        ("https://www.example.com/cb", True),
        ("https://www.example.com/cb?brand=1", True),
        ("http://127.0.0.1:8080/cb", True),
        ("http://[::1]/cb", True),
        ("com.example.app:/cb", True),
        ("http://www.example.com/cb", False),
        ("https://www.example.com/cb#x", False),
        ("https://*.example.com/cb", False),
        ("https://user@www.example.com/cb", False),
        ("https://", False),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("https://www.example.com:port/cb", False),
        ("https://www.example.com/a b", False),
        ("/cb", False),
    ],
)
def test_only_safe_redirect_uris_can_be_registered(uri, good):
    """https, loopback, or an app's own reversed domain (RFC 8252)."""
    assert is_redirect(uri) is good


SHOP = {
    **{name: value for name, value in PORTAL.items() if name != "redirect_uris"},
    "client_id": "shop",
    "bff": {
        "origins": ["https://shop.example.com"],
        "return_to": ["https://shop.example.com/account?tab=1"],
    },
}


def test_a_bff_has_its_callback_at_the_issuer(read):
    """The operator doesn't write it, and other clients keep theirs."""
    served = read(SHOP, PORTAL).at("https://members.example.com")
    assert served.redirect_uris("shop") == ("https://members.example.com/bff/callback",)
    assert served.redirect_uris("portal") == ("https://www.example.com/cb",)


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"redirect_uris": ["https://www.example.com/cb"]}, "clients.0.redirect_uris"),
        ({"type": "public", "secret": ""}, "clients.0.bff"),
        ({"scopes": ["member:read"]}, "clients.0.bff"),
        ({"grant_types": ["authorization_code"]}, "clients.0.bff"),
        ({"bff": {**SHOP["bff"], "origins": ["https://shop.example.com/"]}}, "clients.0.bff.ori"),
        ({"bff": {**SHOP["bff"], "return_to": []}}, "clients.0.bff.return_to"),
        ({"bff": {**SHOP["bff"], "return_to": ["https://evil.example.com/"]}}, "clients.0.bff.ret"),
    ],
)
def test_a_bff_is_a_whole_client_on_its_own_origins(read, change, place):
    """A secret, refresh, an id_token; a sign-in ends on the site itself."""
    with pytest.raises(ClientTrouble) as trouble:
        read({**SHOP, **change})
    assert [problem for problem in trouble.value.problems if problem.startswith(place)]


def test_an_origin_is_one_sites_alone(read):
    """A call's origin tells whose session it is."""
    with pytest.raises(ClientTrouble):
        read(SHOP, {**SHOP, "client_id": "stall"})


APP = {**PORTAL, "type": "public", "secret": "", "challenge": ["password"]}


@pytest.mark.parametrize(
    "change",
    [
        {"cors_origins": ["https://www.example.com"]},
        {"grant_types": [], "redirect_uris": [], "scopes": []},
        {"challenge": ["pigeon"]},
    ],
)
def test_a_challenge_is_for_apps(read, change):
    """Not beside a browser's origins; with or without redirect URIs; known steps only."""
    assert read(APP).get("portal").challenge == {"password"}
    assert read({**APP, "redirect_uris": []}).get("portal").challenge == {"password"}
    with pytest.raises(ClientTrouble) as trouble:
        read({**APP, **change})
    assert any("challenge" in problem for problem in trouble.value.problems)


def test_a_bff_has_no_challenge(read):
    """Its pages are in a browser."""
    with pytest.raises(ClientTrouble):
        read({**SHOP, "challenge": ["password"]})


DESK = {
    **{name: value for name, value in PORTAL.items() if name != "redirect_uris"},
    "grant_types": ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
}


def test_a_device_client_is_first_party(read):
    """It refreshes without a redirect URI; nobody else's may have it."""
    assert read(DESK).redirect_uris("portal") == ()
    with pytest.raises(ClientTrouble):
        read({**DESK, "first_party": False})


KEYS = [{**ECKey.generate_key("P-256").as_dict(private=False), "kid": "k"}]
SIGNING = {**PORTAL, "secret": "", "jwks": KEYS}


def test_a_client_has_a_secret_or_keys(read):
    """Not both, not neither; an old secret only beside a new one."""
    assert read(SIGNING).get("portal").jwks == tuple(KEYS)
    assert not read(SIGNING).get("portal").secret_holds("")
    for wrong, place in (
        ({"secret": HASH}, "clients.0.secret"),
        ({"jwks": []}, "clients.0.secret"),
        ({"type": "public"}, "clients.0.secret"),
        ({"previous_secret": HASH}, "clients.0.previous_secret"),
        ({"jwks": [{"kty": "oct"}]}, "clients.0.jwks"),
    ):
        with pytest.raises(ClientTrouble) as trouble:
            read({**SIGNING, **wrong})
        assert [problem for problem in trouble.value.problems if problem.startswith(place)]


def test_the_secret_before_holds_while_it_is_being_replaced(read):
    """Both do."""
    other = "sha256:" + hashlib.sha256(b"before").hexdigest()
    client = read({**PORTAL, "previous_secret": other}).get("portal")
    assert client.secret_holds(SECRET) and client.secret_holds("before")
    assert not client.secret_holds("other")
