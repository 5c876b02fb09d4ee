"""The token endpoint: client credentials, password, refresh. Not for: what a token may do."""

import base64
import json
import secrets
import threading
from collections import Counter
from typing import Any

from sandbox.kit.clock import Clock
from sandbox.suitecrm.errors import SuiteError, denied, not_played, token_trouble

LIFETIME = 3600
CLIENTS = {
    "11111111-1111-1111-1111-111111111111": ("s3cret-cc", "client_credentials"),
    "22222222-2222-2222-2222-222222222222": ("s3cret-pw", "password"),
    "33333333-3333-3333-3333-333333333333": ("s3cret-reader", "client_credentials"),
    "44444444-4444-4444-4444-444444444444": ("s3cret-writer", "client_credentials"),
}
NAMES = dict(zip(CLIENTS, ("admin", "admin", "reader", "writer"), strict=True))
"""Client -> the user that it runs as, whose rights are the part's."""
USERS = {"admin": "Admin123!"}


class Authority:
    """Tokens issued so far. A refresh ends the pair that it replaces, both of it."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._access: dict[str, float] = {}
        self._names: dict[str, str] = {}
        self._refresh: dict[str, str] = {}
        self._spent: set[str] = set()
        self.calls: Counter[str] = Counter()

    def token(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The answer to a token request. Raises SuiteError."""
        grant, client = str(sent.get("grant_type")), str(sent.get("client_id"))
        if grant not in ("client_credentials", "password", "refresh_token"):
            raise not_played("this grant")
        if client not in CLIENTS:
            raise token_trouble(f"OAuth2Clients module with id {client} is not found")
        secret, allowed = CLIENTS[client]
        if sent.get("client_secret") != secret:
            text = "Client authentication failed"
            document = {"error": "invalid_client", "error_description": text, "message": text}
            raise SuiteError(401, document)
        if (allowed == "client_credentials") != (grant == "client_credentials"):
            raise not_played("a grant that the client isn't made for")
        with self._lock:
            if grant == "password":
                _check_user(sent)
            if grant == "refresh_token":
                self._end_pair(str(sent.get("refresh_token")))
            self.calls[grant] += 1
            answer = self._issue(with_refresh=grant != "client_credentials")
            self._names[answer["access_token"]] = NAMES[client]
            return answer

    def name(self, token: str) -> str:
        """Whose token it is."""
        return self._names[token]

    def check(self, header: str) -> str:
        """The access token of a call. Raises SuiteError (401)."""
        if not header:
            raise denied('Missing "Authorization" header')
        token = header.removeprefix("Bearer ")
        if token.count(".") != 2:
            raise denied("The JWT string must have two dots")
        # The hint of an expired or foreign token wasn't recorded; nobody should read hints.
        if self._access.get(token, 0.0) <= self._clock.now():
            raise denied("Access token has been revoked")
        return token

    def end(self, token: str | None = None) -> None:
        """Revoke one access token, or all."""
        with self._lock:
            for each in [token] if token else list(self._access):
                self._access.pop(each, None)

    def _end_pair(self, refresh: str) -> None:
        if refresh in self._spent:
            text = "The refresh token is invalid."
            document = {
                "error": "invalid_request",
                "error_description": text,
                "hint": "Token has been revoked",
                "message": text,
            }
            raise SuiteError(401, document)
        if refresh not in self._refresh:
            raise not_played("a refresh token that was never issued")
        self._spent.add(refresh)
        self._access.pop(self._refresh.pop(refresh), None)

    def _issue(self, *, with_refresh: bool) -> dict[str, Any]:
        head = base64.urlsafe_b64encode(json.dumps({"typ": "JWT", "alg": "RS256"}).encode())
        access = f"{head.decode().rstrip('=')}.{secrets.token_urlsafe(60)}.{secrets.token_hex(32)}"
        self._access[access] = self._clock.now() + LIFETIME
        answer = {"token_type": "Bearer", "expires_in": LIFETIME, "access_token": access}
        if with_refresh:
            refresh = secrets.token_hex(200)
            self._refresh[refresh] = access
            answer["refresh_token"] = refresh
        return answer


def _check_user(sent: dict[str, Any]) -> None:
    """The real server repeats name or password in its answer; so does this one."""
    name, password = str(sent.get("username")), str(sent.get("password"))
    if name not in USERS:
        raise token_trouble(f"No user found with this username: {name}")
    if USERS[name] != password:
        raise token_trouble(f"The password is invalid: {password}")
