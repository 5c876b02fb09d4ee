"""Which of WeChat's pushes were seen, and what was decided on each.

Not for: replies. They hold an openid, so they are made again from the decision.
"""

from bridge.seal import Pseudonyms
from bridge.store.connection import Redis

SECONDS = 3600
"""WeChat repeats a push within seconds; a replay with a good timestamp comes within minutes."""

_FIRST = """
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'GET', 'EX', ARGV[2])
"""  # a script, since redis-py reads the answer of SET with GET as a failure


class SeenEvents:
    """Decisions by keyed hash."""

    def __init__(self, redis: Redis, names: Pseudonyms) -> None:
        self._first = redis.script(_FIRST)
        self._names = names

    def first(self, decision: str, *identity: str) -> str | None:
        """Keep `decision` for the push that `identity` tells from others. Gives None, or the
        decision that was kept the first time. Raises StoreDown."""
        key = "wxev:" + self._names.of("wechat.event", *identity)
        kept = self._first([key], [decision, SECONDS])
        return None if kept is None else str(kept)
