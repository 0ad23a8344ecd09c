"""What each key does to a comparison."""

from dataclasses import replace

import pytest

from viewer.keys import NAMES, Action, Event, decode_character
from viewer.modes.compare.state import INPUT, LARGEST_AMPLIFICATION, MOST_ZOOM, CompareState, Zoom
from viewer.sheet import Sheet

SHEETS = Sheet(2, 3, 40, 10), Sheet(2, 3, 10, 10)


def state(**more: object) -> CompareState:
    known = {"kind": "generator", "columns": ("A", "B", "C", "D"), "sheets": SHEETS, "can_measure": True}
    return CompareState(SHEETS[0], **{**known, **more})


def after(one: CompareState, *keys: str | Event) -> CompareState:
    for key in keys:
        event = key if isinstance(key, Event) else NAMES.get(key) or decode_character(key)
        one = one.after(event)
    return one


def test_tab_leads_through_the_views_and_back() -> None:
    seen = [one.view for one in (after(state(), *["\t"] * count) for count in range(5))]
    assert seen == ["side", "wipe", "difference", "figures", "side"]
    assert after(state(can_measure=False), "\t", "\t", "\t").view == "side"
    assert after(state(), "\t").sheet == SHEETS[1]
    assert after(state(), "\t", "\t").sheet == SHEETS[0]


def test_views_change_nothing_that_images_follow_from() -> None:
    first = state()
    for keys in (["\t"], ["\t", "["], ["\t", "\t", "]"], ["a"], ["b"], ["right"]):
        assert after(first, *keys).page == first.page


def test_new_images_interpolation_and_truncation() -> None:
    assert after(state(), "x", " ").seed == 2
    assert after(state(), "i").mode == "interpolation"
    assert after(state(), "i").seed == 0
    assert after(state(), "i", "i").seed == 1
    assert after(state(), "i", "r").page == state().page
    assert after(state(), "+", "+", "-").level == 11


def test_a_and_b_choose_two_different_columns() -> None:
    seen = {after(state(), *["a"] * first, *["b"] * second).pair for first in range(4) for second in range(4)}
    assert all(left != right for left, right in seen)
    assert {left for left, _ in seen} == {0, 2, 3}  # the right one is left out
    assert after(state(), "b", "a").pair == (1, 2)
    two = state(columns=("A", "B"))
    assert after(two, "a").pair == after(two, "b").pair == (1, 0)


def test_brackets_move_the_divider_and_change_the_amplification() -> None:
    assert after(state(), "[").divider == 0.5
    assert after(state(), "\t", "[", "[").divider == 0.4
    assert after(state(), "\t", *["]"] * 50).divider == 1.0
    assert after(state(), "\t", "\t", "]").factor == 16
    assert after(state(), "\t", "\t", *["]"] * 50).amplification == LARGEST_AMPLIFICATION
    assert after(state(), "\t", "\t", *["["] * 50).factor == 1


def test_the_divider_follows_the_mouse_within_the_cell_that_was_chosen() -> None:
    wipe = after(state(), "\t")
    left, top = wipe.sheet.corner(4)
    clicked = after(wipe, Event(Action.CLICK, left + 9, top + 3))
    assert (clicked.cursor, clicked.divider) == (4, 1.0)
    dragged = after(clicked, Event(Action.DRAG, left, 0))
    assert (dragged.cursor, dragged.divider) == (4, 0.0)
    assert after(dragged, Event(Action.DRAG, 4000, 0)).divider == 1.0
    assert after(wipe, Event(Action.CLICK, 4000, 4000)) == wipe


def test_a_page_of_images_ends_where_there_are_no_more() -> None:
    images = state(mode="images", columns=(INPUT, "A", "B"), photos=8, has_latent=False)
    assert images.page.photos == (0, 1, 2, 3, 4, 5)
    last = after(images, "end", "pagedown")
    assert last.page.photos == (6, 7)
    assert last.cursor == 1
    assert after(last, "down").cursor <= 1
    assert after(last, "pagedown").page == images.page
    assert after(images, "x", "i", "r", " ") == images
    assert after(images, "+").zoom.power == 1


def test_differences_leave_the_images_that_go_in_as_they_are() -> None:
    images = state(mode="images", columns=(INPUT, "A", "B"), photos=8, pair=(1, 2))
    assert images.subtracted == {2}
    assert replace(images, pair=(0, 1)).subtracted == {1, 2}


def test_steps_of_denoisers() -> None:
    denoiser = state(kind="denoiser", level=25, most_level=40)
    assert after(denoiser, "+").level == 35
    assert after(denoiser, "+", "+", "+").level == 40
    assert after(denoiser, "-").level == 20


@pytest.mark.parametrize("place", [(0.0, 0.0), (0.5, 0.5), (1.0, 0.3)])
def test_zoom_stays_inside_and_keeps_the_place(place: tuple[float, float]) -> None:
    zoom = Zoom()
    for _ in range(MOST_ZOOM + 3):
        before = zoom
        zoom = zoom.changed(1, place)
        left, top = zoom.corner
        assert left >= 0
        assert top + zoom.share <= 1
        for one, other, fraction in zip(zoom.corner, before.corner, place, strict=True):
            assert one + fraction * zoom.share == pytest.approx(other + fraction * before.share)
    assert zoom.power == MOST_ZOOM
    for _ in range(MOST_ZOOM + 1):
        zoom = zoom.changed(-1)
    assert zoom == Zoom()


def test_the_right_button_and_the_arrows_move_what_is_enlarged() -> None:
    one = state(sheets=(Sheet(1, 1, 40, 10), Sheet(1, 1, 10, 10)))
    one = replace(one, sheet=one.sheets[0])
    near = after(one, Event(Action.WHEEL_UP, 5, 5))
    assert near.zoom.power == 1
    moved = after(near, Event(Action.SECOND_CLICK, 8, 5), Event(Action.SECOND_DRAG, 4, 5), Event(Action.SECOND_RELEASE))
    assert moved.zoom.across > near.zoom.across
    assert moved.zoom.grip is None
    assert after(moved, Event(Action.SECOND_DRAG, 0, 0)) == moved
    assert after(near, "right").zoom.across > near.zoom.across
    assert after(one, "right") == one
