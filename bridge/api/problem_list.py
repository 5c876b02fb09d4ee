"""`docs/problems.md` from the table of problems: `python -m bridge.api.problem_list`.

Not for: the table itself (`bridge/errors.py`). A test sees that the file is what this writes.
"""

import sys

from bridge.errors import KINDS, TYPE_BASE

_HEAD = f"""# Problems

Every refused request is answered with a problem document (RFC 9457, `application/problem+json`).
`type` is `{TYPE_BASE}` and a name of this list; it is stable, and a name rather than a place.
`title` and `detail` are constant per type and never hold what was sent or read. `errors` lists
places in the request: `pointer` (RFC 6901) names fields of the schema only, "" is the whole body,
and `code` is constant. `parameter` or `header` name what wasn't in the body; `operation` names the
operation that a problem is about. OAuth endpoints answer as RFC 6749 section 5.2 says instead.

| Name | Status | Title | Detail | Retry-After |
|---|---|---|---|---|
"""
_TAIL = """
<!-- Written by `python -m bridge.api.problem_list > docs/problems.md` -->
"""


def render() -> str:
    """The whole file."""
    lines = [
        f"| `{name}` | {kind.status} | {kind.title} | {kind.detail} | {_wait(kind.retry_after)} |"
        for name, kind in sorted(KINDS.items(), key=lambda each: (each[1].status, each[0]))
    ]
    return _HEAD + "\n".join(lines) + "\n" + _TAIL


def _wait(seconds: int | None) -> str:
    return "" if seconds is None else f"{seconds} s, or longer"


if __name__ == "__main__":
    sys.stdout.write(render())
