"""A plain REST service with tables, for trying an adapter on. It lives in this process.

    POST   /token               {"key"}                          -> {"token", "seconds"}
    GET    /schema                                               -> {table: {column: type}}
    GET    /tables/<t>/<id>     ?columns=a,b                     -> a row
    POST   /tables/<t>/search   {where, columns, after, limit}   -> [row, …] in the order of ids
    PUT    /tables/<t>/<id>     If-None-Match: *, {column: …}    -> a row; 412 where the id is taken
    PATCH  /tables/<t>/<id>     If-Match: rev, {column: …}       -> a row; 412 at another rev
    DELETE /tables/<t>/<id>     [If-Match: rev]                  -> null

A row is {"id", "rev", "row": {column: value}}; an error {"error": code}. Not for: production.
"""

import contextlib
import json
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

FAULTS = ("throttle", "status", "html", "foreign", "malformed", "cut_before", "cut_after", "slow")


_JSON = {"Content-Type": "application/json"}


class Refusal(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, code: str) -> None:
        super().__init__(code)
        self.status, self.code = status, code


@dataclass
class Service:
    """Its rows, its tokens, what it was asked, and the fault that the next requests meet."""

    schema: dict[str, dict[str, str]]
    key: str = "example-key"
    rows: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    tokens: set[str] = field(default_factory=set)
    issued: int = 0
    rev: int = 0
    seen: list[dict[str, Any]] = field(default_factory=list)
    fault: dict[str, Any] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def __post_init__(self) -> None:
        handler = type("Bound", (_Handler,), {"service": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Serve no more."""
        self._server.shutdown()
        self._server.server_close()

    def token(self, body: Any) -> dict[str, Any]:
        """A new one, for an hour."""
        if body.get("key") != self.key:
            raise Refusal(401, "bad-key")
        self.issued += 1
        token = secrets.token_urlsafe(12)
        self.tokens.add(token)
        return {"token": token, "seconds": 3600}

    def answer(self, method: str, target: str, headers: dict[str, str], body: Any) -> Any:
        """The document. Raises Refusal."""
        parts = urlsplit(target)
        if parts.path == "/schema":
            return self.schema
        _, _, table, last = parts.path.split("/")
        if table not in self.schema:
            raise Refusal(404, "no-table")
        asked = parse_qs(parts.query).get("columns", [""])[0]
        columns = [name for name in asked.split(",") if name]
        with self.lock:
            if method == "POST":
                return self._search(table, body)
            self._known(table, [*columns, *(body or {})])
            row = self._change(method, table, last, headers, body)
            return _shown(last, row, columns) if row else None

    def _known(self, table: str, columns: list[str]) -> None:
        if not set(columns) <= set(self.schema[table]):
            raise Refusal(400, "no-column")

    def _change(
        self, method: str, table: str, id: str, headers: dict[str, str], body: Any
    ) -> dict[str, Any] | None:
        """The row, after the change that `method` makes."""
        rows = self.rows.setdefault(table, {})
        row = rows.get(id)
        if method == "PUT":
            if row is not None:
                raise Refusal(412, "taken")
            row = rows[id] = {"rev": 0, "row": dict.fromkeys(self.schema[table])}
        if row is None:
            raise Refusal(404, "no-row")
        if "if-match" in headers and headers["if-match"] != str(row["rev"]):
            raise Refusal(412, "other-rev")
        if method == "DELETE":
            del rows[id]
            return None
        if method != "GET":
            self.rev += 1
            row["rev"] = self.rev
            row["row"] |= body
        return row

    def _search(self, table: str, body: Any) -> list[Any]:
        self._known(table, [*body["columns"], *(column for column, _, _ in body["where"])])
        hits = [
            _shown(id, row, body["columns"])
            for id, row in sorted(self.rows.get(table, {}).items())
            if id > (body["after"] or "")
            and all(_meets(row["row"][column], op, value) for column, op, value in body["where"])
        ]
        return hits[: body["limit"]]


def _shown(id: str, row: dict[str, Any], columns: list[str]) -> dict[str, Any]:
    return {"id": id, "rev": row["rev"], "row": {name: row["row"][name] for name in columns}}


def _meets(held: Any, op: str, value: Any) -> bool:
    if op == "in":
        return held in value
    if op in ("eq", "ne"):
        return (held == value) == (op == "eq")
    if held is None:
        return False
    return {"gt": held > value, "ge": held >= value, "lt": held < value, "le": held <= value}[op]


class _Handler(BaseHTTPRequestHandler):
    service: Service
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # head and body in one packet

    def _serve(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = json.loads(self.rfile.read(int(headers.get("content-length", 0))) or "null")
        if self.path == "/token":
            return self._try(lambda: self.service.token(body))
        seen = {"method": self.command, "target": self.path, "headers": headers, "body": body}
        self.service.seen.append(seen)
        fault = self._fault()
        kind = fault.get("kind")
        if kind == "slow":
            time.sleep(fault["seconds"])
        if kind == "throttle":
            more = {"Retry-After": str(fault["retry_after"])}
            return self._reply(429, _JSON | more, b'{"error": "slow-down"}')
        if kind == "status":
            return self._send(fault["status"], {"error": "down"})
        if kind == "html":
            headers = {"Content-Type": "text/html"}
            return self._reply(fault.get("status", 200), headers, b"<html>proxy</html>")
        if kind == "foreign":  # whatever the rule says
            body = str(fault.get("body", "")).encode().ljust(fault.get("size", 0))
            return self._reply(fault["status"], fault.get("headers", {}), body)
        if kind == "cut_before":
            return self._cut()
        half, after = kind == "malformed", kind == "cut_after"
        return self._try(lambda: self._document(headers, body), half=half, cut=after)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve

    def _document(self, headers: dict[str, str], body: Any) -> Any:
        if headers.get("authorization", "").removeprefix("Bearer ") not in self.service.tokens:
            raise Refusal(401, "bad-token")
        return self.service.answer(self.command, self.path, headers, body)

    def _try(self, make: Any, *, half: bool = False, cut: bool = False) -> None:
        try:
            status, document = 200, make()
        except Refusal as refusal:
            status, document = refusal.status, {"error": refusal.code}
        if cut:
            return self._cut()
        return self._send(status, document, half=half)

    def _send(self, status: int, document: Any, *, half: bool = False) -> None:
        whole = json.dumps(document).encode()
        self._reply(status, _JSON, whole[:-2] if half else whole)

    def _reply(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the caller needn't wait for all of it
            self.wfile.write(body)
            self.wfile.flush()

    def _fault(self) -> dict[str, Any]:
        with self.service.lock:
            fault = self.service.fault
            if fault and (times := fault.get("times", 1)) > 1:
                self.service.fault = {**fault, "times": times - 1}
            else:
                self.service.fault = {}
            return fault

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *_: Any) -> None:
        """Nothing: a path may name a person's record."""
