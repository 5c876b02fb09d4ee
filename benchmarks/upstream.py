"""A CRM that costs almost nothing: one contact, after a delay, over keep-alive HTTP/1.1.

Not for: being faithful (that is the sandbox). It plays Dynamics, and one read of SuiteCRM and of
SugarCRM, for their adapters alone. It answers GET and PATCH of a row with the row whose
id stands in the path, after a delay that costs no CPU, so that what is measured is what stands in
front of it. `PUT /delay/<milliseconds>` sets the delay. `python -m benchmarks.upstream [PORT]`.
"""

import asyncio
import json
import re
import sys

_ID = re.compile(rb"\(([0-9a-fA-F-]{36})\)")
_LENGTH = re.compile(rb"\r\n[Cc]ontent-[Ll]ength: *(\d+)")
STAMP = "bench-stamp"
_ROW = {
    "@odata.context": "https://crm/api/data/v9.2/$metadata#contacts/$entity",
    "@odata.etag": 'W/"1234567"',
    "contactid": "%id%",
    "firstname": "Xiaoming",
    "lastname": "Ouyang",
    "fullname": "Xiaoming Ouyang",
    "emailaddress1": "bench.member@example.cn",
    "mobilephone": "+8613800000000",
    "birthdate": "1990-05-17",
    "gendercode": 1,
    "externaluseridentifier": "bench-subject",
    "cb_stamp": STAMP,
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
_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json; odata.metadata=minimal\r\n"
    b'OData-Version: 4.0\r\nETag: W/"1234567"\r\nContent-Length: %d\r\n\r\n'
)
_BEFORE, _AFTER = json.dumps(_ROW, separators=(",", ":")).encode().split(b"%id%")
_NO_ID = b"0" * 36
_START = _HEAD % (len(_BEFORE) + len(_NO_ID) + len(_AFTER)) + _BEFORE
THE_ID = "00000000-0000-4000-8000-000000000001"
"""The contact that SuiteCRM's and SugarCRM's API give, whichever is asked for."""
_SUGAR_ROW = {
    "id": THE_ID,
    "sync_key": THE_ID,
    "date_modified": "2026-01-02T03:04:05+00:00",
    "cb_version_c": "bench",
    "first_name": "Xiaoming",
    "last_name": "Ouyang",
    "email": [{"email_address": "bench.member@example.cn", "primary_address": True}],
    "email1": "bench.member@example.cn",
    "phone_mobile": "+8613800000000",
    "birthdate": "1990-05-17",
    "cb_gender_c": "male",
    "cb_language_c": "zh_CN",
    "cb_subject_c": "bench-subject",
    "cb_stamp_c": STAMP,
    "cb_lastoperations_c": "abcdefghij",
    "cb_points_c": "1280.50",
    "cb_tier_c": "gold",
    "cb_registeredat_c": "2026-01-02T03:04:05+00:00",
    "cb_registeredstore_c": "SH001",
    "cb_favouritemodel_c": "Diver 200",
    "cb_state_c": "",
    "dp_business_purpose": ["Profiling"],
    "do_not_call": False,
    "description": "x" * 800,
}
_DATA = {"type": "Contact", "id": THE_ID, "attributes": _SUGAR_ROW}


def _whole(document: object) -> bytes:
    body = json.dumps(document, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s" % (
        len(body),
        body,
    )


_SUITE = _whole({"data": _DATA})
_SUGAR = _whole({"next_offset": -1, "records": [_SUGAR_ROW]})
_EMPTY = b"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n"
_SET_DELAY = re.compile(rb"PUT /delay/(\d{1,5}) ")


def _answer(request: bytes) -> bytes:
    if b" /rest/" in request[:20]:
        return _SUGAR
    if b" /Api/V8/" in request[:20]:
        return _SUITE
    found = _ID.search(request)
    return _START + found[1] + _AFTER if found else _EMPTY


class _Upstream:
    delay = 0.0
    calls = 0


class _Connection(asyncio.Protocol):
    """Requests of one connection, answered in order after the delay."""

    def __init__(self, upstream: _Upstream) -> None:
        self._upstream = upstream
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
            self._receive(request)

    def _receive(self, request: bytes) -> None:
        if request.startswith(b"PUT "):
            found = _SET_DELAY.match(request)
            self._upstream.delay = int(found[1]) / 1000 if found else 0.0
            calls, self._upstream.calls = b"%d" % self._upstream.calls, 0
            head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(calls)
            self._send(head + calls)
            return
        self._upstream.calls += 1
        if self._upstream.delay:
            self._loop.call_later(self._upstream.delay, self._send, _answer(request))
        else:
            self._send(_answer(request))

    def _send(self, answer: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(answer)  # type: ignore[attr-defined]


async def serve(port: int) -> None:
    """Serve until killed; says on stdout where, once it listens."""
    loop = asyncio.get_running_loop()
    upstream = _Upstream()
    server = await loop.create_server(
        lambda: _Connection(upstream), "127.0.0.1", port, backlog=2048
    )
    print(json.dumps({"port": server.sockets[0].getsockname()[1]}), flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))
