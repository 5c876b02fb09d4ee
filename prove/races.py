"""What is good once is good once, whoever comes at the same moment: codes, refresh tokens, device
codes, one-time codes, reset links, proof tickets.

Not for: HTTP (the flow tests race some of it there too). 100 threads with a connection each use one
secret as the endpoints do, on a real server under the shipped access rules. Each waits a moment of
its own choosing first, so that races differ.
"""

import random
import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Barrier
from typing import TypeVar

from bridge.cli.embedded import Server
from bridge.errors import Problem
from bridge.seal import Keyring, Mac, Pseudonyms
from bridge.services import codes, proofs
from bridge.services.identities import IdentityKeys
from bridge.store.challenges import About, Challenges
from bridge.store.connection import Redis
from bridge.store.devices import Asked, Devices
from bridge.store.grants import Authorization, Code, Grants, Issued
from bridge.store.links import Links
from bridge.store.sessions import SignedIn
from prove.result import Result

USERS, LONG, SHORT = 100, 1000, 5
CLIENT, BINDING, EMAIL = "site", "client:site", "somebody@example.com"
T = TypeVar("T")


class Parts:
    """What the endpoints work with, on one server."""

    def __init__(self, redis: Redis) -> None:
        keys = [("k1", secrets.token_bytes(32))]
        self.keyring, names = Keyring(keys), Pseudonyms(secrets.token_bytes(32))
        self.identity_keys = IdentityKeys(secrets.token_bytes(32))
        self.challenges = Challenges(redis, self.keyring, names)
        self.links = Links(redis, self.keyring)
        self.devices = Devices(redis, self.keyring, names)
        self.grants = Grants(redis, self.keyring, names, Mac(keys))
        self.clock = time.time


@dataclass
class Race:
    """One race after the other, by the same threads."""

    parts: Parts
    dice: random.Random
    pool: ThreadPoolExecutor

    def all(self, use: Callable[[int], T]) -> list[T]:
        """`use` by everybody at once; each gets a number."""
        gate, waits = Barrier(USERS), [self.dice.random() * 0.004 for _ in range(USERS)]

        def one(number: int) -> T:
            gate.wait()
            time.sleep(waits[number])
            return use(number)

        return list(self.pool.map(one, range(USERS)))


def _code(race: Race) -> bool:
    """One grant; whoever comes later ends it (RFC 6749 section 4.1.2)."""
    grants, code = race.parts.grants, _waiting()
    secret = grants.new_code(code)

    def use(_: int) -> Issued | None:
        found = grants.look(secret, CLIENT)
        return grants.redeem(secret, found, refreshable=True) if found else None

    (won,) = _some(race.all(use))
    return grants.check(won.access_token) is None


def _refresh(race: Race) -> bool:
    """One successor, and the family is dead (RFC 9700 section 4.14.2)."""
    grants, first = race.parts.grants, _signed_in(race)
    (won,) = _some(race.all(lambda _: _rotated(grants, first, 0)))
    return grants.check(won.access_token) is None and _rotated(grants, won, 0) is None


def _retry(race: Race) -> bool:
    """Within the leeway everybody gets the same successor and the family lives; the token before
    the last one ends it."""
    grants, first = race.parts.grants, _signed_in(race)
    answers = _some(race.all(lambda _: _rotated(grants, first, 10)))
    if len(answers) != USERS or len({each.refresh_token for each in answers}) != 1:
        return False
    last = _rotated(grants, answers[0], 10)
    if last is None or grants.check(last.access_token) is None:
        return False
    return _rotated(grants, first, 10) is None and grants.check(last.access_token) is None


def _device(race: Race) -> bool:
    """One grant for one approval (RFC 8628 section 3.5)."""
    devices = race.parts.devices
    device, user = devices.start(Asked(CLIENT, "openid", int(time.time()), "127.0.0.0/24"))
    waiting = devices.find(user)
    if waiting is None or not devices.approve(user, waiting, _person()):
        return False
    return [state for state, _, _ in race.all(lambda _: devices.poll(device, CLIENT))].count(
        "approved"
    ) == 1


