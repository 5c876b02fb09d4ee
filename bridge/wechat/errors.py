"""What can go wrong when we call WeChat. Not for: refusing a callback (`callbacks.py`)."""

BUSY = -1
STALE_TOKEN = frozenset((40001, 40014, 42001))
"""The access token isn't good any more (global return codes)."""


class WechatError(Exception):
    """WeChat refused a call, or gave no usable answer (`errcode` None).

    Holds the code alone: WeChat's texts quote addresses and tokens, and an HTTP library's own
    errors carry the URL, in which secret and token stand.
    """

    def __init__(self, errcode: int | None) -> None:
        super().__init__(errcode)
        self.errcode = errcode

    @property
    def may_pass(self) -> bool:
        """Whether the same call may succeed later."""
        return self.errcode is None or self.errcode == BUSY
