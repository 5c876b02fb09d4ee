"""Device authorizations (RFC 8628) that wait for somebody to say yes, in Redis.

Not for: the endpoints (`bridge/oauth/device.py`) or the page (`bridge/pages/device.py`). A device
code is 256 random bits, named by its hash; a user code is short, so it is named by a keyed hash,
lives two minutes and can be answered once. What was approved is sealed to its place: a writer of
Redis can't approve anything. Each answer to a poll is one step, so that a code gives one grant.
"""

import hashlib
import json
import secrets
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bridge.seal import Keyring, Pseudonyms, SealBroken
from bridge.store.connection import Redis
from bridge.store.sessions import SignedIn

SECONDS = 120
KNOWN_SECONDS = 600
"""How long an expired code is told as expired, and not as unknown."""
INTERVAL = 5
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""RFC 8628 section 6.1: no vowels, so no words; nothing that reads like something else."""

_START = """
redis.call('HSET', KEYS[1], 'cid', ARGV[1], 'st', 'pending', 'rec', ARGV[2], 'int', ARGV[3],
  'exp', redis.call('TIME')[1] + ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return redis.call('SET', KEYS[2], KEYS[1], 'NX', 'EX', ARGV[4]) and 1 or 0
"""
_POLL = """
local v = redis.call('HMGET', KEYS[1], 'cid', 'st', 'last', 'int', 'exp', 'auth')
if v[1] ~= ARGV[1] then return {'unknown'} end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if v[2] == 'denied' then
  redis.call('DEL', KEYS[1])
  return {'denied'}
end
if now >= v[5] * 1000 then return {'expired'} end
if v[2] == 'approved' then
  redis.call('DEL', KEYS[1])
  return {'approved', v[6]}
end
redis.call('HSET', KEYS[1], 'last', now)
if v[3] and now - v[3] < v[4] * 1000 - 500 then
  redis.call('HINCRBY', KEYS[1], 'int', 5)
  return {'slow_down'}
end
return {'pending'}
"""
"""KEYS device. ARGV client. An approved or denied code is gone with its answer. Half a second is
forgiven, for the way."""
_ANSWER = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', ARGV[1], 'st', ARGV[2], 'auth', ARGV[3])
return 1
"""
"""KEYS user code. ARGV device key, approved or denied, sealed record. Once."""

State = Literal["unknown", "denied", "expired", "approved", "slow_down", "pending"]


@dataclass(frozen=True)
class Asked:
    """What somebody is asked to approve. `at`: epoch seconds; `network`: the range that the device
    came from; `agent`: its system and browser, in few words."""

    client_id: str
    scope: str
    at: int
    network: str = field(repr=False)
    agent: str = ""


@dataclass(frozen=True)
class Waiting:
    """`asked`, as a user code found it. `key`: names it for `answer`."""

    key: str = field(repr=False)
    asked: Asked


class Devices:
    """All of them. Every method may raise StoreDown."""

    def __init__(self, redis: Redis, keyring: Keyring, names: Pseudonyms) -> None:
        self._redis, self._keyring, self._names = redis, keyring, names
        self._start, self._poll = redis.script(_START), redis.script(_POLL)
        self._answer = redis.script(_ANSWER)

    def start(self, asked: Asked) -> tuple[str, str]:
        """(device code, user code)."""
        while True:
            device, user = secrets.token_urlsafe(32), _user_code()
            key = _key(device)
            rest = [asked.client_id, self._seal(key, asdict(asked)), INTERVAL]
            if self._start([key, self._user_key(user)], [*rest, SECONDS, KNOWN_SECONDS]):
                return device, f"{user[:4]}-{user[4:]}"

    def poll(self, device: str, client_id: str) -> tuple[State, Asked | None, SignedIn | None]:
        """Where it stands; once approved, what was asked and who approved, for one caller only."""
        key = _key(device)
        answer = self._poll([key], [client_id])
        state: State = answer[0]
        if state != "approved":
            return state, None, None
        opened = self._opened(key, answer[1])
        if opened is None:
            return "unknown", None, None
        who = {**opened["who"], "amr": tuple(opened["who"]["amr"])}
        return "approved", Asked(**opened["asked"]), SignedIn(**who)

    def find(self, user_code: str) -> Waiting | None:
        """What waits under a user code, however it was typed; None for an unknown or an old one."""
        key = self._redis.do("GET", self._user_key(plain(user_code)))
        if key is None:
            return None
        opened = self._opened(key, self._redis.do("HGET", key, "rec") or "")
        return Waiting(key, Asked(**opened)) if opened else None

    def approve(self, user_code: str, waiting: Waiting, who: SignedIn) -> bool:
        """For `who`; False where it is over or was answered."""
        sealed = self._seal(waiting.key, {"asked": asdict(waiting.asked), "who": asdict(who)})
        return self._said(user_code, waiting, "approved", sealed)

    def deny(self, user_code: str, waiting: Waiting) -> bool:
        """The same, with no."""
        return self._said(user_code, waiting, "denied", "")

    def _said(self, user_code: str, waiting: Waiting, word: str, sealed: str) -> bool:
        key = self._user_key(plain(user_code))
        return bool(self._answer([key], [waiting.key, word, sealed]))

    def _user_key(self, plain_code: str) -> str:
        return "uc:" + self._names.of("device.user", plain_code)

    def _seal(self, key: str, content: dict[str, Any]) -> str:
        return self._keyring.seal("device", key, json.dumps(content).encode())

    def _opened(self, key: str, sealed: str) -> dict[str, Any] | None:
        try:
            opened: dict[str, Any] = json.loads(self._keyring.open("device", key, sealed))
        except SealBroken:
            return None
        return opened


def plain(user_code: str) -> str:
    """A user code as it is kept: capitals, nothing between."""
    return "".join(letter for letter in user_code.upper() if letter in LETTERS)[:8]


def _user_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(8))


def _key(device: str) -> str:
    return f"dev:{hashlib.sha256(device.encode()).hexdigest()}"
