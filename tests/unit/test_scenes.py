"""Scenes and links: what they carry, what they refuse, and that they say nothing of a person."""

import re
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as some

from bridge.services import traces
from bridge.services.scenes import (
    MINI_PROGRAM_LIMIT,
    QR_LIMIT,
    TRACE_SECONDS,
    BadScene,
    Scene,
    Scenes,
    SceneTooLong,
)

NOW = 1_780_000_000.0
OLD, NEW = ("k1", b"o" * 32), ("k2", b"n" * 32)
CODE = some.text(some.sampled_from("abcXYZ019-_"), max_size=12)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def scenes(*keys, clock=None) -> Scenes:
    return Scenes(keys or (NEW,), clock or Clock())


@given(store=CODE.filter(bool), campaign=CODE, channel=CODE, day=some.dates(date(2020, 1, 1)))
def test_a_scene_comes_back(store, campaign, channel, day) -> None:
    """Whatever codes and day a scene has, it is read back as it was written, within 64."""
    scene = Scene(store, campaign, channel, issued=min(day, date(2140, 1, 1)))

    text = scenes().write(scene)

    assert scenes().read(text) == scene
    assert len(text) <= QR_LIMIT
    assert re.fullmatch(r"[0-9A-Za-z._-]+", text)


def test_a_scene_of_a_mini_program_code_fits_in_32() -> None:
    """One grammar serves both kinds of code; what doesn't fit is refused, not cut."""
    fits = Scene("SH001", "spring26", "", issued=date(2026, 11, 22))

    assert len(scenes().write(fits, MINI_PROGRAM_LIMIT)) <= MINI_PROGRAM_LIMIT
    with pytest.raises(SceneTooLong):
        scenes().write(Scene("SH001", "spring-of-2026"), MINI_PROGRAM_LIMIT)
    with pytest.raises(SceneTooLong):
        scenes().write(Scene("s" * 50))


def test_every_change_of_a_scene_is_refused() -> None:
    """Each single character of a scene counts: another one in its place is a forgery."""
    text = scenes().write(Scene("SH001", "spring26", "window"))

    for place, letter in enumerate(text):
        forged = text[:place] + ("A" if letter != "A" else "B") + text[place + 1 :]
        with pytest.raises(BadScene):
            scenes().read(forged)


@pytest.mark.parametrize("text", ["", "SH001", "last_trade_no_1", "1j", "1j000SH001", "é" * 30])
def test_what_was_never_a_scene_is_refused(text) -> None:
    """Codes made by hand, other event keys and nonsense are BadScene, nothing else."""
    with pytest.raises(BadScene):
        scenes().read(text)


def test_a_printed_code_outlives_a_new_key() -> None:
    """A scene of the previous key is good while that key is held, and not afterwards."""
    text = scenes(OLD).write(Scene("SH001"))

    assert scenes(NEW, OLD).read(text).store == "SH001"
    with pytest.raises(BadScene):
        scenes(NEW).read(text)


def test_a_code_with_a_separator_is_refused() -> None:
    """A store code that couldn't be read back can't become a scene."""
    for code in ("a.b", "上海", "a~b", ""):
        with pytest.raises(ValueError, match="codes are"):
            Scene(code)


def test_a_link_carries_scene_and_trace() -> None:
    """The trace id of the scan goes on, with a span of its own."""
    traceparent = traces.fresh()

    scene, found = scenes().open_link(scenes().link_token(Scene("SH001", "spring26"), traceparent))

    assert scene.codes == "SH001.spring26"
    assert found is not None
    assert traces.trace_id(found) == traces.trace_id(traceparent)
    assert found != traceparent


def test_an_old_link_still_names_the_store_but_no_trace() -> None:
    """A link in a chat's history works for ever; what it is joined with in logs doesn't."""
    clock = Clock()
    ours = scenes(clock=clock)
    token = ours.link_token(Scene("SH001"), traces.fresh())

    clock.now += TRACE_SECONDS + 1

    assert ours.open_link(token) == (Scene("SH001"), None)


def test_a_link_can_not_be_put_together() -> None:
    """Another trace, another scene, or a bare scene is no link."""
    ours = scenes()
    token = ours.link_token(Scene("SH001"), traces.fresh())
    scene, trace, second, mac = token.split("~")
    other = ours.write(Scene("BJ001"))

    for forged in (
        f"{other}~{trace}~{second}~{mac}",
        f"{scene}~{'1' * 32}~{second}~{mac}",
        f"{scene}~{trace}~0~{mac}",
        scene,
        "",
    ):
        with pytest.raises(BadScene):
            ours.open_link(forged)


def test_a_trace_that_is_none_is_replaced() -> None:
    """A malformed, all-zero or missing traceparent gives a fresh one; a good one is kept."""
    good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    assert traces.taken(good) == good
    for bad in (None, "", "x", good + "-more", good.replace("4bf", "4BF"), "00-" + "0" * 32):
        assert traces.taken(bad) != bad
        assert traces.taken(traces.taken(bad)) != bad
