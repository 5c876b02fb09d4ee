"""A CRM that costs almost nothing: one contact, after a delay, over keep-alive HTTP/1.1.

Not for: being faithful (that is the sandbox). It answers any GET with the row whose id stands in
the path, any other method with 204, after `delay` seconds that cost no CPU, so that what is
measured is what stands in front of it. `python -m benchmarks.upstream PORT DELAY_MS`.
"""

import asyncio
import json
import re
import sys

_ID = re.compile(rb"\(([0-9a-fA-F-]{36})\)")
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
_ROW = {
    "@odata.context": "https://crm/api/data/v9.2/$metadata#contacts/$entity",
    "@odata.etag": 'W/"1234567"',
    "contactid": "",
    "firstname": "Xiaoming",
    "lastname": "Ouyang",
    "fullname": "Xiaoming Ouyang",
    "emailaddress1": "bench.member@example.cn",
    "mobilephone": "+8613800000000",
    "birthdate": "1990-05-17",
    "gendercode": 1,
    "externaluseridentifier": "bench-subject",
    "cb_stamp": "bench-stamp",
    "cb_lastoperations": "abcdefghij",
    "cb_points": 1280.50,
    "cb_tier": 534120001,
    "cb_language": 534120000,
    "cb_registeredstore": "SH001",
    "cb_registeredat": "2026-01-02T03:04:05Z",
    "cb_favouritemodel": "Diver 200",
    "statecode": 0,
    "_masterid_value": None,
    "description": "x" * 800,
}


def _answer(request: bytes) -> bytes:
    if not request.startswith(b"GET "):
        return b"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n"
    found = _ID.search(request)
    row = _ROW | {"contactid": found[1].decode() if found else ""}
    body = json.dumps(row, separators=(",", ":")).encode()
    head = (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json; odata.metadata=minimal\r\n"
        b'OData-Version: 4.0\r\nETag: W/"1234567"\r\nContent-Length: %d\r\n\r\n' % len(body)
    )
    return head + body


class _Connection(asyncio.Protocol):
    """Requests of one connection, answered in order after the delay."""

    def __init__(self, delay: float) -> None:
        self._delay = delay
        self._buffer = b""
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := self._buffer.find(b"\r\n\r\n")) >= 0:
            length = _LENGTH.search(self._buffer[:end])
            whole = end + 4 + (int(length[1]) if length else 0)
            if len(self._buffer) < whole:
                return
            request, self._buffer = self._buffer[:whole], self._buffer[whole:]
            if self._delay:
                self._loop.call_later(self._delay, self._send, request)
            else:
                self._send(request)

    def _send(self, request: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(_answer(request))  # type: ignore[attr-defined]


async def serve(port: int, delay: float) -> None:
    """Serve until killed; says so on stdout once it listens."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: _Connection(delay), "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]), float(sys.argv[2]) / 1000))
