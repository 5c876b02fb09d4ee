"""What the channel works with, put together once per process. Not for: any decision."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bridge.services.scenes import Scenes
from bridge.store.events import SeenEvents
from bridge.store.sessions import Sessions
from bridge.wechat.crypto import key_of
from bridge.wechat.gateway import Gateway


@dataclass(frozen=True)
class Channel:
    """`account`: the `wechat` section of the settings; `brand`: the `brand` section; `issuer`: the
    base URL as members see it; `clock`: epoch seconds."""

    account: Any = field(repr=False)
    issuer: str
    brand: Any
    gateway: Gateway
    scenes: Scenes
    seen: SeenEvents
    sessions: Sessions
    clock: Callable[[], float]

    def __post_init__(self) -> None:
        """Raises ValueError for an EncodingAESKey that isn't one: at start, not at a push."""
        if not self.aes_keys:
            raise ValueError("wechat.aes_key is missing")

    @property
    def aes_keys(self) -> tuple[bytes, ...]:
        """The current key and, while it is configured, the one before the last rotation."""
        given = (self.account.aes_key, self.account.previous_aes_key)
        return tuple(key_of(each) for each in given if each)
