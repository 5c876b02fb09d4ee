"""One run's figures: rows as measured, and the numbers that are to be reached, as ratios.

Not for: measuring, or drawing (`report.py`). Targets of one round are measured one after the other,
so each ratio is taken within its round; what is reported is the median over the rounds.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any

from benchmarks.load import Result


@dataclass(frozen=True)
class Row:
    """The median of a target's rounds. `what`: such as `read, CRM 20 ms`."""

    what: str
    target: str
    connections: int
    rate: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    failed: int


@dataclass(frozen=True)
class Number:
    """A ratio or a difference, and what it is to reach. `at_least` and `at_most`: now;
    `in_the_end`: later. Without any of them it is only told."""

    name: str
    value: float
    unit: str = "×"
    at_least: float | None = None
    at_most: float | None = None
    in_the_end: float | None = None

    @property
    def holds(self) -> bool | None:
        """None where nothing is to be reached."""
        if self.at_least is not None:
            return self.value >= self.at_least
        return None if self.at_most is None else self.value <= self.at_most

    @property
    def goal(self) -> str:
        """In words."""
        if self.at_least is not None:
            return f"≥ {self.at_least:g}"
        return "" if self.at_most is None else f"≤ {self.at_most:g}"


class Rounds:
    """The results of one cell: per target, one per round."""

    def __init__(self, what: str, connections: int) -> None:
        self.what, self.connections = what, connections
        self.results: dict[str, list[Result]] = {}

    def add(self, target: str, result: Result) -> None:
        """The next round's."""
        self.results.setdefault(target, []).append(result)

    def paired(self, target: str, other: str, of: Callable[[Result, Result], float]) -> float:
        """The median over the rounds of `of(target's, other's)`."""
        pairs = zip(self.results[target], self.results[other], strict=True)
        return median(of(mine, theirs) for mine, theirs in pairs)

    def rows(self) -> list[Row]:
        """One per target."""
        return [_row(self, target, results) for target, results in self.results.items()]


def _row(rounds: Rounds, target: str, results: list[Result]) -> Row:
    return Row(
        rounds.what,
        target,
        rounds.connections,
        rate=median(r.rate for r in results),
        p50_ms=median(r.quantile(0.5) for r in results) * 1e3,
        p99_ms=median(r.quantile(0.99) for r in results) * 1e3,
        cpu_us=median(r.cpu_per_answer for r in results) * 1e6,
        failed=sum(r.failed for r in results),
    )


def rate(mine: Result, theirs: Result) -> float:
    """How many times the other's throughput."""
    return mine.rate / theirs.rate


def added_p50(mine: Result, theirs: Result) -> float:
    """Milliseconds over the other's median."""
    return (mine.quantile(0.5) - theirs.quantile(0.5)) * 1e3


def cpu(mine: Result, theirs: Result) -> float:
    """CPU per answer as a share of the other's."""
    return mine.cpu_per_answer / theirs.cpu_per_answer


@dataclass
class Figures:
    """All of one run."""

    rows: list[Row] = field(default_factory=list)
    numbers: list[Number] = field(default_factory=list)

    def add(self, rounds: Iterable[Rounds], numbers: Iterable[Number]) -> None:
        """What one part of the run measured."""
        self.rows += [row for each in rounds for row in each.rows()]
        self.numbers += numbers

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        numbers = [asdict(number) | {"holds": number.holds} for number in self.numbers]
        return {"rows": [asdict(row) for row in self.rows], "numbers": numbers}
