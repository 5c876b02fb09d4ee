"""Sugar's token pair: which grant is asked for when, and that the pair is kept whole."""

import json
import threading

import pytest

from adapters.errors import BadCredentials, BadMapping, Malformed, Throttled
from adapters.http import Answer
from adapters.kept import EARLY
from adapters.sugarcrm.options import read
from adapters.sugarcrm.tokens import Tokens
from tests.unit.test_adapter_tokens import Kept, soon

OPTIONS = read(
    {"url": "https://crm.example.com", "platform": "crm_bridge"},
    {"username": "bridge", "password": "canary"},
)
INVALID_GRANT = Answer(401, {}, b'{"error": "invalid_grant"}')
NEED_LOGIN = Answer(401, {}, b'{"error": "need_login"}')


class Sugar:
    """One live pair for the user and platform, as Sugar has it; `refuses` refreshes where told."""

    def __init__(self, lifetime=3600):
        self.asked = []
        self.number, self.lifetime, self.refuses = 0, lifetime, False

    def exchange(self, method, url, headers, body, end):
        """As Wire.exchange."""
        assert (method, url) == ("POST", "https://crm.example.com/rest/v11_10/oauth2/token")
        sent = json.loads(body)
        self.asked.append(sent)
        spent = sent.get("refresh_token", f"r{self.number}") != f"r{self.number}"
        if sent["grant_type"] == "refresh_token" and (spent or self.refuses):
            return INVALID_GRANT
        self.number += 1
        pair = {
            "access_token": f"a{self.number}",
            "refresh_token": f"r{self.number}",
            "expires_in": self.lifetime,
            "refresh_expires_in": 1209600,
        }
        return Answer(200, {}, json.dumps(pair).encode())

    @property
    def grants(self):
        """What was asked for so far."""
        return [sent["grant_type"] for sent in self.asked]


def test_a_login_names_the_platform():
    """On `base` every browser's login would end ours; the key is Sugar's own by default."""
    sugar = Sugar()
    assert Tokens(OPTIONS, Kept(), sugar).get(soon()) == "a1"
    assert sugar.asked == [
        {
            "grant_type": "password",
            "client_id": "sugar",
            "client_secret": "",
            "platform": "crm_bridge",
            "username": "bridge",
            "password": "canary",
        }
    ]


def test_a_refused_token_is_refreshed():
    """`invalid_grant` is worth one refresh, which repeats the platform and no password."""
    sugar = Sugar()
    tokens = Tokens(OPTIONS, Kept(), sugar)
    tokens.get(soon())
    assert tokens.replace("a1", INVALID_GRANT, soon()) == "a2"
    assert sugar.grants == ["password", "refresh_token"]
    assert "password" not in sugar.asked[1]
    assert sugar.asked[1]["platform"] == "crm_bridge"


def test_no_session_means_a_login():
    """`need_login` is never answered with a refresh."""
    sugar = Sugar()
    tokens = Tokens(OPTIONS, Kept(), sugar)
    tokens.get(soon())
    assert tokens.replace("a1", NEED_LOGIN, soon()) == "a2"
    assert sugar.grants == ["password", "password"]


def test_a_refresh_that_fails_leads_to_one_login():
    """Somebody else's login ended the whole pair: one refresh, one login, no more."""
    sugar = Sugar()
    sugar.refuses = True
    tokens = Tokens(OPTIONS, Kept(), sugar)
    tokens.get(soon())
    assert tokens.replace("a1", INVALID_GRANT, soon()) == "a2"
    assert sugar.grants == ["password", "refresh_token", "password"]


