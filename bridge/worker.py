"""The worker: one process per lane, each with an RQ worker on exactly one queue, the lane's claims,
and a look at the queue's Redis every 5 s.

Not for: what a write is (`bridge/writes`), or making its parts (`bridge/parts.py`).
"""

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from multiprocessing.context import ForkProcess
from types import FrameType

from rq.serializers import JSONSerializer

from bridge import log
from bridge.store import StoreDown
from bridge.writes import dead_letters, jobs
from bridge.writes.claim import Claimer
from bridge.writes.drain import DrainParts
from bridge.writes.fit import FitKeeper, problems

EX_CONFIG = 78  # sysexits.h
_LOOK = 5.0
_ALARM_EVERY = 60.0
_AGAIN = 1.0
_PATIENCE = 30.0
_WORKER_TTL = 20
_MAINTENANCE = 30
_PR_SET_PDEATHSIG = 1

MakeParts = Callable[[], DrainParts]


def run(make: MakeParts, lanes: Sequence[str]) -> int:
    """Serve `lanes` until SIGTERM or SIGINT. `make` is called in each lane's own process. Gives
    the exit status: EX_CONFIG where the queue's Redis is set up wrongly, with a line for each."""
    parts = make()
    try:
        wrong = problems(parts.queue)
    except StoreDown:
        wrong = ["the queue's Redis doesn't answer, or refuses this user"]
    parts.adapter.close()
    parts.queue.client.close()
    for problem in wrong:
        sys.stderr.write(problem + "\n")
    return EX_CONFIG if wrong else _Supervisor(make, lanes).run()


class _Supervisor:
    """Keeps one process per lane running; ends them in order."""

    def __init__(self, make: MakeParts, lanes: Sequence[str]) -> None:
        self._make = make
        self._processes: dict[str, ForkProcess | None] = dict.fromkeys(lanes)
        self._stopping = threading.Event()
        self._context = multiprocessing.get_context("fork")

    def run(self) -> int:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        while not self._stopping.is_set():
            for lane, process in self._processes.items():
                if process is None or not process.is_alive():
                    self._start(lane, process)
            self._stopping.wait(_AGAIN)
        return self._end()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def _start(self, lane: str, ended: ForkProcess | None) -> None:
        if ended is not None:
            log.event("worker.lane_ended", logging.ERROR, lane=lane, status=ended.exitcode)
        process = self._context.Process(target=serve, args=(self._make, lane, os.getpid()))
        process.start()
        self._processes[lane] = process

    def _end(self) -> int:
        running = [process for process in self._processes.values() if process is not None]
        for process in running:
            if process.is_alive() and process.pid:
                os.kill(process.pid, signal.SIGTERM)
        until = time.monotonic() + _PATIENCE
        for process in running:
            process.join(max(0.0, until - time.monotonic()))
            if process.is_alive():
                process.kill()
                process.join()
        return 0


def serve(make: MakeParts, lane: str, parent: int = 0) -> None:
    """One lane in this process, until SIGTERM. `parent`: end with this process, however it ends."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    if parent:
        _end_with(parent)
    try:
        _serve(make(), lane)
    except Exception as error:  # the supervisor starts another; a traceback could say anything
        log.failure("worker.failed", error, lane=lane)
        sys.exit(1)


def _serve(parts: DrainParts, lane: str) -> None:
    claimer = Claimer(parts.queue, lane)
    worker = _worker(parts, lane)
    jobs.install(parts, claimer.wake, lambda: worker.stopping)
    stopped = threading.Event()
    watch = threading.Thread(target=_watch, args=(parts, stopped), name="fit", daemon=True)
    watch.start()
    claimer.start()
    log.event("worker.started", lane=lane, process=str(os.getpid()))
    try:
        worker.work(logging_level=None)
    finally:
        stopped.set()
        claimer.stop()
        parts.adapter.close()
    log.event("worker.stopped", lane=lane, process=str(os.getpid()))


def _worker(parts: DrainParts, lane: str) -> jobs.Worker:
    connection = jobs.connection(parts.queue)
    return jobs.Worker(
        [jobs.queue_of(lane, connection)],
        connection=connection,
        serializer=JSONSerializer,
        worker_ttl=_WORKER_TTL,
        maintenance_interval=_MAINTENANCE,
        log_job_description=False,
    )


def _watch(parts: DrainParts, stopped: threading.Event) -> None:
    """Say that the queue is fit, while it is; say that dead letters wait, while some do."""
    keeper = FitKeeper(parts.queue, parts.mac, parts.check_value, parts.clock)
    alarm = 0.0
    while True:
        keeper.renew()
        if time.monotonic() > alarm:
            alarm = time.monotonic() + _ALARM_EVERY
            _alarm(parts)
        if stopped.wait(_LOOK):
            return


def _alarm(parts: DrainParts) -> None:
    try:
        letters = list(dead_letters.each(parts.queue))
    except StoreDown:
        return
    if letters:
        oldest = parts.clock() - min(letter.failed_at for letter in letters)
        log.event("dead_letters.wait", logging.ERROR, count=len(letters), seconds=int(oldest))


def _end_with(parent: int) -> None:
    """Linux: SIGTERM when the parent dies, however it dies (prctl(2)); elsewhere nothing."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:
            sys.exit(1)