def _one_time_code(race: Race) -> bool:
    """The right code gives one ticket, which one operation uses."""
    parts, mobile = race.parts, f"+86139{race.dice.randrange(10**8):08}"
    about = About("mobile", mobile, "registration", BINDING)
    started = parts.challenges.start("123456", about)
    tickets = race.all(lambda _: codes.verify(parts, started.id, "123456", BINDING))  # type: ignore[arg-type]
    used = race.all(lambda n: _used(parts, _opened(parts, tickets[n]), n))
    return len(set(tickets)) == 1 and used.count(True) == 1


def _link(race: Race) -> bool:
    """One new password for one link."""
    parts = race.parts
    token = parts.links.new(About("email", EMAIL, "reset", BINDING))
    uses = race.all(lambda n: _used(parts, proofs.open_link(parts, token, "reset", BINDING), n))
    return uses.count(True) == 1


def _ticket(race: Race) -> bool:
    """One operation for one proof."""
    ticket = proofs.issue(race.parts, "email", EMAIL, "registration", BINDING)
    uses = race.all(lambda n: _used(race.parts, _opened(race.parts, ticket), n))
    return uses.count(True) == 1


KINDS: dict[str, tuple[str, Callable[[Race], bool]]] = {
    "code": ("One code gives one sign-in, and a replay ends it", _code),
    "refresh": ("One refresh token gives one successor, and reuse ends the family", _refresh),
    "retry": ("A retry within the leeway gets the same successor, and older is reuse", _retry),
    "device": ("One device code gives one sign-in", _device),
    "one-time-code": ("One one-time code gives one proof, good for one operation", _one_time_code),
    "link": ("One reset link sets one password", _link),
    "ticket": ("One proof ticket is good for one operation", _ticket),
}


def run(kind: str, long: bool, seed: int | None = None) -> Result:
    """All races of one kind."""
    promise, race_once = KINDS[kind]
    rounds, seed = LONG if long else SHORT, secrets.randbits(32) if seed is None else seed
    with _course(seed) as race:
        good = sum(_held(race_once, race) for _ in range(rounds))
    return Result(promise, f"{good} of {rounds} races of {USERS} uses", good == rounds, seed)


RUNS: dict[str, Callable[[bool], Result]] = {kind: partial(run, kind) for kind in KINDS}


@contextmanager
def _course(seed: int) -> Iterator[Race]:
    with tempfile.TemporaryDirectory(prefix="bridge-prove-") as directory:
        server = Server("tokens", Path(directory) / "tokens")
        try:
            with ThreadPoolExecutor(USERS) as pool:
                yield Race(Parts(Redis(server.url("web"), 20.0)), random.Random(seed), pool)  # noqa: S311 - for repeating, not for secrets
        finally:
            server.stop()


def _held(race_once: Callable[[Race], bool], race: Race) -> bool:
    try:
        return race_once(race)
    except ValueError:  # not exactly one winner
        return False


def _waiting() -> Code:
    member = secrets.token_hex(16)
    return Code(Authorization(CLIENT, frozenset(["openid"]), ("here",), member), "", "c" * 43)


def _signed_in(race: Race) -> Issued:
    grants, code = race.parts.grants, _waiting()
    issued = grants.redeem(grants.new_code(code), code, refreshable=True)
    assert issued is not None
    return issued


def _rotated(grants: Grants, held: Issued, leeway: int) -> Issued | None:
    grant = grants.of_refresh_token(held.refresh_token or "")
    return grants.rotate(grant, CLIENT, leeway) if grant else None


def _person() -> SignedIn:
    return SignedIn(secrets.token_hex(16), "subject", int(time.time()), ("pwd",), "aal1")


def _opened(parts: Parts, ticket: str) -> proofs.Proof:
    return proofs.open_ticket(parts, ticket, "registration", BINDING)


def _used(parts: Parts, proof: proofs.Proof, number: int) -> bool:
    try:
        proofs.use(parts, proof, f"op-{number}")
    except Problem:
        return False
    return True


def _some(answers: list[T | None]) -> list[T]:
    return [each for each in answers if each is not None]
