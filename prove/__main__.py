"""`python -m prove [--short] [--only NAME …] [--write]`. Ends by itself; loopback only; 1 where a
promise doesn't hold."""

import argparse
import logging
import sys
import time
from collections.abc import Callable

from prove import hostile, memory, races, registrations, timing
from prove.result import Result, table, write

PROOFS: dict[str, Callable[[bool], Result]] = {
    **{f"races-{name}": run for name, run in races.RUNS.items()},
    "registrations": registrations.run,
    "memory": memory.run,
    "timing": timing.run,
    "hostile": hostile.run,
}


def main() -> int:
    """Prints a line after each proof and the table at the end."""
    parser = argparse.ArgumentParser(prog="python -m prove", description=__doc__)
    parser.add_argument("--short", action="store_true", help="as in the test suite")
    parser.add_argument("--only", nargs="+", choices=PROOFS, metavar="NAME", default=list(PROOFS))
    parser.add_argument("--write", action="store_true", help="write docs/proof.md too")
    asked = parser.parse_args()
    logging.disable(logging.WARNING)  # each replay that is refused would be a line
    results = []
    for name in asked.only:
        began = time.monotonic()
        result = PROOFS[name](not asked.short)
        results.append((result, time.monotonic() - began))
        print(f"{name}: {result.seen}, seed {result.seed}", file=sys.stderr, flush=True)
    print(table(results))
    if asked.write:
        write(results, " ".join(["python -m prove", *sys.argv[1:]]))
    return 0 if all(result.holds for result, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main())
