"""How a route of the API hands in a write of a signed-in member. Not for: registrations, whose
principal is a proof (`bridge/services/registration.py`)."""

import json
import secrets
from collections.abc import Mapping
from typing import Any

from adapters.base import Operation
from bridge import edge
from bridge.api import conditions
from bridge.api.call import Call
from bridge.writes.mailbox import Accepted
from bridge.writes.write import Base, Verb, Write, operation_id


def operation(call: Call, route: str) -> str:
    """The id of this request's operation: the same for the same Idempotency-Key, else new."""
    key = conditions.idempotency_key() or secrets.token_urlsafe(24)
    parts, known = call.parts, call.parts.mailboxes.knows
    return operation_id(parts.operation_key, call.by.client_id, call.member_id, route, key, known)


def accept(
    call: Call,
    verb: Verb,
    operations: tuple[Operation, ...],
    *,
    route: str,
    content: Mapping[str, Any],
    based_on: Base | str | None = None,
    op: str | None = None,
) -> Accepted:
    """Seal and append to the member's mailbox. `content`: what makes the request this one, for
    telling a repetition from another request under the same key. Raises Problem."""
    parts = call.parts
    write = Write(
        verb=verb,
        op=op or operation(call, route),
        accepted_at=parts.clock(),
        operations=operations,
        based_on=based_on,
        trace=edge.trace().traceparent,
    )
    said = json.dumps([content, repr(based_on)], sort_keys=True, default=str)
    return parts.mailboxes.accept(
        write,
        mailbox=parts.mailboxes.member_mailbox(call.member_id),
        owner=call.owner,
        fingerprint=parts.names.of("fingerprint", route, said),
    )
