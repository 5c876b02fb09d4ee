"""`$batch`: reading the multipart body, running its parts in order, writing the answer.

The rules are those of learn.microsoft.com/power-apps/developer/data-platform/webapi/
execute-batch-operations-using-web-api and of its page on client errors (line endings).
"""

import dataclasses
import itertools
import re
import uuid
from collections.abc import Callable
from http import HTTPStatus

from sandbox.dynamics import errors
from sandbox.dynamics.changes import References, dereferenced
from sandbox.dynamics.message import Reply, Request
from sandbox.dynamics.service import Service, error_reply

MOST_REQUESTS = 1000
Note = Callable[[Request, Reply], None]
VERSIONED = re.compile(r"(https?://[^/]+)?/api/data/v9\.[012]/")


@dataclasses.dataclass(frozen=True)
class Operation:
    """One request of the batch; a change set's carry a Content-ID."""

    request: Request
    content_id: str | None


@dataclasses.dataclass(frozen=True)
class ChangeSet:
    """Operations that succeed or fail together."""

    operations: tuple[Operation, ...]


@dataclasses.dataclass(frozen=True)
class _Done:
    replies: tuple[tuple[str | None, Reply], ...]
    change_set: bool

    @property
    def failed(self) -> bool:
        return any(reply.status >= 400 for _, reply in self.replies)


def run(service: Service, outer: Request, note: Note) -> Reply:
    """Answer a batch. `note` is told of every request inside and its answer."""
    if outer.method != "POST":
        raise errors.wrong_method(outer.method)
    items = _parsed(outer)
    count = sum(len(i.operations) if isinstance(i, ChangeSet) else 1 for i in items)
    if count > MOST_REQUESTS:
        raise errors.bad_payload("The batch has more than 1000 requests.")
    done = []
    for item in items:
        done.append(_run_item(service, item, note))
        if done[-1].failed and not outer.prefer.continue_on_error:
            break
    stopped = done and done[-1].failed and not outer.prefer.continue_on_error
    return _written(400 if stopped else 200, done)


def _run_item(service: Service, item: Operation | ChangeSet, note: Note) -> _Done:
    if isinstance(item, Operation):
        reply = _attempt(service, item, {})
        note(item.request, reply)
        return _Done(((None, reply),), change_set=False)
    return _run_change_set(service, item, note)


class _RolledBackError(Exception):
    """Leaves the transaction so that all of it is undone."""


def _run_change_set(service: Service, change_set: ChangeSet, note: Note) -> _Done:
    replies: list[tuple[str | None, Reply]] = []
    references: References = {}
    try:
        with service.store.transaction():
            for operation in change_set.operations:
                reply = _attempt(service, operation, references)
                replies.append((operation.content_id, reply))
                if reply.status >= 400:
                    raise _RolledBackError
                if operation.content_id and reply.entity:
                    references[operation.content_id] = reply.entity
    except _RolledBackError:
        failed = replies[-1]
        for operation, (_, reply) in zip(change_set.operations, replies, strict=False):
            note(
                operation.request,
                reply if reply is failed[1] else dataclasses.replace(reply, status=424),
            )
        return _Done((failed,), change_set=True)
    for operation, (_, reply) in zip(change_set.operations, replies, strict=True):
        note(operation.request, reply)
    return _Done(tuple(replies), change_set=True)


def _attempt(service: Service, operation: Operation, references: References) -> Reply:
    request = operation.request
    try:
        if request.target.startswith("$") and not request.target.startswith("$batch"):
            target = dereferenced(request.target, references)
            request = dataclasses.replace(request, target=target)
        return service.execute(request, references)
    except errors.DataverseError as error:
        return error_reply(error, bool(request.prefer.annotations))


# -- reading ----------------------------------------------------------------------------------


def _unreadable() -> errors.DataverseError:
    return errors.bad_payload("System.ArgumentException: Stream was not readable.")


def _parsed(outer: Request) -> list[Operation | ChangeSet]:
    boundary = _boundary(outer.headers.get("content-type", ""))
    items: list[Operation | ChangeSet] = []
    for headers, content in _parts(outer.body, boundary, outermost=True):
        kind = headers.get("content-type", "")
        if kind.startswith("multipart/mixed"):
            items.append(_change_set(outer, content, _boundary(kind)))
        else:
            items.append(_operation(outer, headers, content))
    if not items:
        raise _unreadable()
    return items


def _boundary(content_type: str) -> bytes:
    kind, _, parameters = content_type.partition(";")
    match = re.search(r'boundary=("[^"]+"|[^;\s]+)', parameters)
    if kind.strip().lower() != "multipart/mixed" or match is None:
        raise errors.bad_payload("A batch is multipart/mixed with a boundary.")
    return match[1].strip('"').encode()


