"""Password hashes: bound to their member, bounded in number, the same time for all."""

import threading
import time
from statistics import median

import pytest

from bridge.errors import Problem
from bridge.seal import Keyring
from bridge.services.passwords import _COMMON, SHORTEST, Passwords, weakness

KEYRING = Keyring([("k1", b"k" * 32)])
GOOD = "correct horse 电池"


@pytest.fixture(scope="module")
def passwords():
    return Passwords(KEYRING)


def test_a_password_fits_its_hash_and_no_other(passwords):
    """Right passes; wrong, empty and cut ones don't."""
    stored = passwords.hash_for("m1", GOOD)
    assert len(stored) <= 400
    assert passwords.check("m1", stored, GOOD)
    for wrong in (GOOD + "x", GOOD[:-1], "", GOOD.upper(), "x" * 10_000):
        assert not passwords.check("m1", stored, wrong)


def test_a_hash_copied_to_another_member_fits_nothing(passwords):
    """Staff who may edit contacts can't give somebody their own password."""
    assert not passwords.check("m2", passwords.hash_for("m1", GOOD), GOOD)


def test_a_hash_shows_nothing_of_argon2(passwords):
    """What rests in the CRM is sealed: no salt, parameter or hash to crack."""
    assert "argon2" not in passwords.hash_for("m1", GOOD)
    assert passwords.hash_for("m1", GOOD) != passwords.hash_for("m1", GOOD)


@pytest.mark.parametrize(
    "stored", [None, "", "x", "k1.AAAA", "$argon2id$v=19$m=8,t=1,p=1$c2FsdA$x"]
)
def test_what_is_no_hash_of_ours_fits_nothing(passwords, stored):
    """A missing or foreign hash is a wrong password, not an error."""
    assert not passwords.check("m1", stored, GOOD)


def test_a_password_is_the_same_from_every_keyboard(passwords):
    """Full-width and composed characters are brought to one form."""
    stored = passwords.hash_for("m1", "ｐａｓｓ café 42")
    assert passwords.check("m1", stored, "pass cafe\u0301 42")


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("short12", "too-short"),
        ("x" * 257, "too-long"),
        ("Password1", "too-common"),
        ("woaini1314", "too-common"),
        ("aaaaaaaaaaaa", "too-common"),
        ("abababababab", "too-common"),
        ("x9y8z7w6", None),
        ("长长的密码很安全的哦", None),
        ("ab1" * 85, None),
    ],
)
def test_weak_passwords_are_named(password, code):
    """8 to 256 characters, and not on the list that every attacker begins with."""
    assert weakness(password) == code


def test_the_list_has_the_3000_that_are_tried_first():
    """Of those that are long enough (ASVS 5.0, 6.2.4)."""
    assert len([word for word in _COMMON if len(word) >= SHORTEST]) > 3000


def test_a_weak_password_is_never_hashed(passwords):
    """Whoever forgets to ask is stopped."""
    with pytest.raises(ValueError, match="weak"):
        passwords.hash_for("m1", "password")


def test_nobody_takes_as_long_as_somebody(passwords):
    """A check for a name that nobody has does the same work."""

    def cpu(call):
        times = []
        for _ in range(7):
            began = time.thread_time()
            call()
            times.append(time.thread_time() - began)
        return median(times)

    stored = passwords.hash_for("m1", GOOD)
    somebody = cpu(lambda: passwords.check("m1", stored, "wrong password"))
    assert 0.5 < cpu(lambda: passwords.check_nobody("wrong password")) / somebody < 2


def test_more_than_the_slots_and_the_queue_is_busy_at_once(monkeypatch):
    """At most `slots` run and `queue` wait; the rest hear 503 without waiting."""
    going, run = threading.Semaphore(0), threading.Event()

    def slow(*_):
        going.release()
        run.wait(5)
        return b"h" * 32

    monkeypatch.setattr("bridge.services.passwords.hash_secret_raw", slow)
    bounded = Passwords(KEYRING, slots=1, queue=1, patience=5)
    threads = [threading.Thread(target=bounded.check_nobody, args=("x",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    going.acquire()
    while bounded._waiting._value:
        time.sleep(0.001)
    began = time.monotonic()
    with pytest.raises(Problem) as caught:
        bounded.check_nobody("x")
    assert caught.value.type == "busy"
    assert time.monotonic() - began < 0.5
    run.set()
    for thread in threads:
        thread.join()
    bounded.check_nobody("x")


def test_who_waits_too_long_hears_busy(monkeypatch):
    """The queue's patience ends, and its place is given back."""
    run = threading.Event()
    monkeypatch.setattr(
        "bridge.services.passwords.hash_secret_raw", lambda *_: b"h" * (32 if run.wait(5) else 1)
    )
    bounded = Passwords(KEYRING, slots=1, queue=1, patience=0.05)
    thread = threading.Thread(target=bounded.check_nobody, args=("x",))
    thread.start()
    time.sleep(0.05)
    for _ in range(3):
        with pytest.raises(Problem):
            bounded.check_nobody("x")
    run.set()
    thread.join()


def test_memory_is_held_by_as_many_threads_as_there_are_slots(monkeypatch):
    """However many requests' threads ask, at most `slots` threads ever hash: each keeps 19 MiB."""
    hashing = set()

    def note(*args):
        hashing.add(threading.current_thread().name)
        return b"h" * 32

    monkeypatch.setattr("bridge.services.passwords.hash_secret_raw", note)
    bounded = Passwords(KEYRING, slots=2, queue=40, patience=5)
    crowd = [threading.Thread(target=bounded.check_nobody, args=("a guess",)) for _ in range(32)]
    for thread in crowd:
        thread.start()
    for thread in crowd:
        thread.join()

    assert 1 <= len(hashing) <= 2
