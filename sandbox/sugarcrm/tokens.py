"""Users, and the token endpoint: password, refresh, sudo, logout. Not for: what a user may do.

One token set lives for a user and a platform; the next login of the two, or a refresh, ends it.
"""

import dataclasses
import secrets
import threading
import uuid
from collections import Counter
from typing import Any, NamedTuple

from sandbox.kit.clock import Clock
from sandbox.sugarcrm.errors import SugarError, not_played
from sandbox.sugarcrm.portal import Portal
from sandbox.sugarcrm.settings import Settings
from sandbox.sugarcrm.users import User, users

KEYS = {"sugar": "", "support_portal": "", "crm_bridge": "crm-bridge-key-secret"}
"""OAuth keys and their secrets; an empty one isn't checked."""


class Caller(NamedTuple):
    """Whose token it is, and for which platform."""

    user: User
    platform: str


@dataclasses.dataclass
class _Set:
    caller: Caller
    access: str
    access_ends: float
    refresh: str | None
    refresh_ends: float


class Authority:
    """The token sets that live."""

    def __init__(self, clock: Clock, settings: Settings, portal: Portal) -> None:
        self._clock = clock
        self._settings = settings
        self._portal = portal
        self._lock = threading.RLock()
        self._sets: dict[tuple[str, ...], _Set] = {}
        self.users = users()
        self.calls: Counter[str] = Counter()

    def token(self, sent: dict[str, Any]) -> dict[str, Any]:
        """The answer to a token request. Raises SugarError."""
        grant = sent.get("grant_type")
        if grant not in ("password", "refresh_token"):
            raise not_played("a grant other than password and refresh_token")
        self._check_key(sent)
        with self._lock:
            self.calls[grant] += 1
            if grant == "password":
                return self._password(sent)
            return self._refresh(str(sent.get("refresh_token")))

    def check(self, token: str) -> Caller:
        """Whose access token it is. Raises SugarError (401)."""
        if not token:
            raise SugarError("need_login")
        with self._lock:
            held = next((each for each in self._sets.values() if each.access == token), None)
        if held is None or held.access_ends <= self._clock.now():
            raise SugarError("invalid_grant")
        return held.caller

    def sudo(self, caller: Caller, name: str) -> dict[str, Any]:
        """A token as another user, besides the caller's own. Raises SugarError."""
        if not caller.user.admin:
            raise SugarError("not_authorized")
        if name not in self.users:
            raise SugarError("not_found")
        with self._lock:
            self.calls["sudo"] += 1
            other = Caller(self.users[name], caller.platform)
            return self._issue(other, (name, caller.platform, "sudo"), refreshable=False)

    def logout(self, token: str) -> None:
        """End the set that the access token is of."""
        with self._lock:
            self._sets = {way: each for way, each in self._sets.items() if each.access != token}

    def expire(self) -> None:
        """Every access token issued so far is refused from now on; refresh tokens stay good."""
        with self._lock:
            for each in self._sets.values():
                each.access_ends = 0.0

    def forget(self) -> None:
        """No token lives, nor can one be refreshed: as after a restart of the server's cache."""
        with self._lock:
            self._sets.clear()

    def living(self) -> int:
        """How many access tokens would be taken now."""
        now = self._clock.now()
        return sum(each.access_ends > now for each in self._sets.values())

    def _check_key(self, sent: dict[str, Any]) -> None:
        client, secret = sent.get("client_id"), sent.get("client_secret") or ""
        if client not in KEYS or (KEYS[client] and KEYS[client] != secret):
            raise _refusal(self._settings.wrong_client)

    def _password(self, sent: dict[str, Any]) -> dict[str, Any]:
        platform = str(sent.get("platform") or "base")
        settings = self._settings
        if settings.disable_unknown_platforms and platform not in settings.platforms:
            raise _refusal(settings.unknown_platform)
        name, password = str(sent.get("username")), str(sent.get("password"))
        if (sent["client_id"] == "support_portal") != (platform == "portal"):
            raise not_played("the portal's client or platform without the other")
        if platform == "portal":
            user = self._portal.user(name, password)
        else:
            user = self.users.get(name)
            user = user if user and user.password == password else None
        if user is None:
            raise _refusal(settings.wrong_password)
        return self._issue(Caller(user, platform), (user.id, platform))

    def _refresh(self, refresh: str) -> dict[str, Any]:
        """`platform` may be repeated or not: the token says which one it is."""
        for way, held in self._sets.items():
            if held.refresh == refresh and held.refresh_ends > self._clock.now():
                return self._issue(held.caller, way)
        raise _refusal(self._settings.spent_refresh_token)

    def _issue(
        self, caller: Caller, way: tuple[str, ...], *, refreshable: bool = True
    ) -> dict[str, Any]:
        now, settings = self._clock.now(), self._settings
        access, refresh = str(uuid.uuid4()), str(uuid.uuid4()) if refreshable else None
        self._sets[way] = _Set(
            caller,
            access,
            now + settings.access_lifetime,
            refresh,
            now + settings.refresh_lifetime,
        )
        answer = {
            "access_token": access,
            "expires_in": settings.access_lifetime,
            "token_type": "bearer",
            "scope": None,
            "download_token": secrets.token_hex(18),
        }
        if refreshable:
            answer["refresh_token"] = refresh
            answer["refresh_expires_in"] = settings.refresh_lifetime
        return answer


def _refusal(knob: str) -> SugarError:
    status, _, label = knob.partition(" ")
    return SugarError(label, status=int(status))