def test_the_pair_is_kept_whole():
    """Another process refreshes with the token that came last, as long as that one lives."""
    sugar, cache = Sugar(), Kept()
    Tokens(OPTIONS, cache, sugar).get(soon())
    ((pair, seconds),) = cache.tokens.values()
    assert json.loads(pair)[::2] == ["a1", "r1"]
    assert seconds == 1209600
    assert Tokens(OPTIONS, cache, sugar).replace("a1", INVALID_GRANT, soon()) == "a2"
    assert Tokens(OPTIONS, cache, sugar).replace("a2", INVALID_GRANT, soon()) == "a3"
    assert sugar.grants == ["password", "refresh_token", "refresh_token"]
    assert [sent.get("refresh_token") for sent in sugar.asked] == [None, "r1", "r2"]


def test_who_comes_late_takes_what_is_there():
    """A token that another process replaced already is not refreshed again, which would end the
    new one under its hands."""
    sugar, cache = Sugar(), Kept()
    one, two = Tokens(OPTIONS, cache, sugar), Tokens(OPTIONS, cache, sugar)
    one.get(soon())
    two.get(soon())
    assert one.replace("a1", INVALID_GRANT, soon()) == "a2"
    assert two.replace("a1", INVALID_GRANT, soon()) == "a2"
    assert sugar.grants == ["password", "refresh_token"]


def test_twenty_threads_make_one_refresh():
    """However many find it refused at once."""
    sugar, cache = Sugar(), Kept()
    every = [Tokens(OPTIONS, cache, sugar) for _ in range(20)]
    assert {tokens.get(soon()) for tokens in every} == {"a1"}
    found = []
    threads = [
        threading.Thread(target=lambda t=t: found.append(t.replace("a1", INVALID_GRANT, soon())))
        for t in every
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == ["a2"] * 20
    assert sugar.grants == ["password", "refresh_token"]


def test_one_that_is_used_up_is_refreshed():
    """The access token's end is not the refresh token's: no password goes out."""
    sugar, cache = Sugar(lifetime=EARLY - 1), Kept()
    Tokens(OPTIONS, cache, sugar).get(soon())
    sugar.lifetime = 3600
    assert Tokens(OPTIONS, cache, sugar).get(soon()) == "a2"
    assert sugar.grants == ["password", "refresh_token"]


@pytest.mark.parametrize("kept", ["no json", "{}", '["a"]', '[1, "x", []]'])
def test_a_pair_that_cannot_be_read(kept):
    """What an earlier version kept is no pair: a login."""
    sugar, cache = Sugar(), Kept()
    tokens = Tokens(OPTIONS, cache, sugar)
    cache.put(tokens._name, kept, 3600)
    assert tokens.get(soon()) == "a1"


@pytest.mark.parametrize(
    ("status", "body", "kind", "code"),
    [
        (401, b'{"error":"need_login","error_message":"canary"}', BadCredentials, "need_login"),
        (401, b'{"error":"invalid_client"}', BadCredentials, "invalid_client"),
        (422, b'{"error":"invalid_parameter"}', BadCredentials, "invalid_parameter"),
        (301, b'{"error":"incorrect_version"}', BadMapping, "incorrect_version"),
        (500, b'{"error":"fatal_error","error_message":"canary"}', Malformed, "fatal_error"),
        (502, b"<html>canary", Malformed, "502"),
        (404, b"<html>canary", Malformed, "404"),
        (200, b"<html>canary", Malformed, ""),
        (200, b'{"access_token":"a"}canary', Malformed, ""),
        (200, b'{"access_token":"a\\n","expires_in":1}', Malformed, ""),
        (429, b"", Throttled, "429"),
    ],
)
def test_refusals_of_the_token_endpoint(status, body, kind, code):
    """A label is the credential's fault, or the platform's; a page of HTML is nobody's."""

    class Wire:
        calls = 0

        def exchange(self, *given):
            self.calls += 1
            return Answer(status, {}, body)

    wire = Wire()
    with pytest.raises(kind) as caught:
        Tokens(OPTIONS, Kept(), wire).get(soon())
    assert (type(caught.value), caught.value.remote_code) == (kind, code)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
    assert wire.calls == 1
