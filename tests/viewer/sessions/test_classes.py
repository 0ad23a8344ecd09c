"""Classes in the grid and in walks: which keys choose them, what is drawn, and that a saved image says which."""

from pathlib import Path

import numpy as np
import pytest
from small_models import FakeDisplay, fitting_sheet, make_generator

from trainer.contract.errors import UserError
from viewer.__main__ import main
from viewer.app import run_scripted
from viewer.bindings import help_text
from viewer.files.png import read_recipe
from viewer.keys import parse_keys
from viewer.labels import painted
from viewer.latents import Walk, draw_many, mix
from viewer.model import Model, open_model
from viewer.modes import Mode
from viewer.modes.animate.session import AnimateSession, AnimateState
from viewer.sessions.classes import Classes, find_label
from viewer.sessions.generator_page.session import GridSession, GridState
from viewer.sheet import Sheet

SHEET = Sheet(rows=3, columns=4, cell_width=16, cell_height=16)


@pytest.fixture(scope="module")
def model(classes_path: Path) -> Model:
    return open_model(classes_path)


def after(keys: str, state: GridState | AnimateState) -> GridState | AnimateState:
    for event in parse_keys(keys):
        state = state.after(event)
    return state


@pytest.mark.parametrize("kind", [GridState, AnimateState])
@pytest.mark.parametrize(
    ("keys", "label"),
    [("2", 2), ("0", 0), ("n", 1), ("n,N,n", 0), ("p", 2), ("P,p", 1), ("2,7", 2), ("c,1", 1)],
)
def test_keys_choose_the_class_and_nothing_else(kind: type[GridState | AnimateState], keys: str, label: int) -> None:
    state = after(keys, kind(SHEET, classes=Classes(3)))
    assert state.classes.label == label
    assert (state.seed, state.cursor) == (0, 0)


@pytest.mark.parametrize("key", ["0", "5", "n", "p", "c", "m", "P", "C", "M", "N"])
def test_without_classes_these_keys_bring_new_images(key: str) -> None:
    assert after(key, GridState(SHEET)) == GridState(SHEET, seed=1)
    assert after(key, AnimateState(SHEET, position=5)) == AnimateState(SHEET, seed=1)


def test_rows_by_class_wrap_round() -> None:
    state = after("c,n,n", GridState(SHEET, classes=Classes(3)))
    assert state.classes.of_sheet(3, 4) == (2, 2, 2, 2, 0, 0, 0, 0, 1, 1, 1, 1)
    assert after("c", state).classes.of_sheet(3, 4) == (2,) * 12
    assert Classes().of_sheet(3, 4) == ()


def test_mixes_are_a_third_way_beside_random_and_interpolation() -> None:
    able = GridState(SHEET, can_mix=True)
    assert after("m", able).mode == "mix"
    assert after("m,m", able).seed == 1
    assert after("m,r", able) == able
    assert after("m,i", able).mode == "interpolation"


def scripted(session: GridSession | AnimateSession, keys: str, frames: int = 0) -> FakeDisplay:
    display = FakeDisplay([], interactive=False)
    run_scripted(session, display, parse_keys(keys), frames)
    session.close()
    return display


def page(model: Model, folder: Path) -> GridSession:
    sheet = fitting_sheet(3, 4, *model.image_size, 1.0)
    return GridSession(model, GridState(sheet, classes=Classes(len(model.classes)), can_mix=True), folder)


def assert_shows(frame: np.ndarray, sheet: Sheet, images: np.ndarray) -> None:
    for index, image in enumerate(images):
        left, top = sheet.corner(index)
        assert np.array_equal(frame[top + 2 : top + 14, left + 2 : left + 14], image[2:-2, 2:-2])


def test_a_page_shows_the_classes_asked_for(model: Model, tmp_path: Path) -> None:
    session = page(model, tmp_path)
    display = scripted(session, "1,c,right,down")
    wanted = draw_many(model.latent, 0, range(12))
    for frame, labels in zip(display.frames, ([0] * 12, [1] * 12, [1] * 4 + [2] * 4 + [0] * 4), strict=False):
        assert_shows(frame, session.state.sheet, model.generate(wanted, np.array(labels)))
    assert "class ant (0)" in display.titles[0]
    assert "class bee (1)" in display.titles[1]
    assert "class cat (2)" in display.titles[4]
    assert "rows by class" in display.titles[4]


def test_rows_by_class_have_names(tmp_path: Path) -> None:
    names = ("ant", "a\x1b[31mb\u202e" + "x" * 500, "3")
    model = open_model(make_generator(tmp_path / "named.onnx", labels=3, classes=names, height=64, width=64))
    session = page(model, tmp_path)

    def written() -> list[str]:
        return [label.text for label in session.frame(strip=False).labels]

    session.settle(0.0)
    assert written() == []
    session.handle(*parse_keys("c"))
    first, second, third = session.frame(strip=False).labels
    assert (first.text, third.text) == ("ant", "3")
    assert second.text.isprintable()
    assert [label.y for label in (first, second, third)] == sorted(label.y for label in (first, second, third))
    for label, row in ((first, 0), (second, 1), (third, 2)):
        _, top = session.state.sheet.corner(4 * row)
        assert top < label.y < top + 20
    session.handle(*parse_keys("n"))
    assert [written()[0], written()[1]] == [second.text, "3"]
    session.settle(0.0)
    for strip in (True, False):
        assert painted(session.frame(strip)).shape[1] == session.state.sheet.width
    session.close()


