"""How long to measure what. Not for: what is measured."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """`seconds`: of one run of one target. `rounds`: of what is judged, `other_rounds`: of the
    rest."""

    delays: tuple[int, ...] = (0, 20, 100)
    connections: tuple[int, ...] = (1, 16, 128, 512)
    seconds: float = 2.0
    rounds: int = 5
    other_rounds: int = 2
    drains: int = 3


QUICK = Plan(delays=(20,), connections=(1, 16, 128), seconds=1.0, rounds=3, drains=1)
FULL = Plan()
