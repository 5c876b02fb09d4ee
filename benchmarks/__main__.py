"""`python -m benchmarks [--quick] [--only NAME] [--publish]`. Ends by itself; loopback only."""

import argparse
import sys
import time
from collections.abc import Callable

from benchmarks import accepts, drains, overheads, reads, report, tokens
from benchmarks.figures import Figures, Number, Rounds
from benchmarks.plan import FULL, QUICK, Plan
from benchmarks.stage import Stage

Measure = Callable[[Stage, Plan], tuple[list[Rounds], list[Number]]]
PARTS: dict[str, Measure] = {
    "reads": reads.measure,
    "accepts": accepts.measure,
    "drains": drains.measure,
    "tokens": tokens.measure,
    "overheads": overheads.measure,
}


def main() -> None:
    """Prints the tables, which say what isn't reached."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cells, shorter (under 2 min)")
    parser.add_argument("--only", choices=PARTS, help="one part alone")
    parser.add_argument("--publish", action="store_true", help="write docs/benchmarks.md too")
    asked = parser.parse_args()
    about, figures = report.machine(), Figures()
    for name, measure in PARTS.items():
        if asked.only in (None, name):
            began = time.monotonic()
            with Stage() as stage:
                figures.add(*measure(stage, QUICK if asked.quick else FULL))
            print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
    print(report.show(figures))
    print(f"\nPlot: {report.save(figures, about)}")
    if asked.publish:
        report.publish(figures, about)


if __name__ == "__main__":
    main()
