"""RQ as the wake-up, and no more: one function, whose arguments are a mailbox and a turn.

Losing any of RQ's keys loses nothing, since the due set is the schedule. Whoever can write RQ's
keys could otherwise name any importable function, a callback or a webhook, so a job that isn't
exactly ours doesn't exist for this worker (source: rq 3.0 `Job.restore`, `Job.func`). Not for: what
a drain does (`drain.py`).
"""

import logging
import re
import time
from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

import redis
from rq import Queue, SimpleWorker
from rq.exceptions import NoSuchJobError
from rq.job import Job
from rq.queue import EnqueueData
from rq.serializers import JSONSerializer

from bridge import log
from bridge.store import Redis
from bridge.writes.drain import DrainParts, drain

FUNCTION = "bridge.writes.jobs.run"
QUEUES = {"now": "now", "bulk": "bulk", "notify": "notify"}
"""Lane -> the RQ queue of its own."""
_MAILBOX = re.compile(r"[wbn][A-Za-z0-9_-]{22}")
_RESULT_TTL = 5  # never 0: RQ then runs a recovered job twice
_FAILURE_TTL = 600
_WAITS = 60  # seconds; a wake-up that waited longer has been made again
_TIMEOUT = 300
_LEFT = 900  # seconds that a killed worker's job stays; RQ's maintenance comes sooner

_process = SimpleNamespace()


class DrainFailed(Exception):
    """All that RQ gets to know of an error. `code` is the name of its class."""

    def __init__(self, code: str) -> None:
        super().__init__(code)


class WakeUp(Job):
    """A job that is exactly ours, or none."""

    def restore(self, raw_data: Any) -> None:
        """Raises NoSuchJobError for any other: RQ then goes on to the next."""
        try:
            super().restore(raw_data)
            ours = self._is_ours()
        except Exception:  # whatever a stranger wrote must not end the worker
            ours = False
        if not ours:
            self.connection.delete(self.key)
            log.event("queue.foreign_job", logging.ERROR)
            raise NoSuchJobError from None

    def _is_ours(self) -> bool:
        arguments = self.args
        named = (
            self._success_callback_name
            or self._failure_callback_name
            or self._stopped_callback_name
        )
        return (
            self.func_name == FUNCTION
            and self.instance is None
            and self.kwargs == {}
            and len(arguments) == 2
            and isinstance(arguments[0], str)
            and _MAILBOX.fullmatch(arguments[0]) is not None
            and type(arguments[1]) is int
            and not (named or self.webhooks or self.retries_left or self.repeats_left)
            and not (self._dependency_ids or self.group_id or self.rate_limit_key)
        )


class Wakes(Queue):
    """A lane's queue, which survives an id that isn't text."""

    job_class = WakeUp

    @classmethod
    def lmove(cls, connection: redis.Redis, queue_key: str, timeout: int | None) -> Any:
        """RQ would end the worker, and every one after it. Such an id names no job."""
        found = super().lmove(connection, queue_key, timeout)
        if found is None or found[1].isascii():
            return found
        connection.lrem(f"{queue_key}:intermediate", 0, found[1])
        return queue_key, b"none"


class Worker(SimpleWorker):
    """RQ's worker without its chatter: heartbeats at most once a second, no commands from Redis,
    no suspension, and errors by their code only."""

    job_class = WakeUp
    queue_class = Wakes
    log_result_lifespan = False
    _beaten = 0.0

    def heartbeat(self, timeout: int | None = None, pipeline: Any = None) -> None:
        """Throttled: it was a quarter of a job's cost."""
        if pipeline is not None or time.monotonic() - self._beaten > 1.0:
            self._beaten = time.monotonic()
            super().heartbeat(timeout, pipeline)

    @property
    def stopping(self) -> bool:
        """SIGTERM came: after this head, no other."""
        return self._stop_requested

    def subscribe(self) -> None:
        """Nobody may stop this worker through Redis."""

    def check_for_suspension(self, burst: bool) -> None:
        """Never suspended: a pause belongs to *claim*."""

    def prepare_job_execution(self, job: Job, remove_from_intermediate_queue: bool = False) -> None:
        """RQ takes the job's end away while it runs; a killed worker would leave it for ever."""
        super().prepare_job_execution(job, remove_from_intermediate_queue)
        self.connection.expire(job.key, _LEFT)

    def handle_exception(self, job: Job, *exc_info: Any) -> None:
        """RQ would log the arguments and the whole traceback."""
        log.event("queue.job_failed", logging.ERROR, code=str(exc_info[1]), queue=job.origin)

    def handle_job_failure(self, job: Job, queue: Queue, *args: Any, **kwargs: Any) -> None:
        """RQ would keep the traceback's text."""
        super().handle_job_failure(job, queue, *args, **(kwargs | {"exc_string": "failed"}))


def connection(queue: Redis) -> redis.Redis:
    """A pool of RQ's own to the same server: RQ wants bytes, and sets its own timeouts."""
    pool = queue.client.connection_pool
    settings = pool.connection_kwargs | {"decode_responses": False}
    return redis.Redis(
        connection_pool=redis.ConnectionPool(connection_class=pool.connection_class, **settings)
    )


def queue_of(lane: str, rq_connection: redis.Redis) -> Queue:
    """The lane's queue."""
    return Wakes(QUEUES[lane], connection=rq_connection, serializer=JSONSerializer)


def wake(queue: Queue, turns: Iterable[tuple[str, int]]) -> None:
    """One job per claimed mailbox. Raises redis.RedisError."""
    jobs: list[EnqueueData] = [
        Queue.prepare_data(
            FUNCTION,
            args=(mailbox, turn),
            description="drain",
            timeout=_TIMEOUT,
            ttl=_WAITS,
            result_ttl=_RESULT_TTL,
            failure_ttl=_FAILURE_TTL,
        )
        for mailbox, turn in turns
    ]
    if jobs:
        queue.enqueue_many(jobs)


def install(parts: DrainParts, done: Callable[[], None], stop: Callable[[], bool]) -> None:
    """What `run` works with in this process. `done`: called after each job; `stop`: asked between
    two heads."""
    _process.parts, _process.done, _process.stop = parts, done, stop


def run(mailbox: str, turn: int) -> None:
    """The one job. Raises DrainFailed with a code and nothing else."""
    try:
        drain(_process.parts, mailbox, turn, _process.stop)
    except Exception as error:
        log.failure("drain.failed", error)
        raise DrainFailed(type(error).__name__) from None
    finally:
        _process.done()
