"""A connection pool to one Redis role, whose errors say nothing. Not for: any one kind of key."""

import hashlib
from collections.abc import Callable
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry


class StoreDown(Exception):
    """Redis didn't answer, is full, or refuses us. Holds no command and no argument: redis-py
    quotes both in its own errors."""


class StoreRefused(StoreDown):
    """It answered, and refused (full, read-only, not allowed): nothing was done."""


class Redis:
    """A connection pool to one role. Every error becomes StoreDown, without text."""

    def __init__(self, url: str, timeout: float = 2.0) -> None:
        """`url`: redis://user:password@host:port/0 or rediss://, unix://."""
        self.client = redis.Redis.from_url(
            url,
            decode_responses=True,
            socket_timeout=timeout,
            socket_connect_timeout=timeout,
            retry=Retry(NoBackoff(), 1),
            health_check_interval=0,
            protocol=2,
        )

    def __repr__(self) -> str:
        return "Redis()"

    def do(self, *command: Any) -> Any:
        """One command. Raises StoreDown."""
        try:
            return self.client.execute_command(*command)  # type: ignore[no-untyped-call]
        except redis.ResponseError:
            raise StoreRefused from None
        except redis.RedisError:
            raise StoreDown from None

    def eval_and_wait(
        self, source: str, keys: list[str], args: list[Any], replicas: int, milliseconds: int
    ) -> tuple[Any, int]:
        """A script's answer, and how many replicas have what it wrote: on one connection, since
        WAIT counts what its own connection wrote. Raises StoreDown, StoreRefused."""
        pipeline = self.client.pipeline(transaction=False)
        pipeline.execute_command("EVAL", source, len(keys), *keys, *args)  # type: ignore[no-untyped-call]
        pipeline.execute_command("WAIT", replicas, milliseconds)  # type: ignore[no-untyped-call]
        try:
            answer, have = pipeline.execute()
        except redis.ResponseError:
            raise StoreRefused from None
        except redis.RedisError:
            raise StoreDown from None
        return answer, int(have)

    def script(self, source: str) -> Callable[..., Any]:
        """`call(keys, args)` of a Lua script, sent by its hash. Raises StoreDown.

        Where the server doesn't know the hash it gets the source with the call: SCRIPT LOAD, which
        redis-py would use, isn't among the web user's rights on the queue.
        """
        digest = hashlib.sha1(source.encode(), usedforsecurity=False).hexdigest()

        def call(keys: list[str], args: list[Any]) -> Any:
            command = [len(keys), *keys, *args]
            try:
                return self.client.execute_command("EVALSHA", digest, *command)  # type: ignore[no-untyped-call]
            except redis.exceptions.NoScriptError:
                return self.do("EVAL", source, *command)
            except redis.ResponseError:
                raise StoreRefused from None
            except redis.RedisError:
                raise StoreDown from None

        return call
