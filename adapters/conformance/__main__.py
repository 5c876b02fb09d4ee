"""`python -m adapters.conformance suitecrm`: the suite against a live system, and what it lacks.

What follows the name goes to pytest. Not for: sandboxes (`tests/conformance`).
"""

import os
import sys
from pathlib import Path

import pytest

from adapters.conformance.live import LIVE

USAGE = 64  # EX_USAGE of sysexits.h


def main(arguments: list[str]) -> int:
    """pytest's status, or 64 with what must be set."""
    name, *rest = arguments or [""]
    if name not in LIVE:
        return _no([f"say which: {', '.join(LIVE)} (make conformance ADAPTER=… LIVE=1)"])
    live = LIVE[name]
    problems = live.problems(os.environ)
    if problems:
        return _no([*problems, f"the variables are {', '.join(live.variables())}"])
    os.environ["BRIDGE_LIVE"] = name
    suite = Path(__file__).with_name("live_suite.py")
    return int(pytest.main([str(suite), "-rs", *rest]))


def _no(sentences: list[str]) -> int:
    sys.stderr.write("".join(f"✗ {each}\n" for each in sentences))
    return USAGE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
