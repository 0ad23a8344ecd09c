"""The latent mode as plain values: axes and points, what every key and the mouse do, where things lie."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from export.card import Latent
from viewer.frame.area import fitting_side
from viewer.keys import Action, Event, parse_keys
from viewer.modes.latent.layout import make_layout
from viewer.modes.latent.space import MIDDLE, Point, Space
from viewer.modes.latent.state import LatentState, begin, place
from viewer.sessions.classes import Classes

RANDOM = np.random.default_rng(0)
TURNED = np.linalg.qr(RANDOM.normal(size=(5, 5)))[0][:3] * np.array([[2.0], [1.0], [0.5]])
SPACE = Space(Latent(size=5), TURNED, RANDOM.normal(size=5))
LAYOUT = make_layout(28, 28)
STATE = begin(SPACE, LAYOUT)
PLANE = begin(Space(Latent(size=2)), LAYOUT)


def after(keys: str, state: LatentState = STATE) -> LatentState:
    for event in parse_keys(keys):
        state = state.after(event)
    return state


def at(state: LatentState, across: float, up: float) -> tuple[int, int]:
    """The pixel of the plane nearest to coordinates."""
    area = state.stage
    x = area.left + (across / state.reach + 1) / 2 * area.width - 0.5
    return round(x), round(area.bottom - (up / state.reach + 1) / 2 * area.height - 0.5)


@pytest.mark.parametrize("axes", [(0,), (0, 1), (3, 7), (2, 4)])  # the last: a direction and a number, not square
def test_a_point_moves_to_its_coordinates(axes: tuple[int, ...]) -> None:
    point = Point(7, ((1, 0.5), (6, -1.0)))
    values = (1.5, -2.0)[: len(axes)]
    moved = SPACE.move(point, axes, values)
    latent = SPACE.exact(moved)
    for axis, value in zip(axes, values, strict=True):
        assert SPACE.coordinates(latent, axis) == pytest.approx(value, abs=1e-9)
    assert moved.without(axes) == point.without(axes)
    assert np.allclose(SPACE.spread(point, axes, np.array([values]))[0], latent, atol=1e-5)


def test_coordinates_are_standard_deviations_from_the_mean_or_the_numbers_themselves() -> None:
    latent = SPACE.middle + 1.5 * TURNED[1]
    assert [float(SPACE.coordinates(latent, axis)) for axis in range(3)] == pytest.approx([0, 1.5, 0], abs=1e-9)
    assert [float(SPACE.coordinates(latent, 3 + axis)) for axis in range(5)] == pytest.approx(latent.tolist())
    assert [SPACE.name(axis) for axis in (0, 2, 3, 7)] == ["principal 1", "principal 3", "z1", "z5"]


def test_two_parallel_axes_do_no_harm() -> None:
    space = Space(Latent(size=2), np.array([[1.0, 0.0]]))
    point = space.move(MIDDLE, (0, 1), (1.0, 1.0))  # the direction is the first number
    assert np.allclose(space.exact(point), (1, 0))


@pytest.mark.parametrize(
    ("space", "axes"),
    [
        (SPACE, (0, 1)),
        (Space(Latent(size=2), np.eye(2)), (2, 3)),
        (Space(Latent(size=9)), (0, 1)),
        (Space(Latent(size=9), np.eye(9)[:1]), (1, 2)),
    ],
)
def test_the_first_plane_is_that_of_the_strongest_directions(space: Space, axes: tuple[int, int]) -> None:
    assert begin(space, LAYOUT).axes == axes


def test_it_begins_in_the_middle_where_that_is_known_to_be_like_anything() -> None:
    assert STATE.point == PLANE.point == MIDDLE
    assert begin(Space(Latent(size=100)), LAYOUT, seed=3).point == Point(3)
    assert begin(Space(Latent(size=100, prior="uniform")), LAYOUT).reach == 1


def test_tab_leads_round_the_views_that_there_are() -> None:
    assert [after("tab," * count + "l").view for count in range(5)] == ["plane", "line", "scatter", "sliders", "plane"]
    without = replace(STATE, views=("plane", "line", "sliders"))
    assert after("tab,tab", without).view == "sliders"


def test_the_mouse_is_the_point_on_the_plane() -> None:
    for word in ("move", "click"):
        x, y = at(STATE, 1.0, -2.5)
        moved = after(f"{word}:{x}:{y}")
        assert place(moved) == pytest.approx((1.0, -2.5), abs=0.02)
    outside = after(f"drag:{x}:{y}:2000:0")  # a drag ends at the edge
    assert place(outside) == pytest.approx((4, 4))
    assert after("move:2000:9") == STATE


def test_other_axes_are_held_while_the_mouse_moves() -> None:
    state = replace(STATE, point=Point(5, ((2, 1.0),)))
    before = SPACE.exact(state.point)
    moved = SPACE.exact(after("move:300:400,move:100:90", state).point)
    assert float(SPACE.coordinates(moved, 2)) == pytest.approx(float(SPACE.coordinates(before, 2)))
    across = SPACE.direction(0), SPACE.direction(1)
    beside = np.linalg.lstsq(np.stack(across, axis=1), moved - before, rcond=None)[1]
    assert beside == pytest.approx(0, abs=1e-12)


def test_arrows_go_an_image_at_a_time_and_stop_at_the_edge() -> None:
    step = 8 / LAYOUT.columns
    assert place(after("right,right,up")) == pytest.approx((2 * step, step))
    assert place(after("left," * 99 + "down")) == pytest.approx((-4, -step))


def test_zoom_has_ends() -> None:
    assert after("+").reach == 3
    assert after("-,-").reach == 8
    assert after("+," * 20 + "l").reach == 0.25
    assert after("-," * 20 + "l").reach == 16
    assert after("+", replace(STATE, reach=2.2)).reach == 2


def test_axes_change_and_are_never_the_same() -> None:
    assert after("x").axes == (2, 1)
    assert after("X").axes == (7, 1)
    assert after("y,y").axes == (0, 3)
    assert after("Y").axes == (0, 7)  # past the one that lies across
    state = STATE
    for _ in range(20):
        state = after("x", state)
        assert state.axes[0] != state.axes[1]
    assert after("tab,tab,tab,down,x").axes == (1, 0)  # the chosen slider becomes the axis
    assert after("tab,tab,tab,down,down,y").axes == (0, 2)


def test_a_drag_draws_a_straight_line_and_letters_random_ones() -> None:
    line = after("tab")
    (x, y), (to_x, to_y) = at(line, -3, 1), at(line, 2, -2)
    drawn = after(f"drag:{x}:{y}:{to_x}:{to_y}", line)
    ends = [[float(SPACE.coordinates(SPACE.exact(end), axis)) for axis in (0, 1)] for end in drawn.line]
    assert np.allclose(ends, [[-3, 1], [2, -2]], atol=0.03)
    assert drawn.straight
    assert drawn.point == MIDDLE
    random = after("i")
    assert (random.view, random.line, random.seed, random.straight) == ("line", (Point(0), Point(1)), 2, False)
    assert after("i,r").line == (Point(2), Point(3))
    assert after("i,l").straight
    assert after("i", PLANE).straight  # a great circle of the plane would be a detour
    assert after("move:300:300,click:300:300", line) == replace(line, pressed=after("click:300:300", line).pressed)


def test_the_images_of_the_line_are_pointed_at() -> None:
    line, stops = after("tab"), LAYOUT.line
    x = stops.left + round(3.5 * stops.width / len(LAYOUT.stops))
    assert after(f"move:{x}:{stops.top + 5}", line).stop == 3
    assert after(f"click:{x}:{stops.top + 5},right", line).stop == 4
    assert after("left", line).stop == len(LAYOUT.stops) - 1
    assert after("end", line).stop == len(LAYOUT.stops) - 1
    assert after("end,home", line).stop == 0


def test_sliders_by_key_and_mouse() -> None:
    sliders = after("tab,tab,tab")
    assert place(after("right,right,-", sliders)) == pytest.approx((0.2, 0))
    assert after("up", sliders).chosen == SPACE.count - 1
    assert after("down,down", sliders).chosen == 2
    assert after("end", sliders).chosen == SPACE.count - 1
    track = LAYOUT.tracks[4]
    x, y = track.left + round(0.75 * track.width), track.top + 9
    moved = after(f"click:{x}:{y}", sliders)
    assert moved.chosen == 4
    assert float(SPACE.coordinates(SPACE.exact(moved.point), 4)) == pytest.approx(2, abs=0.03)
    dragged = after(f"drag:{x}:{y}:{track.left}:2", sliders)  # the one that is dragged moves, wherever the mouse goes
    assert float(SPACE.coordinates(SPACE.exact(dragged.point), 4)) == pytest.approx(-4, abs=0.03)
    assert after(f"move:{x}:{y}", sliders) == sliders
    assert after(f"click:{LAYOUT.sliders[2].left + 3}:{LAYOUT.sliders[2].top + 9}", sliders).chosen == 2
    assert after("move:5:5,click:900:9", sliders) == sliders


def test_many_sliders_come_in_pages() -> None:
    many = replace(begin(Space(Latent(size=100)), LAYOUT), view="sliders")
    per_page = len(LAYOUT.sliders)
    assert after("pagedown", many).first_slider == per_page
    assert after("pagedown," * 50 + "up", many).chosen == 98
    assert after("pagedown,pageup,pageup", many).chosen == 0
    state = after("pagedown", many)
    row = LAYOUT.sliders[1]
    assert after(f"click:{row.left + 2}:{row.top + 5}", state).chosen == per_page + 1


@pytest.mark.parametrize("key", ["r", "space", "enter", "w", "5", "n", "c"])
def test_other_keys_lead_to_a_random_point_and_home_back(key: str) -> None:
    state = after(f"right,{key}")
    assert (state.point, state.seed) == (Point(0), 1)
    assert after(f"{key},home").point == MIDDLE


def test_keys_choose_a_class_where_there_are_some() -> None:
    state = replace(STATE, classes=Classes(3))
    assert [after(keys, state).classes.label for keys in ("2", "n", "p", "n,c")] == [2, 1, 2, 1]
    assert after("c,2", state).classes == Classes(3, 2)
    assert after("2,n", state).point == MIDDLE


@pytest.mark.parametrize("key", ["esc", "s", "S"])
def test_leaving_and_saving_change_nothing(key: str) -> None:
    event = parse_keys(key)[0]
    assert STATE.after(event) == STATE


events = st.builds(
    Event, st.sampled_from(Action), st.integers(-5, 1200), st.integers(-5, 900), st.sampled_from("xyXYlLncq3eEmM")
)


@settings(deadline=None)
@given(st.lists(events, max_size=40), st.booleans())
def test_no_sequence_of_events_leaves_what_is_allowed(sequence: list[Event], flat: bool) -> None:
    state = PLANE if flat else replace(STATE, classes=Classes(4))
    state = state.marked(0, {1, 2}).marked(1, {2})
    for event in sequence:
        state = state.after(event)
        assert state.axes[0] != state.axes[1]
        assert all(0 <= axis < state.space.count for axis in (*state.axes, state.chosen))
        assert 0 <= state.stop < len(state.layout.stops)
        assert state.view in state.views
        assert np.isfinite(state.space.exact(state.point)).all()


@given(
    st.integers(1, 2000),
    st.integers(1, 2000),
    st.none() | st.integers(1, 64),
    st.none() | st.integers(1, 64),
    st.sampled_from((0.5, 1.0, 2.0)),
)
def test_everything_lies_on_the_frame_and_apart(
    height: int, width: int, rows: int | None, columns: int | None, scale: float
) -> None:
    layout = make_layout(height, width, rows, columns, scale)
    assert layout.rows == (rows or layout.rows)
    assert layout.columns == (columns or layout.columns)
    plane, panel, small, stops = layout.plane, layout.panel, layout.plane_above_line, layout.line
    for area in (plane, panel, small, stops, layout.sliders[-1], *layout.gauges(2)[-1:]):
        assert area.width > 0
        assert area.height > 0
        assert 0 <= area.left < area.right <= layout.width
        assert 0 <= area.top < area.bottom <= layout.height
    assert plane.right < panel.left
    assert small.bottom < stops.top
    assert layout.tracks[0].right <= layout.sliders[0].right


def test_images_of_usual_sizes_fit_a_small_screen_in_whole_multiples() -> None:
    for side in (28, 32, 64, 96, 128, 256):
        layout = make_layout(side, side)
        assert layout.width <= 1024
        assert layout.height + 28 <= 740
        cell = layout.plane.width // layout.columns
        assert cell % side == 0 or side % cell == 0
    assert [fitting_side(native, 288) for native in (28, 64, 96, 128, 300, 1000)] == [280, 256, 288, 256, 288, 250]
