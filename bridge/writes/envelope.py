"""A write on its way: sealed to the worker, bound to its place, signed by the web tier.

`v1.<header>.<HPKE>.<HMAC>`, each part base64url. The header is clear JSON and all of it is HPKE's
`info`, so that an envelope that was moved or re-labelled doesn't open (RFC 9180 section 5.1).
Not for: keys (`bridge/seal.py`), or what may be done with a write (`drain.py`).
"""

import json
import uuid
from collections.abc import Mapping as Dict
from dataclasses import dataclass
from dataclasses import field as attribute
from functools import lru_cache
from typing import Any

from marshmallow import Schema, ValidationError

from adapters.base import Operation
from bridge.seal import Mac, Opener, SealBroken, Sealed, Sealer, b64, pack, unb64
from bridge.writes.write import VERBS, Base, Verb, Write
from mappings.loader import Mapping

VERSION = "v1"
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)
_NOTICE = {"channel", "to", "text", "subject"}
_HEADER = {"v", "kid", "op", "mb", "ow", "verb", "at", "by", "tp"}


class Unreadable(Exception):
    """Not an envelope of ours, not for this mailbox, or its content isn't a write. Says no more."""


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope, still sealed. `signed`: the web tier made it and nobody changed it."""

    op: str
    mailbox: str
    owner: str
    verb: Verb
    accepted_at: float
    start_by: float | None
    trace: str
    kid: str
    signed: bool
    header: str = attribute(repr=False)
    body: bytes = attribute(repr=False)


def seal(write: Write, mailbox: str, owner: str, sealer: Sealer, mac: Mac, mapping: Mapping) -> str:
    """The envelope's text. Raises ValueError for a record that isn't its kind's, TooLarge."""
    header = {
        "v": VERSION,
        "kid": sealer.kid,
        "op": write.op,
        "mb": mailbox,
        "ow": owner,
        "verb": write.verb,
        "at": round(write.accepted_at, 3),
        "by": write.start_by,
        "tp": write.trace,
    }
    clear = b64(_json(header))
    sealed = sealer.seal(_info(clear), _json(_dump(write, mapping)))
    text = f"{VERSION}.{clear}.{b64(sealed.body)}"
    return f"{text}.{mac.sign(text.encode())}"


def parse(text: str, mac: Mac) -> Envelope:
    """Reads the header. Raises Unreadable where there is none to read."""
    try:
        version, clear, body, signature = text.split(".")
        header = json.loads(unb64(clear))
        if version != VERSION or set(header) != _HEADER or header["verb"] not in VERBS:
            raise Unreadable
        return Envelope(
            op=str(header["op"]),
            mailbox=str(header["mb"]),
            owner=str(header["ow"]),
            verb=header["verb"],
            accepted_at=float(header["at"]),
            start_by=None if header["by"] is None else float(header["by"]),
            trace=str(header["tp"]),
            kid=str(header["kid"]),
            signed=mac.check(f"{version}.{clear}.{body}".encode(), signature),
            header=clear,
            body=unb64(body),
        )
    except (SealBroken, ValueError, TypeError, AttributeError):
        raise Unreadable from None


def open_(envelope: Envelope, mailbox: str, opener: Opener, mapping: Mapping) -> Write:
    """The write, checked like a stranger's. Raises Unreadable."""
    if not envelope.signed or envelope.mailbox != mailbox:
        raise Unreadable
    try:
        plain = opener.open(_info(envelope.header), Sealed(envelope.kid, envelope.body))
        content = json.loads(plain)
        operations = tuple(_load_operation(raw, mapping) for raw in content["ops"])
        write = Write(
            verb=envelope.verb,
            op=envelope.op,
            accepted_at=envelope.accepted_at,
            operations=operations,
            based_on=_load_base(content["base"]),
            start_by=envelope.start_by,
            trace=envelope.trace,
            notice=content["notice"],
        )
    except (SealBroken, ValidationError, ValueError, KeyError, TypeError, AttributeError):
        raise Unreadable from None
    if not _makes_sense(write):
        raise Unreadable
    return write


def _info(header: str) -> bytes:
    return pack("bridge/envelope", VERSION, header)


def _json(content: Any) -> bytes:
    return _ENCODER.encode(content).encode()


@lru_cache(maxsize=64)
def _schema(kind: type[Schema]) -> Schema:
    """Made once: making one costs more than everything else that sealing does."""
    return kind()


def _dump(write: Write, mapping: Mapping) -> dict[str, Any]:
    base: Any = write.based_on
    if isinstance(base, Base):
        base = {"version": base.version, "operations": list(base.operations)}
    operations = [_dump_operation(operation, mapping) for operation in write.operations]
    return {"ops": operations, "base": base, "notice": write.notice}


def _dump_operation(operation: Operation, mapping: Mapping) -> dict[str, Any]:
    schema = _schema(mapping.schema(operation.kind))
    if set(operation.record) - set(schema.fields):
        raise ValueError("a field that the kind doesn't have")
    return {
        "verb": operation.verb,
        "kind": operation.kind,
        "id": operation.id,
        "record": schema.dump(operation.record),
        "version": operation.version,
    }


def _load_operation(raw: Dict[str, Any], mapping: Mapping) -> Operation:
    schema = _schema(mapping.schema(raw["kind"]))
    version = raw["version"]
    if raw["verb"] not in ("create", "update", "erase") or not isinstance(version, str | None):
        raise Unreadable
    record: dict[str, Any] = schema.load(raw["record"], partial=True)
    return Operation(raw["verb"], raw["kind"], str(uuid.UUID(raw["id"])), record, version)


def _load_base(raw: Any) -> Base | str | None:
    if raw is None or isinstance(raw, str):
        return raw
    return Base(str(raw["version"]), tuple(str(op) for op in raw["operations"]))


def _makes_sense(write: Write) -> bool:
    """Does the content fit the verb that the header names?"""
    verbs = [operation.verb for operation in write.operations]
    if write.verb == "notice":
        content = write.notice
        fits = isinstance(content, dict) and set(content) == _NOTICE and not verbs
        return fits and all(isinstance(value, str) for value in (content or {}).values())
    if write.notice is not None:
        return False
    if write.verb == "update":
        return verbs == ["update"]
    if write.verb == "erase":
        return verbs == ["erase"] and write.operations[0].kind == "member"
    return bool(verbs) and (write.verb == "apply" or verbs[0] == "create")
