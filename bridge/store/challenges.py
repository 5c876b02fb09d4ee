"""One-time codes that wait to be typed, and what a proof ticket was used for.

Not for: making codes or sending them (`services/codes.py`), or opening tickets
(`services/proofs.py`). A challenge holds the keyed hash of its code, the tries, and what it is
about, sealed; it lives ten minutes.
"""

import json
import secrets
from dataclasses import dataclass, field
from typing import Any, Literal

from bridge.seal import Keyring, Pseudonyms, SealBroken
from bridge.store.connection import Redis

LIFE_SECONDS = 600
RESEND_SECONDS = 60
REPEAT_SECONDS = 60  # how long a right code gives the same ticket again
MAX_TRIES = 5
TICKET_SECONDS = 660  # a ticket's ten minutes, and a little for clocks
LONGEST_SECONDS = 1860  # the same for a link's half hour

_START = """
local known = redis.call('HMGET', KEYS[1], 'id', 'by')
if known[1] then
  if known[2] == ARGV[1] then return {'same', known[1]} end
  return {'wait', redis.call('TTL', KEYS[1])}
end
redis.call('HSET', KEYS[1], 'id', ARGV[2], 'by', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
redis.call('HSET', KEYS[2], 'mac', ARGV[4], 'tries', 0, 'rec', ARGV[5])
redis.call('EXPIRE', KEYS[2], ARGV[6])
return {'new', ARGV[2]}
"""

_TRY = """
local v = redis.call('HMGET', KEYS[1], 'mac', 'tries', 'rec', 'ticket')
if not v[1] or tonumber(v[2]) >= tonumber(ARGV[2]) then return {'no'} end
if v[1] ~= ARGV[1] then
  redis.call('HINCRBY', KEYS[1], 'tries', 1)
  return {'no'}
end
if v[4] then return {'again', v[4]} end
return {'right', v[3]}
"""

_KEEP = """
if redis.call('EXISTS', KEYS[1]) == 0 then return false end
if redis.call('HSETNX', KEYS[1], 'ticket', ARGV[1]) == 1 then
  redis.call('EXPIRE', KEYS[1], ARGV[2])
end
return redis.call('HGET', KEYS[1], 'ticket')
"""

_BIND = """
if redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', ARGV[2]) then return 1 end
return redis.call('GET', KEYS[1]) == ARGV[1] and 1 or 0
"""


@dataclass(frozen=True)
class Started:
    """`new`: a code is to be sent. `same`: this visitor asked for it within the last minute.
    `wait`: somebody else did; there is no challenge, and `wait` says for how many seconds."""

    state: Literal["new", "same", "wait"]
    id: str = ""
    wait: int = 0


class Challenges:
    """All challenges and ticket bindings. Every method may raise StoreDown."""

    def __init__(self, redis: Redis, keyring: Keyring, names: Pseudonyms) -> None:
        self._redis, self._keyring, self._names = redis, keyring, names
        self._start = redis.script(_START)
        self._try = redis.script(_TRY)
        self._keep = redis.script(_KEEP)
        self._bind = redis.script(_BIND)

    def start(self, code: str, about: "About") -> Started:
        """Open a challenge for `code`, one a minute for an address."""
        challenge = secrets.token_urlsafe(16)
        address = self._names.of("otp.address", about.kind, about.value)
        by = self._names.of("otp.by", about.purpose, about.binding)
        sealed = self._keyring.seal("otp", challenge, json.dumps(vars(about)).encode())
        answer = self._start(
            [f"otp:to:{address}", f"otp:{challenge}"],
            [
                by,
                challenge,
                RESEND_SECONDS,
                self._mac(challenge, about.binding, code),
                sealed,
                LIFE_SECONDS,
            ],
        )
        if answer[0] == "wait":
            return Started("wait", wait=max(1, int(answer[1])))
        return Started(answer[0], answer[1])

    def cancel(self, challenge: str, about: "About") -> None:
        """Undo a start whose code couldn't be sent, so that the next try isn't held off."""
        address = self._names.of("otp.address", about.kind, about.value)
        self._redis.do("DEL", f"otp:to:{address}", f"otp:{challenge}")

    def attempt(self, challenge: str, code: str, binding: str) -> "About | str | None":
        """Try a code: what was proven; or the ticket that an earlier right try gave; or None for a
        wrong code, another visitor, or a challenge that is used up, too old or unknown."""
        answer = self._try([f"otp:{challenge}"], [self._mac(challenge, binding, code), MAX_TRIES])
        if answer[0] == "again":
            return str(answer[1])
        if answer[0] != "right":
            return None
        try:
            plain: dict[str, Any] = json.loads(self._keyring.open("otp", challenge, answer[1]))
        except SealBroken:
            return None
        return About(**plain)

    def keep_ticket(self, challenge: str, ticket: str) -> str | None:
        """The one ticket of a challenge: this one, or the one that was faster; None if the
        challenge is over. From here on the challenge lives for a minute."""
        kept = self._keep([f"otp:{challenge}"], [ticket, REPEAT_SECONDS])
        return None if kept is None else str(kept)

    def bind(self, ticket_id: str, op: str, seconds: int = TICKET_SECONDS) -> bool:
        """Bind a ticket to the operation that uses it, for at least as long as it is good. True at
        the first use and for the same operation again; False for another."""
        return bool(self._bind([f"ticket:{ticket_id}"], [op, seconds]))

    def _mac(self, challenge: str, binding: str, code: str) -> str:
        return self._names.of("otp.code", challenge, binding, code)


@dataclass(frozen=True)
class About:
    """What a challenge is about. `value`: the normal form of the address that gets the code."""

    kind: str
    value: str = field(repr=False)
    purpose: str
    binding: str
