"""The short form of those proofs that need one Redis, and what the proofs' figures stand on."""

import pytest

from prove import memory, races, timing


@pytest.mark.parametrize("kind", races.KINDS)
def test_what_is_good_once_is_good_once_in_a_race(kind: str) -> None:
    """A hundred uses of one secret at one moment have exactly one success (or, of a retry, one and
    the same successor)."""
    result = races.run(kind, long=False)
    assert result.holds, result


def test_a_live_session_is_small() -> None:
    """An OAuth session, a browser's and a site's each take at most 1 kB of Redis."""
    each = memory.measure(20)
    assert {"OAuth session", "browser session", "BFF session"} == set(each)
    assert max(each.values()) <= memory.MOST, each


def test_an_area_of_one_half_is_guessing() -> None:
    """The score of a classifier by time: apart 1, reversed 0, the same 0.5."""
    assert timing.auc([3.0, 4.0], [1.0, 2.0]) == 1
    assert timing.auc([1.0, 2.0], [3.0, 4.0]) == 0
    assert timing.auc([1.0, 4.0], [2.0, 3.0]) == 0.5
