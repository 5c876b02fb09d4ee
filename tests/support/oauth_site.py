"""The authorization server and the BFF, served over HTTP on a free port: real Redis, the memory
CRM, a sign-in page that signs in whoever is asked for, and an API that tells what reached it.

Not for: the hosted pages or the whole line.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import flask
import requests
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask
from joserfc.jwk import ECKey
from werkzeug.serving import make_server

from adapters.base import FreeBudget, Remote
from adapters.memory import Memory
from bridge import bff, edge, oauth
from bridge.errors import Problem
from bridge.seal import Keyring, Mac, Pseudonyms, Siv
from bridge.services.clients import DEVICE_GRANT, Bff, Client, Clients
from bridge.services.subjects import stamp_digest
from bridge.store.assertions import UsedAssertions
from bridge.store.bff_sessions import BffSessions
from bridge.store.connection import Redis
from bridge.store.devices import Devices
from bridge.store.grants import Grants, Lives
from bridge.store.sessions import Sessions, SignedIn, continue_url
from mappings.loader import load

KEY = [("k1", b"k" * 32)]
MEMBER = "10000000-0000-4000-8000-000000000001"
SUBJECT = "canary-subject-1"
SECRET = "s" * 43
ODD_SECRET = "a secret+with/odd%signs"
CALLBACK = "https://www.example.com/cb"
CMS = "https://cms.example.com"
PAGE, STALL = "https://page.example.com", "https://stall.example.com"
SIGNER = ECKey.generate_key("P-256", {"kid": "s1"})
MAPPING = load("mappings/memory.yaml")
MEMBER_SCOPES = frozenset(["openid", "profile", "member:read", "member:write"])


def _sha(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _client(client_id: str, **more: Any) -> Client:
    values: dict[str, Any] = {
        "client_id": client_id,
        "name": {"en": client_id},
        "public": False,
        "secret_sha256": _sha(SECRET),
        "redirect_uris": (CALLBACK, CALLBACK + "?brand=1"),
        "post_logout_redirect_uris": ("https://www.example.com/bye",),
        "grant_types": frozenset(["authorization_code", "refresh_token"]),
        "scopes": MEMBER_SCOPES,
        "sector": "sites",
    }
    return Client(**{**values, **more})


CLIENTS = Clients(
    {
        client.client_id: client
        for client in (
            _client("portal", audiences=(CMS,)),
            _client("app", public=True, secret_sha256="", leeway=10),
            _client("other", sector="elsewhere", grant_types=frozenset(["authorization_code"])),
            _client("odd", secret_sha256=_sha(ODD_SECRET)),
            _client(
                "till",
                redirect_uris=(),
                grant_types=frozenset(["client_credentials"]),
                scopes=frozenset(["registrations:write", "member:read"]),
            ),
            _client("page", redirect_uris=(), bff=Bff((PAGE,), (PAGE + "/", PAGE + "/me?tab=1"))),
            _client(
                "desk",
                public=True,
                secret_sha256="",
                redirect_uris=(),
                grant_types=frozenset([DEVICE_GRANT, "refresh_token"]),
            ),
            _client(
                "signer",
                secret_sha256="",
                jwks=(SIGNER.as_dict(private=False),),
                redirect_uris=(),
                grant_types=frozenset(["client_credentials"]),
                scopes=frozenset(["registrations:write"]),
                audience="https://signer.example.com",
            ),
            _client("renewed", previous_sha256=_sha(ODD_SECRET)),
            _client("stall", redirect_uris=(), bff=Bff((STALL,), (STALL + "/",))),
            _client("cms", redirect_uris=(), grant_types=frozenset(), audience=CMS, sector="cms"),
            _client("shop", redirect_uris=(), grant_types=frozenset(), audience="https://shop"),
        )
    }
)


class Site:
    """Where it is, what it is made of, and a browser for it."""

    def __init__(self, redis: Redis, issuer: str) -> None:
        self.issuer, self.now = issuer, SimpleNamespace(ahead=0.0)
        self.crm = Memory(MAPPING, Remote({}, {}, None, FreeBudget(), "read"))  # type: ignore[arg-type]
        names, keyring = Pseudonyms(b"n" * 32), Keyring(KEY)
        self.parts = SimpleNamespace(
            settings=SimpleNamespace(
                issuer=issuer,
                oauth=SimpleNamespace(stamp_check_seconds=3600),
                http=SimpleNamespace(secure_cookies=False),
                bff=SimpleNamespace(secrets={"page": SECRET, "stall": SECRET}),
            ),
            clients=CLIENTS.at(issuer),
            grants=Grants(redis, keyring, names, Mac(KEY), Lives(), self.clock),
            sessions=Sessions(redis, keyring, secure=False, clock=self.clock),
            used_assertions=UsedAssertions(redis, names),
            devices=Devices(redis, keyring, names),
            bff_sessions=BffSessions(redis, keyring, clock=self.clock),
            crm=self.crm,
            names=names,
            subjects=Siv(b"s" * 32),
            id_token_key=ECKey.generate_key("P-256", {"kid": "es1", "use": "sig", "alg": "ES256"}),
            clock=self.clock,
        )
        self.signs_in = MEMBER
        self.app = self._app()

    def clock(self) -> float:
        return time.time() + self.now.ahead

    def _app(self) -> Flask:
        app = Flask("oauth-site", static_folder=None)
        edge.install(app, 65536, {})
        app.register_blueprint(oauth.blueprint(self.parts))  # type: ignore[arg-type]
        app.register_blueprint(bff.blueprint(self.parts, app))  # type: ignore[arg-type]
        app.add_url_rule("/sign-in", "sign_in", self._sign_in)
        app.add_url_rule("/v1/me", "me", self._me, methods=["GET", "PATCH", "POST"])
        app.add_url_rule("/v1/me/secret", "secret", self._me)
        return app

    def _me(self) -> flask.Response:
        """An API that answers with what reached it."""
        token = flask.request.headers.get("Authorization", "").removeprefix("Bearer ")
        caller = self.parts.grants.check(token)
        if caller is None:
            raise Problem("unauthenticated")
        if flask.request.args.get("fields") == "step-up":
            raise Problem("step-up", extensions={"max_age": 300})
        told = {
            "client": caller.client_id,
            "headers": dict(flask.request.headers),
            "query": flask.request.query_string.decode(),
            "body": flask.request.get_data(as_text=True),
            "address": flask.request.remote_addr,
        }
        flask.g.request_id = "inner"  # the visitor's own must not notice
        answer = flask.jsonify(told)
        answer.headers.update({"ETag": '"1"', "Location": "/v1/operations/x", "X-Inner": "no"})
        return answer

    def _sign_in(self) -> flask.Response:
        """What the hosted page does once a password was right."""
        sessions = self.parts.sessions
        session = sessions.load(flask.request.cookies.get(sessions.cookie_name))
        stamp = stamp_digest(self.parts.names, "stamp-1")
        who = SignedIn(
            self.signs_in,
            SUBJECT,
            int(self.clock()),
            ("pwd",),
            "aal1",
            stamp,
            self.parts.grants.epoch(self.signs_in),
        )
        sessions.sign_in(session, who)
        answer = flask.redirect(continue_url(flask.request.args["continue"]), 303)
        answer.set_cookie(**sessions.cookie(session))
        return answer  # type: ignore[return-value]

    def add_member(self) -> None:
        """In the CRM; gone again by `self.crm.erase`."""
        record = {"state": "active", "stamp": "stamp-1", "subject": SUBJECT, "language": "en"}
        self.crm.create(
            "member", MEMBER, record | {"given_name": "Wei", "family_name": "canary-Li"}
        )

    def browser(self) -> requests.Session:
        """A fresh one."""
        session = requests.Session()
        session.trust_env = False
        return session

    def client(self, client_id: str, **more: Any) -> OAuth2Session:
        """Authlib's client, which knows nothing of ours."""
        public = CLIENTS.get(client_id).public  # type: ignore[union-attr]
        session = OAuth2Session(
            client_id,
            None if public else SECRET,
            redirect_uri=CALLBACK,
            scope=more.pop("scope", "openid profile"),
            code_challenge_method="S256",
            token_endpoint_auth_method="none" if public else "client_secret_basic",
            **more,
        )
        session.trust_env = False
        return session

    def authorize(self, browser: requests.Session, url: str) -> str:
        """Follow redirects within our server; gives the client's URL that it ends at."""
        for _ in range(6):
            answer = browser.get(url, allow_redirects=False, timeout=10)
            assert answer.status_code == 303, answer.text
            url = answer.headers["Location"]
            if url.startswith("/"):
                url = self.issuer + url
            if not url.startswith(self.issuer):
                return url
        raise AssertionError("no end of redirects")

    def code(self, client_id: str = "portal", **more: Any) -> tuple[str, str]:
        """(code, verifier) of a sign-in."""
        verifier = generate_token(48)
        url, _ = self.client(client_id).create_authorization_url(
            self.issuer + "/oauth/authorize", code_verifier=verifier, **more
        )
        answered = self.authorize(self.browser(), url)
        return query(answered)["code"], verifier

    def tokens(self, client_id: str = "portal", **more: Any) -> dict[str, Any]:
        """A token response of a whole sign-in."""
        code, verifier = self.code(client_id, **more)
        return self.post("token", client_id, code_form(code, verifier)).json()

    def post(
        self, endpoint: str, client_id: str | None, form: dict[str, Any], **more: Any
    ) -> requests.Response:
        """A POST by a client, authenticated by Basic or by its id alone."""
        client = CLIENTS.get(client_id)
        if client is not None and client.public:
            form = {**form, "client_id": client_id}
        elif client is not None:
            more.setdefault("auth", (client_id, SECRET))
        with self.browser() as session:
            return session.post(f"{self.issuer}/oauth/{endpoint}", data=form, timeout=10, **more)

    def refresh(self, token: str, client_id: str = "portal", **more: Any) -> requests.Response:
        """A refresh."""
        form = {"grant_type": "refresh_token", "refresh_token": token, **more}
        return self.post("token", client_id, form)

    def userinfo(self, token: str) -> requests.Response:
        """A call with an access token."""
        with self.browser() as session:
            headers = {"Authorization": f"Bearer {token}"}
            return session.get(f"{self.issuer}/oauth/userinfo", headers=headers, timeout=10)


def code_form(code: str, verifier: str, **more: str) -> dict[str, str]:
    """The form that redeems a code."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "code_verifier": verifier,
        "redirect_uri": CALLBACK,
        **more,
    }


def query(url: str) -> dict[str, str]:
    """The parameters of a URL, each of which must be there once."""
    pairs = parse_qsl(urlsplit(url).query)
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@contextmanager
def served(redis: Redis) -> Iterator[Site]:
    """The site, until the end of the block."""
    server = make_server("127.0.0.1", 0, lambda e, s: site.app(e, s), threaded=True)
    site = Site(redis, f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield site
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
