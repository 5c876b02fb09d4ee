"""Gives out turns: takes what is dirty or due in one lane and wakes the lane's worker for it.

A thread in each worker process. It wakes by a keyspace event of `dirty`, by the end of a job, and
every 250 ms besides. Not for: working on a mailbox (`drain.py`).
"""

import logging
import threading

import redis

from bridge import log
from bridge.store import Redis, StoreDown
from bridge.writes import jobs, scripts
from bridge.writes.turn import LEASE

_POLL = 0.25
_WAITING = 8  # wake-ups in RQ's queue; more would see their turn lapse there
_AGAIN = 0.5


class Claimer:
    """One lane's claims."""

    def __init__(self, queue: Redis, lane: str) -> None:
        self._queue = queue
        self._lane = lane
        self._rq = jobs.queue_of(lane, jobs.connection(queue))
        self._claim = queue.script(scripts.CLAIM)
        self._woken = threading.Event()
        self._stopped = threading.Event()
        self._threads: list[threading.Thread] = []

    def claim(self) -> float:
        """Claim what is due now. Gives the seconds after which something else may be due."""
        keys = ["dirty", "turns", f"pause:{self._lane}", f"due:{self._lane}", self._rq.key]
        keys += ["due:now", "due:bulk", "due:notify"]
        until, *claimed = self._claim(keys, [LEASE, _WAITING])
        pairs = list(zip(claimed[::2], map(int, claimed[1::2]), strict=True))
        try:
            jobs.wake(self._rq, pairs)
        except redis.RedisError:
            raise StoreDown from None
        return min(int(until) / 1000 or _POLL, _POLL)

    def wake(self) -> None:
        """There may be something to claim."""
        self._woken.set()

    def start(self) -> None:
        """Two threads: one claims, one listens."""
        for target in (self._run, self._listen_always):
            thread = threading.Thread(target=target, name=target.__name__, daemon=True)
            thread.start()
            self._threads.append(thread)

    def _run(self) -> None:
        pause = 0.0
        while not self._stopped.is_set():
            self._woken.wait(pause)
            self._woken.clear()
            try:
                pause = self.claim()
            except StoreDown:
                log.event("claim.store_down", logging.ERROR, lane=self._lane)
                self._stopped.wait(_AGAIN)

    def _listen_always(self) -> None:
        while not self._stopped.is_set():
            try:
                self._listen()
            except (redis.RedisError, OSError, ValueError):
                self._stopped.wait(_AGAIN)

    def _listen(self) -> None:
        database = self._queue.client.connection_pool.connection_kwargs.get("db") or 0
        pubsub = self._queue.client.pubsub(ignore_subscribe_messages=True)  # type: ignore[no-untyped-call]
        try:
            pubsub.subscribe(f"__keyspace@{database}__:dirty")
            while not self._stopped.is_set():
                message = pubsub.get_message(timeout=1.0)
                if message and message["data"] == "sadd":
                    self._woken.set()
        finally:
            pubsub.close()

    def stop(self) -> None:
        """End both threads; a claim under way ends first, so that its turns are given out."""
        self._stopped.set()
        self._woken.set()
        for thread in self._threads:
            thread.join(2.0)
