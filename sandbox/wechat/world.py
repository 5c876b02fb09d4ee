"""All state of the sandbox's WeChat, and what every call to it has in common.

The stores hold no locks of their own: whoever reads or changes them holds `World.lock`.
"""

import json
import threading
from typing import Any

from flask import request

from sandbox.kit.clock import Clock
from sandbox.wechat.account import APPID, Account
from sandbox.wechat.diary import Diary
from sandbox.wechat.errors import fail
from sandbox.wechat.messages import Inbox
from sandbox.wechat.mini import Mini
from sandbox.wechat.notices import Credits
from sandbox.wechat.oauth import Web
from sandbox.wechat.qrcodes import QrCodes
from sandbox.wechat.quotas import DAILY, Quotas
from sandbox.wechat.tags import Tags
from sandbox.wechat.tokens import Tokens
from sandbox.wechat.users import Users
from sandbox.wechat.windows import Windows

MARK_FAIL_SECONDS = 60


class World:
    """One Official Account, one mini program, their users."""

    def __init__(self, clock: Clock, callback_url: str | None) -> None:
        self.clock = clock
        self.lock = threading.RLock()
        self.account = Account(callback_url)
        self.url = ""  # of this part, and of the browser inside WeChat, once they are served
        self.browser_url = ""
        self.reset()

    def reset(self) -> None:
        """As at start; only the callback URL stays, which is where the bridge is."""
        self.account = Account(self.account.callback_url)
        self.users = Users()
        self.quotas = Quotas(self.clock)
        self.tokens = Tokens(self.clock, self.quotas)
        self.qrcodes = QrCodes(self.clock)
        self.windows = Windows(self.clock)
        self.inbox = Inbox(self.clock)
        self._failed, self._paused_until = 0, 0.0
        self.mini = Mini(self.clock)
        self.tags = Tags()
        self.credits = Credits()
        self.diary = Diary(self.clock)
        self.web = Web(self.clock)

    def admit(self, also: tuple[str, ...] = ()) -> str:
        """Let a call in: a token in force, of the right app, with permission and quota left.
        Gives that app's id."""
        appid = self.tokens.check(request.args.get("access_token", ""))
        if appid not in (APPID, *also) or request.path in self.account.unauthorized:
            fail(48001)
        self.charge(DAILY.get(request.path))
        return appid

    def heard(self, delivered: bool) -> None:
        """Count failed pushes in a row; after so many nothing is pushed for a minute."""
        with self.lock:
            self._failed = 0 if delivered else self._failed + 1
            if self._failed == self.account.mark_fail_after:
                self._failed, self._paused_until = 0, self.clock.now() + MARK_FAIL_SECONDS

    def paused(self) -> bool:
        """Whether pushes are held back, and so lost ("MarkFail" of WeChat's alarms)."""
        return self.clock.now() < self._paused_until

    def charge(self, a_day: int | None, a_minute: int | None = None, key: str = "") -> None:
        """Count this call against its path's quota; the console's figure goes first."""
        limit = self.account.quotas.get(request.path, a_day)
        self.quotas.charge(f"{request.path} {key}".strip(), limit, a_minute)

    def body(self) -> dict[str, Any]:
        """The JSON object that was posted, whatever the content type: 44002, 47001."""
        raw = request.get_data()
        if not raw:
            fail(44002)
        try:
            document = json.loads(raw)
        except ValueError:
            fail(47001)
        if not isinstance(document, dict):
            fail(47001)
        return document
