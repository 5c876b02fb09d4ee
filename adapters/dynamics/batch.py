"""`$batch`: several requests in one body, as a change set or as a read that no URL may show.

Only the multipart notation is here. Source: learn.microsoft.com/power-apps/developer/
data-platform/webapi/execute-batch-operations-using-web-api (CRLF and Content-ID are required).
"""

import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from adapters.errors import Malformed
from adapters.http import Answer

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)"?', re.IGNORECASE)
_STATUS_LINE = re.compile(rb"HTTP/\d(?:\.\d)? (\d{3})\b")


@dataclass(frozen=True)
class Part:
    """One request. `target` is relative to the service and already encoded."""

    method: str
    target: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


def reads(root: str, parts: Iterable[Part]) -> tuple[str, bytes]:
    """(content type, body) of a batch of GETs."""
    boundary = f"batch_{uuid.uuid4()}"
    return _multipart(boundary, [_application(root, part) for part in parts])


def change_set(root: str, parts: Iterable[Part]) -> tuple[str, bytes]:
    """(content type, body) of one transaction. Each part has a Content-ID, counted from 1."""
    inner = f"changeset_{uuid.uuid4()}"
    numbered = [_application(root, part, number) for number, part in enumerate(parts, 1)]
    content_type, body = _multipart(inner, numbered)
    outer = f"batch_{uuid.uuid4()}"
    return _multipart(outer, [f"Content-Type: {content_type}\r\n\r\n".encode() + body])


def answers(headers: Mapping[str, str], body: bytes) -> list[Answer]:
    """The answers in their order, those of a change set among them. Raises Malformed."""
    found: list[Answer] = []
    for part_headers, content in _parts(headers.get("content-type", ""), body):
        content_type = part_headers.get("content-type", "").lower()
        if content_type.startswith("multipart/mixed"):
            found += answers(part_headers, content)
        elif content_type.startswith("application/http"):
            found.append(_answer(content))
        else:
            raise Malformed
    return found


def _application(root: str, part: Part, content_id: int | None = None) -> bytes:
    head = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        head.append(f"Content-ID: {content_id}")
    lines = [f"{part.method} {root}{part.target} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in part.headers.items()]
    text = "\r\n".join([*head, "", *lines, "", ""])
    return text.encode("ascii") + part.body


def _multipart(boundary: str, parts: list[bytes]) -> tuple[str, bytes]:
    mark = f"--{boundary}".encode()
    whole = b"".join(mark + b"\r\n" + part + b"\r\n" for part in parts)
    return f'multipart/mixed; boundary="{boundary}"', whole + mark + b"--\r\n"


def _parts(content_type: str, body: bytes) -> list[tuple[dict[str, str], bytes]]:
    match = _BOUNDARY.search(content_type)
    if match is None:
        raise Malformed
    mark = b"--" + match[1].encode("latin-1", "replace")
    pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if len(pieces) < 2 or not pieces[-1].startswith(b"--"):
        raise Malformed  # the end is missing
    return [_head_and_rest(piece.removeprefix(b"\r\n")) for piece in pieces[1:-1]]


def _head_and_rest(raw: bytes) -> tuple[dict[str, str], bytes]:
    head, blank, rest = raw.partition(b"\r\n\r\n")
    if not blank:
        head, rest = raw, b""
    headers = {}
    for line in head.decode("latin-1").split("\r\n"):
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers, rest


def _answer(raw: bytes) -> Answer:
    line, _, rest = raw.lstrip(b"\r\n").partition(b"\r\n")
    match = _STATUS_LINE.match(line)
    if match is None:
        raise Malformed
    headers, body = _head_and_rest(rest)
    return Answer(int(match[1]), headers, body.strip(b"\r\n"))
