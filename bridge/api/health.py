"""`/healthz` and `/readyz`: for whoever starts, watches and routes to this process.

Not for: the CRM's own health; no call goes there (`python -m bridge doctor` makes one). A CRM that
doesn't answer is shown but takes no process out of service: writes are still accepted, sealed.
"""

from collections.abc import Callable

from flask import Response

from bridge.api import answers
from bridge.api.call import Call, query
from bridge.store import StoreDown


def alive(call: Call) -> Response:
    """The process answers."""
    return answers.json({"status": "ok"})


def ready(call: Call) -> Response:
    """Both Redis roles answer, and a worker says that the queue is durable."""
    query()
    parts = call.parts
    state = {
        "tokens": _holds(lambda: bool(parts.tokens.do("PING"))),
        "queue": _holds(lambda: bool(parts.queue.do("PING"))),
        "accepting": _holds(parts.mailboxes.accepting),
    }
    status = 200 if all(state.values()) else 503
    body: dict[str, object] = {"status": "ok" if status == 200 else "trouble"}
    if parts.settings.http.serve_docs:
        body["parts"] = state | {"crm": not parts.budget.is_open()}
    return answers.json(body, status)


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except StoreDown:
        return False
