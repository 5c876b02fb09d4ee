"""The short form of those proofs that need the whole line."""

from bridge.cli.journey import Journey
from prove import hostile, registrations, timing

SEED = 20_261_128


def test_two_devices_that_register_one_mobile_make_one_member(journey: Journey) -> None:
    """Ten times: one of two requests in the same moment makes the member, the other is refused."""
    result = registrations.prove(journey.line, registrations.SHORT)
    assert result.holds, result


def test_no_bytes_make_a_500(member: Journey) -> None:
    """Random bytes in headers, queries, paths and bodies of every route: no 500, each answered."""
    result = hostile.prove(member, 1, SEED)
    assert result.holds, result


def test_the_time_of_a_sign_in_tells_nothing(member: Journey) -> None:
    """A wrong password and an unknown member take the same time, as far as 2 × 40 tries show."""
    area = timing.measure(*timing.sign_ins([member]), 40, SEED)
    assert area < 0.7, area
