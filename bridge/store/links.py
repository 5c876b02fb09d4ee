"""Secrets that travel in a link to an address: who opens it has shown that the address is theirs.

Not for: sending a link, or what it opens (`services/resets.py`). A link's token is 256 random bits;
Redis holds its hash and, sealed to it, which address it went to and who may present it. Looking
doesn't use it up, since mail scanners open links too: its one use is bound like a proof ticket's
(`Challenges.bind`).
"""

import hashlib
import json
import secrets

from bridge.seal import Keyring, SealBroken
from bridge.store.challenges import About
from bridge.store.connection import Redis

LIFE_SECONDS = 1800


class Links:
    """All links. Every method may raise StoreDown."""

    def __init__(self, redis: Redis, keyring: Keyring) -> None:
        self._redis, self._keyring = redis, keyring

    def new(self, about: About) -> str:
        """A token for this address, good for half an hour."""
        token = secrets.token_urlsafe(32)
        key = _key(token)
        sealed = self._keyring.seal("link", key, json.dumps(vars(about)).encode())
        self._redis.do("SET", key, sealed, "EX", LIFE_SECONDS)
        return token

    def cancel(self, token: str) -> None:
        """Undo it, where it couldn't be sent."""
        self._redis.do("DEL", _key(token))

    def look(self, token: str) -> About | None:
        """What it is about, unused; None for an unknown or an old one, or a record that isn't
        ours."""
        key = _key(token)
        sealed = self._redis.do("GET", key)
        try:
            return About(**json.loads(self._keyring.open("link", key, sealed or "")))
        except SealBroken:
            return None


def use_name(token: str) -> str:
    """How the one use of a link is named (`Challenges.bind`)."""
    return "link-" + hashlib.sha256(token.encode()).hexdigest()[:32]


def _key(token: str) -> str:
    return f"pr:{hashlib.sha256(token.encode()).hexdigest()}"
