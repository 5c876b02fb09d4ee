"""A message brought to its gateway: at least once, with the operation id as the gateway's own
idempotency key. Not for: how a gateway is spoken to (`bridge/notify.py`)."""

import logging
from typing import Protocol

from bridge import log
from bridge.notify import GatewayMisconfigured, GatewayUnavailable, Undeliverable
from bridge.writes.effects import Ending, TryLater
from bridge.writes.write import Write


class Notifier(Protocol):
    """`bridge.notify.Notifier`, or a test's own."""

    def send(self, channel: str, to: str, text: str, *, subject: str, key: str) -> None:
        """Raises NotifyError."""


def deliver(notifier: Notifier, write: Write) -> Ending:
    """Raises TryLater where the gateway can't take it now."""
    content = write.notice or {}
    try:
        notifier.send(
            content["channel"],
            content["to"],
            content["text"],
            subject=content["subject"],
            key=write.op,
        )
    except Undeliverable:
        return Ending("refused", "refused")
    except GatewayMisconfigured:
        log.event("gateway.misconfigured", logging.ERROR, op=write.op, kind=content["channel"])
        raise TryLater from None
    except GatewayUnavailable:
        raise TryLater from None
    return Ending("applied")
