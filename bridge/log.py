"""Structured log lines with an allow-list of fields. Not for: metrics, or audit in the CRM.

A line is JSON: time, level, event and the fields below, nothing else. What isn't on the list is
dropped, so that a new call can't leak by accident. Libraries' loggers are held at WARNING and
their text and tracebacks are replaced by the logger's name and the place in the code, since
requests, urllib3, msal, rq and redis all put URLs or arguments into theirs.
"""

import logging
import sys
import time
import traceback
from typing import Any, TextIO

import orjson

ALLOWED = frozenset(
    [
        "action",
        "attempts",
        "bytes",
        "client",
        "code",
        "count",
        "crm_code",
        "event_type",
        "field_count",
        "kid",
        "kind",
        "lane",
        "method",
        "ms",
        "name",
        "op",
        "outcome",
        "place",
        "problem",
        "process",
        "queue",
        "reason",
        "request_id",
        "role",
        "route",
        "seconds",
        "state",
        "status",
        "step",
        "table",
        "trace",
        "turn",
        "verb",
        "version",
        "window",
    ]
)
"""Fields that a line may have. None of them may hold a member's value, an address or a secret."""

_ours = logging.getLogger("bridge")


def event(name: str, level: int = logging.INFO, **fields: Any) -> None:
    """Log one event. `name` is a constant; fields that aren't in ALLOWED are dropped."""
    if _ours.isEnabledFor(level):
        # Not `_ours.log`: it would look through the stack for the caller, at each request.
        record = logging.LogRecord(_ours.name, level, "", 0, name, None, None)
        record.fields = {key: value for key, value in fields.items() if key in ALLOWED}
        _ours.handle(record)


def failure(name: str, error: BaseException, **fields: Any) -> None:
    """Log an error by type and place only: its text may hold anything."""
    event(name, logging.ERROR, code=type(error).__name__, place=place_of(error), **fields)


def place_of(error: BaseException) -> str:
    """`file:line` where it was raised, of the last frame."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return ""
    last = frames[-1]
    return f"{'/'.join(last.filename.split('/')[-2:])}:{last.lineno}"


class Lines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Ours with their fields; anyone else's reduced to logger, level and place."""
        line: dict[str, Any] = {"time": self._time(record), "level": record.levelname.lower()}
        if hasattr(record, "fields"):
            line["event"] = record.msg
            line.update(record.fields)
        else:
            line |= {"event": "library", "name": record.name}
            line["place"] = f"{record.module}:{record.lineno}"
            if record.exc_info and record.exc_info[0]:
                line["code"] = record.exc_info[0].__name__
        return orjson.dumps(line, str).decode()

    @staticmethod
    def _time(record: logging.LogRecord) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(record.created))


def setup(level: str = "INFO", stream: TextIO | None = None) -> None:
    """Make this the process's only log. Even at DEBUG libraries stay at WARNING."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(Lines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for name in ("urllib3", "msal", "werkzeug", "rq", "rq.worker", "redis", "authlib", "granian"):
        logger = logging.getLogger(name)
        logger.handlers[:] = []
        logger.propagate = True
        logger.setLevel(logging.WARNING)
    _ours.setLevel(level)
    logging.raiseExceptions = False
