"""A frontend's session with the bridge, from the first code to the erasure, for the recorder.

It is a client like any other: it knows the API and no CRM. Not for: the replay, which knows only
what was recorded.
"""

from collections.abc import Callable
from typing import Any, Protocol

import requests

from bridge.cli.published import SANDBOX_CLIENT_SECRETS
from tests.replay.trace import basic

MOBILE, PASSWORD = "+8613900137001", "lantern-tide-94"
SIGN_IN = {"identifier": MOBILE, "password": PASSWORD}
GRANTED = [
    {"purpose": "membership", "granted": True, "text_version": "2026-11"},
    {"purpose": "marketing", "granted": False, "text_version": "2026-11"},
]


class Browser(Protocol):
    """What happens outside of the frontend's own requests."""

    def code(self) -> str:
        """The one-time code that came to the member's mobile."""

    def sign_in(self) -> dict[str, Any]:
        """The member signs in on the hosted page; the tokens that the site got."""


class Session:
    """`send` is called for each request: (name, method, path, what else) -> answer."""

    def __init__(self, send: Callable[..., requests.Response], browser: Browser) -> None:
        self._send, self._browser = send, browser
        self._bearer = ""

    def call(self, name: str, method: str, path: str, **more: Any) -> requests.Response:
        """As whoever is signed in."""
        headers = {"Authorization": self._bearer} if self._bearer else {}
        return self._send(name, method, path, headers=headers | more.pop("headers", {}), **more)

    def run(self) -> None:
        """All of it."""
        self.call("what is there", "GET", "/v1/capabilities")
        self._register()
        self._sign_in()
        self._read()
        self._change()
        self._trouble()
        self._consents()
        self._leave()

    def _register(self) -> None:
        backend = basic("store-backend", SANDBOX_CLIENT_SECRETS["store-backend"])
        form = {"grant_type": "client_credentials", "scope": "registrations:write"}
        answer = self.call(
            "the back end's token",
            "POST",
            "/oauth/token",
            form=form,
            headers={"Authorization": backend},
        )
        self._bearer = f"Bearer {answer.json()['access_token']}"
        ask = {"channel": "sms", "address": MOBILE, "purpose": "registration"}
        made = self.call("ask for a code", "POST", "/v1/otp", json=ask).json()
        path = f"/v1/otp/{made['challenge_id']}/verify"
        self.call("a wrong code", "POST", path, json={"code": "000000x"})
        sent = {"code": self._browser.code()}
        proof = self.call("the right code", "POST", path, json=sent).json()["proof"]
        person = {"proof": proof, "given_name": "Wei", "family_name": "李", "password": PASSWORD}
        self.call("no consent", "POST", "/v1/registrations", json=person | {"consents": []})
        whole = person | {
            "consents": GRANTED,
            "email": "Wei.Li@example.cn",
            "birth_date": "1990-02-28",
            "language": "zh-CN",
        }
        key = {"Idempotency-Key": '"replay-registration-1"'}
        self.call("register", "POST", "/v1/registrations", json=whole, headers=key)
        self.call("register again, same key", "POST", "/v1/registrations", json=whole, headers=key)
        other = whole | {"given_name": "Lin"}
        self.call("same key, other person", "POST", "/v1/registrations", json=other, headers=key)
        self.call("a proof is for one", "POST", "/v1/registrations", json=whole)

    def _sign_in(self) -> None:
        self._bearer = f"Bearer {self._browser.sign_in()['access_token']}"
        self.call("who is it", "GET", "/oauth/userinfo")

    def _read(self) -> None:
        etag = self.call("read", "GET", "/v1/me").headers["ETag"]
        self.call("read again", "GET", "/v1/me", headers={"If-None-Match": etag})
        fields = "given_name,mobile,points,tier,birth_date,ext.favourite_model"
        self.call("read some fields", "GET", f"/v1/me?fields={fields}")
        self.call("an unknown field", "GET", "/v1/me?fields=given_name,shoe_size")

    def _change(self) -> None:
        etag = self.call("before a change", "GET", "/v1/me").headers["ETag"]
        match, show = {"If-Match": etag}, {"Prefer": "return=representation"}
        self.call("change", "PATCH", "/v1/me", json={"given_name": "Ān"}, headers=match)
        self.call("change, too late", "PATCH", "/v1/me", json={"given_name": "Bo"}, headers=match)
        more = {
            "gender": "female",
            "birth_date": "1991-03-01",
            "ext": {"favourite_model": "X1 “🌙”"},
        }
        self.call("change several", "PATCH", "/v1/me", json=more, headers=show)
        empty = {"birth_date": None, "gender": None, "ext": {"favourite_model": None}}
        self.call("empty them", "PATCH", "/v1/me", json=empty, headers=show)
        key = {"Idempotency-Key": '"replay-change-once-1"'}
        for name in ("change once", "the same once more"):
            self.call(name, "PATCH", "/v1/me", json={"family_name": "O'Neill 王"}, headers=key)
        self.call(
            "another under its key", "PATCH", "/v1/me", json={"family_name": "X"}, headers=key
        )
        self.call("read it back", "GET", "/v1/me?fields=given_name,family_name")
        text = {"family_name": "Fish &amp; <b>Chips</b>"}
        self.call(
            "a text with markup", "PATCH", "/v1/me", json=text, needs="any_text", headers=show
        )
        later = {"Prefer": "respond-async"}
        op = self.call("later", "PATCH", "/v1/me", json={"given_name": "Mei"}, headers=later)
        self.call(
            "after it", "GET", f"/v1/me?fields=given_name&after={op.json()['id']}", until=True
        )
        self.call("what became of it", "GET", op.headers["Location"])
        own = {"If-Match": op.headers["ETag"]}
        self.call("on top of it", "PATCH", "/v1/me", json={"given_name": "Mei Mei"}, headers=own)

    def _trouble(self) -> None:
        for name, change in (
            ("born tomorrow", {"birth_date": "2999-01-01"}),
            ("no date", {"birth_date": "2000-02-30"}),
            ("no option", {"gender": "unheard of"}),
            ("not the client's", {"points": "1000000"}),
            ("unknown", {"shoe_size": 38}),
            ("of another type", {"given_name": 7}),
        ):
            self.call(name, "PATCH", "/v1/me", json=change)
        self.call("not JSON", "PATCH", "/v1/me", headers={"Content-Type": "text/plain"})
        made_up = {"Authorization": f"Bearer {'x' * 43}"}
        self.call("a token that nobody gave", "GET", "/v1/me", headers=made_up)
        self.call("somebody else's operation", "GET", f"/v1/operations/{'a' * 22}")

    def _consents(self) -> None:
        self.call("what was agreed to", "GET", "/v1/me/consents")
        answer = {"purpose": "marketing", "granted": True, "text_version": "2026-11"}
        self.call("agree", "PUT", "/v1/me/consents", json={"consents": [answer]})
        old = answer | {"text_version": "2020-01"}
        self.call("agree to an old text", "PUT", "/v1/me/consents", json={"consents": [old]})
        never = {"purpose": "membership", "granted": False, "text_version": "2026-11"}
        self.call("withdraw what is required", "PUT", "/v1/me/consents", json={"consents": [never]})

    def _leave(self) -> None:
        self.call("erase", "DELETE", "/v1/me")
        self.call("read what is gone", "GET", "/v1/me")
