"""`python -m sandbox [part …]`: starts the parts, prints one line of JSON, serves until ended."""

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
from pathlib import Path

from sandbox.kit.run import running

PARTS = ("dynamics", "wechat", "outbox")
"""Started where none is named."""
NAMED_ONLY = ("suitecrm", "sugarcrm")
"""Started only by name: the demo doesn't need them."""


def main() -> int:
    """Exit status: 0 when ended by a signal or by the parent, 2 when it may not start."""
    if os.environ.get("BRIDGE_ENVIRONMENT") == "production":
        print("sandbox: refuses to start in production", file=sys.stderr)
        return 2
    options = _options()
    names = options.parts or list(PARTS)
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with contextlib.ExitStack() as stack:
        state_dir = options.state_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        state_dir.mkdir(parents=True, exist_ok=True)
        ports = {name: getattr(options, f"{name}_port") for name in names}
        more = {"dynamics": {"tenant": options.dynamics_tenant}}
        ready = stack.enter_context(running(ports, state_dir, more))
        print(json.dumps(ready), flush=True)
        if options.with_parent:
            threading.Thread(target=_await_parent, args=(ended,), daemon=True).start()
        ended.wait()
    return 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m sandbox", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, *NAMED_ONLY, []], metavar="part")
    for name in (*PARTS, *NAMED_ONLY):
        parser.add_argument(f"--{name}-port", type=int, default=0, metavar="N")
    parser.add_argument(
        "--dynamics-tenant",
        choices=("bridge", "stock"),
        default="bridge",
        help="stock: without the tables and columns that the bridge needs",
    )
    parser.add_argument("--state-dir", type=Path, help="where the CA and its keys are written")
    parser.add_argument("--with-parent", action="store_true", help="end when stdin is closed")
    return parser.parse_args()


def _await_parent(ended: threading.Event) -> None:
    while sys.stdin.buffer.read(4096):
        pass
    ended.set()


if __name__ == "__main__":
    sys.exit(main())