def _parts(
    body: bytes, boundary: bytes, *, outermost: bool = False
) -> list[tuple[dict[str, str], bytes]]:
    line = re.compile(rb"(?:\A|\r?\n)--" + re.escape(boundary) + rb"(--)?[ \t]*(?=\r?\n|\Z)")
    marks = list(line.finditer(body))
    if not marks or marks[-1][1] is None:
        raise _unreadable()
    if outermost and body[marks[0].end() : marks[0].end() + 1] == b"\n":
        # Line feeds alone are read only when two empty lines follow the end.
        tail = body[marks[-1].end() :]
        if tail.count(b"\n") < 2:
            raise _unreadable()
    found = []
    for mark, following in itertools.pairwise(marks):
        content = re.sub(rb"\A\r?\n", b"", body[mark.end() : following.start()], count=1)
        found.append(_headed(content))
    return found


def _headed(content: bytes) -> tuple[dict[str, str], bytes]:
    """Header lines by lower-case name, and what follows the empty line."""
    match = re.search(rb"(?:\A|\r?\n)\r?\n|\Z", content)
    end, start = (match.start(), match.end()) if match else (len(content), len(content))
    headers = {}
    for line in content[:end].decode("utf-8", "replace").splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            raise _unreadable()
        headers[name.strip().lower()] = value.strip()
    return headers, content[start:]


def _change_set(outer: Request, content: bytes, boundary: bytes) -> ChangeSet:
    operations = tuple(_operation(outer, *part) for part in _parts(content, boundary))
    names = [operation.content_id for operation in operations]
    if None in names or len(set(names)) != len(names):
        raise errors.bad_query("Each request of a change set needs a Content-ID of its own.")
    if any(operation.request.method == "GET" for operation in operations):
        raise errors.bad_payload("A change set can't contain GET requests.")
    inside = [
        dataclasses.replace(o, request=dataclasses.replace(o.request, in_change_set=True))
        for o in operations
    ]
    return ChangeSet(tuple(inside))


def _operation(outer: Request, headers: dict[str, str], content: bytes) -> Operation:
    if not headers.get("content-type", "").startswith("application/http"):
        raise _unreadable()
    first, _, rest = content.lstrip(b"\r\n").partition(b"\n")
    match = re.fullmatch(r"([A-Z]+)\s+(\S.*?)\s+HTTP/1\.1", first.decode("utf-8").strip())
    if match is None:
        raise _unreadable()
    inner_headers, body = _headed(rest)
    request = Request(
        method=match[1],
        base=outer.base,
        target=_target(outer, match[2].replace(" ", "%20")),
        headers=inner_headers,
        body=body.strip(),
        user=outer.user,
        in_batch=True,
    )
    return Operation(request, headers.get("content-id"))


def _target(outer: Request, text: str) -> str:
    match = VERSIONED.match(text)
    if match is None:
        if "://" in text.partition("(")[0].partition("?")[0]:
            raise errors.bad_payload("A request leads out of this environment.")
        return text.lstrip("/")
    if match[1] and not outer.base.startswith(match[1] + "/"):
        raise errors.bad_payload("A request leads out of this environment.")
    return text[match.end() :]


# -- writing ----------------------------------------------------------------------------------


def _written(status: int, done: list[_Done]) -> Reply:
    boundary = f"batchresponse_{uuid.uuid4()}"
    pieces = []
    for item in done:
        pieces.append(f"--{boundary}\r\n".encode())
        if item.change_set:
            pieces.append(_change_set_written(item))
        else:
            pieces.append(_part_written(*item.replies[0]))
    pieces.append(f"--{boundary}--\r\n".encode())
    kind = {"Content-Type": f"multipart/mixed; boundary={boundary}"}
    return Reply(status, kind, b"".join(pieces))


def _change_set_written(item: _Done) -> bytes:
    boundary = f"changesetresponse_{uuid.uuid4()}"
    pieces = [f"Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n".encode()]
    for content_id, reply in item.replies:
        pieces += [f"--{boundary}\r\n".encode(), _part_written(content_id, reply)]
    return b"".join([*pieces, f"--{boundary}--\r\n".encode()])


def _part_written(content_id: str | None, reply: Reply) -> bytes:
    lines = ["Content-Type: application/http", "Content-Transfer-Encoding: binary"]
    if content_id is not None:
        lines.append(f"Content-ID: {content_id}")
    lines += ["", f"HTTP/1.1 {reply.status} {HTTPStatus(reply.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in reply.headers.items()]
    lines += ["OData-Version: 4.0", "", ""]
    return "\r\n".join(lines).encode() + reply.body + b"\r\n"
