"""The gate in front of a part: reads the request whole, plays its fault, notes it as seen.

Requests to the control plane pass untouched and unseen.
"""

import io
import sys
import threading
import traceback
from collections.abc import Callable, Iterable
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

from sandbox.kit.faults import Rule
from sandbox.kit.seen import parsed

if TYPE_CHECKING:
    from sandbox.kit.part import Part

HANDLER = "sandbox.handler"  # the server's request handler, which can cut the connection
USER = "sandbox.user"  # where an app leaves who the caller was, for the log
HTML_PAGE = (
    b"<!DOCTYPE html><html><body><h1>Our services aren't available right now</h1></body></html>"
)


class Answer(NamedTuple):
    """An HTTP answer as data."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Gate:
    """WSGI middleware around one part's app."""

    def __init__(self, app: Callable[..., Any], part: "Part") -> None:
        self._app: WSGIApplication = app
        self._part = part

    def __call__(self, environ: WSGIEnvironment, start: StartResponse) -> Iterable[bytes]:
        """Answer one request, or raise ConnectionAbortedError after cutting its connection."""
        body = _read_whole(environ)
        if environ["PATH_INFO"].startswith("/_sandbox/"):
            return self._app(environ, start)
        rule = self._part.faults.take(environ["REQUEST_METHOD"], target(environ))
        answer = self._play(rule, environ, body) if rule else self._run(environ, body)
        phrase = HTTPStatus(answer.status).phrase if answer.status in _KNOWN else "Unknown"
        start(f"{answer.status} {phrase}", answer.headers)
        return [answer.body]

    def _play(self, rule: Rule, environ: WSGIEnvironment, body: bytes) -> Answer:
        if rule.kind == "slow":
            self._part.kit.clock.sleep(rule.seconds)
            return self._run(environ, body, fault=rule.kind)
        if rule.kind == "malformed":
            return _halved(self._run(environ, body, fault=rule.kind))
        if rule.kind in ("cut_before", "cut_after", "reset", "late"):
            self._cut(rule, environ, body)
        answer = self._invented(rule)
        self._note(environ, body, answer.status, rule.kind)
        return answer

    def _cut(self, rule: Rule, environ: WSGIEnvironment, body: bytes) -> None:
        if rule.kind == "cut_after":
            self._run(environ, body, fault=rule.kind)
        elif rule.kind == "late":
            late = dict(environ)
            generation = self._part.faults.generation
            deliver = threading.Thread(
                target=self._deliver, args=(late, body, rule.seconds, generation), daemon=True
            )
            deliver.start()
        else:
            self._note(environ, body, None, rule.kind)
        environ[HANDLER].cut(hard=rule.kind == "reset")
        raise ConnectionAbortedError

    def _deliver(
        self, environ: WSGIEnvironment, body: bytes, seconds: float, generation: int
    ) -> None:
        self._part.kit.clock.sleep(seconds)
        if self._part.faults.generation == generation:
            self._run(environ, body, fault="late")

    def _invented(self, rule: Rule) -> Answer:
        headers = []
        if rule.kind == "html":
            return Answer(rule.status, [("Content-Type", "text/html")], HTML_PAGE)
        if rule.kind == "foreign":
            whole = rule.body.encode().ljust(rule.size, b" ")
            length = ("Content-Length", str(len(whole)))
            return Answer(rule.status, [*rule.headers.items(), length], whole)
        status = 429 if rule.kind == "throttle" else rule.status
        wait = rule.retry_after
        if wait is None and rule.kind == "throttle":
            wait = 1
        if wait is not None:
            headers.append(("Retry-After", str(wait)))
        content_type, body = self._part.error_body(status, rule.code, "Fault set by the sandbox.")
        headers += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        return Answer(status, headers, body)

    def _run(self, environ: WSGIEnvironment, body: bytes, fault: str | None = None) -> Answer:
        environ["wsgi.input"] = io.BytesIO(body)
        try:
            answer = _call(self._app, environ)
        except Exception as error:
            answer = self._broken(error)
        self._note(environ, body, answer.status, fault)
        return answer

    def _broken(self, error: Exception) -> Answer:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        print(f"sandbox {self._part.name}: {type(error).__name__} at {where}", file=sys.stderr)
        content_type, body = self._part.error_body(500, None, "An unexpected error occurred.")
        return Answer(500, [("Content-Type", content_type)], body)

    def _note(
        self, environ: WSGIEnvironment, body: bytes, status: int | None, fault: str | None
    ) -> None:
        headers = {
            key[5:].replace("_", "-"): value
            for key, value in environ.items()
            if key.startswith("HTTP_")
        }
        headers["content-type"] = environ.get("CONTENT_TYPE", "")
        self._part.seen.add(
            part=self._part.name,
            time=self._part.kit.clock.now(),
            method=environ["REQUEST_METHOD"],
            path=target(environ),
            headers=headers,
            body=parsed(body, headers["content-type"]),
            status=status,
            user=environ.get(USER),
            fault=fault,
        )


_KNOWN = frozenset(int(status) for status in HTTPStatus)


def target(environ: WSGIEnvironment) -> str:
    """Path and query exactly as they stood on the request line."""
    return str(environ.get("REQUEST_URI") or environ["PATH_INFO"])


def _read_whole(environ: WSGIEnvironment) -> bytes:
    """The body; the app then finds it in memory, so a kept-alive connection never goes astray."""
    stream = environ["wsgi.input"]
    if environ.get("wsgi.input_terminated"):
        body: bytes = stream.read()
    else:
        body = stream.read(int(environ.get("CONTENT_LENGTH") or 0))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ["wsgi.input"] = io.BytesIO(body)
    return body


def _call(app: WSGIApplication, environ: WSGIEnvironment) -> Answer:
    began: list[tuple[str, list[tuple[str, str]]]] = []

    def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
        began.append((status, headers))

    chunks = app(environ, start)
    try:
        body = b"".join(chunks)
    finally:
        if hasattr(chunks, "close"):
            chunks.close()
    status, headers = began[-1]
    return Answer(int(status[:3]), headers, body)


def _halved(answer: Answer) -> Answer:
    body = answer.body[: len(answer.body) // 2] or b'{"value": ['
    headers = [(n, v) for n, v in answer.headers if n.lower() not in ("content-length", "etag")]
    if not any(name.lower() == "content-type" for name, _ in headers):
        headers.append(("Content-Type", "application/json"))
    headers.append(("Content-Length", str(len(body))))
    return Answer(200 if answer.status in (204, 304) else answer.status, headers, body)
