"""One recorded client is answered alike by every CRM (`make replay`: the same on fresh lines)."""

import pytest

from bridge.cli.line import Line
from tests.flows.on_the_line.conftest import Watch
from tests.flows.on_the_line.crm import Crm
from tests.replay.play import Player
from tests.replay.trace import load


@pytest.mark.every_crm
def test_the_recorded_client_is_told_the_same(line: Line, watch: Watch, crm: Crm) -> None:
    """Every answer is the recorded one, but for ids and times, and for what the CRM declares that
    it can't do; and it had a member to answer about."""
    player = Player(line)
    watch.plant(player.journey)
    asked, steps = crm.last(), load()
    assert player.play(steps) == []
    assert crm.asked("update", asked)
    assert crm.members(player.journey.member.mobile) == []


def test_another_answer_is_a_difference(line: Line, watch: Watch) -> None:
    """A replay that would pass whatever is answered proves nothing."""
    player = Player(line)
    (first, *_) = load()
    first.answer["body"]["member"]["readable"].append("shoe_size")
    (told,) = player.play([first])
    assert told.startswith("what is there: ")
    assert "shoe_size" in told
