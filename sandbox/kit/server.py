"""A threaded HTTP/1.1 server on loopback whose connections can be cut on purpose."""

import contextlib
import os
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.serving import ThreadedWSGIServer, WSGIRequestHandler

from sandbox.kit.gate import HANDLER

HOST = "127.0.0.1"


class Handler(WSGIRequestHandler):
    """Keeps connections alive, logs nothing, and lets the gate cut the line."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def make_environ(self) -> dict[str, Any]:
        """The WSGI environ, with a way to this connection in it."""
        environ = super().make_environ()
        environ[HANDLER] = self
        return environ

    def run_wsgi(self) -> None:
        """Answer one request in one write. Werkzeug's own closes the connection each time."""
        if self.headers.get("Expect", "").lower().strip() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        self.environ = self.make_environ()
        began: list[tuple[str, list[tuple[str, str]]]] = []

        def start(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            began.append((status, headers))

        try:
            body = b"".join(self.server.app(self.environ, start))
            self._send(*began[-1], body)
        except ConnectionError:
            self.close_connection = True

    def _send(self, line: str, headers: list[tuple[str, str]], body: bytes) -> None:
        status, _, phrase = line.partition(" ")
        self.send_response(int(status), phrase)
        for name, value in headers:
            self.send_header(name, value)
        bodiless = self.command == "HEAD" or status in ("204", "304")
        if not bodiless and not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", str(len(body)))
        self._headers_buffer.append(b"\r\n" if bodiless else b"\r\n" + body)
        self.flush_headers()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header goes by the sandbox's clock."""
        now = self.server.now if isinstance(self.server, _Listener) else time.time
        return super().date_time_string(now() if timestamp is None else timestamp)

    def cut(self, *, hard: bool) -> None:
        """Close the connection without an answer; `hard` with a TCP reset instead of a FIN."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            if hard:
                linger = struct.pack("ii", 1, 0)
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                os.close(self.connection.detach())
            else:
                self.connection.shutdown(socket.SHUT_RDWR)

    def log(self, type: str, message: str, *args: Any) -> None:
        """Nothing: a request line names people."""


class _Listener(ThreadedWSGIServer):
    request_queue_size = 256
    daemon_threads = True

    def __init__(
        self, app: Flask, port: int, tls: tuple[str, str] | None, now: Callable[[], float]
    ) -> None:
        super().__init__(HOST, port, app, handler=Handler)
        self.now = now
        self._open: set[Any] = set()
        self._open_lock = threading.Lock()
        if tls:
            # Set after the base class, which would do the handshake in the accepting thread.
            self.ssl_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.ssl_context.load_cert_chain(*tls)

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.ssl_context is not None:
            request.settimeout(10)
            request = self.ssl_context.wrap_socket(request, server_side=True)
            request.settimeout(None)
        with self._open_lock:
            self._open.add(request)
        try:
            super().finish_request(request, client_address)
        finally:
            with self._open_lock:
                self._open.discard(request)
            self.shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Nothing: a caller that went away is no news, and a traceback could hold a value."""

    def cut_all(self) -> None:
        with self._open_lock:
            still_open = list(self._open)
        for connection in still_open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class Server:
    """A running server; `close()` ends it and every connection it still holds."""

    def __init__(self, listener: _Listener) -> None:
        self._listener = listener
        self.port = listener.port
        scheme = "https" if listener.ssl_context else "http"
        self.url = f"{scheme}://{HOST}:{self.port}"
        self._thread = threading.Thread(target=listener.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening, cut what is open, give the port back."""
        self._listener.shutdown()
        self._thread.join()
        self._listener.server_close()
        self._listener.cut_all()


def serve(
    app: Flask,
    port: int = 0,
    tls: tuple[str, str] | None = None,
    now: Callable[[], float] = time.time,
) -> Server:
    """Serve `app` on 127.0.0.1 (0 = a free port), over TLS with (certificate file, key file).
    `now`: the clock of its answers, epoch seconds."""
    return Server(_Listener(app, port, tls, now))
