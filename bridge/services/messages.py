"""What the bridge writes to a member's mobile or mailbox, and how it gets on its way.

Not for: who is to be written to. A message goes sealed through the mailbox of its address to the
worker, with a `start_by`: a late one is dropped, not sent. Addresses and texts are never logged.
"""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from adapters.base import Trace
from bridge.seal import Pseudonyms
from bridge.writes.mailbox import Mailboxes
from bridge.writes.write import notice

CHANNELS: Mapping[str, str] = {"mobile": "sms", "email": "mail"}
"""Kind of identity -> the channel that a message reaches it by."""
NOTICE_SECONDS = 86_400
"""A notice that couldn't be sent within a day says nothing new."""

_TEXTS: Mapping[str, Mapping[str, Mapping[str, str]]] = {
    "code": {
        "zh-CN": {
            "text": "【{brand}】您的验证码是 {code}，{minutes} 分钟内有效。请勿告诉他人。",
            "subject": "{brand}：您的验证码",
        },
        "en": {
            "text": "{brand}: your code is {code}. It is good for {minutes} minutes. Tell nobody.",
            "subject": "{brand}: your code",
        },
    },
    "reset-link": {
        "zh-CN": {
            "text": "请在 {minutes} 分钟内用此链接为您的{brand}会员账户设置新密码：{link}\n"
            "请勿转发。如果不是您本人申请，或您不是会员，请忽略此邮件。",
            "subject": "{brand}：设置新密码",
        },
        "en": {
            "text": "Choose a new password for your {brand} membership within {minutes} minutes: "
            "{link}\nForward this to nobody. If you didn't ask for it, or aren't a member, "
            "do nothing.",
            "subject": "{brand}: choose a new password",
        },
    },
    "password-changed": {
        "zh-CN": {
            "text": "【{brand}】您的会员账户密码正在更改，所有设备将退出登录。"
            "如非本人操作，请立即联系我们。",
            "subject": "{brand}：您的密码已更改",
        },
        "en": {
            "text": "{brand}: the password of your membership is being changed, and every device "
            "is signed out. If that wasn't you, contact us at once.",
            "subject": "{brand}: your password is being changed",
        },
    },
    "address-changed": {
        "zh-CN": {
            "text": "【{brand}】您的会员账户登录方式正在更改，所有设备将退出登录。"
            "如非本人操作，请立即联系我们。",
            "subject": "{brand}：您的登录方式已更改",
        },
        "en": {
            "text": "{brand}: the way you sign in to your membership is being changed, and every "
            "device is signed out. If that wasn't you, contact us at once.",
            "subject": "{brand}: the way you sign in is being changed",
        },
    },
    "identity-linked": {
        "zh-CN": {
            "text": "【{brand}】您的会员账户正在关联一种新的登录方式。"
            "如非本人操作，请立即联系我们。",
            "subject": "{brand}：新的登录方式",
        },
        "en": {
            "text": "{brand}: another way to sign in is being linked to your membership. If that "
            "wasn't you, contact us at once.",
            "subject": "{brand}: another way to sign in",
        },
    },
}
"""Template -> language -> text and (for mails) subject. What the CRM hasn't confirmed yet is told
as under way."""


class Needs(Protocol):
    """The parts that messages are made of."""

    @property
    def mailboxes(self) -> Mailboxes: ...
    @property
    def names(self) -> Pseudonyms: ...
    @property
    def settings(self) -> Any: ...
    @property
    def clock(self) -> Callable[[], float]: ...


@dataclass(frozen=True)
class Message:
    """One message. `kind`, `value`: the address, in normal form. `seconds`: how long it is worth
    sending. `op`: of the operation that it belongs to, so that a retry sends no second one."""

    template: str
    kind: str
    value: str = field(repr=False)
    language: str
    seconds: int = NOTICE_SECONDS
    op: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    values: Mapping[str, Any] = field(default_factory=dict, repr=False)


def send(parts: Needs, message: Message, trace: Trace) -> None:
    """Hand it to the worker. Raises what `Mailboxes.accept` raises."""
    texts = _TEXTS[message.template]
    words = texts.get(message.language, texts["en"])
    brand = parts.settings.brand.name
    values = {
        "brand": brand.get(message.language) or next(iter(brand.values())),
        **message.values,
    }
    now = parts.clock()
    write = notice(
        message.op,
        CHANNELS[message.kind],
        message.value,
        words["text"].format(**values),
        now=now,
        start_by=now + message.seconds,
        subject=words["subject"].format(**values),
        trace=trace.traceparent,
    )
    parts.mailboxes.accept(
        write,
        mailbox=parts.mailboxes.notice_mailbox(message.value),
        owner=parts.names.of("notice.owner", message.op),
        fingerprint=message.op,
    )
