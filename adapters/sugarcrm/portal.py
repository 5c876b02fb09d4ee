"""Sugar's portal as the judge of a member's password. Not for: the tokens of our own calls.

A person proves a password by a token of the platform `portal`. It is given back at once; since a
platform has one session per user, whoever was signed in to Sugar's own portal is signed out by it.
"""

import json
from collections.abc import Mapping

from adapters.answers import said
from adapters.caller import Counted
from adapters.errors import CrmError
from adapters.http import Answer, Limits, Wire
from adapters.kept import issued
from adapters.sugarcrm.errors import error_of, label_of
from adapters.sugarcrm.options import Options
from adapters.sugarcrm.tokens import JSON_BODY

_CLIENT = {"client_id": "support_portal", "client_secret": "", "platform": "portal"}
_NO = ("need_login", "invalid_grant", "inactive_portal_user")


class Portal:
    """Password checks, counted as the other calls are."""

    def __init__(self, options: Options, wire: Wire, limits: Limits, counted: Counted) -> None:
        self._root = f"{options.url}/rest/{options.api_version}/oauth2/"
        self._wire, self._limits, self._counted = wire, limits, counted

    def takes(self, name: str, password: str) -> bool:
        """Is it the password of the portal user of this name? Raises BadCredentials where the
        portal isn't configured, and an Unavailable."""
        end = self._limits.deadline()
        sent = {"grant_type": "password", "username": name, "password": password, **_CLIENT}
        answer = self._post("token", sent, JSON_BODY, end)
        if answer.status == 200:
            token, _ = issued(said(answer))
            self._sign_out(token, end)
            return True
        if 400 <= answer.status < 500 and label_of(answer) in _NO:
            return False
        raise error_of(answer)

    def _sign_out(self, token: str, end: float) -> None:
        """What becomes of it changes nothing: the password was right."""
        try:
            self._post("logout", {"token": token}, {**JSON_BODY, "OAuth-Token": token}, end)
        except CrmError:
            return

    def _post(
        self, what: str, sent: Mapping[str, str], headers: Mapping[str, str], end: float
    ) -> Answer:
        url, body = self._root + what, json.dumps(sent).encode()
        return self._counted(lambda: self._wire.exchange("POST", url, headers, body, end))