def test_a_page_of_mixes_lies_between_the_samples(model: Model, tmp_path: Path) -> None:
    session = page(model, tmp_path)
    frames = scripted(session, "m,x").frames
    for frame, seed in zip(frames[1:], (0, 1), strict=True):
        assert_shows(frame, session.state.sheet, model.generate(mix(model.samples, seed, range(12)), np.zeros(12, int)))
    mixed = mix(model.samples, 0, range(500)).astype(np.float64)
    weights = np.linalg.lstsq(np.vstack([model.samples.T, np.ones(5)]), np.vstack([mixed.T, np.ones(500)]), rcond=None)
    assert np.allclose(weights[0].sum(axis=0), 1)
    assert weights[0].min() > -1e-5
    assert (weights[0] > 1e-5).sum(axis=0).max() == 3
    assert abs(mixed.mean(axis=0) - model.samples.mean(axis=0)).max() < 0.15


def test_a_walk_goes_on_in_another_class(model: Model, tmp_path: Path) -> None:
    sheet = fitting_sheet(2, 1, *model.image_size, 1.0, gap=0)
    session = AnimateSession(model, AnimateState(sheet, classes=Classes(3)), tmp_path)
    frames = scripted(session, "n,c,space", frames=5).frames
    for number, labels in ((0, [0, 0]), (1, [1, 1]), (2, [1, 2])):
        walks = np.stack([Walk(model.latent, 0, number=row).at(number / 30) for row in range(2)])
        made = model.generate(walks, np.array(labels))
        assert np.array_equal(frames[number][18:30], made[1][2:14])


def test_a_saved_image_says_its_class(model: Model, tmp_path: Path) -> None:
    scripted(page(model, tmp_path), "1,c,down,s,S,c,s")
    one, whole, plain = (read_recipe(tmp_path / f"classes-000{number}.png") for number in (1, 2, 3))
    assert (one["label"], one["class"], one["first_label"], one["by_class"]) == (2, "cat", 1, True)
    assert whole["labels"] == [1] * 4 + [2] * 4 + [0] * 4
    assert (plain["label"], plain["by_class"]) == (1, False)


@pytest.mark.parametrize(
    ("mode", "keys", "flags"),
    [
        ("grid", "2,c,down,s", []),
        ("grid", "c,p,i,S", ["--label", "bee"]),
        ("grid", "x,-,S", ["--mix", "--label", "2"]),
        ("animate", "p,c,s", ["--rows", "2"]),
        ("animate", "S", ["--label", "1"]),
    ],
)
def test_from_repeats_class_and_mix(mode: str, keys: str, flags: list[str], classes_path: Path, tmp_path: Path) -> None:
    saved, replayed = tmp_path / "classes-0001.png", tmp_path / "replayed" / "classes-0001.png"
    command = [mode, str(classes_path), "--display", "none"]
    assert main([*command, *flags, "--keys", keys, "--out", str(tmp_path)]) == 0
    assert main([*command, "--from", str(saved), "--keys", keys[-1], "--out", str(replayed.parent)]) == 0
    assert replayed.read_bytes() == saved.read_bytes()


def test_a_flag_chooses_the_first_class(classes_path: Path, tmp_path: Path) -> None:
    for wanted, label in (("cat", 2), ("1", 1)):
        command = ["grid", str(classes_path), "--display", "none", "--label", wanted, "--keys", "s"]
        assert main([*command, "--out", str(tmp_path / wanted)]) == 0
        assert read_recipe(tmp_path / wanted / "classes-0001.png")["label"] == label


def test_names_go_before_numbers() -> None:
    assert find_label(("7", "1", "x"), "1", "f") == 1
    assert find_label(("7", "1", "x"), "2", "f") == 2
    for wrong in ("3", "-1", "X", "", "1e1", "²"):
        with pytest.raises(UserError, match=r"expected 0\.\.2 or a name: 7, 1, x"):
            find_label(("7", "1", "x"), wrong, "f")


@pytest.mark.parametrize(
    ("flags", "expected"),
    [(["--label", "dog"], "expected 0..2 or a name: ant, bee, cat"), (["--label", "3"], "expected 0..2")],
)
def test_a_wrong_class_is_one_line(
    flags: list[str], expected: str, classes_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grid", str(classes_path), "--display", "none", *flags]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


@pytest.mark.parametrize(
    ("flags", "expected"), [(["--label", "0"], "draws no classes"), (["--mix"], "keeps 0 latents")]
)
def test_what_a_model_lacks_is_one_line(
    flags: list[str], expected: str, generator_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["grid", str(generator_path), "--display", "none", *flags]) == 2
    error = capsys.readouterr().err
    assert expected in error
    assert error.count("\n") == 1


def test_hostile_class_names_are_shown_harmless(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    names = ("\x1b]0;owned\x07", "a\nb\u202e" + "x" * 500, "")
    model = open_model(make_generator(tmp_path / "evil.onnx", labels=3, classes=names))
    display = scripted(page(model, tmp_path), "n,n")
    assert all(title.isprintable() and len(title) < 200 for title in display.titles)
    assert main(["grid", str(tmp_path / "evil.onnx"), "--display", "none", "--label", "\x1b[31m"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_classes_that_the_graph_does_not_take_are_none(tmp_path: Path) -> None:
    assert open_model(make_generator(tmp_path / "plain.onnx", classes=("a", "b"))).classes == ()


def test_the_help_tells_the_keys_of_its_mode() -> None:
    assert "rows by class" in help_text(Mode("grid").bindings)
    assert "mixes" in help_text(Mode("grid").bindings)
    assert "mixes" not in help_text(Mode("animate").bindings)
    assert "Tab" not in help_text(Mode("grid").bindings)
    assert "Tab" in help_text(Mode("latent").bindings)
