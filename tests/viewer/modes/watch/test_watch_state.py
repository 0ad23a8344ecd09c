"""Whatever the keys and whatever comes from the files, the state points at what is there."""

import random
import string

import pytest

from viewer.keys import NAMES, Action, Event, decode_character
from viewer.modes.watch.state import GROUPS, Chart, WatchState

NAMES_OF_CHARTS = ("loss/a/x", "loss/a/y", "rate/a", "images_per_second")
EVENTS = [*NAMES.values(), *filter(None, map(decode_character, string.printable)),
          *(Event(Action.CLICK, x, y) for x in range(0, 1200, 90) for y in range(0, 700, 70))]  # fmt: skip


def charts(count: int) -> tuple[Chart, ...]:
    return (*(Chart("train", name) for name in NAMES_OF_CHARTS[:count]), *[Chart("held_out", "score")] * (count > 2))


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(("width", "height", "scale", "grain"), [(1180, 690, 1.0, 1), (320, 184, 0.5, 4)])
def test_any_keys(seed: int, width: int, height: int, scale: float, grain: int) -> None:
    chance = random.Random(seed)
    state = WatchState(width, height, runs=3, scale=scale, grain=grain)
    for _ in range(400):
        if chance.random() < 0.1:
            times = tuple(sorted(chance.sample(range(10_000), chance.randrange(30))))
            state = state.with_data(times, max(1, *times, 1), charts(chance.randrange(5)))
        before = state
        state = state.after(chance.choice(EVENTS)).ticked()
        assert state.width == width
        assert before == before.after(Event(Action.MOVE, 3, 3))  # and nothing else changed it
        assert -1 <= state.index < max(len(state.times), 1)
        assert state.selected < max(len(state.chosen), 1)
        assert state.on_frame == () or state.view == "sheets" or state.chosen[state.selected] in state.on_frame
        assert 0 <= state.window[0] < state.window[1] <= state.span
        assert len(state.hidden) < state.runs
        assert not state.playing or state.index < len(state.times) - 1
        for area in (*state.layout.sheets, *state.layout.charts):
            assert 0 <= area.left < area.right <= width
            assert 0 <= area.top < area.bottom <= height


@pytest.mark.parametrize(
    ("chart", "title", "group"),
    [(Chart("train", "loss/a/x"), "loss/a/x", "losses"), (Chart("train", "rate/a"), "rate/a", "learning rates"),
     (Chart("held_out", "mse"), "held out: mse", "scores"), (Chart("train", "images_per_second"), "images/s", "speed")],
)  # fmt: skip
def test_curves_are_grouped(chart: Chart, title: str, group: str) -> None:
    assert (chart.title, chart.group) == (title, group)
    assert group in GROUPS


def test_the_sheet_that_is_looked_at_stays_when_runs_go_back() -> None:
    state = WatchState(1180, 690).with_data((0, 10, 20, 30), 30, charts(1)).moved(2)
    assert state.time == 20
    assert state.with_data((0, 5, 10, 20, 30, 40), 40, charts(1)).time == 20
    assert state.with_data((0, 10, 15), 15, charts(1)).time == 15
    assert state.with_data((), 1, ()).index == -1


@pytest.mark.parametrize(("rate", "frames", "sheets"), [(0, 90, 3), (4, 30, 10), (6, 30, 30), (7, 10, 20)])
def test_sheets_are_played_as_fast_as_is_said(rate: int, frames: int, sheets: int) -> None:
    state = WatchState(1180, 690, rate=rate).with_data(tuple(range(100)), 100, ()).moved(0)
    state = state.after(Event(Action.PAUSE))
    for _ in range(frames):
        state = state.ticked()
    assert state.index == sheets
