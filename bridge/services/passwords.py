"""Password hashes: argon2id, sealed to the member they belong to.

Not for: where a hash is kept (the mapping), or who may try (`sign_in.py`). The hash is sealed with
the member's id as associated data: staff who may edit contacts can neither crack it nor copy their
own onto somebody else's record. OWASP's minimum (19 MiB, 2 passes, 1 lane) costs about 17 ms of
CPU, so at most as many as there are cores run at once, a few wait, and the rest are refused.
"""

import hmac
import os
import secrets
import struct
import threading
import unicodedata
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from argon2.low_level import Type, hash_secret_raw
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from bridge.errors import Problem
from bridge.seal import Keyring, SealBroken
from bridge.services import aspnet_hashes

SHORTEST, LONGEST = 8, 256
MEMORY_KIB, PASSES, LANES = 19_456, 2, 1
_SALT, _HASH = 16, 32
_HEAD = struct.Struct(">BIBB")  # format, memory, passes, lanes
_NOBODY = (MEMORY_KIB, PASSES, LANES, b"\0" * _SALT)

_CHINESE = """
    11223344 12341234 147258369 159357456 31415926 520520520 5201314520 77777777 778899000 963852741
    a1234567 a12345678 a123456789 abcd1234 dearbook qq123456 qq123456789 wang1234 woaini1314
    woaini520 woaini521 woainima xiazhili
"""
"""The start of lists of passwords that were stolen from Chinese sites, of 8 characters and more."""
_COMMON = frozenset((*FREQUENCY_LISTS["passwords"], *_CHINESE.split()))
"""30,000 leaked passwords (zxcvbn's list), of which 11,600 have 8 characters and more."""


def weakness(password: str) -> str | None:
    """`too-short`, `too-long` or `too-common`; None for a password that may be used."""
    plain = _normal(password)
    if len(plain) < SHORTEST:
        return "too-short"
    if len(password) > LONGEST or len(plain) > LONGEST:
        return "too-long"
    if plain.casefold() in _COMMON or len(set(plain)) < 3:
        return "too-common"
    return None


class Passwords:
    """Hashes and checks, a bounded number at a time."""

    def __init__(
        self,
        keyring: Keyring,
        slots: int = os.cpu_count() or 1,
        queue: int = 32,
        patience: float = 2.0,
    ) -> None:
        """`keyring`: of the credential key. `queue`: how many may wait for a slot, each for at
        most `patience` seconds."""
        self._keyring = keyring
        self._slots = threading.BoundedSemaphore(slots)
        self._waiting = threading.BoundedSemaphore(slots + queue)
        self._patience = patience
        # glibc keeps what a thread has freed in that thread's arena: 19 MiB for each thread that
        # ever hashed. In threads of their own it is 19 MiB for each slot.
        self._threads = ThreadPoolExecutor(slots, "argon2")

    def hash_for(self, member_id: str, password: str) -> str:
        """What is kept for this member. Raises ValueError for a password that `weakness` names,
        Problem("busy")."""
        if weakness(password) is not None:
            raise ValueError("weak password")
        salt = secrets.token_bytes(_SALT)
        made = self._hash(password, MEMORY_KIB, PASSES, LANES, salt)
        packed = _HEAD.pack(1, MEMORY_KIB, PASSES, LANES) + salt + made
        return self._keyring.seal("credential", member_id, packed)

    def check(self, member_id: str, stored: str | None, password: str) -> bool:
        """True if `stored` was made for this member from this password. What isn't a hash, or is
        another member's, costs the same time. Raises Problem("busy")."""
        memory, passes, lanes, salt, wanted = self._unpacked(member_id, stored)
        given = self._hash(password[: LONGEST + 1], memory, passes, lanes, salt)
        return wanted is not None and hmac.compare_digest(given, wanted)

    def check_foreign(self, stored: str | None, password: str) -> bool:
        """True if the ASP.NET Identity hash `stored` was made from this password. Raises
        Problem("busy")."""
        with self._slot():
            return self._threads.submit(aspnet_hashes.fits, stored, password[:LONGEST]).result()

    def outdated(self, member_id: str, stored: str) -> bool:
        """Was this hash, which fitted just now, made with less work than one of today, or sealed
        under a key before a rotation?"""
        memory, passes, lanes, _, wanted = self._unpacked(member_id, stored)
        weaker = memory < MEMORY_KIB or passes < PASSES or lanes != LANES
        return wanted is not None and (weaker or not self._keyring.is_current(stored))

    def check_nobody(self, password: str) -> None:
        """Take the time of a check, for a name that nobody has."""
        self.check("", None, password)

    def _unpacked(
        self, member_id: str, stored: str | None
    ) -> tuple[int, int, int, bytes, bytes | None]:
        try:
            packed = self._keyring.open("credential", member_id, stored or "")
            _, memory, passes, lanes = _HEAD.unpack_from(packed)
        except (SealBroken, struct.error):
            return (*_NOBODY, None)
        salt = packed[_HEAD.size : _HEAD.size + _SALT]
        return memory, passes, lanes, salt, packed[_HEAD.size + _SALT :]

    def _hash(self, password: str, memory: int, passes: int, lanes: int, salt: bytes) -> bytes:
        plain = _normal(password).encode()
        with self._slot():
            done = self._threads.submit(
                hash_secret_raw, plain, salt, passes, memory, lanes, _HASH, Type.ID
            )
            return done.result()

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._waiting.acquire(blocking=False):
            raise Problem("busy")
        try:
            if not self._slots.acquire(timeout=self._patience):
                raise Problem("busy")
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._waiting.release()


def _normal(password: str) -> str:
    """The same for every keyboard (NFKC, NIST SP 800-63B section 5.1.1.2)."""
    return unicodedata.normalize("NFKC", password[: LONGEST + 1])
