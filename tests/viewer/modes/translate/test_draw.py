"""Drawing: strokes, undo to the bit, colours, and the result that follows."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import small_models as make
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import wait_until

from trainer.contract.edges import edge_map
from viewer.__main__ import main
from viewer.app import run_live, run_scripted
from viewer.files.png import read_recipe
from viewer.files.resizing import fit
from viewer.keys import Action, Event, parse_keys
from viewer.model import open_model
from viewer.modes.translate.draw.session import (
    BRUSHES,
    COLOURS,
    DrawSession,
    DrawState,
    Stroke,
    add_strokes,
    begin,
    make_easel,
)
from viewer.sessions.translation import Translator

KEYS = ["+", "-", "z", "y", "c", "3", "x", "s", "space", "i", "left", "wheel:2", "wheel:-3", "ctrl+z"]
PLACES = st.tuples(st.integers(0, 1100), st.integers(0, 600))
MOUSE = st.builds(Event, st.sampled_from([
    Action.CLICK, Action.DRAG, Action.RELEASE, Action.SECOND_CLICK, Action.SECOND_DRAG, Action.SECOND_RELEASE,
    Action.MOVE]), st.integers(0, 1100), st.integers(0, 600))  # fmt: skip


def session(path: Path, folder: Path, size: int = 0) -> DrawSession:
    translator = Translator(open_model(path, wanted="translator"), size=size)
    return DrawSession(translator, begin(translator, size), folder)


def drawn(state: DrawState) -> np.ndarray:
    page = np.full((state.easel.height, state.easel.width, 3), state.palette[0], np.uint8)
    add_strokes(page, state, state.strokes)
    return page


def run(work: DrawSession, keys: str) -> make.FakeDisplay:
    display = make.FakeDisplay([], interactive=False)
    run_scripted(work, display, parse_keys(keys))
    work.close()
    assert work.failures == []
    return display


def blank_state(colours: int = 4) -> DrawState:
    palette = COLOURS[:colours]
    lines = colours == 2
    easel = make_easel(64, 96, 0 if lines else colours)
    return DrawState(easel, palette, has_latent=True, lines=lines)


@given(st.lists(st.one_of(st.sampled_from(KEYS).map(lambda key: parse_keys(key)[0]), MOUSE), max_size=60))
@settings(max_examples=60)
def test_nothing_leads_out_of_bounds_and_undo_leads_back(events: list[Event]) -> None:
    state = blank_state()
    pages = [drawn(state)]  # after so many strokes
    for event in events:
        state = state.after(event)
        del pages[len(state.strokes) :]
        pages += [drawn(state)] * (len(state.strokes) + 1 - len(pages))
        assert 0 <= state.brush < len(BRUSHES)
        assert 0 <= state.colour < 4
    last = drawn(state)
    colours = {tuple(pixel) for pixel in last.reshape(-1, 3).tolist()}
    assert colours <= set(state.palette)  # and none between two
    count = len(state.strokes)
    for number in range(count - 1, -1, -1):
        state = state.after(Event(Action.UNDO))
        assert len(state.strokes) == number
        assert np.array_equal(drawn(state), pages[number])
    for _ in range(count):
        state = state.after(Event(Action.NEW, key="y"))
    assert np.array_equal(drawn(state), last)


def test_a_stroke_changes_the_result_and_undo_restores_it_to_the_bit(edges_path: Path, tmp_path: Path) -> None:
    display = run(session(edges_path, tmp_path), "s,drag:40:40:300:200,s,drag:20:300:200:300,z,s,ctrl+z,s,y,s")
    empty, one, undone, back, redone = (cv2.imread(str(tmp_path / f"edges-{number:04d}.png")) for number in range(1, 6))
    assert not np.array_equal(empty, one)
    assert np.array_equal(one, undone)
    assert np.array_equal(empty, back)
    assert np.array_equal(one, redone)
    pages = [cv2.imread(str(tmp_path / f"edges-{number:04d}-drawing.png")) for number in (1, 2, 4)]
    assert not pages[0].any()
    assert set(np.unique(pages[1])) == {0, 255}
    assert not pages[2].any()
    assert len(display.frames) == len(parse_keys("s,drag:40:40:300:200,s,drag:20:300:200:300,z,s,ctrl+z,s,y,s")) + 1


def test_the_drawing_that_is_saved_is_what_the_model_saw(edges_path: Path, tmp_path: Path) -> None:
    work = session(edges_path, tmp_path)
    run(work, "+,+,drag:40:40:300:200:100:300,rdrag:200:100:220:300,s")
    page = cv2.imread(str(tmp_path / "edges-0001-drawing.png"))
    assert page.shape == (48, 64, 3)
    result = cv2.imread(str(tmp_path / "edges-0001.png"))
    assert np.array_equal(result, work.translator.translate(page))
    recipe = read_recipe(tmp_path / "edges-0001.png")
    assert recipe["mode"] == "draw"
    strokes = tuple(Stroke(colour, size, tuple(map(tuple, points))) for colour, size, points in recipe["strokes"])
    assert strokes == work.state.strokes
    assert strokes[0].size == BRUSHES[2]
    assert (strokes[1].colour, strokes[1].size) == (0, 4 * BRUSHES[2])


def test_a_drawing_can_be_drawn_on_and_a_photographs_edges_too(
    edges_path: Path, photo_path: Path, tmp_path: Path
) -> None:
    flags = ["--display", "none", "--out", str(tmp_path)]
    assert main(["translate", str(edges_path), "--draw", "--keys", "drag:40:40:300:200,s", *flags]) == 0
    drawing = tmp_path / "edges-0001-drawing.png"
    assert main(["translate", str(edges_path), "--draw", "--start", str(drawing), "--keys", "s,c,s", *flags]) == 0
    assert np.array_equal(cv2.imread(str(tmp_path / "edges-0002-drawing.png")), cv2.imread(str(drawing)))
    assert (tmp_path / "edges-0002.png").exists()
    assert not cv2.imread(str(tmp_path / "edges-0003-drawing.png")).any()
    assert main(["translate", str(edges_path), "--draw", "--start", str(photo_path), "--keys", "s", *flags]) == 0
    page = cv2.imread(str(tmp_path / "edges-0004-drawing.png"))
    assert np.array_equal(page[..., 0], edge_map(fit(cv2.imread(str(photo_path)), 48, 64)[..., ::-1].copy()))


def test_colours_by_key_and_by_swatch_come_from_the_card(masks_path: Path, tmp_path: Path) -> None:
    work = session(masks_path, tmp_path)
    assert work.state.palette == ((30, 20, 10), (0, 0, 255), (0, 255, 0))
    swatch = work.state.easel.swatches[2]
    run(
        work,
        f"drag:40:40:300:40,2,drag:40:200:300:200,1,click:{swatch.left + 3}:{swatch.top + 3},drag:40:400:300:400,7,s",
    )
    page = cv2.imread(str(tmp_path / "masks-0001-drawing.png"))
    assert {tuple(pixel) for pixel in page.reshape(-1, 3).tolist()} == set(work.state.palette)
    assert [stroke.colour for stroke in work.state.strokes] == [1, 2, 2]


def test_masks_of_two_colours_are_areas_to_choose_from(tmp_path: Path) -> None:
    condition = {"kind": "given", "size": [32, 32], "palette": [[10, 20, 30], [255, 0, 0]]}
    work = session(make.make_translator(tmp_path / "two.onnx", condition=condition), tmp_path)
    assert len(work.state.easel.swatches) == 2
    run(work, "drag:40:40:300:40,0,drag:40:200:300:200,s")
    assert [(stroke.colour, stroke.size) for stroke in work.state.strokes] == [(1, BRUSHES[4]), (0, BRUSHES[4])]


def test_a_drawing_of_another_size_gets_no_new_colours(masks_path: Path, tmp_path: Path) -> None:
    mask = np.full((90, 170, 3), (30, 20, 10), np.uint8)
    cv2.circle(mask, (80, 40), 31, (0, 0, 255), -1)
    cv2.imwrite(str(tmp_path / "mask.png"), mask)
    flags = ["--start", str(tmp_path / "mask.png"), "--display", "none", "--keys", "s", "--out", str(tmp_path)]
    for size in ("32", "256"):
        assert main(["translate", str(masks_path), "--draw", "--size", size, *flags]) == 0
    for path in tmp_path.glob("*-drawing.png"):
        page = cv2.imread(str(path))
        assert {tuple(pixel) for pixel in page.reshape(-1, 3).tolist()} == {(30, 20, 10), (0, 0, 255)}


def test_a_new_latent_draws_the_same_page_anew(masks_path: Path, tmp_path: Path) -> None:
    run(session(masks_path, tmp_path), "drag:40:40:300:40,s,x,s")
    first, second = (cv2.imread(str(tmp_path / f"masks-{number:04d}.png")) for number in (1, 2))
    assert not np.array_equal(first, second)
    pages = [cv2.imread(str(tmp_path / f"masks-{number:04d}-drawing.png")) for number in (1, 2)]
    assert np.array_equal(*pages)


def test_models_without_colours_get_a_usual_palette_and_size_is_of_the_page(tmp_path: Path) -> None:
    path = make.make_translator(tmp_path / "plain.onnx", multiple=16)
    work = session(path, tmp_path, size=100)
    assert (work.state.easel.width, work.state.easel.height) == (112, 112)
    assert work.state.palette == COLOURS
    run(work, "S")
    assert cv2.imread(str(tmp_path / "plain-0001.png")).shape[1] > 800


def test_the_image_follows_while_the_button_is_held(edges_path: Path, tmp_path: Path) -> None:
    work = session(edges_path, tmp_path)
    translate, seen = work.translator.model.translate, []

    def noted(*arguments: object) -> object:
        seen.append(len(work.state.strokes[0].points) if work.state.strokes else 0)
        return translate(*arguments)

    work.translator.model.translate = noted
    places = ":".join(f"{20 + 4 * step}:{50 + step}" for step in range(60))
    display = make.FakeDisplay(parse_keys(f"drag:{places}"))

    def wait(seconds: float) -> None:
        """Now and then a person looks whether the image has followed before going on."""
        if display.polls % 12 == 0 and work.state.strokes:
            wait_until(lambda: seen[-1:] == [len(work.state.strokes[0].points)])

    display._wait = wait
    run_live(work, display, parse_keys("esc"))
    work.close()
    assert len(work.state.strokes[0].points) > 20
    assert len({count for count in seen if count}) > 3  # it was asked many times, not at the end alone
    assert work._result_of is not None
    assert work._result_of[0] == work.state.strokes


@pytest.mark.parametrize("keys", ["drag:500:500:900:900", "click:5:5", "drag:4:4:900:20", "rdrag:900:20:20:20"])
def test_strokes_that_leave_the_page_or_begin_beside_it(keys: str, edges_path: Path, tmp_path: Path) -> None:
    work = session(edges_path, tmp_path)
    run(work, keys)
    inside = work.state.easel.page.holds(*map(int, keys.split(":")[1:3]))
    assert len(work.state.strokes) == inside


def test_backspace_takes_back_strokes_and_latents_in_their_order_and_q_keeps_a_drawing(
    masks_path: Path, tmp_path: Path
) -> None:
    work = session(masks_path, tmp_path)

    def press(keys: str) -> tuple[int, int]:
        for event in parse_keys(keys):
            assert not work.handle(event)
        return len(work.state.strokes), work.state.seed

    assert press("drag:20:20:60:60,x,drag:20:60:60:20,x") == (2, 2)
    assert press("backspace") == (2, 1)
    assert press("u") == (1, 1)
    assert press("backspace") == (1, 0)
    assert press("u") == (0, 0)
    assert press("y") == (1, 0)
    assert press("q") == (1, 1)  # as any other key, since the drawing is not saved
    assert "not saved" in work.title()
    press("s")
    work.settle(0.0)
    assert work.handle(*parse_keys("q"))
    assert press("z,q") == (0, 2)
    work.close()
