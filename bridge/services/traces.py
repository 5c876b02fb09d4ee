"""The trace that names one journey in every log: W3C Trace Context's `traceparent`.

Not for: request ids, or spans of our own. Source: Trace Context level 1, section 3.2.
"""

import re
import secrets

_SHAPE = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def fresh(trace_id: str | None = None) -> str:
    """A traceparent with a new span, of trace `trace_id` (32 hex digits) or of a new one."""
    return f"00-{trace_id or secrets.token_hex(16)}-{secrets.token_hex(8)}-01"


def taken(header: str | None) -> str:
    """The traceparent to go on with: what came in, if it is well formed, else a fresh one."""
    return header if header and _SHAPE.fullmatch(header) else fresh()


def trace_id(traceparent: str) -> str:
    """Its 32 hex digits, which logs are joined by."""
    return traceparent[3:35]
