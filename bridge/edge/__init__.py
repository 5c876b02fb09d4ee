"""What every request passes, whoever answers it: limits, ids, trace, headers, problems, one log
line. Not for: who is calling (`bridge/api/bearer.py`), or what is answered."""

from collections.abc import Iterable, Mapping

from flask import Flask

from bridge.edge import headers, problems, request
from bridge.edge.json import OrjsonProvider
from bridge.edge.request import request_id, trace

__all__ = ["install", "request_id", "trace"]


def install(app: Flask, max_body: int, origins: Mapping[str, Iterable[str]]) -> None:
    """Put the edge around `app`. `max_body`: bytes. `origins`: client id -> origins of its site."""
    app.json = OrjsonProvider(app)
    app.config.update(
        MAX_CONTENT_LENGTH=max_body,
        MAX_FORM_MEMORY_SIZE=max_body,
        MAX_FORM_PARTS=100,
        TRAP_HTTP_EXCEPTIONS=False,
        PROPAGATE_EXCEPTIONS=False,
    )
    app.url_map.merge_slashes = False  # its redirect would be to the host that `Host` names
    request.install(app)
    headers.install(app, origins)
    problems.install(app)
