"""What every key does, as plain values."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from viewer.keys import Action, Event, parse_keys
from viewer.modes.animate.session import AnimateState, advance
from viewer.sessions.generator_page.session import GridState
from viewer.sheet import Sheet
from viewer.state import LAST_SEED

SHEET = Sheet(rows=6, columns=8, cell_width=128, cell_height=96)
events = st.builds(Event, st.sampled_from(Action), st.integers(-5, 1200), st.integers(-5, 900))


def grid(keys: str, **start: object) -> GridState:
    state = GridState(SHEET, **start)
    for event in parse_keys(keys):
        state = state.after(event)
    return state


@pytest.mark.parametrize(
    ("keys", "cursor"),
    [
        ("right", 1),
        ("left", 7),
        ("down", 8),
        ("up", 40),
        ("right," * 7 + "right", 0),
        ("down," * 5 + "down", 0),
        ("up,left", 47),
        ("end", 47),
        ("end,home", 0),
        ("click:0:0", 0),
        ("click:131:50", 0),
        ("click:132:50", 1),
        ("click:1041:589", 47),
        ("down,click:5:700", 8),  # on the strip under the images
    ],
)
def test_the_cursor_moves_and_wraps_round(keys: str, cursor: int) -> None:
    state = grid(keys)
    assert state.cursor == cursor
    assert state.seed == 0


@pytest.mark.parametrize("key", ["space", "enter", "x", "é", "7", "pagedown"])
def test_other_keys_bring_new_images(key: str) -> None:
    assert grid(key) == GridState(SHEET, seed=1)
    assert grid(f"{key},pageup") == GridState(SHEET)


def test_modes_keep_their_corners_and_a_second_press_brings_new_ones() -> None:
    assert grid("i") == GridState(SHEET, mode="interpolation")
    assert grid("i,i") == GridState(SHEET, mode="interpolation", seed=1)
    assert grid("i,r") == GridState(SHEET)
    assert grid("r") == GridState(SHEET, seed=1)


def test_truncation_stops_at_its_ends() -> None:
    assert grid("+").truncation == 1.1
    assert grid("-,-").truncation == 0.8
    assert grid(",".join("-" * 30)).truncation == 0
    assert grid(",".join("+" * 30)).truncation == 2


@pytest.mark.parametrize("key", ["esc", "s", "S"])
def test_leaving_and_saving_change_nothing(key: str) -> None:
    event = parse_keys(key)[0]
    assert GridState(SHEET).after(event) == GridState(SHEET)
    assert AnimateState(SHEET).after(event) == AnimateState(SHEET)


@given(st.lists(events, max_size=60), st.integers(0, LAST_SEED))
def test_no_sequence_of_events_leaves_what_is_allowed(sequence: list[Event], seed: int) -> None:
    page, walk = GridState(SHEET, seed=seed), AnimateState(SHEET, seed=seed)
    for event in sequence:
        page = page.after(event)
        walk = walk.after(event)
        walk = advance(walk)
        assert 0 <= page.cursor < SHEET.count
        assert 0 <= walk.cursor < SHEET.count
        assert 0 <= page.seed <= LAST_SEED
        assert 0 <= page.truncation <= 2
        assert 2 <= walk.speed <= 128


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 40), st.integers(1, 40), st.integers(0, 4))
def test_a_click_on_an_image_finds_it(rows: int, columns: int, width: int, height: int, gap: int) -> None:
    sheet = Sheet(rows, columns, width, height, gap)
    for index in range(sheet.count):
        left, top = sheet.corner(index)
        assert sheet.cell_at(left, top) == index
        assert sheet.cell_at(left + width - 1, top + height - 1) == index
        assert left + width + gap <= sheet.width
        assert top + height + gap <= sheet.height
    assert sheet.cell_at(sheet.width, 0) is None
    assert sheet.cell_at(0, -1) is None


def test_a_walk_pauses_and_changes_its_speed() -> None:
    walk = AnimateState(SHEET)
    assert advance(walk, 30).position == 480  # a leg in 30 frames
    paused = walk.after(parse_keys("space")[0])
    assert advance(paused) == paused
    faster = walk.after(parse_keys("+")[0])
    assert advance(faster, 15).position == 480
    slower = walk.after(parse_keys("-")[0])
    assert advance(slower, 60).position == 480
    elsewhere = advance(walk, 7).after(parse_keys("x")[0])
    assert elsewhere == AnimateState(SHEET, seed=1)
