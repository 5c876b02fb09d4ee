"""The sandbox's Official Account and mini program, as their consoles would show them.

All secrets here are published constants: they open nothing but this sandbox.
"""

import dataclasses
from typing import Any

from sandbox.wechat.crypto import key_of

APPID = "wx5a4db0c5a4db0c01"
SECRET = "published-sandbox-secret-of-the-oa"
ORIGINAL_ID = "gh_5a4db0c5a4db"
MINI_APPID = "wx5a4db0c5a4db0c02"
MINI_SECRET = "published-sandbox-secret-of-mini"
WEB_APPID = "wx5a4db0c5a4db0c03"  # a website application of the open platform
WEB_SECRET = "published-sandbox-secret-of-the-web"
THUMB_MEDIA_ID = "published-sandbox-thumb-media-id"
SECRETS = {APPID: SECRET, MINI_APPID: MINI_SECRET, WEB_APPID: WEB_SECRET}

MODES = ("safe", "plain", "compat")
FORMATS = ("xml", "json")


@dataclasses.dataclass
class Account:
    """What the console of the account lets its owner set. Lengths of time in seconds."""

    callback_url: str | None = None
    token: str = "PublishedSandboxToken"
    aes_key: str = "PublishedSandboxAesKeyWhichOpensNothing0000"
    push_mode: str = "safe"
    push_format: str = "xml"
    callback_timeout: float = 5.0
    # Failed pushes in a row, then none for a minute; WeChat's own number isn't documented.
    mark_fail_after: int | None = None
    # None: any loopback host and port, since a bridge on trial has no domain of its own.
    oauth_domain: str | None = None
    ip_whitelist: list[str] = dataclasses.field(default_factory=lambda: ["127.0.0.1"])
    secret_frozen: bool = False
    unauthorized: list[str] = dataclasses.field(default_factory=list)  # paths answered 48001
    quotas: dict[str, int] = dataclasses.field(default_factory=dict)  # path -> calls a day

    mini_pages: list[str] = dataclasses.field(
        default_factory=lambda: ["pages/index/index", "pages/register/index"]
    )  # those that are published
    templates: dict[str, str] = dataclasses.field(
        default_factory=lambda: {
            "published-sandbox-template-welcome": "会员注册成功 You are a member",
            "published-sandbox-template-points": "积分变动 Your points have changed",
        }
    )  # id -> title, of template messages and of both apps' subscription notices
    website_domain: str | None = None  # None: as with oauth_domain
    refusal_returns: bool = False  # whether a refused website sign-in redirects

    def change(self, document: dict[str, Any]) -> None:
        """Set what the document names; ValueError changes nothing."""
        known = {field.name for field in dataclasses.fields(self)}
        if not set(document) <= known:
            raise ValueError(f"settings are {', '.join(sorted(known))}")
        changed = dataclasses.replace(self, **document)
        if changed.push_mode not in MODES or changed.push_format not in FORMATS:
            raise ValueError("push_mode is safe, plain or compat; push_format is xml or json")
        if not changed.token:
            raise ValueError("an empty token would let anyone sign")
        key_of(changed.aes_key)
        vars(self).update(vars(changed))
