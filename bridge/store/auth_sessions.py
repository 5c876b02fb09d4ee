"""Sign-ins of native apps that are under way: what an `auth_session` stands for, sealed in Redis.

Not for: what the steps are (`bridge/oauth/challenge.py`). A session lives ten minutes from its
start, is good for its own client only, for a bounded number of requests, and gives one code.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field

from bridge.seal import Keyring, SealBroken
from bridge.store.connection import Redis

SECONDS = 600
MAX_REQUESTS = 200

_USE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
if redis.call('HINCRBY', KEYS[1], 'n', 1) > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  return false
end
return redis.call('HGET', KEYS[1], 'rec')
"""
_SAVE = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'rec', ARGV[1])
return 1
"""
_BEGIN = """
redis.call('HSET', KEYS[1], 'rec', ARGV[1], 'n', 1)
redis.call('EXPIRE', KEYS[1], ARGV[2])
"""


@dataclass
class Flow:
    """One sign-in under way. `binding`: names it for codes and proofs. `sent`: the challenge of a
    code that was sent; `tickets`: proofs of addresses that nobody has yet, good for a registration;
    `op`: the registration that was accepted."""

    client_id: str
    scope: str
    challenge: str
    nonce: str = ""
    binding: str = field(default_factory=lambda: "auth:" + secrets.token_urlsafe(16))
    sent: str = field(default="", repr=False)
    tickets: dict[str, str] = field(default_factory=dict, repr=False)
    op: str = ""


class AuthSessions:
    """All of them. Every method may raise StoreDown."""

    def __init__(self, redis: Redis, keyring: Keyring) -> None:
        self._redis, self._keyring = redis, keyring
        self._use, self._save, self._begin = map(redis.script, (_USE, _SAVE, _BEGIN))

    def begin(self, flow: Flow) -> str:
        """Keep it; gives the `auth_session`."""
        secret = secrets.token_urlsafe(32)
        key = _key(secret)
        self._begin([key], [self._sealed(key, flow), SECONDS])
        return secret

    def use(self, secret: str, client_id: str) -> Flow | None:
        """What it stands for, counted; None for an unknown, ended or used up one, or another
        client's."""
        key = _key(secret)
        sealed = self._use([key], [MAX_REQUESTS])
        if not sealed:
            return None
        try:
            flow = Flow(**json.loads(self._keyring.open("auth-session", key, sealed)))
        except SealBroken:
            return None
        return flow if flow.client_id == client_id else None

    def save(self, secret: str, flow: Flow) -> bool:
        """Keep what changed; False where it has ended meanwhile."""
        key = _key(secret)
        return bool(self._save([key], [self._sealed(key, flow)]))

    def finish(self, secret: str) -> bool:
        """End it. True for one caller only: who gets the code."""
        return bool(self._redis.do("DEL", _key(secret)))

    def _sealed(self, key: str, flow: Flow) -> str:
        return self._keyring.seal("auth-session", key, json.dumps(asdict(flow)).encode())


def _key(secret: str) -> str:
    return f"as:{hashlib.sha256(secret.encode()).hexdigest()}"
