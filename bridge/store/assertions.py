"""Which signed assertions of clients were used, so that none is used twice (RFC 7523 section 3).

Not for: checking them (`bridge/oauth/assertions.py`).
"""

from bridge.seal import Pseudonyms
from bridge.store.connection import Redis

LONGEST_SECONDS = 3720
"""An assertion lives an hour at most, and clocks differ by a little."""


class UsedAssertions:
    """All of them. May raise StoreDown."""

    def __init__(self, redis: Redis, names: Pseudonyms) -> None:
        self._redis, self._names = redis, names

    def first(self, client_id: str, jti: str) -> bool:
        """True for one caller only, as long as the assertion could be good."""
        key = "jti:" + self._names.of("assertion", client_id, jti)
        return self._redis.do("SET", key, "1", "NX", "EX", LONGEST_SECONDS) is not None
