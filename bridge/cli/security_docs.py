"""`docs/security-events.md` from the closed list: `python -m bridge.cli.security_docs`.

Not for: the list itself (`bridge/security.py`). A test sees that the file is what this writes.
"""

import sys

from bridge.security import EVENTS

_HEAD = """# Security events

A closed list, told by pseudonym to a collector outside the web tier: `security_events.url` and
`security_events.token`. Each is one JSON object on a line (`application/x-ndjson`) of
`POST <url>` with `Authorization: Bearer <token>`; an answer of 2xx means "kept". Events are sent
twice a second, at most 200 at once. What the collector doesn't take waits in the process's memory
(10,000 events; then the oldest go, and `events-lost` tells how many), and a process that is killed
loses what it holds. Without a collector the events are lines of the log, without `who` and
`network`.

| field | |
|---|---|
| `event` | a name of the list below |
| `at` | seconds since the epoch |
| `role` | `web` or `worker` |
| `client` | the OAuth client, where there is one |
| `who` | a keyed hash of the member: the same for the same member, and nothing more |
| `network` | a keyed hash of the caller's /24 (IPv6: /64) |
| `reason` | a constant |
| `trace` | the W3C trace id, as in the log |
| `count` | how many it stands for |

| event | meaning |
|---|---|
"""
_TAIL = """
<!-- Written by `python -m bridge.cli.security_docs > docs/security-events.md` -->
"""


def render() -> str:
    """The whole file."""
    return _HEAD + "".join(f"| `{n}` | {text} |\n" for n, text in EVENTS.items()) + _TAIL


if __name__ == "__main__":
    sys.stdout.write(render())
