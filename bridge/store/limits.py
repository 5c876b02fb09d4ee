"""Limits on how often something may be tried, counted in Redis under keyed hashes.

Not for: the CRM's request budget (`bridge/budget.py`). The counting is the `limits` package's
(sliding window); what is counted is never in a key. Redis trouble refuses: nothing is let through
uncounted.
"""

import ipaddress
import time
from collections.abc import Mapping

import redis
from limits import RateLimitItemPerSecond
from limits.storage import RedisStorage
from limits.strategies import SlidingWindowCounterRateLimiter

from bridge.errors import Problem
from bridge.seal import Pseudonyms
from bridge.store.connection import Redis, StoreDown

HOUR, QUARTER, DAY = 3600, 900, 86_400

WINDOWS: Mapping[str, int] = {
    "codes_per_address": HOUR,
    "codes_per_network": HOUR,
    "codes_per_client": HOUR,
    "messages_per_day": DAY,
    "sign_ins_per_identifier": QUARTER,
    "sign_ins_per_network": QUARTER,
    "sign_ins_per_client": QUARTER,
    "registrations_per_network": HOUR,
    "registrations_per_client": HOUR,
    "claim_tries": DAY,
}
"""Purpose -> the window's seconds. The amounts are configuration, under the same names."""


class Limits:
    """Counters of all purposes."""

    def __init__(self, redis_: Redis, names: Pseudonyms, amounts: Mapping[str, int]) -> None:
        """`amounts`: purpose -> how many in its window. Raises KeyError for a purpose that is
        missing."""
        pool = redis_.client.connection_pool
        storage = RedisStorage("redis://", connection_pool=pool, key_prefix="rl")
        self._limiter = SlidingWindowCounterRateLimiter(storage)
        self._names = names
        self._items = {
            purpose: RateLimitItemPerSecond(amounts[purpose], window, namespace=purpose)
            for purpose, window in WINDOWS.items()
        }

    def hit(self, purpose: str, *parts: str) -> None:
        """Count one try of `purpose` by what `parts` name. Raises Problem("too-many") with the
        seconds to wait and the limit's name, StoreDown."""
        item, name = self._items[purpose], self._names.of("limits." + purpose, *parts)
        try:
            if self._limiter.hit(item, name):
                return
            window = self._limiter.get_window_stats(item, name)
        except redis.RedisError:
            raise StoreDown from None
        seconds = int(window.reset_time - time.time()) + 1
        wait = max(1, min(seconds, WINDOWS[purpose]))
        raise Problem("too-many", retry_after=wait, extensions={"limit": purpose})

    def is_spent(self, purpose: str, *parts: str) -> bool:
        """Would `hit` refuse the next try? Raises StoreDown."""
        item, name = self._items[purpose], self._names.of("limits." + purpose, *parts)
        try:
            return not self._limiter.test(item, name)
        except redis.RedisError:
            raise StoreDown from None


def network(address: str) -> str:
    """The range that an address is counted under: /24 of IPv4, /64 of IPv6 (an IPv4 address in an
    IPv6 coat is IPv4); "" for what isn't an address."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return ""
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip, 24 if ip.version == 4 else 64), strict=False))
