"""Everything that lives in Redis: one module per subject, and the closed list of key prefixes.

Not for: deciding anything about members; modules here keep, compare and expire.
"""

from bridge.store.connection import Redis, StoreDown, StoreRefused
from bridge.store.prefixes import PREFIXES, RQ_FOREVER, Prefix, prefix_of

__all__ = ["PREFIXES", "RQ_FOREVER", "Prefix", "Redis", "StoreDown", "StoreRefused", "prefix_of"]
